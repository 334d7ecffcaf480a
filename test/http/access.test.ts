/** Who has looked at which number is asked by admins, over the API and at a terminal. */
import { execFile } from 'node:child_process'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addPerson } from '../../src/http/people-file.ts'
import { People } from '../../src/http/people.ts'
import { httpServer } from '../../src/http/server.ts'
import { Records } from '../../src/records/records.ts'
import { aCall, aLog, tempFolder } from '../records/stories.ts'

const { log } = aLog()
const open = new AsyncDisposableStack()
let state: string, records: Records, app: Awaited<ReturnType<typeof httpServer>>
let tokens: Record<'Ani' | 'Citra' | 'city', string>

beforeAll(async () => {
  state = open.use(await tempFolder()).path
  records = open.use(await Records.open({ file: join(state, 'records.sqlite') }, log))
  const people = join(state, 'people.json')
  tokens = { Ani: await addPerson(people, { name: 'Ani', role: 'desk' }, 'test'), Citra: await addPerson(people, { name: 'Citra', role: 'admin' }, 'test'), city: 'a'.repeat(43) }
  const nobody = async () => { throw new Error('nobody asks') }
  app = open.use(await httpServer({
    records, token: tokens.city, people: new People(people, log), log, ready: async () => ({ ready: true }) as never, version: '0', timezone: () => 'Asia/Jakarta', access: records, audit: nobody, refused: () => { throw new Error('nobody asks') }
  }))
  await records.append([aCall('1.1'), aCall('2.2')].flat())
})
afterAll(() => open.disposeAsync())

const get = async (who: keyof typeof tokens, url: string) => {
  const answer = await app.inject({ url, headers: { authorization: `Bearer ${tokens[who]}` } })
  return { status: answer.statusCode, body: answer.json() }
}
const access = async (query = '') => (await get('Citra', `/api/access${query}`)).body as { entries: { who: string, what: string, callId: string | null, number: string | null, signedBy: string | null, at: number }[], next: string | null }

test('each look at a number stands there, with who, when and by which token; numbers are masked', async () => {
  const began = Date.now()
  await get('Ani', '/api/calls/1.1')
  await get('city', '/api/calls/2.2')
  const { entries, next } = await access()
  expect(entries).toEqual([
    { id: expect.any(Number), at: expect.any(Number), who: 'api 127.0.0.1', what: 'read the caller\'s number', callId: '2.2', number: '+62721•••0112', signedBy: 'city-token' },
    { id: expect.any(Number), at: expect.any(Number), who: 'Ani', what: 'read the caller\'s number', callId: '1.1', number: '+62721•••0112', signedBy: 'own-token' }
  ])
  expect(entries.every(({ at }) => at >= began && at <= Date.now())).toBe(true)
  expect(next).toBeNull()
})

test('by person, by call, by time, and page by page', async () => {
  expect((await access('?who=Ani')).entries.map(({ callId }) => callId)).toEqual(['1.1'])
  expect((await access('?callId=2.2')).entries.map(({ who }) => who)).toEqual(['api 127.0.0.1'])
  expect((await access('?to=2020-01-01T00:00')).entries).toEqual([])
  const first = await access('?limit=1')
  expect((await access(`?limit=1&cursor=${first.next}`)).entries.map(({ callId }) => callId)).toEqual(['1.1'])
  for (const [query, message] of [['?from=yesterday', /'from'/], ['?cursor=eyJ9', /cursor/], [`?cursor=${Buffer.from('[1,"x"]').toString('base64url')}`, /cursor/], ['?limit=0', /'limit'/], ['?x=1', /'x'/]] as const) {
    expect(await get('Citra', `/api/access${query}`)).toMatchObject({ status: 400, body: { error: 'bad-request', message: expect.stringMatching(message) } })
  }
})

test('it is for admins, and a store that is away is 503', async () => {
  expect((await get('Ani', '/api/access')).status).toBe(403)
  expect((await app.inject({ url: '/api/access' })).statusCode).toBe(401)
  await using broken = await httpServer({ records, token: tokens.city, log, ready: async () => ({ ready: true }) as never, version: '0', access: { audited: async () => { throw new Error('disk I/O error') } }, audit: (() => {}) as never, refused: (() => {}) as never })
  expect((await broken.inject({ url: '/api/access', headers: { authorization: `Bearer ${tokens.city}` } })).statusCode).toBe(503)
})

test('the command prints the same in the city\'s time, and needs no service', async () => {
  await cp('dialplan/directory', join(state, 'directory'), { recursive: true })
  const run = (...args: string[]) => promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/satunomor.ts', 'access', ...args], { env: { ...process.env, SATUNOMOR_STATE: state } })
    .then(({ stdout }) => ({ code: 0, said: stdout }), ({ code, stderr }) => ({ code: code as number, said: stderr as string }))
  const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
  expect((await run()).said).toMatch(new RegExp(`^${time}  api 127.0.0.1 \\(city's token\\)  read the caller's number  2.2  \\+62721•••0112\n${time}  Ani  read the caller's number  1.1  \\+62721•••0112\n$`))
  expect((await run('--who', 'Ani', '--call', '2.2')).said).toBe('There is no such entry.\n')
  expect(await run('--from', 'yesterday')).toEqual({ code: 2, said: expect.stringContaining('"yesterday" is no time') })
  expect(await run('--limit', 'x')).toEqual({ code: 2, said: expect.stringContaining('access: --limit x is no number') })
}, 60_000)
