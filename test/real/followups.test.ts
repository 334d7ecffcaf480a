/** Who reached nobody is rung back: real SIP as the agency and as the citizen, real Redis, the ledger as the witness. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { IncomingCall } from '../../demo/softphone.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { hearsBytes, voice } from './stage.ts'

const policy = 'followups: { policy: { delay: 0 s, spacing: [5 s], attempts: 2, agencyTries: 2, ringTime: 5 s, spoken: 2 s } }\n'

let city: City
/** What rang at the citizens' telephones. */
const rings: IncomingCall[] = []
let citizen: (call: IncomingCall) => unknown

beforeAll(async () => {
  city = await openCity({ number: 105, withRedis: true, callbacks: true, plan: text => policy + text })
  city.carrier.onCall(call => {
    rings.push(call)
    return citizen(call)
  })
})
afterAll(() => city?.[Symbol.asyncDispose]())
beforeEach(() => {
  citizen = call => call.refuse(486)
  for (const id of ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']) city.line(id, call => call.refuse(486))
})

/** Answers and, having heard the question, presses a key. */
const answersWith = (key: string, prompt: string) => async (call: IncomingCall) => {
  await call.answer()
  await city.ear.hears(call, prompt)
  await call.press(key)
}
const accepts = answersWith('1', 'konfirmasi-telepon-balik')

/** Calls 112, presses 2, hears that nobody is there, and hangs up: a missed call of BPBD's. */
async function misses(number: string, key = '2') {
  const call = city.dial({ from: number })
  await call.answered
  await call.press(key)
  await city.ear.hears(call, 'maaf-akhir')
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
  await misses('+627215550151')
  city.line('bpbd-1', async call => { agency = call; await accepts(call) })
  citizen = answersWith('1', 'telepon-balik')
  const ringing = await eventually('the citizen is rung', async () => rings.findLast(({ line }) => line === '+627215550151'))
  expect(ringing.from).toBe('112')
  expect(agency!.from).toBe('+627215550151')
  await ringing.answered
  await Promise.all([hearsBytes(agency!, voice('citizen')), hearsBytes(ringing, voice('agency')), ringing.say(voice('citizen')), agency!.say(voice('agency'))])
  await ringing.hangUp()
  const done = await becomes('+627215550151', { state: 'done' })
  expect(done).toMatchObject({ kind: 'unanswered', why: 'spoken', endedBy: 'callback', attempt: 1 })
  const { attempts, history } = (await city.service.book.get(done.id))!
  expect(attempts).toMatchObject([{ attempt: 1, state: 'ended', outcome: 'spoken', line: 'bpbd-1' }])
  expect(history.map(({ what }) => what)).toEqual(['opened', 'begins', 'attempt-ended', 'spoke'])
  expect(rings.filter(({ line }) => line === '+627215550151')).toHaveLength(1)
  await city.quiet()
})
