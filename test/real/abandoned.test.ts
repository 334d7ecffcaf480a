/** Where a caller hung up, and with which cause, on the real parts: with the service and in the dialplan's own menu. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 123, withRedis: true }) })
afterAll(() => city?.[Symbol.asyncDispose]())

let dialled = 0
/** Dials, waits for a moment of the call, hangs up, and tells what is on record of it. */
async function leaves(when: (call: OutgoingCall, from: string) => Promise<unknown>, cause?: number) {
  const from = `+627215550${200 + ++dialled}`
  const call = city.dial({ from })
  await call.answered
  await when(call, from)
  await call.hangUp(cause === undefined ? {} : { cause })
  return from
}
const onRecord = async (from: string) => {
  const record = await eventually('the record', async () => {
    await city.service.scribe.flush()
    return city.service.records.db.selectFrom('calls').selectAll().where('cli', '=', from).where('disposition', 'is not', null).executeTakeFirst()
  })
  const kind = await eventually('their follow-up', async () => (await city.service.records.db.selectFrom('followups').select('kind').where('cli', '=', from).executeTakeFirst())?.kind)
  return { kind, detail: record.detail, disposition: record.disposition, endedBy: record.endedBy, q850: record.q850 }
}
/** So many seconds of sound have come. */
const heard = (seconds: number) => (call: OutgoingCall) => eventually(`${seconds} s of sound`, async () => call.heard.length >= seconds * 50)
const inTheMenu = (call: OutgoingCall) => city.ear.hears(call, 'menu-utama')

test('who hangs up at once, or in the greeting, has left in the greeting; after it, in the menu', async () => {
  const left = { disposition: 'abandoned', endedBy: 'caller', q850: null }
  expect(await onRecord(await leaves(async () => {}))).toEqual({ ...left, kind: 'abandoned-greeting', detail: 'greeting' })
  const inTheGreeting = await Promise.all([0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3].map(seconds => leaves(heard(seconds))))
  for (const from of inTheGreeting) expect(await onRecord(from)).toEqual({ ...left, kind: 'abandoned-greeting', detail: 'greeting' })
  expect(await onRecord(await leaves(inTheMenu))).toEqual({ ...left, kind: 'abandoned-menu', detail: 'menu:utama' })
  const audit = await (await fetch(`${city.service.url}/api/audit`, { headers: { authorization: `Bearer ${city.service.token}` } })).json() as { backfilled: string[] }
  expect(audit.backfilled).toEqual([])
}, 60_000)

test('a wrong key in the greeting is a key in the menu', async () => {
  const from = await leaves(async call => {
    await call.press('8')
    await city.ear.hears(call, 'tidak-valid')
  })
  expect(await onRecord(from)).toMatchObject({ kind: 'abandoned-menu', detail: 'menu:utama' })
}, 60_000)

test('the cause is the caller\'s own: none without a Reason, not 0, and not that of the line that was busy', async () => {
  city.line('bpbd-1', call => call.refuse(486))
  city.line('bpbd-2', call => call.ring())
  const whileTheSecondRings = async (call: OutgoingCall, from: string) => {
    await call.press('2')
    await city.rung('bpbd-2', from)
  }
  expect(await onRecord(await leaves(whileTheSecondRings))).toMatchObject({ kind: 'abandoned-ringing', detail: 'ringing:bpbd-2', endedBy: 'caller', q850: null })
  expect(await onRecord(await leaves(whileTheSecondRings, 31))).toMatchObject({ detail: 'ringing:bpbd-2', q850: 31 })
  expect(await onRecord(await leaves(heard(0.5), 16))).toMatchObject({ detail: 'greeting', q850: 16 })
}, 60_000)

test('without the service the dialplan tells greeting and menu apart; its callers called while the service was away', async () => {
  const left: string[] = []
  await city.restart(async () => {
    left.push(await leaves(heard(1)), await leaves(inTheMenu), await leaves(async call => { await call.press('8'); await city.ear.hears(call, 'tidak-valid') }))
  })
  const [greeting, menu, key] = await Promise.all(left.map(onRecord))
  expect(greeting).toMatchObject({ kind: 'late', detail: 'greeting', endedBy: 'caller' })
  expect([menu, key]).toMatchObject([{ kind: 'late', detail: 'menu:utama' }, { kind: 'late', detail: 'menu:utama' }])
}, 90_000)
