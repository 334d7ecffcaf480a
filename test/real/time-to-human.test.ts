/** How long it takes until a human is there, in the demo city as it stands, on a real Asterisk (docs/time-to-human.md). */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Softphone, type IncomingCall, type OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

const number = 142
const at = (last: number) => `127.77.${number}.${last}`
const lines = ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']
/** What a caller hears where nobody comes. */
const apologies = ['maaf-akhir', 'tawaran-pesan', 'tawaran-telepon-balik']

let city: City
let gateway2: Softphone
const bySecond: IncomingCall[] = []
/** A line that no gateway reaches. */
let dead: string | undefined
const figures: Record<string, string> = {}

beforeAll(async () => {
  city = await openCity({ number, simple: text => text })
  gateway2 = await Softphone.open({ address: at(4), port: 5060 })
  gateway2.onCall(leg => {
    bySecond.push(leg)
    return dead === leg.line ? leg.refuse(503) : leg.answer()
  })
})
beforeEach(() => {
  dead = undefined
  for (const id of lines) city.line(id, leg => leg.answer())
})
afterEach(() => city.quiet())
afterAll(async () => {
  console.log(figures)
  await gateway2?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

let callers = 0

async function dial(key: string) {
  const from = `+6272155503${String(callers++).padStart(2, '0')}`
  const caller = city.dial({ from })
  await caller.answered
  await city.ear.hears(caller, 'sambutan')
  await caller.press(key)
  const pressed = performance.now()
  const note = (what: string) => {
    const seconds = (performance.now() - pressed) / 1000
    figures[what] = `${seconds.toFixed(1)} s`
    expect(longestSilence(caller, pressed)).toBeLessThan(4_000)
    return seconds
  }
  return { from, caller, note, heard: () => city.ear.heardOn(caller).map(({ prompt }) => prompt) }
}

/** ms, of what the caller hears from then on. */
function longestSilence(call: OutgoingCall, from: number): number {
  const audible = call.heard.filter(({ at, alaw }) => at >= from && alaw.some(byte => (byte & 0x7f) !== 0x55 && (byte & 0x7f) !== 0x54)).map(({ at }) => at)
  return Math.max(...[from, ...audible, performance.now()].map((at, index, all) => index === 0 ? 0 : at - all[index - 1]!))
}

async function answered(line: string, from: string): Promise<IncomingCall> {
  const leg = await city.rung(line, from)
  await leg.answered
  return leg
}

test('a key leads to a human at once', async () => {
  const one = await dial('2')
  await answered('bpbd-1', one.from)
  expect(one.note('key pressed, first line answers')).toBeLessThan(1.5)
  await one.caller.hangUp()
})

test('a dead first line leads to the second, a mobile that accepts by key', async () => {
  city.line(dead = 'bpbd-1', leg => leg.refuse(503))
  city.line('bpbd-2', async leg => {
    await leg.answer()
    await leg.press('1')
    for (let second = 0; second < 10; second++) void leg.say(Buffer.alloc(8_000, 0x7a))
  })
  const one = await dial('2')
  await answered('bpbd-2', one.from)
  expect(one.note('first line dead, second one answers')).toBeLessThan(8)
  await eventually('the caller hears the second line', async () => one.caller.heard.some(({ alaw }) => alaw.every(byte => byte === 0x7a)))
  expect(one.note('… and has accepted by key')).toBeLessThan(8)
  await one.caller.hangUp()
})

test('where all lines are busy the desk answers, and nobody hears an apology first', async () => {
  for (const id of ['bpbd-1', 'bpbd-2']) city.line(id, leg => leg.refuse(486))
  const one = await dial('2')
  await answered('posko-1', one.from)
  expect(one.note('all lines busy, the desk answers')).toBeLessThan(1.5)
  expect(one.heard().filter(prompt => apologies.includes(prompt))).toEqual([])
  await one.caller.hangUp()
})

test('where the desk is busy too, callers wait for it and hear no apology first', async () => {
  for (const id of ['bpbd-1', 'bpbd-2', 'posko-1']) city.line(id, leg => leg.refuse(486))
  const one = await dial('2')
  await city.ear.hears(one.caller, 'mohon-maaf')
  one.note('all lines and the desk busy, the waiting room')
  expect(one.heard().filter(prompt => apologies.includes(prompt))).toEqual([])
  city.line('posko-1', leg => leg.answer())
  await eventually('the desk answers', async () => city.calls.some(leg => leg.line === 'posko-1' && leg.from === one.from && !leg.ending), 30_000)
  one.note('… and the desk, free again')
  expect(one.heard()).not.toContain('maaf-akhir')
  await one.caller.hangUp()
})

test('a dead gateway leads to the second one, and is passed over once it is known', async () => {
  await city.gateway[Symbol.asyncDispose]()
  const one = await dial('2')
  const leg = await eventually('the second gateway is rung', async () => bySecond.find(({ from }) => from === one.from))
  await leg.answered
  expect(leg.line).toBe('bpbd-1')
  expect(one.note('gateway dead, not yet known')).toBeLessThan(8)
  expect(one.heard()).not.toContain('sibuk-coba-lain')
  await one.caller.hangUp()
  await eventually('Asterisk knows', async () => (await city.service.ami.list('PJSIPShowEndpoints')).some(({ objectname, devicestate }) => objectname === 'gateway' && devicestate === 'Unavailable'), 20_000)
  const other = await dial('2')
  await (await eventually('the second gateway is rung', async () => bySecond.find(({ from }) => from === other.from))).answered
  expect(other.note('gateway dead, known')).toBeLessThan(1.5)
  await other.caller.hangUp()
})
