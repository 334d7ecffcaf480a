/** What follows from an attempt: done, again (and when), or a person. */
import type { Outcome } from './attempt.ts'
import type { Happening } from './states.ts'
import { deskOf, nextHour, policyOf } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import type { Attempt, FollowUp } from '../records/follow-up.ts'

/** A citizen who has asked for help by a message waits no longer than this between two tries, ms, and after so many a person has them. */
const hurry = { pause: 30_000, tries: 2 }
/** When what gave way is tried again, ms. Whoever it gave way to is then known, and is waited for. */
const soon = 5_000

export interface Next { happening: Happening, set: Partial<FollowUp>, who: string }

/** @param calledSince whether the citizen has called again, in vain, after they had said what came of the attempt; @param now Unix ms */
export function afterAttempt(plan: Plan, followUp: FollowUp, { by, calledSince = false }: Pick<Attempt, 'by'> & { calledSince?: boolean }, outcome: Outcome, now: number): Next {
  const policy = policyOf(plan, followUp.agency, followUp.kind)
  // By a message (replies.ts): what a person has asked for is `by` them.
  const helpIsNeeded = by === 'policy' && followUp.priority === 0
  const priority = helpIsNeeded ? 0 : policy.priority
  const person = (why: string, set: Partial<FollowUp> = {}, who = 'policy'): Next => ({ happening: 'handed', set: { why, list: deskOf(plan), priority, ...set }, who })
  const again = (wait: number, set: Partial<FollowUp> = {}): Next =>
    ({ happening: 'again', set: { dueAt: helpIsNeeded ? now + Math.min(wait, hurry.pause) : nextHour(plan, policy.hours, now + wait), priority, ...set }, who: 'policy' })
  const most = (tries: number) => helpIsNeeded ? Math.min(tries, hurry.tries) : tries
  const pause = (failures: number) => policy.spacing[Math.min(failures, policy.spacing.length) - 1]!

  if (calledSince) return again(policy.delay, { why: 'called-again', tried: 0, agencyFailed: 0 })
  switch (outcome) {
    case 'spoken': return { happening: 'spoke', set: { why: 'spoken', endedAt: now, endedBy: by === 'policy' ? 'callback' : by }, who: by }
    case 'not-needed': return { happening: 'closed', set: { why: 'not-needed', endedAt: now, endedBy: 'citizen' }, who: 'citizen' }
    case 'wrong-number': return person('wrong-number', {}, 'citizen')
    case 'later': return { happening: 'again', set: { dueAt: nextHour(plan, policy.hours, now + policy.later), priority: policy.priority, why: 'later' }, who: 'policy' }
    case 'refused': return person('number-refused')
    case 'gave-way': case 'withdrawn': return again(soon, { why: outcome, priority: followUp.priority })       // nobody's failure; whoever wanted it still does
  }
  // Whoever asked for this one call decides what is next.
  if (by !== 'policy') return person(outcome)
  if (outcome === 'agency-unreached' || outcome === 'agency-left' || outcome === 'cut-off' || outcome === 'void') {
    const agencyFailed = followUp.agencyFailed + 1
    return agencyFailed >= most(policy.agencyTries) ? person(outcome, { agencyFailed }) : again(policy.spacing[0]!, { why: outcome, agencyFailed })
  }
  const tried = followUp.tried + 1
  return tried >= most(policy.attempts) ? person('attempts-used-up', { tried }) : again(pause(tried), { why: outcome, tried })
}
