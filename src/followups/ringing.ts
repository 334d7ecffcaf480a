/** What the exchange is asked for one attempt. */
import { attemptId, type Ringing } from './attempt.ts'
import { policyOf } from '../plan/follow-up-policy.ts'
import { isOurs } from '../plan/own-numbers.ts'
import type { Plan } from '../plan/plan.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import type { FollowUp } from '../records/follow-up.ts'

/** Throws where the number may not be rung: the store would have to be wrong, and the dialplan says it again. */
export function ringing(plan: Plan, { id, agency, rings, kind, cli, did, language }: FollowUp, attempt: number): Ringing {
  if (cli === null || !mayBeRungBack(cli) || isOurs(plan, cli)) throw new Error(`follow-up ${id} has no number that may be rung`)
  const { first, ringTime } = policyOf(plan, agency, kind)
  return { id: attemptId(id, attempt), agency: rings, citizen: cli, cli: plan.followups.outbound.cli ?? did, language, first, ringTime }
}
