/** The follow-ups over HTTP: what the desk sees and does. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Book } from '../../src/followups/book.ts'
import { httpServer } from '../../src/http/server.ts'
import { readPlan } from '../../src/plan/read.ts'
import { Records } from '../../src/records/records.ts'
import { plainPlan } from '../parts/plain-plan.ts'
import { aCall, aLog, start, tempFolder } from '../records/stories.ts'

const token = 'a'.repeat(43)
const { log } = aLog()
const open = new AsyncDisposableStack()
const { plan } = readPlan(plainPlan(readFileSync('dialplan/plan.yaml', 'utf8')), { file: 'plan.yaml' })
let records: Records
let book: Book
let held = false
let app: Awaited<ReturnType<typeof httpServer>>
let url: string

beforeAll(async () => {
  records = open.use(await Records.open({ file: join(open.use(await tempFolder()).path, 'records.sqlite') }, log))
  book = new Book(records, () => plan)
  app = open.use(await httpServer({ records, token, log, ready: async () => ({ ready: true, missing: [] }), version: '1.2.3', followUps: { book, plan: () => plan, records, held: () => held } }))
  url = await app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => open.disposeAsync())

let calls = 0
/** A missed call of this number, and its follow-up's id. */
async function missed(cli: string): Promise<string> {
  const callId = `call-${++calls}`
  await records.append(aCall(callId, { cli, ends: 'abandoned', at: Date.now() - 60_000 - start }))
  await book.takeOutbox(Date.now())
  return (await records.db.selectFrom('followupCalls').select('followupId').where('callId', '=', callId).executeTakeFirstOrThrow()).followupId
}

const ask = async (path: string, method = 'GET', body?: object) => {
  const answer = await fetch(`${url}/api/followups${path}`, { method, headers: { authorization: `Bearer ${token}`, ...body ? { 'content-type': 'application/json' } : {} }, ...body ? { body: JSON.stringify(body) } : {} })
  return { status: answer.status, body: await answer.json() as any }
}
const does = (id: string, action: string, who: string, more: object = {}) => ask(`/${id}`, 'PATCH', { action, who, ...more })
let number: string
let id: string
beforeEach(async () => {
  number = `+6272155501${String(10 + calls).padStart(2, '0')}`
  id = await missed(number)
})

test('only for who bears the token', async () => {
  for (const path of ['', `/${id}`, '/events']) expect((await fetch(`${url}/api/followups${path}`)).status).toBe(401)
})

test('the list masks the number, one shows it, and that is audited', async () => {
  const { body } = await ask('?limit=200')
  const listed = body.followUps.find((one: any) => one.id === id)
  expect(listed).toMatchObject({ cli: `+62721•••${number.slice(-4)}`, state: 'open', kind: 'late', agency: 'bpbd', overdue: false })
  expect(JSON.stringify(body)).not.toContain(number)
  const whole = (await ask(`/${id}`)).body
  expect(whole).toMatchObject({ followUp: { cli: number }, calls: [`call-${calls}`], attempts: [], history: [{ what: 'opened', who: 'policy' }] })
  expect(await records.db.selectFrom('audit').select('what').where('callId', '=', `call-${calls}`).execute()).toEqual([{ what: `read the number of follow-up ${id}` }])
})

test('whoever finds a number out by asking for it stands in the audit, also where it has never called', async () => {
  const tries = async () => (await records.db.selectFrom('audit').select(['who', 'what']).where('what', 'like', 'asked%').execute()).map(({ who, what }) => `${who}: ${what}`)
  expect((await ask('', 'POST', { number: '0721 555 0988', who: 'Ujang', reason: 'is it theirs?' })).status).toBe(409)
  expect(await tries()).toEqual(['Ujang: asked to ring back +62721•••0988'])
  expect((await ask('', 'POST', { number, who: 'Ujang', reason: 'is it theirs?', key: 'found' })).status).toBe(201)
  expect(await tries()).toEqual(['Ujang: asked to ring back +62721•••0988', `Ujang: asked to ring back +62721•••${number.slice(-4)}`])
})

test('a page goes on where the one before ended', async () => {
  await missed('+627215550180')
  await missed('+627215550181')
  for (const order of ['deadline', 'newest']) {
    const all = (await ask(`?order=${order}&limit=200`)).body.followUps.map((one: any) => one.id)
    const paged: string[] = []
    let cursor = ''
    do {
      const { body } = await ask(`?order=${order}&limit=2${cursor && `&cursor=${cursor}`}`)
      paged.push(...body.followUps.map((one: any) => one.id))
      cursor = body.next
    } while (cursor)
    expect(paged).toEqual(all)
    expect(new Set(paged).size).toBe(paged.length)
  }
  expect((await ask('?cursor=zzz')).status).toBe(400)
  expect((await ask('?state=gone')).status).toBe(400)
})

test('one person has it; another takes it over, and says why', async () => {
  expect((await does(id, 'claim', 'Ani')).body).toMatchObject({ claimedBy: 'Ani', claimStale: false })
  const second = await does(id, 'claim', 'Budi')
  expect([second.status, second.body.error]).toEqual([409, 'not-now'])
  expect(second.body.message).toContain('Ani has it')
  expect((await does(id, 'close', 'Budi', { reason: 'x' })).status).toBe(409)
  expect((await does(id, 'take-over', 'Budi')).status).toBe(400)
  expect((await does(id, 'take-over', 'Budi', { reason: 'Ani is off duty' })).body).toMatchObject({ claimedBy: 'Budi' })
  await does(id, 'note', 'Budi', { text: 'the line is noisy' })
  expect((await does(id, 'close', 'Budi', { reason: 'false alarm, spoke with the neighbour' })).body).toMatchObject({ state: 'closed', endedBy: 'Budi', why: 'false alarm, spoke with the neighbour' })
  expect((await does(id, 'claim', 'Ani')).status).toBe(409)
  expect((await does(id, 'close', 'Ani', { reason: 'again' })).status).toBe(409)
  expect((await does(id, 'reopen', 'Ani', { reason: 'they called the newspaper' })).body).toMatchObject({ state: 'person', endedBy: null, endedAt: null, list: 'posko' })
  const { history } = (await ask(`/${id}`)).body
  expect(history.map(({ who, what }: any) => `${who} ${what}`)).toEqual(['policy opened', 'Ani claimed', 'Budi taken-over', 'Budi note', 'Budi closed', 'Ani reopened'])
})

test('a close without a reason, or by nobody, is refused', async () => {
  expect((await does(id, 'close', 'Ani')).status).toBe(400)
  expect((await ask(`/${id}`, 'PATCH', { action: 'close', reason: 'x' })).status).toBe(400)
  expect((await does(id, 'close', 'Ani\n', { reason: 'x' })).status).toBe(400)
  expect((await does('ffffffffffff', 'claim', 'Ani')).status).toBe(404)
})

test('call now goes before everything else', async () => {
  const { body } = await does(id, 'call-now', 'Ani', { agency: 'posko' })
  expect(body).toMatchObject({ state: 'open', priority: 0, rings: 'posko', claimedBy: 'Ani' })
  expect(body.dueAt).toBeLessThanOrEqual(Date.now())
  expect((await does(id, 'call-now', 'Ani', { agency: 'nobody' })).status).toBe(409)
  const anonymous = await missed('anonymous')
  expect((await does(anonymous, 'call-now', 'Ani')).body.message).toContain('no number')
})

test('a callback is asked for only for who has called, and once', async () => {
  const asked = { number, agency: 'ambulans', who: 'Ani', reason: 'WhatsApp', key: 'wa-1' }
  const [first, again] = [await ask('', 'POST', asked), await ask('', 'POST', asked)]
  expect([first.status, again.status]).toEqual([201, 201])
  expect(again.body.id).toBe(first.body.id)
  expect(first.body).toMatchObject({ kind: 'asked', agency: 'ambulans', state: 'open' })
  expect((await ask('', 'POST', { ...asked, number: '+627215550199', key: 'wa-2' })).status).toBe(409)
  expect((await ask('', 'POST', { ...asked, number: 'abc' })).status).toBe(400)
  expect((await ask('', 'POST', { ...asked, agency: 'none' })).status).toBe(404)
  expect((await ask('', 'POST', { ...asked, extra: 1 })).status).toBe(400)
})

test('a key is its asker\'s and its request\'s: another number or agency is refused, another asker has their own', async () => {
  const other = `+6272155502${String(10 + calls).padStart(2, '0')}`
  await missed(other)
  const asked = { number, agency: 'ambulans', who: 'Ani', reason: 'WhatsApp', key: '1' }
  const first = await ask('', 'POST', asked)
  for (const change of [{ number: other }, { agency: 'bpbd' }, { agency: undefined }]) {
    const refused = await ask('', 'POST', { ...asked, ...change })
    expect([refused.status, refused.body]).toEqual([409, { error: 'not-now', message: 'It cannot be done: the key "1" was used for another number or agency: use a new key.' }])
  }
  const theirs = await ask('', 'POST', { ...asked, number: other, who: 'program of ambulans' })
  expect(theirs.status).toBe(201)
  expect(theirs.body.id).not.toBe(first.body.id)
  expect((await book.get(theirs.body.id))!.followUp.cli).toBe(other)
  const again = await ask('', 'POST', { ...asked, reason: 'sent again' })
  expect([again.status, again.body.id]).toEqual([201, first.body.id])
})

test('who chose a language by a key is rung back in it', async () => {
  const callId = `call-${++calls}`
  const steps = aCall(callId, { cli: '+627215550182', ends: 'abandoned', at: Date.now() - 60_000 - start })
  await records.append([...steps, { callId, key: 'nine', at: steps[0]!.at + 1, witness: 'service', kind: 'key', facts: { digit: '9', node: 'utama', means: 'utama', language: 'en' } }])
  await book.takeOutbox(Date.now())
  expect((await ask('?order=newest&limit=200')).body.followUps.find((one: any) => one.cli.endsWith('0182'))).toMatchObject({ language: 'en' })
})

test('every change is told as it happens, the number masked', async () => {
  const stop = new AbortController()
  const stream = await fetch(`${url}/api/followups/events`, { headers: { authorization: `Bearer ${token}` }, signal: stop.signal })
  expect(stream.headers.get('content-type')).toContain('text/event-stream')
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
  let told = ''
  await does(id, 'claim', 'Ani')
  while (!told.includes('claimed')) told += (await reader.read()).value ?? ''
  stop.abort()
  const [, data] = /event: change\ndata: (.*)\n/.exec(told)!
  expect(JSON.parse(data!)).toMatchObject({ who: 'Ani', what: 'claimed', followUp: { id, claimedBy: 'Ani', cli: `+62721•••${number.slice(-4)}` } })
})

test('the desk sees a burst, and releases or parks it, with a reason', async () => {
  const hangUp = (cli: string, at: number) => {
    const steps = aCall(`burst-${++calls}`, { cli, at: at - start }).filter(({ kind }) => kind !== 'line')
    return steps.map(step => step.kind === 'hangup' || step.kind === 'ended' ? { ...step, at: steps[0]!.at + 400 } : step)
  }
  for (let n = 0; n < 22; n++) await records.append(hangUp(`+628127771${1000 + n}`, Date.now() - 30_000 + n * 100))
  await book.takeOutbox(Date.now())
  expect((await ask('/burst')).body).toMatchObject({ parked: 22, from: expect.any(Number), to: expect.any(Number) })
  const { body: { followUps } } = await ask('?burst=true&limit=200')
  expect(followUps).toHaveLength(22)
  for (const one of followUps) expect(one).toMatchObject({ burst: true, state: 'person', why: 'burst', list: 'posko' })
  expect((await ask('?limit=200')).body.followUps.find((one: any) => one.id === id)).toMatchObject({ burst: false })
  expect((await ask('/burst', 'POST', { action: 'release', who: 'Ani' })).status).toBe(400)
  expect((await ask('/burst', 'POST', { action: 'release', reason: 'they called' })).status).toBe(400)
  expect((await ask('/burst', 'POST', { action: 'release', who: 'Ani', reason: 'they called' })).body).toEqual({ moved: 22 })
  expect((await ask('/burst')).body).toEqual({ parked: 0, from: null, to: null })
  expect((await ask('/burst', 'POST', { action: 'park', who: 'Ani', reason: 'forged', minutes: 5 })).body).toEqual({ moved: 22 })
  expect((await ask(`/${followUps[0].id}`)).body.history.map(({ who, what }: any) => `${who} ${what}`)).toEqual(['policy opened', 'Ani burst-released', 'Ani burst-parked'])
})

test('the audit finds whose follow-up has been on its way for too long', async () => {
  await records.append(aCall('stuck', { cli: '+627215550189', ends: 'abandoned', at: Date.now() - 60_000 - start }))
  const { madeAt } = await records.db.selectFrom('outbox').select('madeAt').where('callId', '=', 'stuck').executeTakeFirstOrThrow()
  const after = (minutes: number) => records.followedUp(Date.now() - 3_600_000, Date.now() + 1_000, madeAt + minutes * 60_000)
  expect(await after(5)).toMatchObject({ forgotten: [], states: { 'being opened': 1 } })
  const late = await after(5.1)
  expect([late.forgotten, late.states['forgotten'], late.states['being opened']]).toEqual([['stuck'], 1, undefined])
  await book.takeOutbox(Date.now())
  expect((await after(5.1)).forgotten).toEqual([])
})

test('the audit finds whom nobody has followed up, and who is not named', async () => {
  const period = [Date.now() - 3_600_000, Date.now() + 1_000] as const
  expect(await records.followedUp(...period)).toMatchObject({ forgotten: [], unsigned: [] })
  await records.db.deleteFrom('followupCalls').where('callId', '=', `call-${calls}`).execute()
  await records.db.updateTable('followups').set({ state: 'closed', endedAt: 1, endedBy: null }).where('id', '=', await missed('+627215550190')).execute()
  const found = await records.followedUp(...period)
  expect(found.forgotten).toEqual([`call-${calls - 1}`])
  expect(found.unsigned).toHaveLength(1)
})

test('after a restore nobody is rung back at a person\'s wish, either; everything else can be done', async () => {
  held = true
  try {
    expect(await does(id, 'call-now', 'Siti')).toMatchObject({ status: 409, body: { error: 'held', hint: expect.stringContaining('npx satunomor go-live') } })
    expect(await ask('', 'POST', { number, who: 'Siti', reason: 'asked for it' })).toMatchObject({ status: 409, body: { error: 'held' } })
    expect(await does(id, 'claim', 'Siti')).toMatchObject({ status: 200 })
  } finally {
    held = false
  }
  expect(await does(id, 'call-now', 'Siti')).toMatchObject({ status: 200 })
})
