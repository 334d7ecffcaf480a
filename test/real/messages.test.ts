/** Messages on the real parts: BullMQ and Redis, a gateway on this machine, and SIP MESSAGE at the carrier's telephone. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IncomingCall, TextMessage } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

const policy = `followups:
  policy: { delay: 0 s, spacing: [5 s], attempts: 1, agencyTries: 2, ringTime: 5 s, spoken: 2 s, message: dibuka, unreached: luput }
  messages:
    dibuka: { id: "112: kami akan menelepon Anda. Balas 1 „butuh bantuan“.", en: "We will call you." }
    luput: { id: Kami tidak dapat menghubungi Anda., en: We could not reach you. }
`

let city: City
const messages: TextMessage[] = []

beforeAll(async () => {
  city = await openCity({ number: 110, withRedis: true, callbacks: true, plan: text => policy + text, env: { SATUNOMOR_MESSAGES: 'sip' } })
  city.carrier.onCall((call: IncomingCall) => call.refuse(486))
  city.carrier.onMessage(message => { messages.push(message) })
})
afterAll(() => city?.[Symbol.asyncDispose]())

const history = async (number: string) => {
  const { db } = city.service.records
  const followUp = await db.selectFrom('followups').select('id').where('cli', '=', number).executeTakeFirst()
  return followUp ? (await city.service.book.get(followUp.id))!.history.map(({ what }) => what) : []
}

/** Calls 112, presses 2 and finds nobody: a follow-up of BPBD's. */
async function misses(number: string) {
  for (const line of ['bpbd-1', 'bpbd-2']) city.line(line, call => call.refuse(486))
  const call = city.dial({ from: number })
  await call.answered
  await call.press('2')
  await city.ear.hears(call, 'maaf-akhir')
  await call.hangUp()
}

test('by SIP MESSAGE: one when the follow-up is opened, one when the citizen was busy, each once, on the carrier\'s trunk', async () => {
  await misses('+627215550161')
  const accepting = async (call: IncomingCall) => {
    await call.answer()
    await city.ear.hears(call, 'konfirmasi-telepon-balik')
    await call.press('1')
  }
  city.line('bpbd-1', accepting)
  await eventually('both messages are written down', async () => (await history('+627215550161')).filter(what => what === 'message-sent').length === 2, 40_000)
  expect(messages.map(({ line, text }) => [line, text])).toEqual([['+627215550161', '112: kami akan menelepon Anda. Balas 1 „butuh bantuan“.'], ['+627215550161', 'Kami tidak dapat menghubungi Anda.']])
  expect(messages.map(({ from }) => from)).toEqual(['112', '112'])
  expect(messages.every(({ request }) => request.headers.some(([name, value]) => name === 'content-type' && value.startsWith('text/plain')))).toBe(true)
  await city.quiet()
}, 90_000)
