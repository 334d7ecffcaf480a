/** A small town with a policy for its follow-ups, and what tests make of calls there. */
import type { Step } from '../../src/calls/story.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { aCall, start } from '../records/stories.ts'
import { town } from '../plan/town.ts'

/** The town's plan with these follow-ups (the text of the section), and what else stands before its agencies. */
export const planWith = (followups = '{}', more = ''): Plan => readPlan(`${town}followups: ${followups}\n${more}`, { file: 'plan.yaml' }).plan

export const minute = 60_000
/** When the calls of these tests have ended. */
export const missedAt = start + 10_000

export const citizen = (n: number) => `+6272155501${String(n).padStart(2, '0')}`

/** A call that nobody answered, as the ledger and the service saw it: it is no late one. */
export function missedCall(callId: string, { cli = citizen(12), agency = 'bpbd', at = 0 } = {}): Step[] {
  const steps = aCall(callId, { cli, agency, at, ends: 'unanswered' })
  return [...steps, { callId, key: 'taken', at: start + at + 1, witness: 'service', kind: 'taken', facts: {} }]
}
