/** `npm start` as a person has it: a whole city from the command, a call through it, and nothing left after SIGTERM. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { node } from '../../setup/packages.mjs'
import { project } from '../../setup/project.mjs'
import { eventually } from '../parts/city.ts'
import { withContainers } from '../parts/launch.ts'

const run = promisify(execFile)
const at = (last: number) => `127.77.9.${last}`
let state: string
let env: NodeJS.ProcessEnv
const started: ChildProcess[] = []

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'satunomor-start-'))
  const plan = await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8')
  await writeFile(join(state, 'plan.yaml'), plan.replaceAll('127.0.0.2', at(2)).replaceAll('127.0.0.3', at(3)))
  await cp(join(project, 'dialplan', 'directory'), join(state, 'directory'), { recursive: true })
  env = {
    ...process.env, NODE_ENV: undefined, SATUNOMOR_STATE: state, SATUNOMOR_PLAN: join(state, 'plan.yaml'), SATUNOMOR_SIP_ADDRESS: at(1),
    SATUNOMOR_HTTP_ADDRESS: at(1), SATUNOMOR_REDIS_PORT: '6390', SATUNOMOR_CARRIER: `${at(2)}:5060`, SATUNOMOR_GATEWAY: `${at(3)}:5060`
  }
})
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null) continue
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
})
afterAll(() => rm(state, { recursive: true, force: true }))

const start = (more: NodeJS.ProcessEnv = {}) => {
  const child = spawn('node', [join(project, 'setup', 'start.mjs')], { env: { ...env, ...more }, stdio: ['ignore', 'ignore', 'pipe'] })
  started.push(child)
  let said = ''
  const serving = Promise.withResolvers<void>()
  child.stderr.on('data', chunk => {
    said += chunk
    if (said.includes('112 is served')) serving.resolve()
  })
  const ended = once(child, 'exit').then(([code]) => { serving.resolve(); return code as number | null })
  return { child, serving: serving.promise, ended, said: () => said }
}

/** The processes that have this test's state folder among their arguments, environment or mounts. */
async function ours(): Promise<string[]> {
  const { stdout } = await run('sh', ['-c', 'grep -lsF -e "$1" /proc/[0-9]*/environ /proc/[0-9]*/cmdline || true', 'sh', state])
  const pids = new Set(stdout.split('\n').map(file => file.split('/')[2]).filter(pid => pid && Number(pid) !== process.pid))
  const names: string[] = []
  for (const pid of pids) names.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').then(text => text.replaceAll('\0', ' ').trim(), () => ''))
  return names.filter(name => name !== '' && !name.startsWith('grep') && !name.startsWith('sh -c grep'))
}

test.skipIf(withContainers)('a city starts, a call goes through, and SIGTERM leaves nothing behind', { timeout: 180_000 }, async () => {
  const city = start()
  await city.serving
  expect(city.said()).toContain('112 is served')
  const token = (await readFile(join(state, 'token'), 'utf8')).trim()
  expect(city.said()).toContain(token)                                  // shown once,
  expect((await stat(join(state, 'token'))).mode & 0o777).toBe(0o600)   // and kept for its owner alone
  expect((await stat(join(state, 'secrets.json'))).mode & 0o777).toBe(0o600)

  expect((await fetch(`http://${at(1)}:8080/healthz`)).status).toBe(200)
  expect((await fetch(`http://${at(1)}:8080/readyz`)).status).toBe(200)
  expect((await fetch(`http://${at(1)}:8080/api/calls`)).status).toBe(401)
  expect((await fetch(`http://${at(1)}:8080/docs/json`)).status).toBe(200)

  const { stdout } = await run(node, [join(project, 'demo', 'call.ts'), '--press', '2', '--target', `${at(1)}:5060`, '--address', at(2), '--sounds', join(state, 'sounds')])
  expect(stdout).toMatch(/heard id\/sambutan/)
  expect(stdout).toMatch(/heard id\/sambung-bpbd/)
  expect(stdout).toMatch(/The line bpbd-1 answered\./)
  const record = await eventually('the record', async () => {
    const { calls } = await (await fetch(`http://${at(1)}:8080/api/calls`, { headers: { authorization: `Bearer ${token}` } })).json() as { calls: { disposition: string | null }[] }
    return calls[0]?.disposition ? calls[0] : undefined
  })
  expect(record).toMatchObject({ disposition: 'answered', line: 'bpbd-1', endedBy: 'caller' })

  expect((await ours()).length).toBeGreaterThan(3)
  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
  expect((await run('sh', ['-c', 'mount'])).stdout).not.toContain(state)
})

/** Our process that runs this. */
async function processOf(program: string): Promise<number> {
  const { stdout } = await run('sh', ['-c', 'grep -lsF -e "$1" /proc/[0-9]*/environ | cut -d/ -f3', 'sh', state])
  for (const pid of stdout.split('\n').filter(Boolean)) {
    if ((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').includes(program)) return Number(pid)
  }
  throw new Error(`nobody runs ${program}`)
}

test.skipIf(withContainers)('what freezes is killed and started again, and what runs beside it is left alone', { timeout: 120_000 }, async () => {
  const city = start({ SATUNOMOR_PHONES: 'off' })
  await city.serving
  const parts = { service: 'src/main.ts', exchange: 'asterisk -f', watchdog: 'src/watchdog.ts' }
  const before = { service: await processOf(parts.service), exchange: await processOf(parts.exchange), watchdog: await processOf(parts.watchdog) }
  for (const pid of [before.service, before.exchange, before.watchdog]) process.kill(pid, 'SIGSTOP')
  // All at once: none waits for another.
  for (const name of ['the service', 'the watchdog', 'Asterisk']) {
    await eventually(`${name} is started again`, async () => new RegExp(`${name} HAS NOT ANSWERED for \\d+ s[^]*${name} ended \\(SIGKILL\\); it is started again`).test(city.said()), 60_000)
  }
  await eventually('a call made now would be served', async () => (await fetch(`http://${at(1)}:8080/readyz`)).ok, 30_000)
  expect(await processOf(parts.service)).not.toBe(before.service)
  expect(await processOf(parts.exchange)).not.toBe(before.exchange)
  expect(await processOf(parts.watchdog)).not.toBe(before.watchdog)
  expect(city.said()).not.toContain('Redis ended')

  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
  // Asterisk was started last, and is yet stopped after the service, which drains by it.
  const log = await readFile(join(state, 'log', 'service.log'), 'utf8')
  const draining = log.slice(log.lastIndexOf('"draining: '))
  expect(draining).toContain('"the service has stopped"')
  expect(draining).not.toContain('link')
})

test.skipIf(withContainers)('a second start sets up nothing twice, shows no token; with a wrong plan 112 is served by the version that was live', { timeout: 120_000 }, async () => {
  const city = start({ SATUNOMOR_PHONES: 'off' })
  await city.serving
  expect(city.said()).toContain('version 1, plan')
  expect(city.said()).toContain('0 prompts made')
  expect(city.said()).not.toContain((await readFile(join(state, 'token'), 'utf8')).trim())
  city.child.kill('SIGINT')
  expect(await city.ended).toBe(0)

  const wrong = join(state, 'wrong.yaml')
  await writeFile(wrong, (await readFile(join(state, 'plan.yaml'), 'utf8')).replace('2: bpbd', '2: bpdb'))
  const kept = start({ SATUNOMOR_PLAN: wrong })
  await kept.serving
  expect(kept.said()).toMatch(/wrong\.yaml:\d+:\d+ menus\.utama\.keys\.2: .*did you mean "bpbd"/)
  expect(kept.said()).toContain('THE EDITED PLAN IS NOT LIVE. Version 1 ')
  expect(kept.said()).toContain('112 is served')
  kept.child.kill('SIGINT')
  expect(await kept.ended).toBe(0)
  expect(await ours()).toEqual([])

  const fresh = start({ SATUNOMOR_PLAN: wrong, SATUNOMOR_STATE: join(state, 'fresh') })          // nothing was live before
  expect(await fresh.ended).toBe(1)
  expect(fresh.said()).toMatch(/wrong\.yaml:\d+:\d+ menus\.utama\.keys\.2: .*did you mean "bpbd"/)
})
