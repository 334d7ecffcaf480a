/** Gateways that say nothing, and lines that never begin to ring, on a real Asterisk. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

const number = 141
const at = (last: number) => `127.77.${number}.${last}`

let city: City
beforeAll(async () => {
  city = await openCity({
    number,
    plan: text => text
      .replace('\nnumbers:', `
  gateway-2: { role: agencies, address: ${at(5)}, qualify: off }
  gateway-3: { role: agencies, address: ${at(6)} }

numbers:`)
      .replaceAll('patience: 3 s', 'patience: 1 s')
      .replace('    name: BPBD\n', '    name: BPBD\n    overflow: { busy: wali-kota, dead: posko }\n')
      .replace(/(number: bpbd-1, ringTime): 20 s/, '$1: 30 s, ringsWithin: 4 s')
      .replace(/(number: bpbd-2, ringTime): 20 s/, '$1: 5 s')
      .replace(/(id: ambulans-1), trunk: gateway,/, '$1, trunks: [gateway-3, gateway],')
      .replace(/(id: hallo-1), trunk: gateway,/, '$1, trunks: [gateway-2, gateway],')
  })
})
const lines = ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']
beforeEach(() => { for (const id of lines) city.line(id, leg => leg.answer()) })
afterEach(() => city.quiet())
afterAll(() => city?.[Symbol.asyncDispose]())

let callers = 0

/** Somebody dials 112 and presses a key. `since` is the ms from the key on. */
async function dial(key: string) {
  const from = `+6272155502${String(callers++).padStart(2, '0')}`
  const caller = city.dial({ from })
  await caller.answered
  await caller.press(key)
  const pressed = performance.now()
  return { from, caller, since: () => performance.now() - pressed, talks: (line: string) => talks(line, from), story: () => story(from, caller) }
}

async function talks(line: string, from: string): Promise<IncomingCall> {
  const leg = await city.rung(line, from)
  await leg.answered
  return leg
}

async function story(from: string, caller: OutgoingCall) {
  await caller.hangUp()
  const { callId, ...record } = await city.record(from)
  const { lines } = (await city.service.records.get(callId))!
  return { ...record, lines: Object.fromEntries(lines.map(({ line, outcome }) => [line, outcome])) }
}

/** Takes all that is sent to the address, and answers nothing. */
async function deaf(address: string) {
  const heard: { at: number, text: string }[] = []
  const socket = createSocket('udp4', datagram => heard.push({ at: performance.now(), text: datagram.toString('latin1') }))
  socket.bind(5060, address)
  await once(socket, 'listening')
  return { invites: () => heard.filter(({ text }) => text.startsWith('INVITE ')).map(({ at }) => at), [Symbol.asyncDispose]: async () => { socket.close() } }
}

test('the second trunk of a line is rung when the first says nothing', async () => {
  await using silent = await deaf(at(5))
  const one = await dial('3')
  await city.ear.hears(one.caller, 'sambung-wali-kota')
  await one.talks('hallo-1')
  expect(one.since()).toBeGreaterThan(5_000)
  expect(one.since()).toBeLessThan(8_000)
  expect(silent.invites().length).toBeGreaterThan(3)
  expect(await one.story()).toMatchObject({ disposition: 'answered', line: 'hallo-1', lines: { 'hallo-1': 'answered' } })
})

test('the second trunk of a line is rung when the port of the first is closed', async () => {
  const one = await dial('3')
  await one.talks('hallo-1')
  expect(one.since()).toBeLessThan(8_000)
  await one.story()
})

test('an abandoned INVITE is repeated for 7 s at most', async () => {
  await using silent = await deaf(at(5))
  const one = await dial('3')
  await eventually('the silent gateway is asked', async () => silent.invites().length > 0)
  await one.story()
  const [first = 0] = silent.invites()
  await eventually('7 s are over', async () => performance.now() > first + 9_000)
  expect(silent.invites().at(-1)! - first).toBeLessThan(7_000)
})

test('a trunk that is not there is known before anybody calls, unless the plan says otherwise', async () => {
  const state = async () => Object.fromEntries((await city.service.ami.list('PJSIPShowEndpoints')).map(({ objectname, devicestate }) => [objectname, devicestate]))
  await eventually('Asterisk has asked', async () => (await state())['gateway-3'] === 'Unavailable')
  expect(await state()).toMatchObject({ gateway: 'Not in use', 'gateway-2': 'Not in use', carrier: 'Not in use' })
  const one = await dial('1')
  await one.talks('ambulans-1')
  expect(one.since()).toBeLessThan(2_000)
  await one.story()
})

test('a line that never begins to ring is out of order, and where all are, callers take the ladder of the dead', async () => {
  city.line('bpbd-1', () => {})                                  // 100 Trying, and nothing more
  city.line('bpbd-2', () => {})
  const one = await dial('2')
  const legs = [await city.rung('bpbd-1', one.from), await city.rung('bpbd-2', one.from)]
  expect((await legs[0]!.ended).by).toBe('there')
  await city.ear.hears(one.caller, 'sedang-menghubungkan')
  await one.talks('posko-1')
  expect(city.ear.heardOn(one.caller).map(({ prompt }) => prompt)).not.toContain('sibuk-coba-lain')
  expect(one.since()).toBeGreaterThan(8_500)
  expect(one.since()).toBeLessThan(12_000)
  expect((await legs[1]!.ended).by).toBe('there')
  expect(await one.story()).toMatchObject({ agency: 'posko', line: 'posko-1', lines: { 'bpbd-1': 'unavailable', 'bpbd-2': 'unavailable', 'posko-1': 'answered' } })
})

test('after a busy line callers hear that another caller is served', async () => {
  city.line('ambulans-1', leg => leg.refuse(486))
  city.line('ambulans-2', leg => leg.ring())
  const one = await dial('1')
  await city.ear.hears(one.caller, 'sibuk-coba-lain')
  await one.story()
})

test('a line that begins to ring in time rings as long as the plan says', async () => {
  const ringing = Promise.withResolvers<IncomingCall>()
  city.line('bpbd-1', leg => {
    setTimeout(() => { leg.ring(); ringing.resolve(leg) }, 2_000)
  })
  const one = await dial('2')
  const leg = await ringing.promise
  await eventually('it has rung for longer than it may be silent', async () => one.since() > 6_500)
  expect(leg.ending).toBeNull()
  await leg.answer()
  await leg.answered
  expect(await one.story()).toMatchObject({ line: 'bpbd-1', lines: { 'bpbd-1': 'answered' } })
})
