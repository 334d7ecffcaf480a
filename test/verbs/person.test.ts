/** `npx satunomor person`, as it is typed, while the service runs. */
import { execFile } from 'node:child_process'
import { cp, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { People } from '../../src/http/people.ts'
import { httpServer } from '../../src/http/server.ts'
import { Records } from '../../src/records/records.ts'
import { aLog, tempFolder } from '../records/stories.ts'

vi.setConfig({ testTimeout: 60_000 })          // each is a process of its own

const open = new AsyncDisposableStack()
let state: string
let records: Records
let app: Awaited<ReturnType<typeof httpServer>>
beforeAll(async () => {
  const { log } = aLog()
  state = open.use(await tempFolder()).path
  await cp('dialplan/plan.yaml', join(state, 'plan.yaml'))
  await cp('dialplan/directory', join(state, 'directory'), { recursive: true })
  records = open.use(await Records.open({ file: join(state, 'records.sqlite') }, log))
  app = open.use(await httpServer({ records, token: 'c'.repeat(43), people: new People(join(state, 'people.json'), log), log, ready: async () => ({ ready: true, missing: [] }), version: '0' }))
})
afterAll(() => open.disposeAsync())

const person = (...args: string[]) => promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/satunomor.ts', 'person', ...args], { env: { ...process.env, SATUNOMOR_STATE: state, SATUNOMOR_PLAN: join(state, 'plan.yaml') } })
  .then(({ stdout }) => ({ code: 0, said: stdout }), ({ code, stderr }) => ({ code: code as number, said: stderr as string }))
const opens = async (token: string) => (await app.inject({ url: '/api/calls', headers: { authorization: `Bearer ${token.trim()}` } })).statusCode

test('a token is shown once, opens the API of the service that runs, and holds until it is renewed or taken away', async () => {
  expect(await person('list')).toMatchObject({ code: 0, said: expect.stringContaining('Nobody has a token') })
  const { said: first } = await person('add', 'Ani', '--role', 'desk', '--who', 'Siti')
  expect([first, await opens(first)]).toEqual([expect.stringMatching(/^[\w-]{43}\n$/), 200])
  const file = join(state, 'people.json')
  expect([(await stat(file)).mode & 0o777, (await readFile(file, 'utf8')).includes(first.trim())]).toEqual([0o600, false])
  expect((await person('list')).said).toMatch(/^Ani {2}desk {2}since 20\S+Z\n$/)

  const { said: second } = await person('renew', 'ani', '--who', 'Siti')
  expect([await opens(first), await opens(second)]).toEqual([401, 200])
  expect(await person('remove', 'Ani', '--who', 'Siti')).toEqual({ code: 0, said: '' })
  expect(await opens(second)).toBe(401)
  expect((await records.db.selectFrom('audit').select(['who', 'what', 'signedBy']).execute()).map(({ who, what, signedBy }) => [who, what, signedBy])).toEqual(
    [['Siti', 'gave Ani a token (desk)', null], ['Siti', 'gave ani a new token', null], ['Siti', 'took Ani\'s token away', null]])
})

test('what makes no sense is refused in words, and nobody is added', async () => {
  await person('add', 'Budi', '--role', 'desk', '--list', 'wali-kota')
  const list = await person('list')
  expect(list.said).toMatch(/^Budi {2}desk {2}since \S+ {2}only the list of wali-kota\n$/)
  for (const [args, code, why] of [
    [['add', 'BUDI', '--role', 'admin'], 1, 'Budi has a token already'], [['add', 'policy', '--role', 'desk'], 1, 'choose another name'], [['add', 'a:b', '--role', 'desk'], 1, 'is no name'],
    [['add', 'Citra'], 2, '--role is missing'], [['add', 'Citra', '--role', 'boss'], 2, '--role is "boss"'], [['add', 'Citra', '--role', 'desk', '--list', 'wali-kot'], 1, 'did you mean "wali-kota"'],
    [['add', 'Citra', '--role', 'admin', '--list', 'posko'], 1, 'works every list'], [['renew', 'Bud'], 1, 'did you mean "Budi"'], [['remove', 'Citra'], 1, 'there are Budi'], [['add'], 2, 'person add NAME'], [['give', 'Citra'], 2, '"give" is none of add, list, renew, remove'],
    [['list', 'Budi'], 2, '"Budi" is one word too many'], [['remove', 'Budi', '--role', 'desk'], 2, '--role means nothing for person remove']
  ] as const) expect([args, await person(...args)]).toEqual([args, { code, said: expect.stringContaining(why) }])
  expect(await person('list')).toEqual(list)
})
