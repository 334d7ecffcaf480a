/** What came of callbacks that Asterisk lost: the settler on a real store, with a stub for the exchange. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Kind, Step } from '../../src/calls/story.ts'
import { attemptId, type CallbackLine } from '../../src/followups/attempt.ts'
import { Settler } from '../../src/followups/settler.ts'
import { ground } from './ground.ts'

let it: Awaited<ReturnType<typeof ground>>
let id: string
let begunAt: number
/** What Asterisk has now. */
let there: Set<string>
let callers: Set<string>
/** What was withdrawn, and why. */
let withdrawn: string[]
beforeEach(async () => {
  callers = new Set()
  withdrawn = []
  it = await ground()
  await it.missed('c1', { agency: 'bpbd' })
  there = new Set()
  begunAt = Date.now() + 3_600_000
  const [claim] = await it.book.claim(begunAt, { allowance: 1, free: new Map([['bpbd', 1]]), busy: new Set() })
  await it.book.begin({ followUp: claim!.followUp.id, attempt: claim!.attempt }, begunAt)
  id = attemptId(claim!.followUp.id, claim!.attempt)
})
afterEach(() => it[Symbol.asyncDispose]())

const line: CallbackLine = { ring: async () => {}, ringing: async () => there, hangUp: async (_id, why) => { withdrawn.push(why) }, giveWay: async () => undefined }
const settler = (note: (step: Step) => Promise<void> = step => it.records.append([step])) => new Settler({ book: it.book, line, plan: () => it.plan, steps: ids => it.records.stepsOf(ids), note, callers: async () => callers, caughtUp: () => true, log: it.log })
const happens = (...kinds: [Kind, object?][]) => it.records.append(kinds.map(([kind, facts = {}], n) => ({ callId: id, key: `${n}`, at: begunAt + n * 1_000, witness: 'ledger', kind, facts }) as Step))
/** Looks until it is missed, and given up. */
const looks = async (one: Settler) => { for (const after of [0, 6_000, 7_000]) await one.look(begunAt + after) }
const outcome = async () => (await it.records.db.selectFrom('attempts').select('outcome').executeTakeFirstOrThrow()).outcome
const ends = async () => (await it.records.steps(id)).filter(({ kind }) => kind === 'ended').map(({ key, witness, at }) => ({ key, witness, at: at - begunAt }))

const leg = { agency: 'bpbd', line: 'bpbd-1' }
const rings: [Kind, object?][] = [['line', leg], ['accepted'], ['connected', leg], ['citizen']]
const talks: [Kind, object?][] = [...rings, ['citizen-up'], ['citizen-key', { key: '1' }], ['connected', { agency: 'citizen', line: 'citizen' }]]

test.each([
  ['cut-off', 'both talked', talks], ['cut-off', 'the citizen was being rung', rings], ['void', 'the agency was being rung', rings.slice(0, 1)], ['void', 'nothing is known of it', []],
  ['later', 'the citizen had asked for another time', [...rings, ['citizen-up'], ['citizen-key', { key: '2' }]]]
] as [string, string, [Kind, object?][]][])('a callback that Asterisk lost is %s where %s; its end is noted, once', async (expected, _where, story) => {
  await happens(...story)
  await looks(settler())
  expect(await outcome()).toBe(expected)
  expect(await ends()).toEqual([{ key: 'lost-ended', witness: 'service', at: 6_000 }])
})

test('who is killed between the note and the settling comes to the same, and notes no second end', async () => {
  await happens(...talks)
  await expect(looks(settler(async step => {
    await it.records.append([step])
    throw new Error('killed')
  }))).rejects.toThrow('killed')
  expect(await outcome()).toBeNull()
  await looks(settler())
  expect(await outcome()).toBe('cut-off')
  expect(await ends()).toEqual([{ key: 'lost-ended', witness: 'service', at: 6_000 }])
})

test('one that is there, or whose end the ledger tells, is left to it', async () => {
  await happens(...talks)
  there = new Set([id])
  await looks(settler())
  expect([await outcome(), await ends()]).toEqual([null, []])
  await happens(...talks, ['citizen-up'], ['citizen-up'], ['citizen-up'], ['hangup', { by: 'caller', q850: 16 }], ['ended'])
  there = new Set()
  await looks(settler())
  expect([await outcome(), await ends()]).toEqual(['spoken', [{ key: '11', witness: 'ledger', at: 11_000 }]])
})

test('a callback is withdrawn when the citizen calls us meanwhile, but not once they have picked up', async () => {
  const one = settler()
  there = new Set([id])
  await happens(...rings)
  await one.look(begunAt)
  expect(withdrawn).toEqual([])
  callers = new Set(['+627215550112'])
  await one.look(begunAt)
  expect(withdrawn).toEqual(['preempted'])
  await happens(...rings, ['citizen-up'])
  await one.look(begunAt)
  expect(withdrawn).toEqual(['preempted'])
})

test('a callback that nobody needs any more is withdrawn, but nobody hangs up on a citizen who has picked up', async () => {
  there = new Set([id])
  await happens(...rings)
  await it.book.act(id.split('-')[1]!, 'Ani', () => ({ happening: 'closed', what: 'closed', set: { why: 'a false alarm' } }), begunAt)
  await settler().look(begunAt)
  expect(withdrawn).toEqual(['needless'])
  await happens(...rings, ['citizen-up'])
  await settler().look(begunAt)
  expect(withdrawn).toEqual(['needless'])
})
