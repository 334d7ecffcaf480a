/** What follows from an attempt: done, again (and when), or a person. */
import type { Outcome } from './attempt.ts'
import type { Happening } from './states.ts'
import { deskOf, nextHour, policyOf } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import type { Attempt, FollowUp } from '../records/follow-up.ts'

/** When what gave way is tried again, ms. Whoever it gave way to is then known, and is waited for. */
const soon = 5_000

export interface Next { happening: Happening, set: Partial<FollowUp>, who: string }

/** @param calledSince whether the citizen has called again, in vain, after they had said what came of the attempt; @param now Unix ms */
export function afterAttempt(plan: Plan, followUp: FollowUp, { by, calledSince = false }: Pick<Attempt, 'by'> & { calledSince?: boolean }, outcome: Outcome, now: number): Next {
  const policy = policyOf(plan, followUp.agency, followUp.kind)
  const person = (why: string, set: Partial<FollowUp> = {}, who = 'policy'): Next => ({ happening: 'handed', set: { why, list: deskOf(plan), priority: policy.priority, ...set }, who })
  const again = (wait: number, set: Partial<FollowUp> = {}): Next =>
    ({ happening: 'again', set: { dueAt: nextHour(plan, policy.hours, now + wait), priority: policy.priority, ...set }, who: 'policy' })
  const pause = (failures: number) => policy.spacing[Math.min(failures, policy.spacing.length) - 1]!

  if (calledSince) return again(policy.delay, { why: 'called-again', tried: 0, agencyFailed: 0 })
  switch (outcome) {
    case 'spoken': return { happening: 'spoke', set: { why: 'spoken', endedAt: now, endedBy: by === 'policy' ? 'callback' : by }, who: by }
    case 'not-needed': return { happening: 'closed', set: { why: 'not-needed', endedAt: now, endedBy: 'citizen' }, who: 'citizen' }
    case 'wrong-number': return person('wrong-number', {}, 'citizen')
    case 'later': return again(policy.later, { why: 'later' })
    case 'refused': return person('number-refused')
    case 'gave-way': return again(soon, { why: 'gave-way', priority: followUp.priority })       // nobody's failure; whoever wanted it still does
  }
  // Whoever asked for this one call decides what is next.
  if (by !== 'policy') return person(outcome)
  if (outcome === 'agency-unreached' || outcome === 'agency-left' || outcome === 'cut-off' || outcome === 'void') {
    const agencyFailed = followUp.agencyFailed + 1
    return agencyFailed >= policy.agencyTries ? person(outcome, { agencyFailed }) : again(policy.spacing[0]!, { why: outcome, agencyFailed })
  }
  const tried = followUp.tried + 1
  return tried >= policy.attempts ? person('attempts-used-up', { tried }) : again(pause(tried), { why: outcome, tried })
}
