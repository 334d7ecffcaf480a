/** `npx satunomor webhook`, as it is typed. */
import { execFile } from 'node:child_process'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { isSecret } from '../../src/delivery/signed.ts'
import { httpServer } from '../../src/http/server.ts'
import { Records } from '../../src/records/records.ts'
import { aLog, tempFolder } from '../records/stories.ts'

vi.setConfig({ testTimeout: 60_000 })          // each is a process of its own

const open = new AsyncDisposableStack()
const token = 'a'.repeat(43)
let env: Record<string, string>
beforeAll(async () => {
  const { path } = open.use(await tempFolder())
  await writeFile(join(path, 'plan.yaml'), (await readFile('dialplan/plan.yaml', 'utf8')).replace('    name: BPBD\n', '    name: BPBD\n    webhook: { url: "https://opd.example.go.id/x" }\n'))
  await cp('dialplan/directory', join(path, 'directory'), { recursive: true })
  env = { SATUNOMOR_STATE: path, SATUNOMOR_PLAN: join(path, 'plan.yaml'), SATUNOMOR_TOKEN: token, SATUNOMOR_HTTP_ADDRESS: '127.77.110.6' }
})
afterAll(() => open.disposeAsync())

const webhook = (...args: string[]) => promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/satunomor.ts', 'webhook', ...args], { env: { ...process.env, ...env } })
  .then(({ stdout }) => ({ code: 0, said: stdout }), ({ code, stderr }) => ({ code: code as number, said: stderr as string }))

test('secret: made, the same again, another after a rotation; only of an agency that has a webhook', async () => {
  const { said: secret } = await webhook('secret', 'bpbd')
  expect(isSecret(secret.trim())).toBe(true)
  expect(await webhook('secret', 'bpbd')).toEqual({ code: 0, said: secret })
  const { said: next } = await webhook('secret', 'bpbd', '--rotate')
  expect(isSecret(next.trim()) && next !== secret).toBe(true)
  expect((await webhook('secret', 'bpbd')).said).toBe(next)
  expect(await webhook('secret', 'posko')).toEqual({ code: 1, said: '"posko" is no agency with a webhook in the plan — there are bpbd\n' })
})

test('dead and redeliver ask the service, and say so where there is none', async () => {
  expect(await webhook('dead')).toMatchObject({ code: 1, said: expect.stringContaining('start it first') })
  const { log } = aLog()
  await using records = await Records.open({ file: join(env['SATUNOMOR_STATE']!, 'records.sqlite') }, log)
  const asked: object[] = []
  const one = { id: 'evt_1', agency: 'bpbd', sequence: 7, key: '', type: 'call.ended', at: Date.UTC(2026, 0, 31), data: '{"number":"+627215550112"}', state: 'dead' as const, tries: 10, madeAt: 0, dueAt: 0, endedAt: 1, why: 'HTTP 500' }
  await using app = await httpServer({
    records, token, log, ready: async () => ({ ready: true, missing: [] }), version: '0',
    webhooks: { dead: async query => { asked.push(query); return [one] }, redeliver: async which => { asked.push(which); return 1 } }
  })
  await app.listen({ host: '127.77.110.6', port: 8080 })
  expect(await webhook('dead', '--agency', 'bpbd')).toEqual({ code: 0, said: 'evt_1  bpbd 7  call.ended  2026-01-31T00:00:00.000Z  HTTP 500\n' })
  expect(await webhook('redeliver', 'evt_1')).toEqual({ code: 0, said: '1 delivered anew.\n' })
  expect(await webhook('redeliver', '--agency', 'bpbd')).toEqual({ code: 0, said: '1 delivered anew.\n' })
  expect(asked).toEqual([{ agency: 'bpbd', limit: 200 }, { id: 'evt_1' }, { agency: 'bpbd' }])
  expect(await webhook('redeliver')).toMatchObject({ code: 2 })
})
