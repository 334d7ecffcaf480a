/** What each side says is what the other hears, compared to the byte; and the agency sees whose voice it is. */
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { header, party, userOf, values } from '../../demo/sip.ts'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

const FRAME = 160
const QUIET = Buffer.alloc(FRAME, 0xd5)
/** Five seconds. */
const SAID = 250

let city: City
beforeAll(async () => { city = await openCity({ number: 32 }) })
beforeEach(() => city.line('bpbd-1', leg => leg.answer()))
afterEach(() => city.quiet())
afterAll(() => city[Symbol.asyncDispose]())

type Side = OutgoingCall | IncomingCall

/** Dials, and presses the key of BPBD; resolves when its line rings. */
async function rings(options: Parameters<City['dial']>[0] = {}) {
  const before = city.calls.length
  const call = city.dial(options)
  await call.answered
  await call.press('2')
  return { call, leg: await eventually('the line rings', async () => city.calls[before]) }
}

/** As `rings`; resolves when the two hear each other, told by a frame of noise. */
async function connected(options: Parameters<City['dial']>[0] = {}) {
  const { call, leg } = await rings(options)
  await leg.answered
  for (const [from, to] of [[call, leg], [leg, call]] as const) {
    const heardAtFirst = noises(to).length
    await eventually('one hears the other', async () => {
      if (from.media.toSay === 0) void from.say(randomBytes(FRAME))
      return noises(to).length > heardAtFirst
    })
    await eventually('all has been said', async () => from.media.toSay === 0)
  }
  return { call, leg }
}

/** Frames that are not silence: of prompts, and of what the other side said. */
const noises = ({ heard }: Side) => heard.map(({ alaw }) => alaw).filter(alaw => !alaw.equals(QUIET))

/** Both sides say five seconds of their own bytes, at the same time; returns the frames that left and those that arrived since. */
async function talk(call: Side, leg: Side) {
  const since = performance.now()
  const at = [call.sent.length, leg.sent.length] as const
  await Promise.all([call.say(randomBytes(SAID * FRAME)), leg.say(randomBytes(SAID * FRAME))])
  // Silence follows what was said: when that arrives, all the rest has.
  const arrived = (side: Side) => side.heard.filter(({ at }) => at > since).map(({ alaw }) => alaw)
  await eventually('the silence after it is heard', async () => [call, leg].every(side => arrived(side).slice(-5).every(alaw => quiet(alaw))))
  const said = (side: Side, from: number) => side.sent.slice(from).filter(alaw => !alaw.equals(QUIET))
  const heard = (side: Side) => arrived(side).filter(alaw => !quiet(alaw))
  return { caller: { said: said(call, at[0]), heard: heard(call) }, agency: { said: said(leg, at[1]), heard: heard(leg) } }
}

/** Silence, also when it went through µ-law and back. */
const quiet = (alaw: Buffer) => alaw.every(byte => Math.abs(linear(byte)) <= 24)

/**
 * How many frames of `said` are missing from `heard`, in which all the others stand in their order. A frame that was
 * never said is a fault, whatever else arrived.
 */
function missing(said: readonly Buffer[], heard: readonly Buffer[], same = (a: Buffer, b: Buffer) => a.equals(b)): number {
  let next = 0
  for (const [i, frame] of heard.entries()) {
    const found = said.findIndex((it, at) => at >= next && same(it, frame))
    if (found < 0) throw new Error(`frame ${i} of ${heard.length} that was heard was not said, or not after the one before it`)
    next = found + 1
  }
  return said.length - heard.length
}

/** ITU-T G.711, A-law: a byte as a sample of 16 bits. */
function linear(alaw: number): number {
  const code = alaw ^ 0x55, exponent = code >> 4 & 7, mantissa = code & 15
  const size = exponent === 0 ? (mantissa << 4) + 8 : (mantissa << 4) + 0x108 << exponent - 1
  return code & 0x80 ? size : -size
}

/** Whether two frames of A-law are the same but for µ-law in between: each sample within one step of G.711's coarser law there. */
const sameButForSteps = (a: Buffer, b: Buffer) => a.length === b.length && a.every((byte, i) => {
  const [said, heard] = [linear(byte), linear(b[i]!)]
  return Math.abs(said - heard) <= stepAt(Math.abs(said))
})
/** A segment's sixteen steps span it; µ-law's segments begin 132 lower than A-law's. */
const stepAt = (size: number) => 2 ** Math.floor(Math.log2(Math.max(size + 132, 256))) / 16

describe('what one side says, the other hears', () => {
  test('every frame, in order, unchanged: A-law on both sides, five seconds both ways at once', async () => {
    const { call, leg } = await connected()
    const { caller, agency } = await talk(call, leg)
    expect([caller.said.length, agency.said.length]).toEqual([SAID, SAID])
    expect(missing(caller.said, agency.heard)).toBeLessThanOrEqual(SAID / 100)
    expect(missing(agency.said, caller.heard)).toBeLessThanOrEqual(SAID / 100)
    await call.hangUp()
  })

  test('within a step of G.711 where the caller has µ-law only', async () => {
    const { call, leg } = await connected({ codecs: ['ulaw'] })
    const { caller, agency } = await talk(call, leg)
    expect(missing(caller.said, agency.heard, sameButForSteps)).toBeLessThanOrEqual(SAID / 100)
    expect(missing(agency.said, caller.heard, sameButForSteps)).toBeLessThanOrEqual(SAID / 100)
    expect(agency.heard.some((frame, i) => !frame.equals(caller.said[i]!)), 'it went through µ-law').toBe(true)
    await call.hangUp()
  })

  test('the agency hears nothing of prompts and ring tone, and the caller hears them end at the answer', async () => {
    city.line('bpbd-1', leg => leg.ring())
    const { call, leg } = await rings()
    await city.ear.hears(call, 'sambung-bpbd')
    await leg.answer()
    const answeredAt = performance.now()
    const said = randomBytes(50 * FRAME)
    await leg.say(said)
    await eventually('the agency is heard', async () => Buffer.concat(call.heard.map(({ alaw }) => alaw)).includes(said.subarray(FRAME * 20, FRAME * 40)))

    const connecting = city.ear.heardOn(call).find(({ prompt }) => prompt === 'sambung-bpbd')!
    expect(connecting.to).toBeLessThan(connecting.length - 500)
    expect(connecting.endedAt).toBeLessThan(answeredAt + 100)
    expect(city.ear.heardOn(call).at(-1)).toEqual(connecting)
    const others = call.heard.filter(({ at, alaw }) => at > answeredAt + 100 && !alaw.equals(QUIET) && !said.includes(alaw))
    expect(others).toEqual([])
    expect(leg.heard.length).toBeGreaterThan(40)
    expect(noises(leg)).toEqual([])
    await call.hangUp()
  })
})

describe('the agency sees whose voice it is', () => {
  const asserted = '<sip:+627215550177@carrier.example>'
  test.each([
    ['a number', { from: '+627215550101' }, '+627215550101'],
    ['a local number', { from: '0721555010' }, '0721555010'],
    ['a number written with dashes', { from: '0721-555-0177' }, '07215550177'],
    ['the number that the carrier asserts', { from: '0721', headers: { 'P-Asserted-Identity': asserted } }, '+627215550177'],
    ['a number that its owner withholds (Privacy: id)', { from: '0721', headers: { 'P-Asserted-Identity': asserted, Privacy: 'id' } }, '+627215550177'],
    ['an anonymous caller whom the carrier knows', { from: '', fromHeader: '"Anonymous" <sip:anonymous@anonymous.invalid>',
      headers: { 'P-Asserted-Identity': asserted, Privacy: 'id' } }, '+627215550177']
  ])('%s', async (_, options, number) => {
    const { call, leg } = await rings(options)
    expect([userOf(party(header(leg.request, 'from')!).uri), ...values(leg.request, 'p-asserted-identity').map(value => userOf(party(value).uri))])
      .toEqual([number, number])
    expect(header(leg.request, 'privacy')).toBeUndefined()
    await call.hangUp()
  })

  test.each([
    ['without a number', { from: '' }],
    ['who is anonymous', { from: '', fromHeader: '"Anonymous" <sip:anonymous@anonymous.invalid>' }],
    ['whose number is none', { from: 'unknown' }],
    ['whose number has no digit', { from: '%2b%29' }]
  ])('a caller %s arrives as anonymous', async (_, options) => {
    const { call, leg } = await rings(options)
    expect(userOf(party(header(leg.request, 'from')!).uri)).toBe('anonymous')
    expect(values(leg.request, 'p-asserted-identity')).toEqual([])
    await call.hangUp()
  })
})
