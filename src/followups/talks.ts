/** What a talk with a citizen settles: of a call that came in, or of a callback. A call that came after it is owed. */
import { sql } from 'kysely'
import { attemptId, type Outcome, type Result } from './attempt.ts'
import { move, numbersOf, type Change, type Db } from './move.ts'
import { deskOf } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import { anyOf } from '../records/bulk-followups.ts'
import type { FollowUp } from '../records/follow-up.ts'
import type { StoreKind } from '../records/migrations.ts'
import { cutOff } from '../records/records.ts'

/** What a citizen has said in one callback holds for all that they were owed by that agency. */
export const settles: readonly Outcome[] = ['spoken', 'not-needed']

/** They reached the agency, or the desk, or anybody where they had chosen none: nothing is owed any more. */
export async function spokenWith({ db, tell, kind }: Change, plan: Plan, callId: string, now: number) {
  const call = await db.selectFrom('calls').selectAll().where('callId', '=', callId).executeTakeFirst()
  if (!call?.cli || call.connectedAt === null || call.disposition === null || cutOff(call)) return          // while they talk, nobody knows whether it counts
  const steps = await db.selectFrom('steps').select('facts').where('callId', '=', callId).where('kind', '=', 'agency').execute()
  const passed = new Set([call.agency, ...steps.map(({ facts }) => (JSON.parse(facts) as { agency: string }).agency)])
  const open = await db.selectFrom('followups').selectAll().where('cli', '=', call.cli).where('endedAt', 'is', null).where('arrivedAt', '<=', call.connectedAt).execute()
  const settled = settledBy(plan, { agency: call.agency, passed }, open)
  const since = await calledSince(db, kind, settled.map(({ id }) => ({ followUp: id, callId })))
  for (const followUp of settled) {
    if (since.has(followUp.id)) continue
    await move(db, tell, followUp, 'spoke', { why: 'already-spoken-with', endedAt: now, endedBy: `call ${callId}` }, 'citizen', { callId, agency: call.agency })
  }
}

/** Of these, those that are settled when an agency has spoken with the citizen: about itself, about those that the call had passed, or about none; about any, if it is the desk. */
function settledBy(plan: Plan, { agency, passed }: { agency: string | null, passed: ReadonlySet<string | null> }, followUps: readonly FollowUp[]): FollowUp[] {
  return followUps.filter(one => one.agency === null || passed.has(one.agency) || agency === deskOf(plan))
}

/** What a callback has settled besides its own follow-up: others of the citizen's, as a call of theirs would have. Nobody is rung again for what was just said. */
export async function settleOthers({ db, tell, kind }: Change, plan: Plan, talks: readonly { followUp: FollowUp, attempt: number, agency: string, result: Result }[], now: number) {
  if (talks.length === 0) return
  const open = Map.groupBy(await db.selectFrom('followups').selectAll().where('cli', 'in', anyOf(kind, numbersOf(talks.map(({ followUp }) => followUp)))).where('endedAt', 'is', null).execute(), ({ cli }) => cli)
  const others = talks.flatMap(({ followUp, attempt, agency, result }) =>
    settledBy(plan, { agency, passed: new Set([agency, followUp.agency]) }, open.get(followUp.cli) ?? [])
      .filter(one => one.id !== followUp.id && one.arrivedAt <= (result.joinedAt ?? result.endedAt ?? now))
      .map(other => ({ other, callId: attemptId(followUp.id, attempt), outcome: result.outcome })))
  const since = await calledSince(db, kind, others.map(({ other, callId }) => ({ followUp: other.id, callId })))
  for (const { other, callId, outcome } of others) {
    if (since.has(other.id)) continue
    if (outcome === 'spoken') await move(db, tell, other, 'spoke', { why: 'already-spoken-with', endedAt: now, endedBy: `call ${callId}` }, 'citizen', { callId })
    else await move(db, tell, other, 'closed', { why: outcome, endedAt: now, endedBy: 'citizen' }, 'citizen', { callId })
  }
}

/**
 * Of these follow-ups (each with the talk that might settle it: a call's id), those whose citizen has called again since. The ledger's order tells it: by their
 * times a call after the talk may be one before it, where the clock was put back.
 */
export async function calledSince(db: Db, kind: StoreKind, talks: readonly { followUp: string, callId: string }[]): Promise<Set<string>> {
  if (talks.length === 0) return new Set()
  const heard = await db.selectFrom('steps').select('callId').select(({ fn }) => fn.max('seq').as('seq'))
    .where('callId', 'in', anyOf(kind, talks.map(({ callId }) => callId))).where('kind', 'in', ['connected', 'citizen-key']).groupBy('callId').execute()
  const talked = new Map(heard.map(({ callId, seq }) => [callId, Number(seq)]))
  // Where the ledger tells of a call, that counts: what the service noted may have been copied out of a damaged store.
  const calls = await db.selectFrom('followupCalls').innerJoin('steps', 'steps.callId', 'followupCalls.callId').select('followupId')
    .select(sql<number>`coalesce(min(case when witness = 'ledger' then seq end), min(seq))`.as('seq'))
    .where('followupId', 'in', anyOf(kind, talks.map(({ followUp }) => followUp))).groupBy(['followupId', 'followupCalls.callId']).execute()
  const called = Map.groupBy(calls, ({ followupId }) => followupId)
  return new Set(talks.filter(({ followUp, callId }) => called.get(followUp)?.some(({ seq }) => Number(seq) > (talked.get(callId) ?? Infinity))).map(({ followUp }) => followUp))
}
