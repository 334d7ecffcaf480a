/** What a callback is said to have come to is true: who talked, who left, and whether it was a human. Real SIP on both sides. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IncomingCall } from '../../demo/softphone.ts'
import { AriCallbackLine } from '../../src/asterisk/callback-line.ts'
import { seconds } from '../../src/plan/duration.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { talk, voice } from './stage.ts'

const policy = `spoken: 2 s
followups:
  outbound: { agencyReserve: 0, channels: 20 }
  policy: { delay: 0 s, spacing: [5 s], attempts: 3, agencyTries: 3, ringTime: 20 s }
  agencies: { bpbd: { first: citizen } }
`

let city: City
type Act = (call: IncomingCall) => unknown
/** Who does what when rung, by the citizen's number: the next one each time, and the last one again and again. */
const citizens = new Map<string, Act[]>()
const officers = new Map<string, Act[]>()
const acts = (acts: Map<string, Act[]>, number: string) => { const all = acts.get(number); return all && all.length > 1 ? all.shift() : all?.[0] }
/** All that rang at the citizens' telephones, and at the agencies' for them. */
const rings: IncomingCall[] = []
const legs: IncomingCall[] = []

beforeAll(async () => {
  city = await openCity({ number: 114, withRedis: true, callbacks: true, plan: text => policy + text.replace('"112": { language: id, entry: utama }', '"112": { language: id, entry: utama }\n  "+62721555010": { language: id, entry: utama }').replace('id: bpbd-1, trunk: gateway, number: bpbd-1, ringTime: 20 s, capacity: 1', 'id: bpbd-1, trunk: gateway, number: bpbd-1, ringTime: 20 s, capacity: 5') })
  city.carrier.onCall(call => {
    rings.push(call)
    return (acts(citizens, call.line) ?? (it => it.refuse(486)))(call)
  })
  for (const id of ['posko-1', 'bpbd-1', 'bpbd-2', 'ambulans-1', 'ambulans-2', 'hallo-1']) city.line(id, call => {
    legs.push(call)
    return (acts(officers, call.from) ?? (it => it.refuse(486)))(call)
  })
})
afterAll(() => city?.[Symbol.asyncDispose]())

const rung = (number: string) => rings.filter(({ line }) => line === number)
const asked = (number: string) => legs.filter(({ from }) => from === number)
const ringing = (number: string, time = 1) => eventually(`the telephone of ${number} rings`, async () => rung(number)[time - 1], 60_000)
const agencyRinging = (number: string, time = 1) => eventually(`the agency is rung for ${number}`, async () => asked(number)[time - 1], 60_000)
const after = (prompt: string, key: string): Act => async call => {
  await call.answer()
  await city.ear.hears(call, prompt, { within: 60_000 })
  await call.press(key)
}
const accepts = after('konfirmasi-telepon-balik', '1')
const ready = after('telepon-balik', '1')
/** Listens to the whole question, which is longer than a talk, and accepts then. */
const acceptsLate: Act = async call => {
  await call.answer()
  await hearsAll(call, 'konfirmasi-telepon-balik')
  await call.press('1')
}
const hearsAll = (call: IncomingCall, prompt: string) =>
  eventually(`${prompt} is over`, async () => city.ear.heardOn(call).some(heard => heard.prompt === prompt && heard.to > heard.length - 300), 60_000)
const answers: Act = call => call.answer()
/** Calls 112, and hangs up in the greeting: the desk rings back. */
async function misses(number: string) {
  const call = city.dial({ from: number })
  await call.answered
  await city.ear.hears(call, 'sambutan', { within: 30_000 })
  await call.hangUp()
}
/** Chooses an agency, where nobody picks up, and hangs up: it rings back. BPBD (key 2) has the citizen rung first. Who does what from then on; how often the agency has been rung before. */
async function findsNobody(number: string, { key = '2', officer, citizen }: { key?: string, officer: Act[], citizen: Act[] }) {
  const call = city.dial({ from: number })
  await call.answered
  await call.press(key)
  await city.ear.hears(call, 'tawaran-telepon-balik', ears)
  officers.set(number, officer)
  citizens.set(number, citizen)
  const before = asked(number).length
  await call.hangUp()
  return before
}
/** With the citizen first: both are there, and hear each other. */
async function joined(number: string, people: { officer: Act[], citizen: Act[] }) {
  const before = await findsNobody(number, people)
  const citizen = await ringing(number)
  const officer = await agencyRinging(number, before + 1)
  await officer.answered
  await talk(citizen, officer, 0)
  return { before, citizen, officer }
}
const followUp = (number: string): Promise<FollowUp | undefined> =>
  city.service.records.db.selectFrom('followups').selectAll().where('cli', '=', number).orderBy('madeAt', 'desc').limit(1).executeTakeFirst()
const outcomes = async (number: string) => (await city.service.book.get((await followUp(number))!.id))!.attempts.flatMap(({ outcome }) => outcome ?? [])
const comesTo = (number: string, ...expected: string[]) => eventually(`the attempts end ${expected.join(', ')}`, async () => {
  const now = await outcomes(number)
  if (now.length < expected.length) throw new Error(`${now}`)
  expect(now.slice(0, expected.length)).toEqual(expected)
  return (await followUp(number))!
}, 90_000)
const becomes = (number: string, facts: Partial<FollowUp>) => eventually(`the follow-up is ${JSON.stringify(facts)}`, async () => {
  const it = await followUp(number)
  if (!it) throw new Error('there is none')
  for (const [key, value] of Object.entries(facts)) if (it[key as keyof FollowUp] !== value) throw new Error(JSON.stringify(it))
  return it
}, 90_000)
const ears = { within: 60_000 }

test.concurrent('an agency that leaves while the citizen hears the question: the citizen is told, it is no talk, and they are rung again', async () => {
  const number = '+627215550201'
  officers.set(number, [accepts])
  citizens.set(number, [answers, ready])
  await misses(number)
  const citizen = await ringing(number)
  await city.ear.hears(citizen, 'telepon-balik', ears)
  await (await agencyRinging(number)).hangUp()
  await citizen.press('1')
  await city.ear.hears(citizen, 'petugas-sudah-pergi', ears)
  expect((await citizen.ended).by).toBe('there')
  expect(await comesTo(number, 'agency-left')).toMatchObject({ endedAt: null, tried: 0, agencyFailed: 1 })
  const [again, officer] = [await ringing(number, 2), await agencyRinging(number, 2)]
  await again.answered
  await talk(again, officer)
  await again.hangUp()
  expect(await becomes(number, { state: 'done' })).toMatchObject({ why: 'spoken', endedBy: 'callback' })
}, 120_000)

test.concurrent('an agency that leaves while a citizen hears the question who presses nothing is not the citizen\'s failed attempt', async () => {
  const number = '+627215550202'
  officers.set(number, [accepts, it => it.refuse(486)])
  citizens.set(number, [answers])
  await misses(number)
  const citizen = await ringing(number)
  await city.ear.hears(citizen, 'telepon-balik', ears)
  await (await agencyRinging(number)).hangUp()
  await city.ear.hears(citizen, 'petugas-sudah-pergi', ears)
  expect(await comesTo(number, 'agency-left')).toMatchObject({ tried: 0 })
}, 120_000)

test.concurrent('the citizen first: where they leave while the agency is asked, the agency is told, and it is no talk', async () => {
  const number = '+627215550203'
  await findsNobody(number, { officer: [answers, accepts], citizen: [ready] })
  const citizen = await ringing(number)
  const officer = await eventually('the agency is asked', async () => asked(number).find(leg => !leg.ending), 30_000)
  await city.ear.hears(officer, 'konfirmasi-telepon-balik', ears)
  await citizen.hangUp()
  await officer.press('1')
  await city.ear.hears(officer, 'telepon-balik-selesai', ears)
  expect(await comesTo(number, 'citizen-left')).toMatchObject({ endedAt: null, tried: 1, agencyFailed: 0 })
}, 120_000)

test.concurrent('an agency that hangs up when it is asked has not accepted: the next line rings, and the citizen only when somebody has accepted', async () => {
  const number = '+627215550215'
  const before = await findsNobody(number, { key: '1', officer: [async call => { await call.answer(); await call.hangUp() }, answers], citizen: [ready] })
  const officer = await agencyRinging(number, before + 2)
  await city.ear.hears(officer, 'konfirmasi-telepon-balik', ears)
  expect(rung(number)).toEqual([])
  await officer.press('1')
  const citizen = await ringing(number)
  await talk(citizen, officer)
  await citizen.hangUp()
  expect(await becomes(number, { state: 'done' })).toMatchObject({ why: 'spoken' })
  expect(rung(number)).toHaveLength(1)
}, 120_000)

test.concurrent('the citizen first: where they hang up when they are asked, the agency is not rung', async () => {
  const number = '+627215550216'
  const before = await findsNobody(number, { officer: [accepts], citizen: [async call => { await call.answer(); await call.hangUp() }] })
  await ringing(number)
  expect(await comesTo(number, 'silent')).toMatchObject({ endedAt: null, tried: 1 })
  expect(asked(number)).toHaveLength(before)
}, 120_000)

test.concurrent('the citizen first: where the agency leaves after a moment, the citizen is told, no other line rings, and they are rung again', async () => {
  const number = '+627215550212'
  const { before, citizen, officer } = await joined(number, { officer: [acceptsLate], citizen: [ready] })
  await officer.hangUp()
  await city.ear.hears(citizen, 'petugas-sudah-pergi', ears)
  expect((await citizen.ended).by).toBe('there')
  expect(asked(number)).toHaveLength(before + 1)
  expect(await comesTo(number, 'agency-left')).toMatchObject({ endedAt: null, tried: 0, agencyFailed: 1 })
  const [again, other] = [await ringing(number, 2), await agencyRinging(number, before + 2)]
  await other.answered
  await talk(again, other)
  await again.hangUp()
  expect(await becomes(number, { state: 'done' })).toMatchObject({ why: 'spoken' })
}, 120_000)

test.concurrent('the citizen first: while they hear that the agency has left, its line is free for a caller', async () => {
  const [number, other] = ['+627215550217', '+627215550218']
  officers.set(number, [accepts])
  citizens.set(number, [ready])
  await new AriCallbackLine(city.service.ari).ring({ id: 'followup-free-1', agency: 'wali-kota', citizen: number, cli: '112', language: 'id', first: 'citizen', ringTime: seconds(20) })
  const [citizen, officer] = [await ringing(number), await agencyRinging(number)]
  await officer.answered
  await talk(citizen, officer, 0)
  await officer.hangUp()
  await city.ear.hears(citizen, 'petugas-sudah-pergi', ears)
  const caller = city.dial({ from: other })
  await caller.answered
  await caller.press('3')
  await agencyRinging(other)
  await caller.hangUp()
  const lines = await eventually('the call is on record', async () => {
    const call = (await city.service.records.list({ limit: 100 })).calls.find(({ cliRaw, disposition }) => cliRaw === other && disposition !== null)
    return call && (await city.service.records.get(call.callId))!.lines
  }, 60_000)
  expect(lines.map(({ outcome }) => outcome)).not.toContain('full')
}, 120_000)

test.concurrent('the citizen first: where they leave after a moment, the agency is told, and not asked whether it was a talk', async () => {
  const number = '+627215550213'
  const { citizen, officer } = await joined(number, { officer: [acceptsLate], citizen: [answers] })
  await citizen.hangUp()
  await city.ear.hears(officer, 'telepon-balik-selesai', ears)
  expect(city.ear.heardOn(officer).map(({ prompt }) => prompt)).not.toContain('sudah-bicara')
  expect(await comesTo(number, 'citizen-left')).toMatchObject({ endedAt: null, tried: 1, agencyFailed: 0 })
}, 120_000)

test.concurrent('the time in which the citizen hears the question is no talk: the agency is told that they have left', async () => {
  const number = '+627215550214'
  officers.set(number, [accepts])
  citizens.set(number, [after('mohon-bicara', '1')])
  await misses(number)
  const citizen = await ringing(number)
  const officer = await agencyRinging(number)
  await citizen.answered
  await talk(citizen, officer, 0)
  await citizen.hangUp()
  await city.ear.hears(officer, 'telepon-balik-selesai', ears)
  expect(await comesTo(number, 'citizen-left')).toMatchObject({ endedAt: null, tried: 1 })
}, 120_000)

test.concurrent('who is joined for a moment has not talked: whoever left first is to blame, and the other is told', async () => {
  const number = '+627215550204'
  officers.set(number, [accepts])
  citizens.set(number, [ready])
  await misses(number)
  const citizen = await ringing(number)
  const officer = await agencyRinging(number)
  await citizen.answered
  await talk(citizen, officer, 0)
  await citizen.hangUp()
  await city.ear.hears(officer, 'telepon-balik-selesai', ears)
  const again = await ringing(number, 2)
  const other = await agencyRinging(number, 2)
  await again.answered
  await talk(again, other, 0)
  await other.hangUp()
  await city.ear.hears(again, 'petugas-sudah-pergi', ears)
  expect(await comesTo(number, 'citizen-left', 'agency-left')).toMatchObject({ endedAt: null, tried: 1, agencyFailed: 1 })
}, 120_000)

/** A greeting of sentences with pauses of 1.2 s, and then a tone, and silence. */
const greeting: Act = async call => {
  await call.answer()
  const pause = Buffer.alloc(9_600, 0xd5)
  for (let sentence = 0; sentence < 10; sentence++) { await call.say(Buffer.concat([voice('voicemail'), voice('sentence')])); await call.say(pause) }
}

const hearsMachine = (officer: IncomingCall) => eventually('the officer hears the machine', async () => Buffer.concat(officer.heard.map(({ alaw }) => alaw)).includes(voice('sentence').subarray(2000, 6000)), 60_000)

test.concurrent('a voicemail whose greeting has pauses: the agency says by key that it was a machine, and it is no talk', async () => {
  const number = '+627215550205'
  officers.set(number, [accepts, it => it.refuse(486)])
  citizens.set(number, [greeting])
  await misses(number)
  const machine = await ringing(number)
  const officer = await agencyRinging(number)
  await hearsMachine(officer)
  for (let second = 0; second < 3; second++) await officer.say(voice('officer'))
  await machine.hangUp()
  await city.ear.hears(officer, 'sudah-bicara', ears)
  await officer.press('2')
  await city.ear.hears(officer, 'dicatat', ears)
  expect(await comesTo(number, 'voicemail')).toMatchObject({ endedAt: null, tried: 1 })
}, 120_000)

test.concurrent('an agent who talks to a machine, and hangs up: unconfirmed, and rung again', async () => {
  const number = '+627215550206'
  officers.set(number, [accepts, it => it.refuse(486)])
  citizens.set(number, [greeting])
  await misses(number)
  await ringing(number)
  const officer = await agencyRinging(number)
  await hearsMachine(officer)
  for (let second = 0; second < 3; second++) await officer.say(voice('officer'))
  await officer.hangUp()
  expect(await comesTo(number, 'unconfirmed')).toMatchObject({ endedAt: null, tried: 1 })
}, 120_000)

test.concurrent('a human who presses nothing is heard, also after the prompts; the agency says that they have talked, and it is done', async () => {
  const number = '+627215550207'
  officers.set(number, [accepts])
  citizens.set(number, [answers])
  await misses(number)
  const citizen = await ringing(number)
  const officer = await agencyRinging(number)
  const { endedAt, startedAt } = await city.ear.hears(citizen, 'mohon-bicara', ears)
  expect(endedAt).toBeGreaterThanOrEqual(startedAt)
  await hearsAll(citizen, 'mohon-bicara')
  await talk(citizen, officer)
  await citizen.hangUp()
  await city.ear.hears(officer, 'sudah-bicara', ears)
  await officer.press('1')
  expect(await becomes(number, { state: 'done' })).toMatchObject({ why: 'spoken' })
}, 120_000)

test.concurrent('key 1 while the citizen is asked to speak counts', async () => {
  const number = '+627215550208'
  officers.set(number, [accepts])
  citizens.set(number, [after('mohon-bicara', '1')])
  await misses(number)
  const citizen = await ringing(number)
  await citizen.answered
  await talk(citizen, await agencyRinging(number))
  await citizen.hangUp()
  expect(await becomes(number, { state: 'done' })).toMatchObject({ why: 'spoken' })
}, 120_000)

test.concurrent('a colleague closes it while the citizen\'s telephone rings: withdrawn, and nobody\'s fault', async () => {
  const number = '+627215550209'
  officers.set(number, [accepts])
  citizens.set(number, [it => it.ring()])
  await misses(number)
  const citizen = await ringing(number)
  await city.service.book.act((await followUp(number))!.id, 'Ani', () => ({ happening: 'closed', what: 'closed', set: { why: 'a false alarm' } }), Date.now())
  await citizen.ended
  await comesTo(number, 'withdrawn')
}, 120_000)

test.concurrent('a citizen who calls while the agency is rung for their callback is not rung: it is withdrawn, and made when they have done', async () => {
  const number = '+627215550210'
  officers.set(number, [it => it.ring(), accepts])
  citizens.set(number, [after('telepon-balik', '3')])
  await misses(number)
  const officer = await agencyRinging(number)
  const call = city.dial({ from: `0${number.slice(3)}` })
  await call.answered
  await officer.ended
  await comesTo(number, 'gave-way')
  await city.ear.hears(call, 'menu-utama', ears)
  expect(rung(number)).toEqual([])
  await call.hangUp()
  expect(await becomes(number, { state: 'closed' })).toMatchObject({ why: 'not-needed', tried: 0, agencyFailed: 0 })
}, 120_000)

test.concurrent('a citizen who is in a call with us is not rung by the dialplan, whatever the service asks', async () => {
  const number = '+627215550211'
  officers.set(number, [accepts])
  const call = city.dial({ from: `0${number.slice(3)}` })
  await call.answered
  const line = new AriCallbackLine(city.service.ari)
  await line.ring({ id: 'followup-incall-1', agency: 'bpbd', citizen: number, cli: '112', language: 'id', first: 'citizen', ringTime: seconds(5) })
  const steps = await eventually('it is over', async () => { const found = await city.service.records.steps('followup-incall-1'); return found.some(({ kind }) => kind === 'ended') && found })
  expect(steps.filter(({ kind }) => kind === 'citizen-outcome').map(({ facts }) => facts)).toEqual([{ outcome: 'calling-us', q850: 17 }])
  expect(steps.map(({ kind }) => kind)).not.toContain('citizen')
  expect(rung(number)).toEqual([])
  await call.hangUp()
}, 120_000)

test.concurrent('our own number is never rung back: a person has it, and the reason says so', async () => {
  await misses('0721555010')
  expect(await becomes('+62721555010', { state: 'person' })).toMatchObject({ why: 'own-number', list: 'posko', attempt: 0 })
  expect(rung('+62721555010')).toEqual([])
}, 120_000)
