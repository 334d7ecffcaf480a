import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Happenings, Kind, LineOutcome, Step } from '../../src/calls/story.ts'
import { e164, lines, talksIn, tell } from '../../src/calls/tell.ts'

/** A story, one step a millisecond: `['picked']`, `['menu', { node: 'utama' }]`. */
function story(...happenings: { [K in Kind]: Record<never, never> extends Happenings[K] ? [K] : [K, Happenings[K]] }[Kind][]): Step[] {
  return happenings.map(([kind, facts = {}], at) => ({ callId: 'c1', key: `way-${at}`, at, witness: 'ledger', kind, facts }) as Step)
}
type Happening = Parameters<typeof story>[number]
const arrived = ['arrived', { did: '112', trunk: 'carrier', cli: '07215550112' }] as const satisfies [Kind, object]
const line = { agency: 'bpbd', line: 'bpbd-1' }
const byCaller = ['hangup', { by: 'caller', q850: 16 }] as const satisfies [Kind, object]

test('nothing is told of a call whose arrival is not known', () => {
  expect(tell([])).toBeNull()
  expect(tell(story(['picked'], byCaller, ['ended']))).toBeNull()
})

test('another spelling of our number is the plan\'s, and the number that the carrier asserts is the caller\'s', () => {
  const steps = story(['arrived', { did: '+62112', trunk: 'carrier', cli: 'anonymous' }], ['number', { did: '112' }], ['caller', { cli: '07215550112' }])
  expect(tell(steps)).toMatchObject({ did: '112', cliRaw: 'anonymous', cli: '+627215550112' })
})

test('a call that came in a second time is none; one for a number that is not ours is refused', () => {
  expect(tell(story(arrived, ['repeat', { why: 'twin' }], ['hangup', { by: 'us', q850: 16 }], ['ended']))).toBeNull()
  expect(tell(story(arrived, ['refused', { status: 404, trunk: 'carrier' }], ['hangup', { by: 'us', q850: 1 }], ['ended']))).toMatchObject({ disposition: 'refused', detail: 'no-such-number' })
})

test('of an arrival that both have seen, the ledger\'s word counts, whichever was first', () => {
  const seen: Step = { callId: 'c1', key: 'seen', at: -5, witness: 'service', kind: 'arrived', facts: { did: '112', trunk: 'carrier', cli: '7215550112' } }
  expect(tell([seen])).toMatchObject({ cliRaw: '7215550112', arrivedAt: -5, disposition: null })
  for (const at of [-5, 0, 5]) expect(tell([{ ...seen, at }, ...story(arrived, ['picked'])])).toEqual(tell(story(arrived, ['picked'])))
})

test('an answered call, whole', () => {
  const steps = story(arrived, ['picked'], ['menu', { node: 'utama' }], ['key', { digit: '2', node: 'utama', means: 'bpbd' }],
    ['agency', { agency: 'bpbd' }], ['line', line], ['line-outcome', { ...line, outcome: 'busy', q850: 17 }],
    ['line', { agency: 'bpbd', line: 'bpbd-2' }], ['connected', { agency: 'bpbd', line: 'bpbd-2' }],
    ['line-outcome', { agency: 'bpbd', line: 'bpbd-2', outcome: 'answered', q850: null }], ['hangup', { by: 'agency', q850: 16 }], ['ended'])
  expect(tell(steps)).toEqual({
    callId: 'c1', did: '112', trunk: 'carrier', cliRaw: '07215550112', cli: '+627215550112', arrivedAt: 0, pickedAt: 1,
    connectedAt: 8, endedAt: 11, agency: 'bpbd', line: 'bpbd-2', endedBy: 'agency', q850: 16, disposition: 'answered', detail: null, way: 'fallback'
  })
  expect(lines(steps)).toEqual([
    { ...line, triedAt: 5, outcome: 'busy', q850: 17, answeredAt: null },
    { agency: 'bpbd', line: 'bpbd-2', triedAt: 7, outcome: 'answered', q850: null, answeredAt: 8 }
  ])
})

test('the first who leads a call says which way it goes', () => {
  const of = (...told: Partial<Step>[]) => tell([...story(arrived), ...told.map((step, at) => ({ callId: 'c1', key: `k${at}`, at: at + 1, witness: 'ledger', facts: {}, ...step }) as Step)])?.way
  const taken = { kind: 'taken', witness: 'service' } as const
  const menu = (facts: Happenings['menu'], witness: Step['witness'] = 'ledger') => ({ kind: 'menu', witness, facts }) as Partial<Step>
  expect(of()).toBeNull()
  expect(of(taken, menu({ node: 'utama' }, 'service'))).toBe('service')
  expect(of(menu({ node: 'utama' }), taken)).toBe('fallback')
  expect(of(menu({ node: 'utama', shed: true }), { kind: 'agency', facts: { agency: 'bpbd' } }, taken)).toBe('shed')
  expect(of(taken, menu({ node: 'utama', shed: true }))).toBe('service')
  expect(of({ kind: 'agency', facts: { agency: 'bpbd' } })).toBeNull()          // the ledger tells of it whoever led there
  expect(of({ kind: 'shed' }, { kind: 'agency', facts: { agency: 'bpbd' } })).toBe('shed')
})

test('a call that goes on has no disposition, and its line no outcome', () => {
  const steps = story(arrived, ['picked'], ['line', line])
  expect(tell(steps)).toMatchObject({ disposition: null, detail: null, endedAt: null })
  expect(lines(steps)).toMatchObject([{ line: 'bpbd-1', outcome: null }])
})

test('whose side never acknowledges that we picked up is told apart from who leaves', () => {
  const gone = ['hangup', { by: 'caller', q850: 18 }] as const satisfies [Kind, object]
  const menu = ['menu', { node: 'utama' }] as const satisfies [Kind, object]
  const late = story(arrived, ['picked'], gone, ['ended']).map(step => step.kind === 'ended' ? { ...step, at: 60_000 } : step)
  const rung = [['line', line], ['line-outcome', { ...line, outcome: 'noanswer', q850: 18 }]] as const satisfies Happening[]
  expect([story(arrived, ['picked'], gone, ['ended']), story(arrived, ['picked'], menu, gone, ['ended']), late, story(arrived, gone, ['ended']), story(arrived, ['picked'], menu, byCaller, ['ended']),
    story(arrived, ['picked'], menu, ['key', { node: 'utama', digit: '9', means: null }], gone, ['ended']), story(arrived, ['picked'], ...rung, gone, ['ended'])].map(steps => tell(steps)?.detail))
    .toEqual(['never-acknowledged', 'never-acknowledged', 'greeting', 'before-answer', 'menu:utama', 'menu:utama', 'agency:bpbd'])
})

describe('a caller who leaves is abandoned where they were', () => {
  test.each<[string, Step[]]>([
    ['before-answer', story(arrived, byCaller, ['ended'])],
    ['greeting', story(arrived, ['picked'], byCaller, ['ended'])],
    ['menu:utama', story(arrived, ['picked'], ['menu', { node: 'utama' }], ['silence', { node: 'utama' }], byCaller, ['ended'])],
    ['agency:bpbd', story(arrived, ['agency', { agency: 'bpbd' }], byCaller, ['ended'])],
    ['ringing:bpbd-1', story(arrived, ['picked'], ['line', line], ['line-outcome', { ...line, outcome: 'cancelled', q850: null }], byCaller, ['ended'])],
    ['ringing:bpbd-1', story(arrived, ['picked'], ['line', line], byCaller, ['line-outcome', { ...line, outcome: 'noanswer', q850: null }], ['ended'])],
    ['agency:bpbd', story(arrived, ['line', line], ['line-outcome', { ...line, outcome: 'busy', q850: 17 }], byCaller, ['ended'])],
    ['returned:bpbd', story(arrived, ['line', line], ['returned', { agency: 'bpbd', status: 'NOANSWER' }], byCaller, ['ended'])],
    ['menu:lagi', story(arrived, ['line', line], ['returned', { agency: 'bpbd', status: 'x' }], ['menu', { node: 'lagi' }], byCaller, ['ended'])]
  ])('%s', (detail, steps) => {
    expect(tell(steps)).toMatchObject({ disposition: 'abandoned', detail })
  })
})

test('busy and the next line in the same millisecond: the next line is what rings', () => {
  const steps = story(arrived, ['line', line], ['line', { agency: 'bpbd', line: 'bpbd-2' }], ['line-outcome', { ...line, outcome: 'busy', q850: 17 }], byCaller, ['ended'])
  expect(tell(steps)).toMatchObject({ detail: 'ringing:bpbd-2' })
  expect(lines(steps).map(one => one.outcome)).toEqual(['busy', 'cancelled'])
})

test('who decides: a conversation before a decision before a fault before a hang-up', () => {
  const decided = ['decided', { disposition: 'unanswered', why: 'lines-exhausted' }] as const satisfies [Kind, object]
  const fault = ['fault', { what: 'no-sound' }] as const satisfies [Kind, object]
  const byUs = ['hangup', { by: 'us', q850: 16 }] as const satisfies [Kind, object]
  expect(tell(story(arrived, ['connected', line], decided, fault, byUs, ['ended']))).toMatchObject({ disposition: 'answered' })
  expect(tell(story(arrived, decided, fault, byUs, ['ended']))).toMatchObject({ disposition: 'unanswered', detail: 'lines-exhausted' })
  expect(tell(story(arrived, fault, byCaller, ['ended']))).toMatchObject({ disposition: 'failed', detail: 'no-sound' })
  expect(tell(story(arrived, byUs, ['ended']))).toMatchObject({ disposition: 'failed', detail: 'hung-up-by-us' })
  expect(tell(story(arrived, ['ended']))).toMatchObject({ disposition: 'abandoned', endedBy: null })
})

describe('a talk counts where both were in one bridge for as long as the plan says', () => {
  const spoken = 4
  const rung = ['line', { ...line, spoken }] as const satisfies [Kind, object]
  const next = { agency: 'bpbd', line: 'bpbd-2' }
  const meets: Happening[] = [['connected', { ...line, bridge: 'b' }], ['joined', { bridge: 'b' }]]
  const parts = ['parted', { bridge: 'b' }] as const satisfies [Kind, object]
  const ends = (outcome: LineOutcome) => ['line-outcome', { ...line, outcome, q850: 16 }] as const satisfies [Kind, object]
  const byAgency = ['hangup', { by: 'agency', q850: 16 }] as const satisfies [Kind, object]
  const wait = ['played', { prompt: 'x' }] as const satisfies [Kind, object]
  const outcomes = (steps: Step[]) => lines(steps).map(({ outcome }) => outcome)

  test('the caller hangs up sooner: abandoned, and the line\'s talk was too short', () => {
    const steps = story(arrived, rung, ...meets, parts, byCaller, ['ended'])
    expect(tell(steps)).toMatchObject({ disposition: 'abandoned', detail: 'too-short:bpbd-1', connectedAt: null, line: null, agency: 'bpbd', endedBy: 'caller' })
    expect(outcomes(steps)).toEqual(['too-short'])
  })

  test('as long as that: answered', () => {
    const steps = story(arrived, rung, ...meets, wait, wait, wait, parts, byCaller, ['ended'])
    expect(tell(steps)).toMatchObject({ disposition: 'answered', connectedAt: 3, line: 'bpbd-1', endedBy: 'caller' })
    expect(outcomes(steps)).toEqual(['answered'])
  })

  test('while it goes on nobody knows, and it is shown', () => {
    expect(tell(story(arrived, rung, ...meets))).toMatchObject({ disposition: null, connectedAt: 3, line: 'bpbd-1' })
  })

  test('where the plan says 0 s, who picks up has answered', () => {
    expect(tell(story(arrived, ['line', { ...line, spoken: 0 }], ['connected', { ...line, bridge: 'b' }], byCaller, ['ended']))).toMatchObject({ disposition: 'answered', connectedAt: 2 })
  })

  test('the dialplan\'s word goes before the times', () => {
    expect(tell(story(arrived, rung, ...meets, parts, ends('answered'), byAgency, ['ended']))).toMatchObject({ disposition: 'answered', endedBy: 'agency' })
    expect(tell(story(arrived, rung, ...meets, wait, wait, wait, parts, ends('too-short'), byCaller, ['ended']))).toMatchObject({ disposition: 'abandoned', detail: 'agency:bpbd' })
  })

  test('where the clock was put back while they talked nobody knows how long it was: it counts; before that, and after, it is measured', () => {
    const back = (from: Kind, ...happenings: Happening[]) => {
      const steps = story(...happenings)
      const first = steps.findIndex(({ kind }) => kind === from)
      return steps.map((step, at) => at < first ? step : { ...step, at: step.at - 3_600_000 })
    }
    const brief = [arrived, rung, ...meets, parts, byCaller, ['ended']] satisfies Happening[]
    const talk = back('parted', ...brief)
    expect(tell(talk)).toMatchObject({ disposition: 'answered', connectedAt: 3, line: 'bpbd-1', endedBy: 'caller' })
    expect(outcomes(talk)).toEqual(['answered'])
    expect(tell(back('line', ...brief))).toMatchObject({ disposition: 'abandoned', detail: 'too-short:bpbd-1', endedBy: 'caller' })
    expect(tell(back('hangup', ...brief))).toMatchObject({ disposition: 'abandoned', detail: 'too-short:bpbd-1', endedBy: 'caller' })
    expect(tell(back('line', arrived, rung, ...meets, wait, wait, wait, parts, byCaller, ['ended']))).toMatchObject({ disposition: 'answered', line: 'bpbd-1' })
  })

  test('the next line answers: the talk begins there', () => {
    const steps = story(arrived, rung, ...meets, parts, ends('too-short'), ['line', { ...next, spoken }], ['connected', { ...next, bridge: 'c' }], ['joined', { bridge: 'c' }], wait, wait, wait, ['parted', { bridge: 'c' }],
      ['line-outcome', { ...next, outcome: 'answered', q850: 16 }], byAgency, ['ended'])
    expect(tell(steps)).toMatchObject({ disposition: 'answered', connectedAt: 8, line: 'bpbd-2', endedBy: 'agency' })
    expect(outcomes(steps)).toEqual(['too-short', 'answered'])
    expect(talksIn(steps)).toEqual([{ ...line, since: 3, until: 4, counts: false }, { ...next, since: 8, until: 12, counts: true }])
  })

  test('Asterisk names the line of the short talk, whoever hangs up later', () => {
    const short: Happening[] = [arrived, rung, ...meets, parts, ends('too-short')]
    expect(tell(story(...short, ['line', { ...next, spoken }], byAgency, ['ended']))).toMatchObject({ disposition: 'abandoned', detail: 'ringing:bpbd-2', endedBy: 'caller' })
    expect(tell(story(...short, ['decided', { disposition: 'unanswered', why: 'x' }], ['goodbye'], byAgency, ['ended']))).toMatchObject({ disposition: 'unanswered', endedBy: 'us' })
    expect(tell(story(arrived, ['line', line], byAgency, ['ended']))).toMatchObject({ endedBy: 'agency' })          // of an older dialplan, which says no more
  })

  test('an agency that accepts after the caller has left talks with nobody', () => {
    for (const late of [meets.slice(0, 1), [...meets, parts]]) {
      const steps = story(arrived, rung, ...late, byCaller, ['ended'])
      expect(tell(steps)).toMatchObject({ disposition: 'abandoned', connectedAt: null })
    }
    expect(tell(story(arrived, rung, byCaller, ...meets, ['ended']))).toMatchObject({ disposition: 'abandoned', detail: 'ringing:bpbd-1', connectedAt: null })
    expect(tell(story(arrived, rung, ['connected', { ...line, bridge: 'b' }], ['joined', { bridge: 'c' }], wait, wait, wait, byCaller, ['ended']))).toMatchObject({ disposition: 'abandoned', connectedAt: null })
  })
})

test('a message that was left is owed an answer, whoever hung up, and whatever was decided before; without one it is told where the caller was', () => {
  const decided = ['decided', { disposition: 'unanswered', why: 'lines-exhausted:bpbd' }] as const satisfies [Kind, object]
  const mailbox = ['mailbox', { mailbox: 'pesan', agency: 'posko' }] as const satisfies [Kind, object]
  const left = ['left', { mailbox: 'pesan', ms: 4000 }] as const satisfies [Kind, object]
  const not = (why: 'silent' | 'not-recorded') => ['not-left', { mailbox: 'pesan', why }] as const satisfies [Kind, object]
  const byUs = ['hangup', { by: 'us', q850: 16 }] as const satisfies [Kind, object]
  expect(tell(story(arrived, mailbox, left, byUs, ['ended']))).toMatchObject({ disposition: 'callback', detail: 'message-left', agency: 'posko', endedBy: 'us' })
  expect(tell(story(arrived, decided, mailbox, left, byCaller, ['ended']))).toMatchObject({ disposition: 'callback', detail: 'message-left' })
  expect(tell(story(arrived, mailbox, not('silent'), byUs, ['ended']))).toMatchObject({ disposition: 'abandoned', detail: 'mailbox:pesan' })
  expect(tell(story(arrived, mailbox, byCaller, ['ended']))).toMatchObject({ disposition: 'abandoned', detail: 'mailbox:pesan' })
  expect(tell(story(arrived, decided, mailbox, not('silent'), byUs, ['ended']))).toMatchObject({ disposition: 'unanswered' })
  expect(tell(story(arrived, mailbox, not('not-recorded'), byUs, ['ended']))).toMatchObject({ disposition: 'failed', detail: 'message-not-recorded' })
  expect(tell(story(arrived, ['agency', { agency: 'bpbd' }], ['mailbox', { mailbox: 'pesan', agency: null }], left, byUs, ['ended']))).toMatchObject({ agency: 'bpbd' })
})

test.each<[string, string | null]>([
  ['+627215550112', '+627215550112'], ['627215550112', '+627215550112'], ['07215550112', '+627215550112'], ['7215550112', '+627215550112'],
  ['0721-555-0178', '+627215550178'], ['00627215550112', '+627215550112'], ['0012025550123', '+12025550123'], ['0007215550112', null], ['+12025550123', '+12025550123'], ['5550112', null], ['112', null], ['+62112', null], ['110', null],
  ['anonymous', null], ['', null], ['+', null], ['call 07215550178 now', null], ['07215550178;ext=1', null], ['١٢٣٤٥٦٧٨٩٠', null], ['0'.repeat(5000), null]
])('caller %j is %s', (raw, number) => {
  expect(e164(raw)).toBe(number)
})

const agency = fc.constantFrom('bpbd', 'ambulans')
const where = fc.record({ agency, line: fc.constantFrom('bpbd-1', 'bpbd-2', 'ambulans-1') })
const facts: { [K in Kind]: fc.Arbitrary<Happenings[K]> } = {
  arrived: fc.record({ did: fc.constant('112'), trunk: fc.constant('carrier'), cli: fc.oneof(fc.string(), fc.constant('07215550178')) }),
  number: fc.record({ did: fc.constant('112') }),
  caller: fc.record({ cli: fc.constantFrom('', '07215550178') }),
  headers: fc.constant({ headers: { Geolocation: '<cid:x>' } }),
  repeat: fc.record({ why: fc.constantFrom('twin', 'loop') }),
  refused: fc.constant({ status: 404, trunk: 'carrier' }),
  'same-number': fc.record({ agency }),
  shed: fc.constant({}), taken: fc.constant({}),
  picked: fc.constant({}),
  menu: fc.record({ node: fc.constantFrom('utama', 'lagi') }),
  key: fc.record({ digit: fc.constantFrom('1', '#'), node: fc.constant('utama'), means: fc.constantFrom(null, 'bpbd') }),
  'key-ignored': fc.record({ digit: fc.constant('1'), why: fc.constantFrom('early', 'repeated') }),
  silence: fc.record({ node: fc.constant('utama') }),
  closed: fc.record({ agency, why: fc.constant('closed (hours: kantor)'), to: fc.constant('posko') }),
  agency: fc.record({ agency }),
  line: fc.tuple(where, fc.constantFrom(undefined, 0, 4)).map(([line, spoken]) => ({ ...line, ...spoken === undefined ? {} : { spoken } })),
  'line-outcome': fc.tuple(where, fc.constantFrom('answered', 'too-short', 'busy', 'noanswer', 'cancelled'), fc.constantFrom(null, 17)).map(([line, outcome, q850]) => ({ ...line, outcome, q850 }) as Happenings['line-outcome']),
  connected: fc.tuple(where, fc.constantFrom(undefined, 'b1', 'b2')).map(([line, bridge]) => ({ ...line, ...bridge === undefined ? {} : { bridge } })),
  joined: fc.record({ bridge: fc.constantFrom('b1', 'b2') }),
  parted: fc.record({ bridge: fc.constantFrom('b1', 'b2') }),
  goodbye: fc.constant({}),
  returned: fc.record({ agency, status: fc.constant('BUSY') }),
  waiting: fc.record({ agency }),
  overflow: fc.record({ agency, ladder: fc.constantFrom('busy', 'dead'), to: fc.constant('posko') }),
  mailbox: fc.record({ mailbox: fc.constant('pesan'), agency: fc.constantFrom(null, 'bpbd') }),
  left: fc.record({ mailbox: fc.constant('pesan'), ms: fc.nat(60_000) }),
  'not-left': fc.record({ mailbox: fc.constant('pesan'), why: fc.constantFrom('silent', 'not-recorded') }),
  played: fc.record({ prompt: fc.constant('maaf-akhir') }),
  decided: fc.record({ disposition: fc.constantFrom('answered', 'callback', 'abandoned', 'unanswered', 'blocked-challenge', 'failed', 'refused'), why: fc.string() }),
  fault: fc.record({ what: fc.string() }),
  cut: fc.record({ by: fc.constantFrom('Ani', 'satunomor'), why: fc.string() }),
  hangup: fc.record({ by: fc.constantFrom('caller', 'agency', 'us', 'carrier'), q850: fc.constantFrom(null, 16) }),
  ended: fc.constant({}),
  accepted: fc.constant({}),
  citizen: fc.constant({}),
  'citizen-outcome': fc.record({ outcome: fc.constantFrom('busy', 'noanswer', 'refused'), q850: fc.constantFrom(null, 17) }),
  'citizen-up': fc.constant({}),
  'citizen-key': fc.record({ key: fc.constantFrom('1', 'talk') }), alone: fc.constant({}), confirmed: fc.record({ key: fc.constantFrom('1', '') }), 'leg-ended': fc.record({ agency: fc.constant('citizen'), line: fc.constant('citizen') })
}
const step = fc.constantFrom(...Object.keys(facts) as Kind[]).chain(kind => fc.record({
  callId: fc.constant('c1'), key: fc.string({ maxLength: 3 }), at: fc.nat(20), witness: fc.constantFrom('ledger', 'service'), kind: fc.constant(kind), facts: facts[kind]
})) as fc.Arbitrary<Step>

test('steps delivered in any order, any number of times, tell the same', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }).chain(steps => fc.tuple(fc.constant(steps),
    fc.subarray(steps).chain(twice => fc.shuffledSubarray([...steps, ...twice], { minLength: steps.length + twice.length })))), ([steps, delivered]) => {
    expect(tell(delivered)).toEqual(tell(steps))
    expect(lines(delivered)).toEqual(lines(steps))
  }), { numRuns: 2_000 })
})

test('every call that has arrived and ended has exactly one disposition and every line an outcome; no other has one', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }), steps => {
    const record = tell(steps)
    if (!record) return
    expect(record.disposition !== null).toBe(record.endedAt !== null)
    if (record.disposition === 'answered') expect(record.connectedAt !== null || steps.some(({ kind }) => kind === 'decided')).toBe(true)
    if (record.disposition === 'abandoned' || record.disposition === 'failed') expect(record.detail).not.toBeNull()
    if (record.endedAt !== null) expect(lines(steps).every(({ outcome }) => outcome !== null)).toBe(true)
  }), { numRuns: 2_000 })
})
