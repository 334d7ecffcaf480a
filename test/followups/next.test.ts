/** What follows from an attempt, and the states. */
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../src/followups/attempt.ts'
import { make } from '../../src/followups/make.ts'
import { afterAttempt } from '../../src/followups/next.ts'
import { from, transitions } from '../../src/followups/states.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { citizen, minute, missedAt, planWith } from './town.ts'

const plan = planWith('{ policy: { attempts: 3, agencyTries: 2, spacing: [1 min, 5 min], later: 40 min, priority: 3 } }')
const followUp = (facts: Partial<FollowUp> = {}): FollowUp => ({
  ...make(plan, { key: 'call', kind: 'unanswered', agency: 'bpbd', cli: citizen(1), did: '112', arrivedAt: missedAt, missedAt }, missedAt), state: 'calling', attempt: 1, ...facts
})
const now = missedAt + 3 * minute
const after = (outcome: Outcome, facts: Partial<FollowUp> = {}, by = 'policy') => afterAttempt(plan, followUp(facts), { by }, outcome, now)

describe('after an attempt of the policy\'s', () => {
  test('they have spoken: done', () => {
    expect(after('spoken')).toMatchObject({ happening: 'spoke', set: { why: 'spoken', endedAt: now, endedBy: 'callback' } })
  })
  test('the citizen says that it is not needed: closed, by them', () => {
    expect(after('not-needed')).toMatchObject({ happening: 'closed', set: { why: 'not-needed', endedAt: now, endedBy: 'citizen' } })
  })
  test('the citizen says later: later, and no try is used up', () => {
    expect(after('later', { tried: 2 })).toMatchObject({ happening: 'again', set: { dueAt: now + 40 * minute, why: 'later' } })
    expect(after('later', { tried: 2 }).set.tried).toBeUndefined()
  })
  test('a wrong number, or one that may not be rung, is a person\'s', () => {
    expect(after('wrong-number')).toMatchObject({ happening: 'handed', set: { why: 'wrong-number', list: 'posko' }, who: 'citizen' })
    expect(after('refused')).toMatchObject({ happening: 'handed', set: { why: 'number-refused', list: 'posko' } })
  })
  test.each(['busy', 'no-answer', 'unreachable', 'silent'] as const)('%s: again, further and further apart, and then a person', outcome => {
    expect(after(outcome, { tried: 0 })).toMatchObject({ happening: 'again', set: { dueAt: now + minute, tried: 1, why: outcome } })
    expect(after(outcome, { tried: 1 })).toMatchObject({ happening: 'again', set: { dueAt: now + 5 * minute, tried: 2 } })
    expect(after(outcome, { tried: 2 })).toMatchObject({ happening: 'handed', set: { why: 'attempts-used-up', tried: 3, list: 'posko' } })
  })
  test.each(['agency-unreached', 'agency-left', 'cut-off', 'void'] as const)('%s is not the citizen\'s failure', outcome => {
    const next = after(outcome, { tried: 2, agencyFailed: 0 })
    expect(next).toMatchObject({ happening: 'again', set: { dueAt: now + minute, agencyFailed: 1 } })
    expect(next.set.tried).toBeUndefined()
    expect(after(outcome, { agencyFailed: 1 })).toMatchObject({ happening: 'handed', set: { why: outcome } })
  })
  test('what gave way to a live caller is nobody\'s failure, and is tried again soon', () => {
    expect(after('gave-way', { tried: 2, agencyFailed: 1 })).toEqual({ happening: 'again', set: { dueAt: now + 5_000, why: 'gave-way', priority: 3 }, who: 'policy' })
    expect(after('gave-way', { priority: 0 }, 'dewi')).toMatchObject({ happening: 'again', set: { dueAt: now + 5_000, priority: 0 } })
  })
})

test('who has called again since, in vain, is owed another', () => {
  for (const outcome of ['spoken', 'not-needed'] as const) {
    expect(afterAttempt(plan, followUp({ tried: 2, agencyFailed: 1 }), { by: 'policy', calledSince: true }, outcome, now))
      .toEqual({ happening: 'again', set: { dueAt: now + 20_000, why: 'called-again', priority: 3, tried: 0, agencyFailed: 0 }, who: 'policy' })
  }
})

describe('who has asked for help by a message', () => {
  test('is tried again soon, before others, also at night, and is a person\'s after two tries', () => {
    const office = planWith('{ policy: { spacing: [5 min], hours: kantor } }', 'hours:\n  kantor:\n    - { days: [mon, tue, wed, thu, fri, sat, sun], from: 08:00, to: 16:00 }\n')
    const evening = Date.UTC(2026, 0, 31, 12)
    for (const [outcome, count] of [['agency-unreached', 'agencyFailed'], ['no-answer', 'tried']] as const) {
      expect(afterAttempt(office, followUp({ priority: 0 }), { by: 'policy' }, outcome, evening)).toMatchObject({ happening: 'again', set: { dueAt: evening + 30_000, priority: 0, [count]: 1 } })
      expect(afterAttempt(office, followUp({ priority: 0, [count]: 1 }), { by: 'policy' }, outcome, evening)).toMatchObject({ happening: 'handed', set: { priority: 0, list: 'posko', [count]: 2 } })
    }
  })
  test('unless they say later', () => {
    expect(after('later', { priority: 0 })).toMatchObject({ happening: 'again', set: { dueAt: now + 40 * minute, priority: 3 } })
  })
})

test('whoever asked for this one call decides what is next', () => {
  for (const outcome of ['busy', 'no-answer', 'silent', 'agency-unreached', 'cut-off', 'void'] as const) {
    expect(after(outcome, { priority: 0 }, 'dewi')).toMatchObject({ happening: 'handed', set: { why: outcome, priority: 3 } })
  }
  expect(after('spoken', {}, 'dewi')).toMatchObject({ happening: 'spoke', set: { endedBy: 'dewi' } })
})

test('in the night, where citizens are not to be rung, it waits for the morning', () => {
  const office = planWith('{ policy: { spacing: [1 min], hours: kantor } }', 'hours:\n  kantor:\n    - { days: [mon, tue, wed, thu, fri, sat, sun], from: 08:00, to: 16:00 }\n')
  const evening = Date.UTC(2026, 0, 31, 12)                     // 19:00 in Jakarta
  expect(afterAttempt(office, followUp(), { by: 'policy' }, 'busy', evening).set.dueAt).toBe(Date.UTC(2026, 1, 1, 1))
})

describe('the states', () => {
  test('each happening leads to one state, wherever it happens', () => {
    for (const ways of Object.values(transitions)) for (const [happening, to] of Object.entries(ways)) expect(from(happening as never).to).toBe(to)
  })
  test('from every state somebody can be spoken with, or it has ended and can be reopened', () => {
    for (const [state, ways] of Object.entries(transitions)) expect(Object.keys(ways)).toEqual(expect.arrayContaining(state === 'done' || state === 'closed' ? ['reopened'] : ['spoke', 'closed']))
  })
  test('nobody is rung but from open, and nothing leads back there but an attempt that failed or a person', () => {
    expect(from('begins')).toEqual({ states: ['open'], to: 'calling' })
    const leadToOpen = Object.values(transitions).flatMap(ways => Object.entries(ways).filter(([, to]) => to === 'open').map(([happening]) => happening))
    expect(new Set(leadToOpen)).toEqual(new Set(['again', 'call-now']))
  })
})
