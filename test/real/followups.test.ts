/** Who reached nobody is rung back: real SIP as the agency and as the citizen, real Redis, the ledger as the witness. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { header } from '../../demo/sip.ts'
import type { IncomingCall } from '../../demo/softphone.ts'
import { AriCallbackLine } from '../../src/asterisk/callback-line.ts'
import { seconds } from '../../src/plan/duration.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { hearsBytes, talk, voice } from './stage.ts'

// Callbacks may take both of BPBD's lines here.
const policy = 'followups: { outbound: { agencyReserve: 0 }, policy: { delay: 0 s, spacing: [5 s], attempts: 2, agencyTries: 2, ringTime: 5 s, spoken: 2 s, kinds: { asked: { first: citizen } } } }\n'

let city: City
/** What rang at the citizens' telephones. */
const rings: IncomingCall[] = []
/** What citizens do who are rung, by number; others are busy. */
const citizens = new Map<string, (call: IncomingCall) => unknown>()
const does = (number: string, act: (call: IncomingCall) => unknown) => { citizens.set(number, act) }

beforeAll(async () => {
  city = await openCity({ number: 105, withRedis: true, callbacks: true, plan: text => policy + text })
  city.carrier.onCall(call => {
    rings.push(call)
    return citizens.get(call.line)?.(call) ?? call.refuse(486)
  })
})
afterAll(() => city?.[Symbol.asyncDispose]())
const isBusy = (...lines: string[]) => { for (const id of lines) city.line(id, call => call.refuse(486)) }
beforeEach(() => isBusy('bpbd-1', 'bpbd-2'))

/** Answers and, having heard the question, presses a key. */
const answersWith = (key: string, prompt: string) => async (call: IncomingCall) => {
  await call.answer()
  await city.ear.hears(call, prompt)
  await call.press(key)
}
const accepts = answersWith('1', 'konfirmasi-telepon-balik')

/** Calls 112, presses a key, hears that nobody is there, and hangs up: a missed call of BPBD's, if it is 2. */
async function misses(number: string, key = '2', hears = 'tawaran-telepon-balik', before = () => {}) {
  const call = city.dial({ from: number })
  await call.answered
  await call.press(key)
  await city.ear.hears(call, hears)
  before()
  await call.hangUp()
}
const followUp = async (number: string): Promise<FollowUp | undefined> => {
  const { db } = city.service.records
  return db.selectFrom('followups').selectAll().where('cli', '=', number).orderBy('madeAt', 'desc').limit(1).executeTakeFirst()
}
const becomes = (number: string, facts: Partial<FollowUp>, within = 40_000) => eventually(`the follow-up is ${JSON.stringify(facts)}`, async () => {
  const it = await followUp(number)
  if (!it) throw new Error('there is none')
  for (const [key, value] of Object.entries(facts)) if (it[key as keyof FollowUp] !== value) throw new Error(JSON.stringify(it))
  return it
}, within)

test('a missed call is rung back: the agency accepts, the citizen presses a key, they talk, and it is done', async () => {
  let agency: IncomingCall | undefined
  does('+627215550151', answersWith('1', 'telepon-balik'))
  await misses('+627215550151', '2', 'tawaran-telepon-balik', () => city.line('bpbd-1', async call => { agency = call; await accepts(call) }))
  const ringing = await eventually('the citizen is rung', async () => rings.findLast(({ line }) => line === '+627215550151'))
  expect(ringing.from).toBe('112')
  expect(agency!.from).toBe('+627215550151')
  await ringing.answered
  await talk(ringing, agency!)
  await ringing.hangUp()
  const done = await becomes('+627215550151', { state: 'done' })
  expect(done).toMatchObject({ kind: 'unanswered', why: 'spoken', endedBy: 'callback', attempt: 1 })
  const { attempts, history } = (await city.service.book.get(done.id))!
  expect(attempts).toMatchObject([{ attempt: 1, state: 'ended', outcome: 'spoken', line: 'bpbd-1' }])
  expect(history.map(({ what }) => what)).toEqual(['opened', 'begins', 'attempt-ended', 'spoke'])
  expect(rings.filter(({ line }) => line === '+627215550151')).toHaveLength(1)
  await city.quiet()
})

test.concurrent('a citizen who does not pick up is rung again, and then a person takes over', async () => {
  await misses('+627215550152')
  city.line('bpbd-1', accepts)
  const handed = await becomes('+627215550152', { state: 'person' })
  expect(handed).toMatchObject({ why: 'attempts-used-up', attempt: 2, tried: 2, list: 'posko' })
  expect(rings.filter(({ line }) => line === '+627215550152')).toHaveLength(2)
  expect((await city.service.book.get(handed.id))!.attempts.map(({ outcome }) => outcome)).toEqual(['busy', 'busy'])
})

test('an agency that does not pick up, or does not accept, is no failed attempt of the citizen\'s, who is not rung', async () => {
  await misses('+627215550153')
  const handed = await becomes('+627215550153', { state: 'person' })
  expect(handed).toMatchObject({ why: 'agency-unreached', attempt: 2, tried: 0, agencyFailed: 2 })
  expect(rings.filter(({ line }) => line === '+627215550153')).toEqual([])
})

test.each([['2', 'open', 'later', '154'], ['3', 'closed', 'not-needed', '155'], ['9', 'person', 'wrong-number', '156']] as const)('the citizen\'s key %s leaves it %s', async (key, state, why, last) => {
  const number = `+627215550${last}`
  await misses(number)
  city.line('bpbd-1', accepts)
  does(number, answersWith(key, 'telepon-balik'))
  const it = await becomes(number, { state, why })
  if (state === 'open') expect(it.dueAt - Date.now()).toBeGreaterThan(25 * 60_000)
  if (state === 'closed') expect(it.endedBy).toBe('citizen')
  expect(rings.filter(({ line }) => line === number)).toHaveLength(1)
})

test('who takes the offer is rung back; where the citizen is first, the agency is rung once they have said that they are there', async () => {
  const call = city.dial({ from: '+627215550170' })
  await call.answered
  await call.press('2')
  const { startedAt } = await city.ear.hears(call, 'tawaran-telepon-balik')
  await eventually('the offer has been heard for a second', async () => performance.now() > startedAt + 1_100)
  await call.press('7')
  await city.ear.hears(call, 'akan-ditelepon')
  let agency: IncomingCall | undefined
  city.line('bpbd-1', async leg => { agency = leg; await accepts(leg) })
  const before = city.calls.length
  does('+627215550170', async ringing => {
    expect(city.calls.length).toBe(before)
    await answersWith('1', 'telepon-balik')(ringing)
  })
  await call.hangUp()
  const ringing = await eventually('the citizen is rung', async () => rings.findLast(({ line }) => line === '+627215550170'))
  await eventually('the agency is rung', async () => agency)
  await agency!.answered
  await talk(ringing, agency!)
  await agency!.hangUp()
  const done = await becomes('+627215550170', { state: 'done' })
  expect(done).toMatchObject({ kind: 'asked', why: 'spoken' })
  expect((await city.service.book.get(done.id))!.attempts).toMatchObject([{ outcome: 'spoken', line: 'bpbd-1' }])
})

test('a callback that rings is withdrawn as soon as nothing is owed any more', async () => {
  city.line('bpbd-1', leg => leg.ring())
  await misses('+627215550171', '2', 'sambung-bpbd')
  const it = await becomes('+627215550171', { state: 'calling' })
  const leg = await city.rung('bpbd-1', '+627215550171')
  await city.service.book.act(it.id, 'Ani', () => ({ happening: 'closed', what: 'closed', set: { why: 'a false alarm' } }), Date.now())
  expect((await leg.ended).by).toBe('there')
  expect(await becomes('+627215550171', { state: 'closed' })).toMatchObject({ endedBy: 'Ani' })
  expect(rings.filter(({ line }) => line === '+627215550171')).toEqual([])
  await city.quiet()
})

test('a callback that rings the only line gives way to a live caller, and is made when they have done', async () => {
  const number = '+627215550172'
  const rung: IncomingCall[] = []
  city.line('hallo-1', call => {
    rung.push(call)
    return call.from === number ? call.ring() : call.answer()
  })
  await misses(number, '3', 'sambung-wali-kota')
  const callback = await eventually('the callback rings', async () => rung[1])
  const call = city.dial({ from: '+627215550173' })
  await call.answered
  await call.press('3')
  const live = await eventually('the line rings for the caller', async () => rung.find(({ from }) => from === '+627215550173'))
  expect((await callback.ended).by).toBe('there')
  await Promise.all([hearsBytes(live, voice('caller')), hearsBytes(call, voice('hallo')), call.say(voice('caller')), live.say(voice('hallo'))])
  expect(rung.map(({ from }) => from)).toEqual([number, number, '+627215550173'])
  const waits = await becomes(number, { state: 'open', why: 'gave-way' })
  city.line('hallo-1', accepts)
  does(number, answersWith('3', 'telepon-balik'))
  await call.hangUp()
  expect(await becomes(number, { state: 'closed' })).toMatchObject({ why: 'not-needed', agencyFailed: waits.agencyFailed, tried: 0 })
  expect((await city.service.book.get(waits.id))!.attempts.map(({ outcome }) => outcome)).toContain('gave-way')
  expect(rings.filter(({ line }) => line === number)).toHaveLength(1)
  await city.quiet()
})

test('a callback that the agency has accepted gives way to nobody: the citizen is being rung', async () => {
  const number = '+627215550174'
  let legs = 0
  city.line('hallo-1', call => legs++ === 0 ? call.ring() : accepts(call))
  does(number, async call => call.ring())
  await misses(number, '3', 'sambung-wali-kota')
  const ringing = await eventually('the citizen is rung', async () => rings.findLast(({ line }) => line === number), 30_000)
  await misses('+627215550175', '3')
  expect(ringing.ending).toBeNull()
  await ringing.answer()
  await city.ear.hears(ringing, 'telepon-balik')
  await ringing.press('3')
  expect(await becomes(number, { state: 'closed' })).toMatchObject({ why: 'not-needed' })
  expect((await city.service.book.get((await followUp(number))!.id))!.attempts.map(({ outcome }) => outcome)).not.toContain('gave-way')
})

test('who reaches the agency meanwhile is not rung any more', async () => {
  await misses('+627215550159')
  await becomes('+627215550159', { agencyFailed: 1 })
  city.line('bpbd-1', async call => { await call.answer(); void call.say(voice('bpbd')) })
  const call = city.dial({ from: '+627215550159' })
  await call.answered
  await call.press('2')
  await hearsBytes(call, voice('bpbd'))
  await call.hangUp()
  expect(await becomes('+627215550159', { state: 'done' })).toMatchObject({ why: 'already-spoken-with' })
  expect(rings.filter(({ line }) => line === '+627215550159')).toEqual([])
})

test('a caller without a number is with a person at once', async () => {
  await misses('anonymous', '2', 'maaf-akhir')
  const it = await eventually('the follow-up', () => city.service.records.db.selectFrom('followups').selectAll().where('cli', 'is', null).executeTakeFirst())
  expect(it).toMatchObject({ state: 'person', why: 'no-number', agency: 'bpbd', list: 'posko' })
})

test('the carrier is told that it is a callback from an emergency service (RFC 7090)', async () => {
  await misses('+627215550160')
  city.line('bpbd-1', accepts)
  const asked = Promise.withResolvers<IncomingCall>()
  does('+627215550160', call => { asked.resolve(call); return call.refuse(486) })
  expect(header((await asked.promise).request, 'priority')).toBe('psap-callback')
})

test('no more ring at once than the plan allows, and the agency has lines; who called first is rung first', async () => {
  const numbers = [161, 162, 163, 164].map(last => `+627215550${last}`)
  for (const number of numbers) await misses(number)
  await eventually('all are with the agency that does not pick up', async () => (await Promise.all(numbers.map(followUp))).every(it => it && it.agencyFailed > 0), 30_000)
  let ringing = 0
  let most = 0
  const order: string[] = []
  for (const id of ['bpbd-1', 'bpbd-2']) city.line(id, accepts)
  const act = async (call: IncomingCall) => {
    order.push(call.line)
    most = Math.max(most, ++ringing)
    await call.answer()
    await eventually('another is rung beside this one', async () => ringing === 2 || order.length > 2)
    await city.ear.hears(call, 'telepon-balik', { within: 20_000 })
    await call.press('3')
    await call.ended
    ringing--
  }
  for (const number of numbers) does(number, act)
  for (const number of numbers) await becomes(number, { state: 'closed', why: 'not-needed' }, 90_000)
  expect(most).toBe(2)                                  // BPBD has two lines
  expect(order).toEqual(numbers)
}, 120_000)

test('Redis hangs: who is missed has a follow-up all the same, deadlines hold, and callbacks are made when it answers again', async () => {
  isBusy('bpbd-1', 'bpbd-2')
  await city.redis!.freeze()
  try {
    await misses('+627215550176')
    await becomes('+627215550176', { state: 'calling' })                                     // decided in the store; the queue does not take it
    await misses('+627215550177')
    const { id } = await eventually('there is a follow-up', () => followUp('+627215550177'), 10_000)
    await city.service.records.db.updateTable('followups').set({ deadlineAt: Date.now() }).where('id', '=', id).execute()
    await becomes('+627215550177', { state: 'person', why: 'overdue', list: 'posko' }, 15_000)
    expect(rings.some(({ line }) => line === '+627215550176')).toBe(false)
  } finally {
    await city.redis!.thaw()
  }
  for (const id of ['bpbd-1', 'bpbd-2']) city.line(id, accepts)
  does('+627215550176', answersWith('3', 'telepon-balik'))
  await becomes('+627215550176', { state: 'closed', why: 'not-needed' })
})

test('whatever the store or the queue might say, the dialplan rings nobody who may not be rung', async () => {
  const line = new AriCallbackLine(city.service.ari)
  for (const id of ['bpbd-1', 'bpbd-2']) city.line(id, accepts)
  const before = rings.length
  const numbers = ['+60123456789', '0721555010', '+62809123456', '+62721555010@127.0.0.9', '+627215550112&PJSIP/+6018@carrier', '${EXTEN}', '+62721) = 1 | $[1',
    '112', '', '+62 721 5550112', '+627215550112,60,g', '"', '+62721555011211112222']
  const ids = numbers.map((_, at) => `followup-hostile${at}-1`)
  for (const [at, number] of numbers.entries()) {
    await line.ring({ id: ids[at]!, agency: 'bpbd', citizen: number, cli: '112', language: 'id', first: 'citizen', ringTime: seconds(5) })
    await eventually('it is over', async () => !(await line.ringing()).has(ids[at]!))
  }
  for (const [at, id] of ids.entries()) {
    const steps = await eventually(`the ledger tells of ${numbers[at]}`, async () => { const found = await city.service.records.steps(id); return found.some(({ kind }) => kind === 'ended') && found })
    expect(steps.map(({ kind }) => kind), numbers[at]).not.toContain('citizen')
  }
  expect(rings.slice(before).map(({ line }) => line)).toEqual([])
})

test('the queues can be looked at by who knows the token, and changed by nobody', async () => {
  const { url, token } = city.service
  const signed = { authorization: `Basic ${btoa(`admin:${token}`)}` }
  expect((await fetch(`${url}/queues/`)).status).toBe(401)
  expect((await fetch(`${url}/queues/`, { headers: { authorization: `Basic ${btoa('admin:wrong')}` } })).status).toBe(401)
  expect((await fetch(`${url}/queues/`, { headers: signed })).status).toBe(200)
  const { queues } = await (await fetch(`${url}/queues/api/queues`, { headers: signed })).json() as { queues: { name: string, readOnlyMode: boolean }[] }
  expect(queues.map(({ name, readOnlyMode }) => [name, readOnlyMode])).toContainEqual(['followups', true])
  for (const change of ['pause', 'empty', 'clean/completed']) {
    expect((await fetch(`${url}/queues/api/queues/followups/${change}`, { method: 'PUT', headers: signed })).ok, change).toBe(false)
  }
})
