/** The plan's versions over HTTP: the same as the admin's commands. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { lock } from '../../src/dialplan/lock.ts'
import { SmokeFailed } from '../../src/dialplan/smoke.ts'
import { httpServer } from '../../src/http/server.ts'
import { Records } from '../../src/records/records.ts'
import { changesIn } from '../dialplan/desk.ts'
import { folder, type Folder } from '../dialplan/folder.ts'
import { town, townPrompts, townWith } from '../plan/town.ts'
import { aLog, tempFolder } from '../records/stories.ts'

const token = 'a'.repeat(43)
const open = new AsyncDisposableStack()
let desk: Folder
let app: Awaited<ReturnType<typeof httpServer>>
let smoke = async () => {}
const edited = (tries: number) => writeFile(join(desk.path, 'plan.yaml'), townWith(['tries: 3', `tries: ${tries}`]))

beforeAll(async () => {
  const { log } = aLog()
  const records = open.use(await Records.open({ file: join(open.use(await tempFolder()).path, 'records.sqlite') }, log))
  const texts = Object.fromEntries([...townPrompts].flatMap(([language, names]) => [...names.keys()].map(name => [`prompts/${language}/${name}.txt`, 'Halo.'])))
  desk = open.use(await folder({ 'plan.yaml': town, 'templates/extensions.conf.liquid': '[a]\nexten => s,1,NoOp({{ version }})\n same => n,Hangup()\n', ...texts }))
  await mkdir(join(desk.path, 'etc'))
  const changes = changesIn(desk.path, { smoke: () => smoke() })
  await changes.start({ who: 'the set-up', warn: () => {} })
  app = open.use(await httpServer({ records, token, log, ready: async () => ({ ready: true, missing: [] }), version: '1', changes }))
})
beforeEach(() => { smoke = async () => {} })
afterAll(() => open.disposeAsync())

const headers = { authorization: `Bearer ${token}` }
const get = (url: string) => app.inject({ url, headers })
const post = (url: string, payload?: object) => app.inject({ method: 'POST', url, headers, ...payload ? { payload } : {} })
const live = async () => (await get('/api/plan')).json().version as number

test('nobody without the token reads or changes it', async () => {
  for (const url of ['/api/plan', '/api/plan/versions', '/api/plan/diff']) expect((await app.inject({ url })).statusCode).toBe(401)
  expect((await app.inject({ method: 'POST', url: '/api/plan/apply', payload: { who: 'x', why: 'x' } })).statusCode).toBe(401)
})

test('from an edit to a version, and back', async () => {
  const first = await live()
  await edited(4)
  expect((await post('/api/plan/validate')).json()).toEqual({ ok: true, faults: [] })
  expect((await get('/api/plan/diff')).json().diff).toContain('-    tries: 3\n+    tries: 4\n')
  expect((await post('/api/plan/render')).json().files['extensions.conf']).toContain('same => n,Hangup()')

  const made = await post('/api/plan/apply', { who: 'Ani', why: 'a fourth try' })
  expect(made.statusCode).toBe(200)
  expect(made.json()).toMatchObject({ version: { version: first + 1, who: 'Ani', why: 'a fourth try', base: first, restores: null, live: true } })
  expect(made.json().steps.map(({ step }: { step: string }) => step)).toEqual(['check', 'smoke call', 'keep', 'swap', 'lay out'])

  expect((await post('/api/plan/rollback', { who: 'Budi', why: 'three are enough' })).json().version).toMatchObject({ version: first + 2, restores: first, who: 'Budi' })
  expect((await get('/api/plan/versions')).json().versions.map(({ version, live }: { version: number, live: boolean }) => [version, live])).toEqual([[first + 2, true], [first + 1, false], [first, false]])
  expect((await get(`/api/plan/diff?from=${first}&to=${first + 1}`)).json().diff).toContain('+    tries: 4\n')
})

test.each([
  ['faults', async () => writeFile(join(desk.path, 'plan.yaml'), townWith(['1: bpbd', '1: bpdb'])), {}, 422, 'faults', /plan\.yaml:\d+:\d+ menus\.utama\.keys\.1: .*did you mean "bpbd"/],
  ['a smoke call that fails', async () => { await edited(7); smoke = async () => { throw new SmokeFailed('a call to 112 is refused') } }, {}, 422, 'smoke', /a call to 112 is refused/],
  ['a base that is not live', async () => edited(8), { base: 999 }, 409, 'stale', /this edit began from version 999/],
  ['no reason', async () => edited(8), { why: '' }, 400, 'bad-request', /'why'/],
  ['a key that is not known', async () => edited(8), { force: true }, 400, 'bad-request', /'force'/]
])('%s: it is refused in words, and nothing changes', async (_, prepare, more, status, error, message) => {
  const before = await live()
  await prepare()
  const answer = await post('/api/plan/apply', { who: 'Ani', why: 'x', base: before, ...more })
  expect([answer.statusCode, answer.json().error]).toEqual([status, error])
  expect(answer.json().message).toMatch(message)
  expect(await live()).toBe(before)
})

test.each(['a rollback', 'a diff from it', 'a diff to it'])('a version that there is not: %s says which there are', async what => {
  const newest = (await get('/api/plan/versions')).json().versions[0].version as number
  const answer = what === 'a rollback' ? await post('/api/plan/rollback', { who: 'Ani', why: 'x', to: 99 }) : await get(`/api/plan/diff?${what === 'a diff to it' ? 'to' : 'from'}=99`)
  expect([answer.statusCode, answer.json()]).toEqual([404, { error: 'no-version', message: `there is no version 99: ${newest === 1 ? 'there is 1' : `there are 1 to ${newest}`}` }])
})

test('an apply answers with what validate warns of', async () => {
  await writeFile(join(desk.path, 'plan.yaml'), `${town}hours:\n  unused: [{ days: [mon], from: 08:00, to: 15:00 }]\n`)
  const { faults } = (await post('/api/plan/validate')).json()
  expect(faults).toEqual([expect.stringMatching(/plan\.yaml:\d+:3 hours\.unused: \(warning\) is used by no agency/)])
  expect((await post('/api/plan/apply', { who: 'Ani', why: 'hours to come', base: await live() })).json().warnings).toEqual(faults)
  await edited(3)
  expect((await post('/api/plan/apply', { who: 'Ani', why: 'none yet' })).json().warnings).toEqual([])
})

test('what the disk has harmed is named, and no fault of the API\'s', async () => {
  const number = (await post('/api/plan/apply', { who: 'Ani', why: 'x', base: await edited(6).then(live) })).json().version.version as number
  await post('/api/plan/rollback', { who: 'Ani', why: 'x' })
  const meta = join(desk.path, 'versions', (await readdir(join(desk.path, 'versions'))).find(name => name.startsWith(`${number}-`))!, 'meta.json')
  const text = await readFile(meta)
  await rm(meta)
  const answer = await post('/api/plan/rollback', { who: 'Ani', why: 'x', to: number })
  await writeFile(meta, text)
  expect([answer.statusCode, answer.json()]).toEqual([409, { error: 'lost', message: expect.stringMatching(new RegExp(`^version ${number} is lost, go back to another one: .*meta\\.json`)) }])
})

test('somebody else is at it: who, since when, and what to do', async () => {
  await using _ = await lock(join(desk.path, 'versions'), { who: 'Budi', does: 'applies' })
  const answer = await post('/api/plan/rollback', { who: 'Ani', why: 'x' })
  expect([answer.statusCode, answer.json().error]).toEqual([409, 'locked'])
  expect(answer.json().message).toMatch(/^Budi applies since 20/)
})

test('what is wrong is listed by validate, too', async () => {
  await writeFile(join(desk.path, 'plan.yaml'), townWith(['1: bpbd', '1: bpdb']))
  expect((await post('/api/plan/validate')).json()).toEqual({ ok: false, faults: [expect.stringMatching(/did you mean "bpbd"/)] })
})
