/** An agency's lines in every order, by priority and by several trunks, on a real Asterisk. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Softphone, type IncomingCall, type OutgoingCall } from '../../demo/softphone.ts'
import { eventually, type City } from '../parts/city.ts'
import type { Stage } from '../stories/stage.ts'
import { realStage } from './stage.ts'

const number = 101
const at = (last: number) => `127.77.${number}.${last}`

let stage: Stage & { city: City }
let city: City
beforeAll(async () => {
  stage = await realStage(number, {
    plan: text => `sameNumber: { except: ["07215550210"] }\n${text}`
      .replace('\nnumbers:', `
  carrier-2: { role: carrier, address: ${at(4)} }
  gateway-2: { role: agencies, address: ${at(5)}, qualify: 5 s, channels: 1 }

numbers:`)
      .replace('    name: Ambulans Gratis\n', '    name: Ambulans Gratis\n    order: longest-idle\n')
      .replace('    name: BPBD\n', '    name: BPBD\n    order: all-at-once\n    overflow: { busy: posko, dead: wali-kota }\n')
      .replace('number: bpbd-2,', 'number: bpbd-2, acceptKey: 1,')
      .replace(/\n( *)- \{ id: bpbd-2.*/, '$&\n$1- { id: bpbd-3, trunk: gateway, number: bpbd-3, priority: 2, ringTime: 5 s }')
      .replace('      3: wali-kota\n', '      3: wali-kota\n      5: kembar\n')
      .replace('  posko:\n    name', `  kembar:
    name: Two of a kind
    connecting: sambung-wali-kota
    order: all-at-once
    lines:
      - { id: hallo-2, trunk: gateway, number: hallo-2 }
      - { id: hallo-3, trunk: gateway, number: hallo-3 }
  posko:
    name`)
      .replace(/(id: hallo-1), trunk: gateway, (.*capacity:) 1/, '$1, trunks: [gateway-2, gateway], $2 2')
  })
  city = stage.city
})
beforeEach(() => { for (const id of ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'bpbd-3', 'hallo-1', 'hallo-2', 'hallo-3', 'posko-1']) stage.line(id).answers() })
afterEach(() => stage.nothingIsLeft())
afterAll(() => stage?.[Symbol.asyncDispose]())

let callers = 0
const from = () => `+6272155501${String(callers++).padStart(2, '0')}`

/** Somebody dials 112 and presses a key; with the lines that ring for them from then on. */
async function dial(key: string) {
  const number = from()
  const before = city.calls.length
  const caller = city.dial({ from: number })
  await caller.answered
  await caller.press(key)
  const legs = () => city.calls.slice(before).filter(leg => leg.from === number)
  const rung = (line: string) => eventually(`${line} is rung`, async () => legs().find(leg => leg.line === line))
  return { number, caller, legs, rung, lines: () => legs().map(({ line }) => line) }
}

/** The record of a call that has ended, with the lines that were rung, and how each went. */
async function story(cli: string) {
  const call = await eventually('the call\'s record', async () => {
    await city.service.scribe.flush()
    return (await city.service.records.list({ limit: 20 })).calls.find(({ cliRaw, disposition }) => cliRaw === cli && disposition !== null)
  })
  const { lines, steps } = (await city.service.records.get(call.callId))!
  return { ...call, rung: steps.flatMap(step => step.kind === 'line' ? step.facts.line : []), lines: Object.fromEntries(lines.map(({ line, outcome }) => [line, outcome])) }
}

const over = async (call: IncomingCall | OutgoingCall) => (await call.ended).by

const spoken = (leg: IncomingCall) => eventually('they hear each other', async () => leg.heard.length > 5)

test('all at once: every free line rings, the first human wins, and the others are let go', async () => {
  stage.line('bpbd-1').rings()
  stage.line('bpbd-2').rings()
  const one = await dial('2')
  const [first, second] = [await one.rung('bpbd-1'), await one.rung('bpbd-2')]
  await city.ear.hears(one.caller, 'sambung-bpbd')
  await first.answer()
  expect(await over(second)).toBe('there')
  await spoken(first)

  // The line that talks is in use; the other one rings alone for the next caller.
  const other = await dial('2')
  await other.rung('bpbd-2')
  other.caller.hangUp()
  expect(await story(other.number)).toMatchObject({ disposition: 'abandoned', detail: 'ringing:bpbd-2', rung: ['bpbd-2'], lines: { 'bpbd-1': 'full', 'bpbd-2': 'cancelled' } })
  expect(other.lines()).toEqual(['bpbd-2'])

  await first.hangUp()
  expect(await over(one.caller)).toBe('there')
  const { lines, ...record } = await story(one.number)
  expect(record).toMatchObject({ disposition: 'answered', agency: 'bpbd', line: 'bpbd-1', endedBy: 'agency' })
  expect(lines).toEqual({ 'bpbd-1': 'answered', 'bpbd-2': 'cancelled' })
  expect(one.lines().sort()).toEqual(['bpbd-1', 'bpbd-2'])
})

test('all at once: a voicemail does not cut off the others, and who accepts wins', async () => {
  stage.line('bpbd-1').rings()
  const one = await dial('2')                                  // bpbd-2 picks up, and presses nothing
  const [ringing, voicemail] = [await one.rung('bpbd-1'), await one.rung('bpbd-2')]
  await city.ear.hears(voicemail, 'konfirmasi-petugas')
  expect(ringing.ending).toBeNull()
  await ringing.answer()
  await spoken(ringing)
  await Promise.all([one.caller.hangUp(), voicemail.hangUp()])
  expect(await story(one.number)).toMatchObject({ disposition: 'answered', line: 'bpbd-1', endedBy: 'caller', lines: { 'bpbd-1': 'answered', 'bpbd-2': 'cancelled' } })

  const other = await dial('2')
  const [unanswered, human] = [await other.rung('bpbd-1'), await other.rung('bpbd-2')]
  await city.ear.hears(human, 'konfirmasi-petugas')
  await human.press('1')
  expect(await over(unanswered)).toBe('there')
  other.caller.hangUp()
  expect(await story(other.number)).toMatchObject({ disposition: 'answered', line: 'bpbd-2', lines: { 'bpbd-1': 'cancelled', 'bpbd-2': 'answered' } })
})

test('all at once: of two who pick up in the same moment one is with the caller, and the record says which', async () => {
  for (let round = 0; round < 5; round++) {
    const one = await dial('5')
    const legs = [await one.rung('hallo-2'), await one.rung('hallo-3')]
    await eventually('one has been let go', async () => legs.some(({ ending }) => ending))
    const left = legs.find(({ ending }) => !ending)!
    await spoken(left)
    one.caller.hangUp()
    expect(await story(one.number)).toMatchObject({ disposition: 'answered', line: left.line })
  }
})

test('all at once: who hangs up meanwhile leaves no line ringing', async () => {
  stage.line('bpbd-1').rings()
  stage.line('bpbd-2').rings()
  const one = await dial('2')
  const legs = [await one.rung('bpbd-1'), await one.rung('bpbd-2')]
  one.caller.hangUp()
  for (const leg of legs) expect(await over(leg)).toBe('there')
  expect(await story(one.number)).toMatchObject({ disposition: 'abandoned', detail: expect.stringMatching(/^ringing:bpbd-[12]$/), endedBy: 'caller', lines: { 'bpbd-1': 'cancelled', 'bpbd-2': 'cancelled' } })
})

test('the second priority rings when nobody of the first is there; a busy line and a dead one are the ladder of the busy ones', async () => {
  stage.line('bpbd-1').isOutOfOrder()
  stage.line('bpbd-2').isBusy()
  const one = await dial('2')
  await (await one.rung('bpbd-3')).answered
  one.caller.hangUp()
  expect(await story(one.number)).toMatchObject({ disposition: 'answered', line: 'bpbd-3', lines: { 'bpbd-1': 'unavailable', 'bpbd-2': 'busy', 'bpbd-3': 'answered' } })
  stage.line('bpbd-3').isOutOfOrder()
  const other = await dial('2')
  await (await other.rung('posko-1')).answered
  other.caller.hangUp()
  expect(await story(other.number)).toMatchObject({ agency: 'posko', line: 'posko-1', lines: { 'bpbd-1': 'unavailable', 'bpbd-2': 'busy', 'bpbd-3': 'unavailable', 'posko-1': 'answered' } })
})

test('lines that ring at once and are all dead lead to the ladder of the dead', async () => {
  for (const id of ['bpbd-1', 'bpbd-2', 'bpbd-3'] as const) stage.line(id).isOutOfOrder()
  const one = await dial('2')
  await (await one.rung('hallo-1')).answered
  one.caller.hangUp()
  expect(await story(one.number)).toMatchObject({ agency: 'wali-kota', line: 'hallo-1', lines: { 'bpbd-1': 'unavailable', 'bpbd-2': 'unavailable', 'bpbd-3': 'unavailable' } })
})

test('longest idle: the line that has been free longest rings first, with the service and without', async () => {
  const rings = async (line: string) => {
    const one = await dial('1')
    await (await one.rung(line)).answered
    expect(one.lines()).toEqual([line])
    return one
  }
  const talking = await rings('ambulans-1')                    // none has rung since Asterisk began: as they stand
  const short = await rings('ambulans-2')
  short.caller.hangUp()
  await story(short.number)
  talking.caller.hangUp()
  await story(talking.number)
  const second = await rings('ambulans-2')                     // it has been free longer: the other one talked on
  second.caller.hangUp()
  await story(second.number)
  await city.restart(async () => {
    const alone = await rings('ambulans-1')
    alone.caller.hangUp()
    await eventually('the call is over', async () => (await city.channels()).length === 0)
  })
  // A line that is not picked up has not been free meanwhile: the next caller does not wait for it again.
  stage.line('ambulans-2').isBusy()
  const passed = await dial('1')
  await (await passed.rung('ambulans-1')).answered
  expect(passed.lines()).toEqual(['ambulans-2', 'ambulans-1'])
  passed.caller.hangUp()
  await story(passed.number)
  stage.line('ambulans-2').answers()
  const last = await rings('ambulans-2')
  last.caller.hangUp()
  expect(await story(last.number)).toMatchObject({ agency: 'ambulans', line: 'ambulans-2' })
})

const reachable = async () => (await city.service.ami.list('PJSIPShowEndpoints')).find(({ objectname }) => objectname === 'gateway-2')!['devicestate'] !== 'Unavailable'

test('a line with two trunks is rung by the second while the first is dead or full, and not when it is busy', async () => {
  await eventually('the second gateway does not answer', async () => !await reachable())
  const one = await dial('3')
  const leg = await one.rung('hallo-1')
  await leg.answered
  one.caller.hangUp()
  expect(await story(one.number)).toMatchObject({ line: 'hallo-1', lines: { 'hallo-1': 'answered' } })

  await using gateway2 = await Softphone.open({ address: at(5), port: 5060 })
  const there: IncomingCall[] = []
  let does = (leg: IncomingCall): unknown => leg.answer()
  gateway2.onCall(leg => {
    there.push(leg)
    return does(leg)
  })
  await eventually('the second gateway answers', reachable)
  const calls = city.calls.length

  const first = await dial('3')
  const talking = await eventually('the first trunk is there again', async () => there[0])
  await talking.answered
  expect(talking.line).toBe('hallo-1')
  expect(city.calls).toHaveLength(calls)
  const full = await dial('3')                                 // its one channel is in use
  await (await full.rung('hallo-1')).answered
  expect(there).toHaveLength(1)
  for (const { caller } of [first, full]) caller.hangUp()
  expect(await story(full.number)).toMatchObject({ line: 'hallo-1', lines: { 'hallo-1': 'answered' } })
  await stage.nothingIsLeft()

  does = leg => leg.refuse(503)
  const failing = await dial('3')
  await (await failing.rung('hallo-1')).answered
  expect(there).toHaveLength(2)
  failing.caller.hangUp()
  await story(failing.number)

  does = leg => leg.refuse(486)
  const busy = await dial('3')
  await city.ear.hears(busy.caller, 'maaf-akhir')
  expect(there).toHaveLength(3)
  expect(busy.lines()).toEqual([])
  busy.caller.hangUp()
  expect(await story(busy.number)).toMatchObject({ disposition: 'unanswered', lines: { 'hallo-1': 'busy' } })
})

test('every carrier of the plan brings calls, and its name stands in the record', async () => {
  await using carrier2 = await Softphone.open({ address: at(4), port: 5060 })
  const number = from()
  const caller = carrier2.dial({ to: `sip:112@${city.address}:5060`, from: number })
  await caller.answered
  await caller.press('0')
  await (await city.rung('posko-1', number)).answered
  caller.hangUp()
  expect(await story(number)).toMatchObject({ trunk: 'carrier-2', disposition: 'answered', line: 'posko-1' })
})

test('nothing of a line\'s own dialplan can be dialled from outside', async () => {
  const before = city.calls.length
  for (const user of ['together', 'line-bpbd-1', 'bpbd-1', 's', 'h']) {
    await expect(city.dial({ to: `sip:${user}@${city.address}:5060` }).answered).rejects.toMatchObject({ status: 404 })
  }
  expect(city.calls).toHaveLength(before)
})

test('one number cannot hold an agency: with the service and without it one more call goes to the desk, and there, too, two are the most', async () => {
  stage.line('hallo-3').rings()
  const calls: OutgoingCall[] = []
  const lineFor = async (number: string) => {
    const before = city.calls.length
    const caller = city.dial({ from: number })
    calls.push(caller)
    await caller.answered
    await caller.press('5')
    const leg = await eventually('a line has answered, or the caller hears the apology', async () =>
      city.calls.slice(before).find(leg => leg.from === number && leg.line !== 'hallo-3') ?? city.ear.heardOn(caller).find(({ prompt }) => prompt === 'maaf-akhir'))
    return 'line' in leg ? leg.answered.then(() => leg.line) : leg.prompt
  }
  const four = async (number: string) => [await lineFor(number), await lineFor(`0${number.slice(3)}`), await lineFor(number), await lineFor(number)]
  const [one, other] = ['+6281277702101', '+6281277702102']
  const way = ['hallo-2', 'posko-1', 'posko-1', 'maaf-akhir']
  expect(await four(one)).toEqual(way)
  await calls.at(-1)!.ended
  await eventually('its record', async () => (await city.service.records.list({ limit: 5 })).calls.some(({ detail, disposition }) => disposition === 'unanswered' && detail === 'same-number:posko'))
  for (const call of calls.splice(0)) await call.hangUp()
  await city.quiet()

  await city.restart(async () => {
    expect(await four(other)).toEqual(way)
    await calls.at(-1)!.ended
    for (const call of calls.splice(0)) await call.hangUp()
  })
  await eventually('its record', async () => (await city.service.records.list({ limit: 9 })).calls.some(({ cli, detail }) => cli === other && detail === 'same-number:posko'))
})

test('whom one cannot count together are not: callers without a number, and numbers of many people', async () => {
  for (const number of ['', '+627215550210']) {
    const calls: OutgoingCall[] = []
    for (const line of ['hallo-2', 'hallo-3']) {
      for (const id of ['hallo-2', 'hallo-3']) if (id === line) stage.line(id).answers(); else stage.line(id).rings()
      const caller = city.dial({ from: number })
      calls.push(caller)
      await caller.answered
      await caller.press('5')
      const leg = await eventually(`${line} has answered`, async () => city.calls.findLast(leg => leg.line === line && !leg.ending))
      await leg.answered
    }
    for (const call of calls) await call.hangUp()
    await city.quiet()
  }
})
