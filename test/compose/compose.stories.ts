/** The city as `docker compose up` starts it, at its default addresses. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'

const city = `satunomor-test-${process.pid}`
const token = randomBytes(32).toString('hex')
const env = { ...process.env, COMPOSE_PROJECT_NAME: city, SATUNOMOR_TOKEN: token }
const program = promisify(execFile)
const compose = await command([['docker-compose'], ['docker', 'compose']])

beforeAll(() => up())
afterAll(async () => {
  await compose('down', '--volumes', '--remove-orphans')
})

describe('docker compose up', () => {
  test('a citizen dials 112, presses 2 and talks to BPBD', async () => {
    expect(await compose('run', '--rm', 'call', '--press', '2')).toMatch(/line bpbd-1 answered/i)
  })

  test('the host reaches it, too: npm run call', async () => {
    const { stdout: folder } = await program('docker', ['volume', 'inspect', '--format', '{{.Mountpoint}}', `${city}_sounds`])
    const { stdout } = await program('npm', ['run', 'call', '--', '--press', '1', '--sounds', folder.trim()], { cwd: project })
    expect(stdout).toMatch(/line ambulans-1 answered/i)
  })

  test('both calls are on record, as answered', async () => {
    const { calls } = await eventually('two calls with their dispositions', async () => {
      const list = await api('calls') as { calls: { line: string, disposition: string | null }[] }
      return list.calls.length === 2 && list.calls.every(({ disposition }) => disposition) ? list : undefined
    })
    expect(calls.map(({ line, disposition }) => [line, disposition])).toEqual([['ambulans-1', 'answered'], ['bpbd-1', 'answered']])
  })

  test('no part has a right that it does not use', async () => {
    for (const part of ['redis', 'asterisk', 'telephones', 'watchdog', 'service']) {
      const { Config: { User: user }, HostConfig: { CapDrop, CapAdd, ReadonlyRootfs, SecurityOpt } } = await inspect(part)
      expect({ part, user, CapDrop, CapAdd, ReadonlyRootfs, SecurityOpt }).toEqual({
        part, user: { redis: 'redis', asterisk: 'asterisk' }[part] ?? 'satunomor', CapDrop: ['ALL'], CapAdd: null, ReadonlyRootfs: true,
        SecurityOpt: ['no-new-privileges:true']
      })
    }
  })

  test('parts that freeze are killed by their health checks, and started again', { timeout: 240_000 }, async () => {
    const parts = ['service', 'asterisk', 'redis']
    // The first process is the init; its child is the part.
    const freeze = 'for s in /proc/[0-9]*/status; do if grep -q "^PPid:[[:space:]]*1$" $s; then p=${s#/proc/}; kill -STOP ${p%/status}; fi; done'
    for (const part of parts) await program('docker', ['exec', await container(part), 'sh', '-c', freeze])
    await Promise.all(parts.map(part => eventually(`${part} is started again`, async () => (await inspect(part)).RestartCount > 0 || undefined, 180_000)))
    await ready()
    expect(await compose('run', '--rm', 'call', '--press', '2')).toMatch(/line bpbd-1 answered/i)
  })

  test('stopped, each part ends by itself; started again, it knows its records', async () => {
    await compose('stop')
    for (const part of ['service', 'watchdog', 'telephones', 'asterisk', 'redis']) expect({ part, code: (await inspect(part)).State.ExitCode }).toEqual({ part, code: 0 })
    await up()
    expect((await api('calls') as { calls: unknown[] }).calls).toHaveLength(3)
  })

  test('a backup goes onto a new machine, before its first `up` or after it: records, tokens and the plan are there, and calls are served', { timeout: 600_000 }, async () => {
    const backups = await mkdtemp(join(tmpdir(), 'satunomor-compose-'))
    const inSetup = (what: 'backup' | 'restore') => compose('run', '--rm', '--volume', `${backups}:/backup`, '--entrypoint', 'node', 'setup', `src/backup/${what}.ts`, '/backup/night')
    const versions = async () => (await api('plan/versions') as { versions: { plan: string, live: boolean }[] }).versions
    const dials = async () => expect(await compose('run', '--rm', 'call', '--press', '2')).toMatch(/line bpbd-1 answered/i)
    try {
      await dials()
      await compose('exec', '-T', 'service', 'node', 'src/satunomor.ts', 'person', 'add', 'Ani', '--role', 'desk')
      const before = await eventually('the call is over', async () => {
        const { calls } = await api('calls') as { calls: { callId: string, disposition: string | null }[] }
        return calls.every(({ disposition }) => disposition) ? calls : undefined
      })
      const [was] = await versions()
      await inSetup('backup')

      const asBefore = async () => {
        expect((await api('calls') as { calls: unknown[] }).calls).toEqual(before)
        expect(await compose('exec', '-T', 'service', 'node', 'src/satunomor.ts', 'person', 'list')).toContain('Ani')
        expect((await versions())[0]).toMatchObject({ live: true, plan: was!.plan })
        await dials()
      }
      await compose('down', '--volumes')
      await inSetup('restore')
      await up()
      await asBefore()

      await compose('down', '--volumes')
      await up()
      const asterisk = await container('asterisk')
      const { State: { StartedAt: started } } = await inspect('asterisk')
      await compose('stop', 'service')
      await inSetup('restore')
      await up()
      expect([await container('asterisk'), (await inspect('asterisk')).State.StartedAt]).toEqual([asterisk, started])          // it ran on
      await asBefore()
    } finally {
      await rm(backups, { recursive: true, force: true })
    }
  })

  test('down, it leaves nothing behind', async () => {
    await compose('down', '--volumes')
    const { stdout: containers } = await program('docker', ['ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${city}`])
    const { stdout: volumes } = await program('docker', ['volume', 'ls', '--quiet', '--filter', `label=com.docker.compose.project=${city}`])
    expect({ containers, volumes }).toEqual({ containers: '', volumes: '' })
    await expect(fetch('http://127.0.0.1:8080/healthz')).rejects.toThrow()
  })
})

/** Up, and ready: a call made now would be served. What the parts said comes along when it is not. */
async function up() {
  await compose('up', '--detach')
  await ready()
}

async function ready() {
  await eventually('/readyz says 200', async () => {
    const answer = await fetch('http://127.0.0.1:8080/readyz')
    if (!answer.ok) throw new Error(await answer.text())
    return true
  }).catch(async error => { throw new Error(`${error.message}\n${await compose('logs', '--no-color', '--tail', '20')}`, { cause: error }) })
}

async function api(path: string): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:8080/api/${path}`, { headers: { authorization: `Bearer ${token}` } })
  expect(answer.status).toBe(200)
  return answer.json()
}

interface Container {
  RestartCount: number
  State: { ExitCode: number, StartedAt: string }
  Config: { User: string }
  HostConfig: { CapDrop: string[] | null, CapAdd: string[] | null, ReadonlyRootfs: boolean, SecurityOpt: string[] | null }
}

async function container(part: string): Promise<string> {
  const { stdout: id } = await program('docker', ['ps', '--all', '--quiet',
    '--filter', `label=com.docker.compose.project=${city}`, '--filter', `label=com.docker.compose.service=${part}`])
  return id.trim()
}

async function inspect(part: string): Promise<Container> {
  const { stdout } = await program('docker', ['inspect', await container(part)])
  return (JSON.parse(stdout) as [Container])[0]
}

/** Of several ways to say it, the first that this machine knows; it resolves with what was printed. */
async function command(ways: [string, ...string[]][]): Promise<(...args: string[]) => Promise<string>> {
  for (const [name, ...first] of ways) {
    if (!await program(name, [...first, 'version']).catch(() => undefined)) continue
    return async (...args) => {
      const { stdout, stderr } = await program(name, [...first, '--project-directory', project, '--file', `${project}/docker-compose.yml`, ...args], { env, maxBuffer: 16 * 1024 * 1024 })
      return stdout + stderr
    }
  }
  throw new Error('there is neither docker-compose nor docker compose')
}

async function eventually<T>(what: string, ask: () => Promise<T | undefined>, within = 60_000): Promise<T> {
  const end = performance.now() + within
  let complaint = ''
  while (performance.now() < end) {
    const answer = await ask().catch(error => { complaint = (error as Error).message; return undefined })
    if (answer !== undefined) return answer
    await pause(100)
  }
  throw new Error(`not within ${within / 1000} s: ${what}${complaint && ` (${complaint})`}`)
}
