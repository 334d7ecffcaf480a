/** Keys as telephones send them: events (RFC 4733), tones in the sound, SIP INFO, several of these at once, and as faulty equipment does. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { DialOptions, IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => {
  city = await openCity({ number: 161, plan: text => text.replace('patience: 3 s', 'patience: 1 s').replace('number: bpbd-1, ringTime: 20 s', 'number: bpbd-1, acceptKey: 1, ringTime: 20 s') })
})
afterEach(() => city.quiet())
afterAll(() => city?.[Symbol.asyncDispose]())

let callers = 0
/** Somebody dials, and hears so much of the menu. */
async function caller(options: Partial<DialOptions> = {}, until = 'sambutan') {
  const from = `+6281234560${String(++callers).padStart(3, '0')}`
  const call = city.dial({ from, ...options })
  await call.answered
  await city.ear.hears(call, until)
  return { from, call }
}
/** The line that rings for them, picked up. */
async function answeredBy(line: string, from: string): Promise<IncomingCall> {
  const leg = await city.rung(line, from)
  await leg.answered
  return leg
}
/** What the record has of their keys, once the call is over. */
async function keysOf({ from, call }: { from: string, call: OutgoingCall }) {
  await call.hangUp()
  const { callId } = await city.record(from)
  const steps = await eventually('the call is told to its end', async () => {
    await city.service.scribe.flush()
    const found = await city.service.records.steps(callId)
    return found.some(({ kind }) => kind === 'ended') && found
  })
  return steps.flatMap(({ kind, facts }) => kind === 'key' ? [`${facts.node} ${facts.digit}`] : [])
}

test.each<[string, Partial<DialOptions>, (call: OutgoingCall) => unknown]>([
  ['a tone alone, where no telephone-event was agreed', { events: false }, call => call.pressTones('3')],
  ['a short tone', { events: false }, call => call.pressTones('3', 60)],
  ['SIP INFO, where no telephone-event was agreed', { events: false }, call => call.pressByInfo('3')],
  ['SIP INFO', {}, call => call.pressByInfo('3')],
  ['a telephone-event beside a tone', {}, call => { void call.pressTones('3', 60); void call.press('3') }]
])('%s is one key of the menu', async (_, options, presses) => {
  const one = await caller(options)
  presses(one.call)
  await answeredBy('hallo-1', one.from)
  expect(await keysOf(one)).toEqual(['utama 3'])
})

test('a tone alone is no key where telephone-event was agreed, and the caller reaches the desk', async () => {
  const one = await caller()
  await one.call.pressTones('3')
  await answeredBy('posko-1', one.from)
  expect(await keysOf(one)).toEqual([])
})

test.each<[string, boolean, (leg: IncomingCall) => unknown]>([
  ['a tone', false, leg => leg.pressTones('1')], ['SIP INFO', false, leg => leg.pressByInfo('1')], ['a telephone-event', true, leg => leg.press('1')]
])('an agency accepts by %s', async (_, events, presses) => {
  city.line('bpbd-1', leg => leg.answer({ events }))
  const one = await caller()
  await one.call.press('2')
  const leg = await answeredBy('bpbd-1', one.from)
  await city.ear.hears(leg, 'konfirmasi-petugas')
  presses(leg)
  await one.call.pressTones('9', 400)
  await eventually('the two hear each other', async () => leg.tones.includes('9'))
  await keysOf(one)
  expect(await city.record(one.from)).toMatchObject({ disposition: 'answered', line: 'bpbd-1' })
})

test.each<[string, boolean, boolean]>([
  ['events become tones for a line', true, false], ['tones become events', false, true], ['events stay events', true, true], ['tones stay tones', false, false]
])('a citizen gets through an agency\'s own menu: %s', async (_, citizen, agency) => {
  city.line('hallo-1', leg => leg.answer({ events: agency }))
  const one = await caller({ events: citizen })
  if (citizen) await one.call.press('3')
  else await one.call.pressTones('3')
  const leg = await answeredBy('hallo-1', one.from)
  await eventually('they are joined', async () => leg.heard.length > 25)
  for (const digit of '7*1') {
    if (citizen) await one.call.press(digit, 160)
    else await one.call.pressTones(digit, 160)
  }
  await eventually('the agency has the keys', async () => agency ? leg.keys.length >= 3 : leg.tones.length >= 3)
  await one.call.say(Buffer.alloc(2_400, 0xd5))
  if (agency) expect(leg.keys.map(({ digit }) => digit)).toEqual(['7', '*', '1'])
  else expect({ tones: leg.tones, events: leg.keys }).toEqual({ tones: '7*1', events: [] })
  expect(await keysOf(one)).toEqual(['utama 3'])
})
