/**
 * Follow-ups that are made once more, since the store was damaged or lost. What became of the first ones, the ledger tells only in part:
 * a talk in a callback, yes. What a person wrote down at the desk, no. Nobody is rung a second time for what may be over.
 */
import { attemptId, attemptOf, resultOf, type Result } from './attempt.ts'
import type { Db } from './move.ts'
import { deskOf, policyOf } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import type { Attempt, FollowUp } from '../records/follow-up.ts'
import { remadeIn } from '../records/keeper.ts'
import { toStep } from '../records/tables.ts'
import { calledSince, settles } from './talks.ts'

/** Why such a follow-up is a person's, or closed. */
export const recordsLost = 'records-lost'

/** Of a call that was missed so shortly before the loss, a callback had hardly begun: it is made as ever, ms. */
const fresh = 15 * 60_000
/** What was missed so long before it has been worked by then: it is closed, and stands on no list, ms. */
const old = 3 * 24 * 3_600_000

/** Changes those of these new follow-ups that the lost store had, too, and adds the attempts that the ledger tells of; says which. @param now Unix ms */
export async function afterLoss(db: Db, plan: Plan, made: readonly FollowUp[], now: number): Promise<FollowUp[]> {
  const remade = await remadeIn(db)
  if (!remade) return []
  const found: FollowUp[] = []
  for (const followUp of made.filter(({ arrivedAt }) => arrivedAt < remade.at)) {
    const results = await resultsOf(db, plan, followUp)
    const attempts = results.map(({ attempt, result }) => attemptRow(followUp, attempt, result))
    followUp.attempt = Math.max(0, ...attempts.map(({ attempt }) => attempt))
    const talk = results.findLast(({ result }) => settles.includes(result.outcome))
    const since = talk ? await calledSince(db, 'sqlite', [{ followUp: followUp.id, callId: attemptId(followUp.id, talk.attempt) }]) : new Set()
    const age = remade.at - followUp.arrivedAt
    if (talk && !since.has(followUp.id)) Object.assign(followUp, overBy(talk.result))
    else if (age > old) Object.assign(followUp, { state: 'closed', why: recordsLost, endedAt: now, endedBy: 'policy' })
    else if (attempts.length > 0 || age > fresh) Object.assign(followUp, { state: 'person', why: followUp.state === 'open' || followUp.why === 'learned-of-too-late' ? recordsLost : followUp.why, list: deskOf(plan) })
    else continue
    const { state, why, endedAt, endedBy, list, attempt } = followUp
    await db.updateTable('followups').set({ state, why, endedAt, endedBy, list, attempt }).where('id', '=', followUp.id).execute()
    if (attempts.length > 0) await db.insertInto('attempts').values(attempts).onConflict(conflict => conflict.doNothing()).execute()
    found.push(followUp)
  }
  return found
}

function overBy({ outcome, endedAt, joinedAt }: Result): Partial<FollowUp> {
  const at = endedAt ?? joinedAt!
  return outcome === 'spoken' ? { state: 'done', why: outcome, endedAt: at, endedBy: 'callback' } : { state: 'closed', why: outcome, endedAt: at, endedBy: 'citizen' }
}

/** What the ledger tells of its callbacks, in order. */
async function resultsOf(db: Db, plan: Plan, { id, agency, kind }: FollowUp): Promise<{ attempt: number, result: Result }[]> {
  const rows = await db.selectFrom('steps').selectAll().where('callId', '>=', `followup-${id}-`).where('callId', '<', `followup-${id}.`).execute()
  const { spoken } = policyOf(plan, agency, kind)
  return Map.groupBy(rows.map(toStep), ({ callId }) => callId).entries().map(([callId, steps]) => ({ attempt: attemptOf(callId)!.attempt, result: resultOf(steps, spoken) }))
    .toArray().sort((a, b) => a.attempt - b.attempt)
}

function attemptRow({ id, rings, cli }: FollowUp, attempt: number, { outcome, rung, line, joinedAt, endedAt }: Result): Attempt {
  const at = joinedAt ?? endedAt ?? 0
  return { followupId: id, attempt, state: 'ended', agency: rings, cli: cli ?? '', by: 'policy', madeAt: at, begunAt: at, endedAt, outcome, rung: rung ? 1 : 0, line, joinedAt }
}
