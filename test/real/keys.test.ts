/** Keys as telephones send them: events (RFC 4733), tones in the sound, SIP INFO, several of these at once, and as faulty equipment does. */
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { DialOptions, IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

interface OneCall { from: string, call: OutgoingCall }

/** A city of its own, and what people do there. */
function keysIn(open: () => Promise<City>) {
  let city: City
  beforeAll(async () => { city = await open() })
  afterAll(() => city?.[Symbol.asyncDispose]())
  let callers = 0
  return {
    get city() { return city },
    /** Somebody dials, and hears so much of the menu. */
    async caller(options: Partial<DialOptions> = {}, until = 'sambutan'): Promise<OneCall> {
      const from = `+6281234560${String(++callers).padStart(3, '0')}`
      const call = city.dial({ from, ...options })
      await call.answered
      await city.ear.hears(call, until)
      return { from, call }
    },
    /** The line that rings for them, picked up. */
    async answeredBy(line: string, { from }: OneCall): Promise<IncomingCall> {
      const leg = await city.rung(line, from)
      await leg.answered
      return leg
    },
    /** The record of their call, and its steps, once it is over. */
    async over({ from, call }: OneCall) {
      await call.hangUp()
      return eventually('the call is told to its end', async () => {
        await city.service.scribe.flush()
        const { calls } = await city.service.records.list({ limit: 20 })
        const record = calls.find(({ cliRaw, disposition }) => cliRaw === from && disposition !== null)
        const steps = record && await city.service.records.steps(record.callId)
        return steps?.some(({ kind }) => kind === 'ended') && { record: record!, steps }
      })
    },
    /** What the record has of their keys. */
    async keysOf(one: OneCall) {
      const { steps } = await this.over(one)
      return steps.flatMap(({ kind, facts }) => kind === 'key' ? [`${facts.node} ${facts.digit}`] : kind === 'key-ignored' ? [`ignored ${facts.digit}`] : [])
    }
  }
}

describe('one key in each form', () => {
  const at = keysIn(() => openCity({ number: 161, plan: text => text.replace('patience: 3 s', 'patience: 1 s').replace('number: bpbd-1, ringTime: 20 s', 'number: bpbd-1, acceptKey: 1, ringTime: 20 s') }))
  afterEach(() => at.city.quiet())

  test.each<[string, Partial<DialOptions>, (call: OutgoingCall) => unknown]>([
    ['a tone alone, where no telephone-event was agreed', { events: false }, call => call.pressTones('3')],
    ['a short tone', { events: false }, call => call.pressTones('3', 60)],
    ['SIP INFO, where no telephone-event was agreed', { events: false }, call => call.pressByInfo('3')],
    ['SIP INFO', {}, call => call.pressByInfo('3')],
    ['a telephone-event beside a tone', {}, call => { void call.pressTones('3', 60); void call.press('3') }]
  ])('%s is one key of the menu', async (_, options, presses) => {
    const one = await at.caller(options)
    presses(one.call)
    await at.answeredBy('hallo-1', one)
    expect(await at.keysOf(one)).toEqual(['utama 3'])
  })

  test('a tone alone is no key where telephone-event was agreed, and the caller reaches the desk', async () => {
    const one = await at.caller()
    await one.call.pressTones('3')
    await at.answeredBy('posko-1', one)
    expect(await at.keysOf(one)).toEqual([])
  })

  test.each<[string, boolean, (leg: IncomingCall) => unknown]>([
    ['a tone', false, leg => leg.pressTones('1')], ['SIP INFO', false, leg => leg.pressByInfo('1')], ['a telephone-event', true, leg => leg.press('1')]
  ])('an agency accepts by %s', async (_, events, presses) => {
    at.city.line('bpbd-1', leg => leg.answer({ events }))
    const one = await at.caller()
    await one.call.press('2')
    const leg = await at.answeredBy('bpbd-1', one)
    await at.city.ear.hears(leg, 'konfirmasi-petugas')
    presses(leg)
    await one.call.pressTones('9', 400)
    await eventually('the two hear each other', async () => leg.tones.includes('9'))
    expect((await at.over(one)).record).toMatchObject({ disposition: 'answered', line: 'bpbd-1' })
  })

  test.each<[string, boolean, boolean]>([
    ['events become tones for a line', true, false], ['tones become events', false, true], ['events stay events', true, true], ['tones stay tones', false, false]
  ])('a citizen gets through an agency\'s own menu: %s', async (_, citizen, agency) => {
    at.city.line('hallo-1', leg => leg.answer({ events: agency }))
    const one = await at.caller({ events: citizen })
    if (citizen) await one.call.press('3')
    else await one.call.pressTones('3')
    const leg = await at.answeredBy('hallo-1', one)
    await eventually('they are joined', async () => leg.heard.length > 25)
    for (const digit of '7*1') {
      if (citizen) await one.call.press(digit, 160)
      else await one.call.pressTones(digit, 160)
    }
    await eventually('the agency has the keys', async () => agency ? leg.keys.length >= 3 : leg.tones.length >= 3)
    await one.call.say(Buffer.alloc(2_400, 0xd5))
    if (agency) expect(leg.keys.map(({ digit }) => digit)).toEqual(['7', '*', '1'])
    else expect({ tones: leg.tones, events: leg.keys }).toEqual({ tones: '7*1', events: [] })
    expect(await at.keysOf(one)).toEqual(['utama 3'])
  })
})

/** Key 2 leads to a second menu, where it is the mayor's hotline, and silence is BPBD. */
const nested = (text: string) => text.replace('patience: 3 s', 'patience: 1 s').replaceAll('capacity: 1 }', 'capacity: 9 }').replace('      2: bpbd\n', '      2: bencana\n')
  .replace('    silence: posko\n', '    silence: posko\n  bencana:\n    prompt: mohon-maaf\n    patience: 1 s\n    keys: { 1: ambulans, 2: wali-kota }\n    silence: bpbd\n')
const twice = async (call: OutgoingCall, gap: number) => {
  await call.press('2')
  await setTimeout(gap)
  await call.press('2')
}
const onePress: [string, (call: OutgoingCall) => unknown][] = [
  ['each packet of it has a timestamp of its own', call => call.press('2', 160, 'each')],
  ['it is held down, and each packet has a timestamp of its own', call => call.press('2', 3_000, 'each')],
  ['each end packet of it has a timestamp of its own', call => call.press('2', 160, 'ends')],
  ['it comes by RFC 4733 and SIP INFO at once', async call => { await call.press('2'); call.pressByInfo('2') }],
  ['its SIP INFO comes half a second after', async call => { await call.press('2'); await setTimeout(500); call.pressByInfo('2') }],
  ['it is pressed twice, by a hand that shakes', call => twice(call, 100)],
  ['it is pressed twice, 0.7 s apart', call => twice(call, 600)]
]

describe('one press is one key', () => {
  const at = keysIn(() => openCity({
    number: 162, callbacks: true, plan: text => nested(text).replace('    connecting: sambung-ambulans', '    wait: {}\n    connecting: sambung-ambulans')
  }))
  afterAll(() => at.city.quiet())

  test.concurrent.each(onePress)('where %s', async (_, presses) => {
    const one = await at.caller()
    await presses(one.call)
    await at.city.ear.hears(one.call, 'mohon-maaf')
    await at.answeredBy('bpbd-1', one)
    const keys = await at.keysOf(one)
    expect(keys[0]).toBe('utama 2')
    expect(new Set(keys.slice(1))).toEqual(new Set(['ignored 2']))
  })

  test.concurrent('who types ahead into a second menu is asked, and chooses while it is still being said', async () => {
    const one = await at.caller()
    await one.call.press('21')
    const { startedAt } = await at.city.ear.hears(one.call, 'mohon-maaf')
    await eventually('the question has been heard for a second', async () => performance.now() > startedAt + 1_100)
    await one.call.press('2')
    await at.answeredBy('hallo-1', one)
    expect(await at.keysOf(one)).toEqual(['utama 2', 'ignored 1', 'bencana 2'])
  })

  test.concurrent('a wrong key that comes twice is one, and the right one counts at once', async () => {
    const one = await at.caller()
    await one.call.press('99')
    await at.city.ear.hears(one.call, 'tidak-valid')
    await one.call.press('3')
    await at.answeredBy('hallo-1', one)
    expect(await at.keysOf(one)).toEqual(['utama 9', 'ignored 9', 'utama 3'])
  })

  test.concurrent('a press that comes right after a choice takes no offer that the caller has not heard', async () => {
    for (const line of ['ambulans-1', 'ambulans-2']) at.city.line(line, leg => leg.refuse(486))
    const one = await at.caller()
    await one.call.press('1')
    await setTimeout(300)
    await one.call.press('1')
    await at.city.ear.hears(one.call, 'tawaran-menunggu')
    const { record, steps } = await at.over(one)
    expect(record).toMatchObject({ disposition: 'abandoned', detail: 'waiting:ambulans' })
    expect(steps.filter(({ kind }) => kind === 'key-ignored')).toMatchObject([{ facts: { digit: '1' } }])
  })
})

describe('one press is one key, without the service, too', () => {
  const at = keysIn(() => openCity({ number: 163, withService: false, plan: nested }))

  // A key that is held down for more than a second by a telephone that is as faulty is several, here.
  test.concurrent.each(onePress.filter(([what]) => !what.includes('held down')))('where %s', async (_, presses) => {
    const one = await at.caller()
    await presses(one.call)
    await at.answeredBy('bpbd-1', one)
    await one.call.hangUp()
  })

  test.concurrent('who presses nothing reaches the desk', async () => {
    const one = await at.caller()
    await at.answeredBy('posko-1', one)
    await one.call.hangUp()
  })

  test.concurrent('the second menu takes a key once it has begun', async () => {
    const one = await at.caller()
    await one.call.press('2')
    await at.city.ear.hears(one.call, 'mohon-maaf')
    await one.call.press('2')
    await at.answeredBy('hallo-1', one)
    await one.call.hangUp()
  })
})
