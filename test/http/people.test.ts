/** People with tokens of their own: a name is theirs alone, the desk and the admins may do what is theirs, and who is removed is out at once. */
import { readFileSync } from 'node:fs'
import { chmod, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { setSwitches } from '../../src/dialplan/switching.ts'
import { Metrics } from '../../src/http/metrics.ts'
import { addPerson, readPeople, removePerson, renewPerson } from '../../src/http/people-file.ts'
import { People } from '../../src/http/people.ts'
import { httpServer } from '../../src/http/server.ts'
import { readPlan } from '../../src/plan/read.ts'
import { noSwitches } from '../../src/plan/switches.ts'
import { Recordings } from '../../src/records/recordings.ts'
import { ground } from '../followups/ground.ts'
import { townWith } from '../plan/town.ts'
import { aLog, tempFolder, until } from '../records/stories.ts'

const city = 'c'.repeat(43)
const { log, said, text } = aLog()
const open = new AsyncDisposableStack()
const { plan: withSiaga } = readPlan(townWith(['prompts:\n', 'siaga: { entry: lain }\nprompts:\n']), { file: 'plan.yaml' })
let town: Awaited<ReturnType<typeof ground>>
let file: string, url: string, ani: string, budi: string, citra: string, wali: string, yusuf: string, id: string
beforeAll(async () => {
  town = open.use(await ground())
  const folder = open.use(await tempFolder()).path
  file = join(folder, 'people.json')
  ani = await addPerson(file, { name: 'Ani', role: 'desk' }, 'the test')
  budi = await addPerson(file, { name: 'Budi', role: 'desk' }, 'the test')
  wali = await addPerson(file, { name: 'Wati', role: 'desk', list: 'posko' }, 'the test')
  yusuf = await addPerson(file, { name: 'Yusuf', role: 'desk', list: 'bpbd' }, 'the test')
  citra = await addPerson(file, { name: 'Citra', role: 'admin' }, 'the test')
  const { records, book, plan } = town
  const nobody = {} as never
  const app = open.use(await httpServer({
    records, token: city, people: new People(file, log), log, ready: async () => ({ ready: true, missing: [] }), version: '1',
    metrics: new Metrics({ figures: () => Promise.reject(new Error('no store')), instant: () => ({ refused: {}, queues: {}, sipReplies: {}, waiting: [], trunks: [] }) as never }), audit: async () => nobody, refused: () => ({ since: 0, count: 0, sources: [], elsewhere: 0 }),
    changes: { apply: async (order: object) => ({ version: 2, plan: 'x', at: '', why: '', base: null, restores: null, ...order }), rollBack: async (order: object) => ({ version: 2, plan: 'x', at: '', why: '', base: null, restores: null, ...order }) } as never,
    messaging: { messages: { list: async () => [] } as never }, end: async () => {}, webhooks: { dead: async () => [], redeliver: async () => 1 }, directory: () => [], queues: [],
    switches: { now: () => noSwitches, set: (order, signedBy) => setSwitches({ file: join(folder, 'switches.json'), plan: withSiaga!, audit: (who, what) => records.audit(who, what, null, signedBy) }, order) },
    followUps: { book, plan: () => plan, records }, recordings: new Recordings(records, folder)
  }))
  url = await app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => open.disposeAsync())
let calls = 0
beforeEach(async () => { id = (await town.missed(`call-${++calls}`, { cli: `+6272155501${String(10 + calls)}` })).id })

const ask = async (token: string, path: string, method = 'GET', body?: object) => {
  const answer = await fetch(`${url}/api/${path}`, { method, headers: { authorization: `Bearer ${token}`, ...body ? { 'content-type': 'application/json' } : {} }, ...body ? { body: JSON.stringify(body) } : {} })
  return { status: answer.status, body: await answer.json().catch(() => undefined) as any }
}
const does = (token: string, action: string, more: object = {}) => ask(token, `followups/${id}`, 'PATCH', { action, ...more })
const history = async () => (await town.history(id)).slice(1).map(({ who, what, facts }) => `${who} ${what} ${(facts as { signedBy?: string }).signedBy}`)
const audited = () => town.records.db.selectFrom('audit').select(['who', 'what', 'signedBy']).orderBy('id', 'desc').limit(1).executeTakeFirst()

test('whose token it is does it, named or not, in whatever capitals; nobody does it as another', async () => {
  expect((await does(ani, 'claim')).body).toMatchObject({ claimedBy: 'Ani' })
  const other = await does(ani, 'close', { who: 'Budi', reason: 'x' })
  expect([other.status, other.body]).toEqual([403, { error: 'not-you', message: 'This is Ani\'s own token, and \'who\' names somebody else.', hint: expect.stringContaining('Leave `who` out') }])
  expect((await does(ani, 'close', { who: ' ani', reason: 'they are well' })).body).toMatchObject({ state: 'closed', endedBy: 'Ani' })
  expect(await history()).toEqual(['Ani claimed own-token', 'Ani closed own-token'])
  expect((await ask(ani, 'followups', 'POST', { number: '+627215550111', who: 'Budi', reason: 'x' })).status).toBe(403)
  const { body } = await ask(ani, 'followups', 'POST', { number: '+627215550111', reason: 'asked by WhatsApp' })
  expect((await town.history(body.id))[0]).toMatchObject({ who: 'Ani', what: 'opened', facts: { signedBy: 'own-token' } })
})

test('with the city\'s token somebody must be named, who cannot speak for themself', async () => {
  expect(await does(city, 'claim')).toMatchObject({ status: 400, body: { message: expect.stringContaining('\'who\' is missing') } })
  expect(await does(city, 'close', { who: 'ANI', reason: 'x' })).toMatchObject({ status: 403, body: { error: 'not-you', message: expect.stringContaining('Ani has a token of their own') } })
  for (const who of ['policy', 'citizen', 'call satunomor-1.1']) expect((await does(city, 'close', { who, reason: 'x' })).status).toBe(403)
  for (const who of ['An1', 'Anì', 'Ani.']) expect(await does(city, 'close', { who, reason: 'x' })).toMatchObject({ status: 403, body: { error: 'not-you', message: expect.stringContaining('looks like Ani') } })
  for (const who of ['Аni', 'An\u034fi', 'policy\ufe0f']) expect((await does(city, 'close', { who, reason: 'x' })).status).toBe(400)
  expect((await does(city, 'close', { who: 'Dewi', reason: 'x' })).body).toMatchObject({ endedBy: 'Dewi' })
  expect(await history()).toEqual(['Dewi closed city-token'])
})

test('one has it, by their own name; another takes it over with a reason', async () => {
  await does(ani, 'claim')
  expect((await does(budi, 'claim')).body.message).toContain('Ani has it')
  expect((await does(budi, 'close', { reason: 'x' })).status).toBe(409)
  expect((await does(budi, 'take-over')).status).toBe(400)
  expect((await does(budi, 'take-over', { reason: 'her watch is over' })).body).toMatchObject({ claimedBy: 'Budi' })
  expect((await does(ani, 'release')).status).toBe(409)
  expect((await does(budi, 'spoken', { text: 'by mobile' })).body).toMatchObject({ state: 'done', endedBy: 'Budi' })
  expect(await history()).toEqual(['Ani claimed own-token', 'Budi taken-over own-token', 'Budi spoke own-token'])
})

test('who works one list works no other, and reads all', async () => {
  expect((await does(wali, 'claim')).body).toMatchObject({ error: 'forbidden', message: 'This is on the list of bpbd, and Wati works that of posko.' })
  expect((await ask(wali, 'followups', 'POST', { number: '+627215550111', agency: 'bpbd', reason: 'x' })).status).toBe(403)
  expect((await ask(wali, `followups/${id}`)).status).toBe(200)
  await does(ani, 'hand', { agency: 'posko', reason: 'about their street' })
  expect((await does(wali, 'claim')).body).toMatchObject({ claimedBy: 'Wati' })
  expect(await history()).toEqual(['Ani handed own-token', 'Wati claimed own-token'])
})

test('who works one list rings no other\'s lines; the desk rings those that a follow-up is for', async () => {
  id = (await town.missed(`call-desk-${calls}`, { agency: 'posko', cli: '+627215550198' })).id
  await does(ani, 'hand', { agency: 'bpbd', reason: 'theirs' })
  expect(await does(yusuf, 'call-now')).toMatchObject({ status: 403, body: { message: 'This rings the lines of posko, and Yusuf works the list of bpbd.' } })
  expect((await does(yusuf, 'call-now', { agency: 'posko' })).status).toBe(403)
  expect((await does(yusuf, 'call-now', { agency: 'bpbd' })).body).toMatchObject({ rings: 'bpbd', claimedBy: 'Yusuf' })
  await does(yusuf, 'hand', { agency: 'posko', reason: 'for the desk' })
  expect((await does(wali, 'call-now')).body).toMatchObject({ rings: 'bpbd', claimedBy: 'Wati' })
  expect(await history()).toEqual(['Ani handed own-token', 'Yusuf call-now own-token', 'Yusuf handed own-token', 'Wati call-now own-token'])
})

test('nobody finds out a masked number by trying: after ten that never called there is none for an hour, and it is audited', async () => {
  const tries = (token: string, n: number, more = {}) => ask(token, 'followups', 'POST', { number: `+62721555${String(7000 + n)}`, reason: 'who is it?', ...more })
  for (let n = 0; n < 10; n++) expect((await tries(budi, n)).status).toBe(409)
  expect(await audited()).toMatchObject({ who: 'Budi', what: 'named too many numbers that have never called: may name none for an hour' })
  expect(await ask(budi, 'followups', 'POST', { number: `+6272155501${String(10 + calls)}`, reason: 'x' })).toMatchObject({ status: 429, body: { error: 'too-many-misses', hint: expect.stringContaining('Ask by call') } })
  expect((await tries(ani, 99)).status).toBe(409)
  // By call they may: its number is not found out by that.
  expect((await ask(budi, 'followups', 'POST', { call: `call-${calls}`, reason: 'they hung up' })).body).toMatchObject({ kind: 'asked', cli: expect.stringContaining('•••') })
  expect(await audited()).toMatchObject({ who: 'Budi', what: expect.stringMatching(/^asked to ring back .*•••/) })
  expect((await ask(budi, 'followups', 'POST', { call: 'call-none', reason: 'x' })).status).toBe(404)
  for (const body of [{ reason: 'x' }, { call: `call-${calls}`, number: '+627215550111', reason: 'x' }]) expect((await ask(ani, 'followups', 'POST', body)).status).toBe(400)
  // The city's token has one count, whoever is named.
  for (let n = 20; n < 30; n++) expect((await tries(city, n, { who: `program ${n}` })).status).toBe(409)
  expect((await tries(city, 30, { who: 'another program' })).status).toBe(429)
})

test('who has read a number stands in the audit by name, where they signed in', async () => {
  await ask(ani, `followups/${id}`)
  expect(await audited()).toEqual({ who: 'Ani', what: `read the number of follow-up ${id}`, signedBy: 'own-token' })
  await ask(budi, `calls/call-${calls}`)
  expect(await audited()).toMatchObject({ who: 'Budi', what: 'read the caller\'s number', signedBy: 'own-token' })
  await ask(city, `followups/${id}`)
  expect(await audited()).toMatchObject({ who: 'api 127.0.0.1', signedBy: 'city-token' })
})

const admins: [method: string, path: string, body?: object][] = [
  ['POST', 'plan/apply', { why: 'x' }], ['POST', 'plan/rollback', { why: 'x' }], ['PUT', 'switches/siaga', { reason: 'Banjir', until: '2099-01-01 00:00' }], ['DELETE', 'switches/siaga'],
  ['POST', 'calls/satunomor-1.1/end', { reason: 'x' }], ['GET', 'webhooks/dead'], ['POST', 'webhooks/dead/redeliver', { agency: 'bpbd' }], ['POST', 'webhooks/dead/evt_1/redeliver'], ['GET', 'refusals']
]
test.each(admins)('%s /api/%s is for admins', async (method, path, body) => {
  expect(await ask(ani, path, method, body)).toEqual({ status: 403, body: { error: 'forbidden', message: 'This is for admins, and Ani is at the desk.', hint: 'Ask an admin.' } })
  expect((await ask(citra, path, method, body)).status).toBe(200)
})
test('an admin signs what they change', async () => {
  expect((await ask(citra, 'plan/apply', 'POST', { why: 'x' })).body.version).toMatchObject({ who: 'Citra' })
  expect((await ask(citra, 'plan/rollback', 'POST', { who: 'Ani', why: 'x' })).status).toBe(403)
  await ask(citra, 'switches/siaga', 'DELETE')
  expect(await audited()).toEqual({ who: 'Citra', what: 'normal', signedBy: 'own-token' })
  expect((await ask(citra, 'switches/siaga?who=Ani', 'DELETE')).status).toBe(403)
})

test('the document says of each address for whom it is, and nothing but the desk\'s own is open to the desk', async () => {
  const { paths } = await (await fetch(`${url}/docs/json`)).json() as { paths: Record<string, Record<string, { description?: string, security?: { token?: [] }[], responses: Record<string, object> }>> }
  const desk: string[] = []
  for (const [path, methods] of Object.entries(paths)) for (const [method, { description, security, responses }] of Object.entries(methods)) {
    if (!path.startsWith('/api/') || /^\/api\/messages\/(status|replies)$/.test(path)) continue          // the gateway's have a secret of their own
    expect([path, security, Object.keys(responses)]).toEqual([path, [{ token: [] }], expect.arrayContaining(['200', '401', '403'].slice(path === '/api/followups' && method === 'post' ? 1 : 0))])
    if (description!.endsWith('For the desk and admins.')) desk.push(`${method} ${path.slice(5)}`)
    else expect(description).toMatch(/For admins\.$/)
  }
  expect(desk.sort()).toEqual(['get calls', 'get calls/live', 'get calls/{callId}', 'get directory', 'get followups', 'get followups/burst', 'get followups/events', 'get followups/{id}', 'get followups/{id}/recordings',
    'get followups/{id}/recordings/{callId}', 'get messages', 'get switches', 'patch followups/{id}', 'post followups', 'post followups/burst'])
})

test('the queues are shown to an admin by their name, not by another one, and not to the desk', async () => {
  const look = async (user: string, password: string) => (await fetch(`${url}/queues/`, { headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` } })).status
  expect([await look('admin', city), await look('Citra', citra), await look('citra', citra)]).toEqual([200, 200, 200])
  expect([await look('admin', citra), await look('Citra', city), await look('Ani', citra), await look('Ani', ani), await look('', ''), await look('Citra', '')]).toEqual([401, 401, 401, 403, 401, 401])
})

test('a token that was removed or renewed holds no longer, at once; and its stream ends', async () => {
  const first = await addPerson(file, { name: 'Eka', role: 'desk' }, 'the test')
  const stream = await fetch(`${url}/api/followups/events`, { headers: { authorization: `Bearer ${first}` } })
  const other = await fetch(`${url}/api/followups/events`, { headers: { authorization: `Bearer ${ani}` } })
  expect([stream.status, (await does(first, 'note', { text: 'x' })).status]).toEqual([200, 200])

  const second = await renewPerson(file, 'eka', 'the test')
  expect([(await does(first, 'note', { text: 'x' })).status, (await does(second, 'note', { text: 'x' })).status]).toEqual([401, 200])
  expect(await stream.text()).toContain('"what":"note"')                 // read to its end: it has one

  await removePerson(file, 'Eka', 'the test')
  expect(await does(second, 'note', { text: 'x' })).toMatchObject({ status: 401, body: { message: 'This is no token that holds.' } })
  const reader = other.body!.pipeThrough(new TextDecoderStream()).getReader()
  await does(ani, 'note', { text: 'whoever stays hears on' })
  let told = ''
  while (!told.includes('hears on')) told += (await reader.read()).value ?? expect.fail('the stream of somebody else has ended')
  await reader.cancel()
})

test('a stream ends without anybody asking anything', async () => {
  const token = await addPerson(file, { name: 'Fajar', role: 'desk' }, 'the test')
  const stream = await fetch(`${url}/api/followups/events`, { headers: { authorization: `Bearer ${token}` } })
  await removePerson(file, 'Fajar', 'the test')
  expect(await stream.text()).toContain('the stream is open')
})

test('the file is its owner\'s alone and holds no token; where others could have read it, only the city\'s token opens anything', async () => {
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  for (const token of [ani, budi, citra, wali]) expect(await readFile(file, 'utf8')).not.toContain(token)
  await chmod(file, 0o640)
  expect([(await ask(ani, 'calls')).status, (await ask(city, 'calls')).status]).toEqual([401, 200])
  expect(said).toContainEqual(expect.objectContaining({ level: 50, reason: expect.stringMatching(/others can read or write it \(mode 640\): chmod 600/) }))
  await chmod(file, 0o600)
  expect((await ask(ani, 'calls')).status).toBe(200)
})

test('ten who are added at once are all there', async () => {
  const names = Array.from({ length: 10 }, (_, n) => `Petugas ${n}`)
  const tokens = await Promise.all(names.map(name => addPerson(file, { name, role: 'desk' }, 'the test')))
  expect((await readPeople(file)).map(({ name }) => name)).toEqual(expect.arrayContaining(names))
  for (const token of tokens) expect((await ask(token, 'calls/live')).status).toBe(200)
})

test('who is refused is counted and logged, by address, without what they tried', async () => {
  const count = async (status: number) => Number(new RegExp(`^satunomor_api_refused_total\\{status="${status}"\\} (\\d+)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())![1])
  const [unknown, forbidden] = [await count(401), await count(403)]
  const guess = 'rahasia'.repeat(7)
  await ask(guess, 'calls')
  await fetch(`${url}/api/calls`)
  await does(ani, 'note', { who: 'Budi', text: 'x' })
  await until(async () => await count(401) === unknown + 2 && await count(403) === forbidden + 1)
  expect(said).toContainEqual(expect.objectContaining({ level: 40, msg: 'refused at the API', address: '127.0.0.1', route: '/api/calls', status: 401, person: null }))
  expect(said).toContainEqual(expect.objectContaining({ msg: 'refused at the API', route: '/api/followups/:id', status: 403, person: 'Ani' }))
  // Who asked for what, by name; nobody's token, and no number.
  expect(said).toContainEqual(expect.objectContaining({ msg: 'http request', route: '/api/calls', person: 'Ani', address: '127.0.0.1', status: 200 }))
  expect(said).toContainEqual(expect.objectContaining({ msg: 'http request', route: '/api/calls', person: 'city-token' }))
  expect(said).toContainEqual(expect.objectContaining({ msg: 'http request', route: '/api/followups/:id', followUp: expect.stringMatching(/^\w+$/) }))
  for (const secret of [guess, ani, citra, city]) expect(text()).not.toContain(secret)
})

test('the desk does not see who called an agency whose callers are anonymous; an admin does', async () => {
  const { records, book } = town
  const { plan } = open.use(await ground(['    name: BPBD\n', '    name: BPBD\n    callers: anonymous\n']))
  const app = open.use(await httpServer({
    records, token: city, people: new People(file, log), log, ready: async () => ({ ready: true, missing: [] }), version: '1', followUps: { book, plan: () => plan, records }
  }))
  const get = async (token: string, path: string) => (await app.inject({ url: `/api/${path}`, headers: { authorization: `Bearer ${token}` } })).body
  const number = `+6272155501${String(10 + calls)}`
  for (const path of ['followups', `followups/${id}`, 'calls', `calls/call-${calls}`]) {
    const [desk, admin] = [await get(ani, path), await get(citra, path)]
    expect(desk, path).toContain(`call-${calls}`.slice(0, path.startsWith('followups') && !path.includes('/') ? 0 : undefined))
    expect(desk, path).not.toContain(number.slice(-4))
    expect(admin, path).toContain(number.slice(-4))
  }
})
