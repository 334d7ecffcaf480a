/**
 * Hang-ups by either side at any moment: nothing is left behind, and the record says what the telephones saw.
 *
 * The moments lie in sweeps of small steps around those at which something changes hands; each call of a sweep has a
 * number of its own, and all of a sweep are on their way at once.
 */
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { celEvents } from '../../src/asterisk/cel-lines.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { voice } from './stage.ts'

let city: City
let dialled = 0
/** Timers of the service and of this test before the first call. */
let timersAtFirst = Infinity
const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

beforeAll(async () => {
  city = await openCity({ number: 31, plan: text => text.replace(/capacity: \d+/g, 'capacity: 200') })
  timersAtFirst = timers()
})
beforeEach(() => city.line('bpbd-1', leg => leg.answer()))
afterAll(() => city[Symbol.asyncDispose]())

/** One call of a sweep, and its leg to the agency as soon as there is one. */
interface Attempt { call: OutgoingCall, number: string, leg: IncomingCall | undefined }

const after = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
const steps = (from: number, to: number, step: number) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step)
const legOf = (number: string) => city.calls.find(({ from }) => from === number)

/**
 * One call for each offset, a little apart so that a sweep is no burst, each lived through to its end; then nothing is
 * left, and each call has one record that fits what the telephones saw.
 */
async function sweep(offsets: readonly number[], live: (attempt: Attempt, offset: number) => Promise<unknown>) {
  const resources = idle()
  const since = Date.now()
  const attempts = await Promise.all(offsets.map(async (offset, i) => {
    await after(i * 15)
    const number = `+62721555${String(++dialled).padStart(4, '0')}`
    const attempt: Attempt = { call: city.dial({ from: number }), number, get leg() { return legOf(number) } }
    await live(attempt, offset)
    await attempt.call.hangUp()
    await attempt.leg?.ended
    return attempt
  }))
  await city.quiet()
  const written = await eventually('every call that Asterisk saw has a record with a disposition', async () => {
    const { calls } = await city.service.records.list({ from: since, limit: 500 })
    const ended = new Set(calls.filter(({ disposition }) => disposition !== null).map(({ callId }) => callId))
    return (await arrivals(since)).every(callId => ended.has(callId)) && calls
  })
  for (const attempt of attempts) {
    const of = written.filter(({ cliRaw }) => cliRaw === attempt.number)
    // Called off before the INVITE left, or before Asterisk had a channel for it, there was no call.
    if (of.length === 0) expect(attempt.call.progress, 'a call that rang').toEqual([])
    else expect([attempt.number, of.map(({ disposition }) => disposition)]).toEqual([attempt.number, [expect.toBeOneOf(fitting(attempt))]])
  }
  expect(written.length).toBeLessThanOrEqual(attempts.length)
  await eventually('no more handles than before', async () => idle() <= resources || Promise.reject(new Error(`${idle()} instead of ${resources}`)), 5_000)
  return { attempts, written }
}

/** The calls that the ledger has seen come in since then. */
const arrivals = async (since: number) => celEvents(await readFile(join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), 'latin1'))
  .filter(({ type, at, channelId, linkedId }) => type === 'CHAN_START' && at >= since && channelId === linkedId)
  .map(({ linkedId }) => linkedId)

/** What this process, which is the service's too, holds open; timers are counted at the end, when the telephones are gone. */
const idle = () => process.getActiveResourcesInfo().filter(name => name !== 'Timeout').length

const hears = (call: OutgoingCall | IncomingCall, said: Buffer) =>
  Buffer.concat(call.heard.map(({ alaw }) => alaw)).includes(said.subarray(1600, 2400))

/** Heard each other: answered. Never answered: abandoned. In between, whichever moment came first. */
function fitting({ call, number, leg }: Attempt): string[] {
  if (!leg || leg.ending?.status !== undefined) return ['abandoned']
  if (hears(call, voice('bpbd')) && hears(leg, voice(number))) return ['answered']
  return ['answered', 'abandoned']
}

/** Dials and presses the key of BPBD; resolves when its line rings. */
async function rings({ call, number }: Attempt): Promise<IncomingCall> {
  await call.answered
  await call.press('2')
  return eventually(`a line rings for ${number}`, async () => legOf(number))
}

/** They hear each other. */
async function talk(attempt: Attempt) {
  const { call, number } = attempt
  const leg = await rings(attempt)
  await leg.answered
  void call.say(voice(number))
  void leg.say(voice('bpbd'))
  await eventually('they hear each other', async () => hears(call, voice('bpbd')) && hears(leg, voice(number)))
  return leg
}

test('before the service has answered: 0 to 60 ms after the INVITE', async () => {
  await sweep([...steps(0, 60, 1), ...steps(0, 30, 0.5)], async ({ call }, offset) => {
    await after(offset)
    await call.hangUp()
  })
})

test('during the greeting and in the menu', async () => {
  const { written } = await sweep(Array.from({ length: 40 }, () => randomInt(11_000)), async ({ call }, offset) => {
    await call.answered
    await after(offset)
    await call.hangUp()
  })
  expect(written.every(({ detail }) => /^(menu:utama|greeting|agency:posko|ringing:posko-1)$/.test(detail ?? 'menu:utama'))).toBe(true)
})

test('at the moment that a key is acted on: 0 to 30 ms after it', async () => {
  await sweep([...steps(0, 30, 1), ...steps(0, 30, 2)], async ({ call }, offset) => {
    await call.answered
    await call.press('2', 40)
    await after(offset)
    await call.hangUp()
  })
})

test('while a line rings', async () => {
  city.line('bpbd-1', leg => leg.ring())
  const { written } = await sweep(steps(0, 600, 20), async (attempt, offset) => {
    await rings(attempt)
    await after(offset)
    await attempt.call.hangUp()
  })
  expect(new Set(written.map(({ disposition, detail, endedBy }) => `${disposition} ${detail} ${endedBy}`))).toEqual(new Set(['abandoned ringing:bpbd-1 caller']))
})

test('in the very moment of the answer: 20 ms before the line\'s 200 to 20 ms after it', async () => {
  city.line('bpbd-1', leg => leg.ring())
  const { written } = await sweep([...steps(-20, 20, 1), ...steps(-5, 5, 1)], async (attempt, offset) => {
    const leg = await rings(attempt)
    const answer = async () => { await after(30); if (!leg.ending) void leg.answer() }
    const hangUp = async () => { await after(30 + offset); await attempt.call.hangUp() }
    await Promise.all([answer(), hangUp()])
  })
  expect(written.every(({ endedBy }) => endedBy === 'caller')).toBe(true)
})

test('the agency hangs up right after it has answered: 0 to 20 ms', async () => {
  // An agency that is gone before the two are joined did not answer: the next line rings.
  city.line('bpbd-2', leg => leg.ring())
  const { written } = await sweep([...steps(0, 20, 1), ...steps(0, 20, 2)], async (attempt, offset) => {
    const leg = await rings(attempt)
    await leg.answered
    await after(offset)
    await leg.hangUp()
    await eventually('the call has ended, or the next line rings', async () => attempt.call.ending !== null || city.calls.some(({ from, line }) => from === attempt.number && line === 'bpbd-2'))
  })
  const ends = new Set(written.map(({ disposition, detail, endedBy }) => `${disposition} ${detail} ${endedBy}`))
  expect(ends.difference(new Set(['answered null agency', 'abandoned ringing:bpbd-2 caller']))).toEqual(new Set())
})

test('the agency hangs up while they talk', async () => {
  const { written } = await sweep(steps(0, 300, 30), async (attempt, offset) => {
    const leg = await talk(attempt)
    await after(offset)
    await leg.hangUp()
    await attempt.call.ended
  })
  expect(new Set(written.map(({ disposition, endedBy }) => `${disposition} ${endedBy}`))).toEqual(new Set(['answered agency']))
})

test('the caller hangs up while they talk', async () => {
  const { written } = await sweep(steps(0, 300, 30), async (attempt, offset) => {
    await talk(attempt)
    await after(offset)
    await attempt.call.hangUp()
  })
  expect(new Set(written.map(({ disposition, endedBy }) => `${disposition} ${endedBy}`))).toEqual(new Set(['answered caller']))
})

test('both at once', async () => {
  const { written } = await sweep(steps(-10, 10, 1), async (attempt, offset) => {
    const leg = await talk(attempt)
    await Promise.all([after(10).then(() => leg.hangUp()), after(10 + offset).then(() => attempt.call.hangUp())])
  })
  expect(new Set(written.map(({ disposition }) => disposition))).toEqual(new Set(['answered']))
})

test('after all that, when the telephones are gone, no timer is left of any call', async () => {
  await city.carrier[Symbol.asyncDispose]()
  await city.gateway[Symbol.asyncDispose]()
  await eventually('as many timers as at first', async () => timers() <= timersAtFirst || Promise.reject(new Error(`${timers()} instead of ${timersAtFirst}`)))
  expect(city.service.events.listening).toEqual([])
})
