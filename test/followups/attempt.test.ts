/** What the ledger's steps of an attempt add up to. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Happenings, Kind, Step } from '../../src/calls/story.ts'
import { attemptId, attemptOf, resultOf } from '../../src/followups/attempt.ts'
import { seconds } from '../../src/plan/duration.ts'

const spoken = seconds(4)
type Told = { [K in Kind]: [at: number, kind: K, facts: Happenings[K]] }[Kind]
const steps = (...told: Told[]): Step[] => told.map(([at, kind, facts], index) => ({ callId: 'followup-a-1', key: `${index}`, at, witness: 'ledger', kind, facts }) as Step)

const bpbd = { agency: 'bpbd', line: 'bpbd-1' }
const them = { agency: 'citizen', line: 'citizen' }
const line: Told = [100, 'line', bpbd]
const accepted: Told = [500, 'accepted', {}]
const agencyThere: Told = [510, 'connected', bpbd]
const citizen: Told = [600, 'citizen', {}]
const citizenUp: Told = [900, 'citizen-up', {}]
const citizenThere: Told = [2_000, 'connected', them]
const key = (digit: string): Told => [1_900, 'citizen-key', { key: digit }]
const outcome = (what: Happenings['citizen-outcome']['outcome'], at = 5_000): Told => [at, 'citizen-outcome', { outcome: what, q850: null }]
const withdrawn = (at: number, q850 = 8): Told => [at, 'hangup', { by: 'us', q850 }]
const agencyGone = (at: number): Told => [at, 'leg-ended', bpbd]
const citizenGone = (at: number): Told => [at, 'leg-ended', them]
const said = (digit: string, at: number): Told => [at, 'confirmed', { key: digit }]
const ended = (at: number): Told => [at, 'ended', {}]
const agencyWaits = [line, accepted, agencyThere, citizen]

describe('how an attempt ended', () => {
  test.each<[string, Told[], string]>([
    ['nothing is known of it', [], 'void'],
    ['the agency\'s lines were rung, and nobody accepted', [line, [400, 'line-outcome', { ...bpbd, outcome: 'busy', q850: 17 }], ended(500)], 'agency-unreached'],
    ['it was withdrawn while the agency\'s lines were rung', [line, withdrawn(400), ended(500)], 'gave-way'],
    ['it was ended otherwise while the agency\'s lines were rung', [line, [400, 'hangup', { by: 'us', q850: 16 }], ended(500)], 'agency-unreached'],
    ['it was withdrawn in the moment in which the agency accepted', [line, accepted, withdrawn(505), ended(510)], 'gave-way'],
    ['live callers have all the lines', [[110, 'line-outcome', { ...bpbd, outcome: 'full', q850: 17 }], ended(120)], 'gave-way'],
    ['of the lines one is full, and one busy', [[110, 'line-outcome', { ...bpbd, outcome: 'full', q850: 17 }], [190, 'line', { ...bpbd, line: 'bpbd-2' }], [200, 'line-outcome', { ...bpbd, line: 'bpbd-2', outcome: 'busy', q850: 17 }], ended(210)], 'agency-unreached'],
    ['it was withdrawn while the citizen was rung, as they call us', [...agencyWaits, withdrawn(700), agencyGone(705), ended(710)], 'gave-way'],
    ['the citizen is in another call with us', [...agencyWaits.slice(0, 3), [600, 'citizen-outcome', { outcome: 'calling-us', q850: 17 }], agencyGone(4_000), ended(4_010)], 'gave-way'],
    ['a colleague had closed it while the agency was rung', [line, withdrawn(400, 26), ended(500)], 'withdrawn'],
    ['a colleague had closed it while the citizen was rung', [...agencyWaits, withdrawn(700, 26), agencyGone(705), ended(710)], 'withdrawn'],
    ['the agency accepted and left before the citizen was rung', [line, accepted, agencyThere, ended(550)], 'agency-left'],
    ['the agency accepted and left while the citizen was rung', [...agencyWaits, ended(900)], 'agency-left'],
    ['the citizen is busy', [...agencyWaits, outcome('busy'), ended(5_001)], 'busy'],
    ['the citizen does not answer', [...agencyWaits, outcome('noanswer'), ended(5_001)], 'no-answer'],
    ['there is no such number', [...agencyWaits, outcome('nonexistent'), ended(5_001)], 'unreachable'],
    ['the network is out of order', [...agencyWaits, outcome('unavailable'), ended(5_001)], 'unreachable'],
    ['the dialplan would not ring the number', [line, accepted, agencyThere, outcome('refused'), ended(5_001)], 'refused'],
    ['the citizen is rung first, and does not answer', [citizen, outcome('noanswer'), ended(5_001)], 'no-answer'],
    ['the citizen is rung first, presses 1, and the agency is not there', [citizen, citizenUp, key('1'), line, ended(5_000)], 'agency-unreached'],
    ['the citizen picks up, and hangs up without a key', [...agencyWaits, citizenUp, citizenGone(7_000), outcome('declined'), agencyGone(7_500), ended(8_000)], 'silent'],
    ['the agency leaves while the citizen hears the question, who presses nothing', [...agencyWaits, citizenUp, agencyGone(1_500), citizenGone(9_000), ended(9_001)], 'agency-left'],
    ['the agency leaves while the citizen hears the question, and an old template joins them with nobody', [...agencyWaits, citizenUp, agencyGone(1_500), key('1'), citizenThere, citizenGone(2_130), ended(2_131)], 'agency-left'],
    ['the citizen presses 1, and they talk', [...agencyWaits, citizenUp, key('1'), citizenThere, citizenGone(2_000 + spoken), agencyGone(2_001 + spoken), ended(2_002 + spoken)], 'spoken'],
    ['the citizen presses 1, and leaves at once', [...agencyWaits, citizenUp, key('1'), citizenThere, citizenGone(2_100), agencyGone(9_000), ended(9_001)], 'citizen-left'],
    ['the citizen presses 1, and the agency leaves at once', [...agencyWaits, citizenUp, key('1'), citizenThere, agencyGone(2_100), citizenGone(9_000), ended(9_001)], 'agency-left'],
    ['the citizen presses 1, the agency leaves at once, and its end is not written yet', [...agencyWaits, citizenUp, key('1'), citizenThere, [2_100, 'alone', {}], ended(2_101)], 'agency-left'],
    ['the citizen presses 1, the agency leaves at once, and its end is written later', [...agencyWaits, citizenUp, key('1'), citizenThere, [2_100, 'alone', {}], agencyGone(2_101), citizenGone(5_000), ended(5_001)], 'agency-left'],
    ['the citizen presses 1, and the agency has just left', [...agencyWaits, citizenUp, key('1'), agencyGone(1_950), citizenGone(2_050), ended(2_100)], 'agency-left'],
    ['they are joined without a key, and the agency says that they have talked', [...agencyWaits, citizenUp, key('none'), citizenThere, citizenGone(9_000), said('1', 12_000), agencyGone(13_000), ended(13_001)], 'spoken'],
    ['they are joined without a key, and the agency says that it was a machine', [...agencyWaits, citizenUp, key('none'), citizenThere, citizenGone(9_000), said('2', 12_000), agencyGone(13_000), ended(13_001)], 'voicemail'],
    ['they are joined without a key, and the agency says nothing', [...agencyWaits, citizenUp, key('none'), citizenThere, citizenGone(60_000), said('', 72_000), agencyGone(73_000), ended(73_001)], 'unconfirmed'],
    ['they are joined without a key, and the agency hangs up', [...agencyWaits, citizenUp, key('none'), citizenThere, agencyGone(60_000), citizenGone(60_001), ended(60_002)], 'unconfirmed'],
    ['they are joined by a voice, as an old template did', [...agencyWaits, citizenUp, key('talk'), citizenThere, ended(60_002)], 'unconfirmed'],
    ['the clock was put back while they talked', [...agencyWaits, citizenUp, key('1'), citizenThere, citizenGone(50), agencyGone(51), ended(52)], 'spoken'],
    ['the citizen first: they leave while the agency is asked, which accepts then', [citizen, citizenUp, key('1'), line, citizenGone(2_500), ended(9_000)], 'citizen-left'],
    ['the citizen first: they leave while the agency is rung', [citizen, citizenUp, key('1'), line, citizenGone(2_500), [2_501, 'line-outcome', { ...bpbd, outcome: 'cancelled', q850: 16 }], ended(2_502)], 'citizen-left'],
    ['the citizen first: nobody accepts, and they hear so', [citizen, citizenUp, key('1'), line, [3_000, 'line-outcome', { ...bpbd, outcome: 'busy', q850: 17 }], citizenGone(6_000), ended(6_001)], 'agency-unreached'],
    ['"later"', [...agencyWaits, citizenUp, key('2'), ended(3_000)], 'later'],
    ['"not needed"', [...agencyWaits, citizenUp, key('3'), ended(3_000)], 'not-needed'],
    ['"wrong number"', [...agencyWaits, citizenUp, key('9'), ended(3_000)], 'wrong-number']
  ])('%s', (_what, told, expected) => {
    expect(resultOf(steps(...told), spoken)).toMatchObject({ outcome: expected, endedAt: told.find(([, kind]) => kind === 'ended')?.[0] ?? null, rung: told.includes(citizen) })
  })

  test('who was joined, by which line, and since when', () => {
    const result = resultOf(steps(...agencyWaits, citizenUp, key('1'), citizenThere, citizenGone(8_000), agencyGone(8_500), ended(9_000)), spoken)
    expect(result).toEqual({ outcome: 'spoken', line: 'bpbd-1', rung: true, up: true, joinedAt: 2_000, partedAt: 8_000, endedAt: 9_000 })
  })

  test('does not depend on the order in which its steps come, nor on how often', () => {
    const happening: fc.Arbitrary<Told> = fc.tuple(fc.integer({ min: 0, max: 30 }), fc.constantFrom(
      line, accepted, agencyThere, citizen, citizenUp, citizenThere, key('1'), key('2'), key('talk'), outcome('busy'), outcome('noanswer'), withdrawn(0), ended(0), agencyGone(0), citizenGone(0), said('1', 0),
      [0, 'connected', { agency: 'bpbd', line: 'bpbd-2' }] as Told)).map(([at, [, kind, facts]]) => [at, kind, facts] as Told)
    fc.assert(fc.property(fc.array(happening, { maxLength: 14 }).chain(told => {
      const all = steps(...told)
      return fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2 }))
    }), ([inOrder, shuffled]) => {
      expect(resultOf(shuffled, spoken)).toEqual(resultOf(inOrder, spoken))
    }))
  })
})

test('an attempt\'s name tells which it is; a call that came in is none', () => {
  expect(attemptOf(attemptId('0f3a9b12cd4e', 7))).toEqual({ followUp: '0f3a9b12cd4e', attempt: 7 })
  for (const id of ['1732460405.17', 'followup-0f3a9b12cd4e-1-other', 'followup--1', 'x-followup-a-1']) expect(attemptOf(id)).toBeUndefined()
})
