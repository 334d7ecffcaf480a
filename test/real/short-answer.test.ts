/** Lines that answer although nobody is there, humans who decline, and callers who leave meanwhile, on a real Asterisk. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Softphone, type IncomingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

const number = 109
const spoken = 2_000

let city: City
let gateway2: Softphone
/** The calls that reached the second gateway. */
const there: IncomingCall[] = []

beforeAll(async () => {
  city = await openCity({
    number,
    plan: text => `spoken: 2 s\n${text}`
      .replace('\nnumbers:', `\n  gateway-2: { role: agencies, address: 127.77.${number}.5, qualify: off }\n\nnumbers:`)
      .replaceAll('ringTime: 20 s', 'ringTime: 5 s')
      .replaceAll('patience: 3 s', 'patience: 1 s')
      .replace('    name: Ambulans Gratis\n', '    name: Ambulans Gratis\n    order: all-at-once\n')
      .replace('    name: BPBD\n', '    name: BPBD\n    overflow: { dead: wali-kota }\n')
      .replaceAll(/(id: bpbd-\d), trunk: gateway,/g, '$1, trunks: [gateway, gateway-2],')
      .replace('number: hallo-1,', 'number: hallo-1, acceptKey: 1,')
      .replace('      3: wali-kota\n', '      3: wali-kota\n      5: kembar\n')
      .replace('  posko:\n    name', `  kembar:
    name: Two of a kind
    connecting: sambung-wali-kota
    order: all-at-once
    lines:
      - { id: hallo-2, trunk: gateway, number: hallo-2, acceptKey: 1 }
      - { id: hallo-3, trunk: gateway, number: hallo-3, acceptKey: 1 }
  posko:
    name`)
  })
  gateway2 = await Softphone.open({ address: `127.77.${number}.5`, port: 5060 })
  gateway2.onCall(leg => {
    there.push(leg)
    return leg.answer()
  })
})
beforeEach(() => {
  there.length = 0
  for (const id of ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'hallo-2', 'hallo-3', 'posko-1']) city.line(id, leg => leg.answer())
})
afterEach(() => city.quiet())
afterAll(async () => {
  await gateway2?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

const after = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
let callers = 0

/** Somebody dials 112 and presses a key. */
async function dial(key: string, from = `+62721555${String(++callers).padStart(4, '0')}`) {
  const caller = city.dial({ from })
  await caller.answered
  await caller.press(key)
  const rung = async (line: string) => {
    const leg = await city.rung(line, from)
    return leg
  }
  return { from, caller, rung }
}

/** The record of a call that has ended, how each line went, in order, and the follow-up of its caller. */
async function story(from: string) {
  const call = await city.record(from)
  const { lines, steps } = (await city.service.records.get(call.callId))!
  const followUp = async () => await city.service.records.db.selectFrom('followups').selectAll().where('cli', '=', from).executeTakeFirst()
  return { call, lines: lines.map(({ line, outcome }) => `${line} ${outcome}`), steps, followUp }
}

/** Both hear each other for a while that counts. */
const talks = async (leg: IncomingCall) => {
  await leg.answered
  await after(spoken + 300)
}

const noSound = (own: string) => own.replace(/m=audio (\d+) RTP\/AVP .*/, 'm=audio $1 RTP/AVP 18 101').replace(/a=rtpmap:[08] .*\r\n/g, '').replace('a=rtpmap:101', 'a=rtpmap:18 G729/8000\r\na=rtpmap:101')

test.each<[string, (leg: IncomingCall) => unknown]>([
  ['answers and hangs up at once', async leg => { await leg.answer(); await leg.hangUp() }],
  ['answers and hangs up after a second', async leg => { await leg.answer(); await after(1_000); await leg.hangUp() }],
  ['answers without SDP', leg => leg.answer({ sdp: () => '' })],
  ['answers in a codec that was not offered', leg => leg.answer({ sdp: noSound })]
])('after a line that %s the next one rings, and the record says so', async (_, does) => {
  city.line('bpbd-1', does)
  const { from, caller, rung } = await dial('2')
  const human = await rung('bpbd-2')
  expect(caller.ending).toBeNull()
  await talks(human)
  await human.hangUp()
  expect((await caller.ended).by).toBe('there')
  const { call, lines } = await story(from)
  expect(call).toMatchObject({ disposition: 'answered', agency: 'bpbd', line: 'bpbd-2', endedBy: 'agency', q850: 16, detail: null })
  expect(call.endedAt! - call.connectedAt!).toBeGreaterThan(spoken)
  expect(call.endedAt! - call.connectedAt!).toBeLessThan(spoken + 900)
  expect(lines).toEqual(['bpbd-1 too-short', 'bpbd-2 answered'])
  expect(there).toEqual([])
})

test('after a short answer the record still knows who hung up: the caller', async () => {
  city.line('bpbd-1', async leg => { await leg.answer(); await leg.hangUp() })
  const talker = await dial('2')
  await talks(await talker.rung('bpbd-2'))
  await talker.caller.hangUp()
  expect((await story(talker.from)).call).toMatchObject({ disposition: 'answered', line: 'bpbd-2', endedBy: 'caller' })

  city.line('bpbd-2', leg => leg.ring())
  const leaver = await dial('2')
  await leaver.rung('bpbd-2')
  await leaver.caller.hangUp()
  const { call, lines } = await story(leaver.from)
  expect(call).toMatchObject({ disposition: 'abandoned', detail: 'ringing:bpbd-2', endedBy: 'caller', connectedAt: null, line: null })
  expect(lines).toEqual(['bpbd-1 too-short', 'bpbd-2 cancelled'])
})

test('where all lines answer and hang up, the caller hears the apology and is followed up', async () => {
  for (const id of ['bpbd-1', 'bpbd-2']) city.line(id, async leg => { await leg.answer(); await leg.hangUp() })
  const { from, caller } = await dial('2')
  expect((await caller.ended).by).toBe('there')
  await city.ear.hears(caller, 'maaf-akhir')
  const { call, lines, steps, followUp } = await story(from)
  expect(call).toMatchObject({ disposition: 'unanswered', detail: 'lines-exhausted:bpbd', endedBy: 'us', connectedAt: null, line: null })
  expect(lines).toEqual(['bpbd-1 too-short', 'bpbd-2 too-short'])
  expect(steps.find(({ kind }) => kind === 'returned')?.facts).toEqual({ agency: 'bpbd', status: 'SHORT' })
  expect(await eventually('a follow-up', followUp)).toMatchObject({ kind: 'unanswered', agency: 'bpbd' })
})

test('a caller who hangs up sooner than a talk counts was abandoned, and is followed up', async () => {
  const { from, caller, rung } = await dial('2')
  await (await rung('bpbd-1')).answered
  await after(500)
  await caller.hangUp()
  const { call, lines, followUp } = await story(from)
  expect(call).toMatchObject({ disposition: 'abandoned', detail: 'too-short:bpbd-1', endedBy: 'caller', connectedAt: null, line: null })
  expect(lines).toEqual(['bpbd-1 too-short'])
  expect(await eventually('a follow-up', followUp)).toMatchObject({ kind: 'abandoned-ringing', endedAt: null })

  // A short talk settles nothing, one that counts does.
  city.line('bpbd-1', async leg => { await leg.answer(); await leg.hangUp() })
  city.line('bpbd-2', async leg => { await leg.answer(); await leg.hangUp() })
  const second = await dial('2', from)
  await second.caller.ended
  await story(from)
  expect(await followUp()).toMatchObject({ endedAt: null })
  city.line('bpbd-1', leg => leg.answer())
  const third = await dial('2', from)
  await talks(await third.rung('bpbd-1'))
  await third.caller.hangUp()
  expect(await eventually('the follow-up ends', async () => { const one = await followUp(); return one?.endedAt ? one : undefined })).toMatchObject({ state: 'done', why: 'already-spoken-with' })
})

test('all at once: after a short answer the others ring again, and that line does not', async () => {
  let drops = 0
  city.line('ambulans-1', async leg => { drops++; await leg.answer(); await leg.hangUp() })
  let rings = 0
  city.line('ambulans-2', leg => ++rings === 1 ? leg.ring() : leg.answer())
  const { from, caller, rung } = await dial('1')
  const human = await eventually('the other line rings again', async () => rings === 2 ? await rung('ambulans-2') : undefined)
  expect(caller.ending).toBeNull()
  await talks(human)
  await human.hangUp()
  expect((await caller.ended).by).toBe('there')
  const { call, lines } = await story(from)
  expect(call).toMatchObject({ disposition: 'answered', agency: 'ambulans', line: 'ambulans-2', endedBy: 'agency' })
  expect(lines.toSorted()).toEqual(['ambulans-1 too-short', 'ambulans-2 answered', 'ambulans-2 cancelled'])
  expect(drops).toBe(1)
})

test('all at once: where each answers and hangs up, the caller hears the apology', async () => {
  for (const id of ['ambulans-1', 'ambulans-2']) city.line(id, async leg => { await leg.answer(); await after(300); await leg.hangUp() })
  const { from, caller } = await dial('1')
  expect((await caller.ended).by).toBe('there')
  const { call, lines } = await story(from)
  expect(call).toMatchObject({ disposition: 'unanswered', detail: 'lines-exhausted:ambulans', endedBy: 'us', connectedAt: null })
  expect(lines.filter(line => line.endsWith('too-short')).toSorted()).toEqual(['ambulans-1 too-short', 'ambulans-2 too-short'])
})

test('all at once: who hangs up when they are asked to accept has declined, and cuts off nobody', async () => {
  const { from, rung } = await dial('5')
  const [leaves, stays] = [await rung('hallo-2'), await rung('hallo-3')]
  await Promise.all([leaves, stays].map(leg => city.ear.hears(leg, 'konfirmasi-petugas')))
  await leaves.hangUp()
  await stays.press('1')
  await talks(stays)
  await stays.hangUp()
  const { call, lines } = await story(from)
  expect(call).toMatchObject({ disposition: 'answered', line: 'hallo-3', endedBy: 'agency' })
  expect(lines.toSorted()).toEqual(['hallo-2 declined', 'hallo-3 answered'])
})

test.each([['a line', '3', 'hallo-1'], ['one of lines that ring at once', '5', 'hallo-2']])('a caller who leaves while %s is asked to accept is abandoned, and the agency hears so', async (_, key, line) => {
  const { from, caller, rung } = await dial(key)
  const asked = await rung(line)
  await city.ear.hears(asked, 'konfirmasi-petugas')
  await caller.hangUp()
  await asked.press('1')
  await city.ear.hears(asked, 'penelepon-pergi')
  expect((await asked.ended).by).toBe('there')
  const { call, lines, steps, followUp } = await story(from)
  expect(call).toMatchObject({ disposition: 'abandoned', detail: expect.stringMatching(/^ringing:hallo-/), endedBy: 'caller', connectedAt: null })
  expect(lines).toContain(`${line} cancelled`)
  expect(steps.filter(({ kind }) => kind === 'connected')).toEqual([])
  expect(await eventually('a follow-up', followUp)).toMatchObject({ kind: 'abandoned-ringing' })
})

test.each([[603, 'declined', 'DECLINED'], [408, 'noanswer', 'NOANSWER'], [480, 'noanswer', 'NOANSWER'], [487, 'noanswer', 'NOANSWER']])(
  'a line that says %s works: no second trunk rings it, and it is the ladder of the busy ones', async (status, outcome, returned) => {
    for (const id of ['bpbd-1', 'bpbd-2']) city.line(id, async leg => { leg.ring(); await leg.refuse(status) })
    const { from, caller } = await dial('2')
    await city.ear.hears(caller, 'maaf-akhir')
    await caller.hangUp()
    const { lines, steps } = await story(from)
    expect(lines).toEqual([`bpbd-1 ${outcome}`, `bpbd-2 ${outcome}`])
    expect(steps.find(({ kind }) => kind === 'returned')?.facts).toEqual({ agency: 'bpbd', status: returned })
    expect(there).toEqual([])
  })

test.each([403, 404, 484, 503])('a line that says %s is out of order there: the second trunk rings it', async status => {
  city.line('bpbd-1', leg => leg.refuse(status))
  const { from, caller } = await dial('2')
  await (await eventually('the second gateway is rung', async () => there[0])).answered
  await caller.hangUp()
  await story(from)
})

test('without the service the next line rings as well', async () => {
  city.line('bpbd-1', async leg => { await leg.answer(); await leg.hangUp() })
  const from = '+627215559999'
  await city.restart(async () => {
    await eventually('the dialplan takes the calls', async () => await city.variable('SN_BEAT') !== undefined)
    const { caller, rung } = await dial('2', from)
    const human = await rung('bpbd-2')
    await talks(human)
    await human.hangUp()
    expect((await caller.ended).by).toBe('there')
  })
  const { call, lines } = await story(from)
  expect(call).toMatchObject({ disposition: 'answered', line: 'bpbd-2', endedBy: 'agency' })
  expect(lines).toEqual(['bpbd-1 too-short', 'bpbd-2 answered'])
})
