/** What the parts that `npm start` runs get of its settings. */
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { Child, withFewRights } from '../../setup/children.mjs'
import { environment, secrets } from '../../setup/environment.mjs'
import { project } from '../../setup/project.mjs'
import { tempFolder } from '../records/stories.ts'

afterEach(() => { vi.unstubAllEnvs() })

test('the service has its settings and no other variable in its environment, and no secret', () => {
  vi.stubEnv('SATUNOMOR_LOG', 'warn')
  vi.stubEnv('SATUNOMOR_TOKEN', 'a-token-of-the-city')
  vi.stubEnv('DATABASE_URL', 'postgres://city:secret@127.0.0.1/city')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'of-somebody-else')
  expect(environment('all')).toMatchObject({ SATUNOMOR_LOG: 'warn', PATH: process.env['PATH'] })
  expect(Object.keys(environment('all'))).not.toEqual(expect.arrayContaining(['AWS_SECRET_ACCESS_KEY']))
  expect(JSON.stringify(environment('all'))).not.toMatch(/of-the-city|city:secret|somebody-else/)
  expect(JSON.parse(secrets())).toMatchObject({ SATUNOMOR_TOKEN: 'a-token-of-the-city', DATABASE_URL: 'postgres://city:secret@127.0.0.1/city' })
})

test('a part reads the secrets that it is handed, and the kernel shows them to nobody', async () => {
  const script = `import { handedOver } from ${JSON.stringify(join(project, 'src', 'settings.ts'))}
    process.on('SIGTERM', () => process.exit())
    setInterval(() => {}, 1000)
    console.log(handedOver(process.env).SATUNOMOR_TOKEN)`
  await using place = await tempFolder()
  const said = join(place.path, 'said')
  await using output = await open(said, 'w')
  const child = new Child('the part', [process.execPath, ['--input-type=module', '--eval', script]], { output: output.fd, only: true, env: environment(), secrets: JSON.stringify({ SATUNOMOR_TOKEN: 'a-token-of-the-city' }) })
  await vi.waitFor(async () => expect(await readFile(said, 'utf8')).toContain('a-token-of-the-city\n'), 15_000)
  expect(await readFile(`/proc/${child.process.pid}/environ`, 'utf8')).not.toContain('of-the-city')
  await child.stop()
  expect(child.exit).toEqual({ code: 0, signal: null })
})

test.skipIf(process.getuid?.() !== 0)('as root the service has few of its rights, and can get no others', async () => {
  const [command, args] = withFewRights(['cat', ['/proc/self/status']])
  const { stdout } = await import('node:child_process').then(({ spawnSync }) => spawnSync(command, args, { encoding: 'utf8' }))
  const bounding = BigInt(`0x${/CapBnd:\t(\w+)/.exec(stdout)![1]}`)
  const [sysModule, netAdmin, sysPtrace, sysAdmin] = [16n, 12n, 19n, 21n]
  for (const none of [sysModule, netAdmin, sysPtrace]) expect([none, bounding >> none & 1n]).toEqual([none, 0n])
  expect(bounding >> sysAdmin & 1n).toBe(1n)
  expect(stdout).toMatch(/NoNewPrivs:\t1/)
})
