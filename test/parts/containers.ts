/** Parts in containers, through testcontainers: the host's network, our own image, the same folders, the same users. */
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { GenericContainer, getContainerRuntimeClient, ImageName, type StartedTestContainer } from 'testcontainers'
import { afterAll } from 'vitest'
import { project } from '../../setup/project.mjs'
import { userInRoot, type Program } from '../../setup/root.mjs'
import type { Running } from './launch.ts'

/** The Dockerfile's target `parts`: Asterisk, Redis and PostgreSQL. */
const image = process.env['SATUNOMOR_PARTS_IMAGE'] ?? 'satunomor/parts'
/** On each of our containers: the process that started it. */
const label = 'satunomor.test'

// Everything is on the host's network, and we remove what we start: no helper is needed, whose image a registry would have to give.
process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1'
process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true'

/** What runs; natively the parts die with us, here what a test file left goes with the file. */
const running = new Set<StartedTestContainer>()
afterAll(async () => { await Promise.all([...running].map(remove)) })

export const containers = {
  /** Whether a Docker engine answers. Where it does, the image is made first, if it is not there yet (minutes). */
  async answer(): Promise<boolean> {
    const engine = await getContainerRuntimeClient().catch(() => undefined)
    if (!engine) return false
    if (!await engine.image.exists(ImageName.fromString(image))) await makeImage()
    await sweep()
    return true
  },

  async launch(name: string, { command: [program = '', ...args], user = 'root', binds = [] }: Program, ready: () => Promise<boolean>): Promise<Running> {
    const { uid, gid } = userInRoot(user)       // by number: the folders outside were given to these
    const started = await new GenericContainer(image)
      .withNetworkMode('host').withUser(`${uid}:${gid}`).withEntrypoint([program]).withCommand(args)
      .withDroppedCapabilities('ALL').withSecurityOpt('no-new-privileges').withTmpFs({ '/tmp': 'rw,mode=1777' })
      .withLabels({ [label]: String(process.pid) })
      .withBindMounts(binds.map(({ from, to, readOnly }) => ({ source: from, target: to, mode: readOnly ? 'ro' as const : 'rw' as const })))
      .start()
    running.add(started)
    try {
      await untilReady(name, started, ready)
    } catch (error) {
      await remove(started)
      throw error
    }
    let gone: Promise<void> | undefined
    return {
      stop: () => gone ??= started.stop({ timeout: 20_000 }).then(() => { running.delete(started) }),
      kill: () => gone ??= remove(started),
      freeze: async () => { await (await handle(started)).kill({ signal: 'SIGSTOP' }) },
      thaw: async () => { await (await handle(started)).kill({ signal: 'SIGCONT' }) }
    }
  }
}

async function makeImage() {
  const [base, node] = [process.env['SATUNOMOR_BASE_IMAGE'], process.env['SATUNOMOR_NODE_IMAGE']]
  try {
    await GenericContainer.fromDockerfile(project).withTarget('parts')
      .withBuildArgs({ ...base ? { BASE: base } : {}, ...node ? { NODE: node } : {} }).build(image, { deleteOnExit: false })
  } catch (error) {
    throw new Error(`the image ${image} could not be made (${(error as Error).message}): try \`docker build --target parts --tag ${image} .\`, ` +
      'or run the tests without the engine: SATUNOMOR_TEST_PARTS=native npm test', { cause: error })
  }
}

async function untilReady(name: string, started: StartedTestContainer, ready: () => Promise<boolean>, patience = 30_000) {
  const container = await handle(started)
  const lastWords = async () => {
    const log = await container.logs({ stdout: true, stderr: true, tail: 15 })
    return unframed(log).trim().split('\n').map(line => `\n    | ${line}`).join('')
  }
  const deadline = performance.now() + patience
  while (performance.now() < deadline) {
    if (await ready().catch(() => false)) return
    const { State: state } = await container.inspect()
    if (!state.Running) throw new Error(`${name} ended at its start (code ${state.ExitCode})${await lastWords()}`)
    await pause(50)
  }
  throw new Error(`${name} was not ready within ${patience / 1000} s${await lastWords()}`)
}

/** At once (SIGKILL), with what it kept to itself. */
async function remove(started: StartedTestContainer) {
  await (await handle(started)).remove({ force: true, v: true })
  running.delete(started)
}

/** Removes what is left of test runs that were killed. */
async function sweep() {
  const { container: { dockerode } } = await getContainerRuntimeClient()
  for (const { Id: id, Labels: labels } of await dockerode.listContainers({ all: true, filters: { label: [label] } })) {
    if (!existsSync(`/proc/${labels[label]}`)) await dockerode.getContainer(id).remove({ force: true, v: true })
  }
}

const handle = async (started: StartedTestContainer) => (await getContainerRuntimeClient()).container.getById(started.getId())

/** A container's log comes in frames of 8 bytes (stream, length) and their text. */
function unframed(log: Buffer): string {
  let text = ''
  for (let at = 0; at + 8 <= log.length; at += 8 + log.readUInt32BE(at + 4)) text += log.toString('utf8', at + 8, at + 8 + log.readUInt32BE(at + 4))
  return text
}
