/**
 * Bursts of calls that hang up at once, from many numbers in a short time: as whoever forges numbers makes them, to have strangers rung by 112. Nobody is
 * rung for them by itself: they stand on the desk's list, and the desk may have them rung after all.
 */
import { sql } from 'kysely'
import type { Change, Db } from './move.ts'
import { move } from './move.ts'
import { deskOf, nextHour, policyOf } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import { anyOf } from '../records/bulk-followups.ts'
import type { FollowUp } from '../records/follow-up.ts'
import type { StoreKind } from '../records/migrations.ts'
import type { StoredCall } from '../records/tables.ts'

/** Why a follow-up waits for a person: it is of a burst. And why it is rung: the desk has said so. */
export const burst = 'burst'
export const burstReleased = 'burst-released'
/** After all others. */
const last = 9
/** So many calls of a burst are looked at, at most. */
const most = 20_000

/** A call that came to nothing at once: hung up within the plan's `shorter`, before any choice; whether a key was pressed is not known here. */
export function maybeBrief(plan: Plan, { disposition, agency, pickedAt, arrivedAt, endedAt, connectedAt, cli }: StoredCall): boolean {
  const { calls, shorter } = plan.followups.burst
  return calls > 0 && cli !== null && disposition === 'abandoned' && agency === null && connectedAt === null && endedAt !== null && endedAt - (pickedAt ?? arrivedAt) < shorter
}

/** Of these times, each with a number, those around which (within `within` ms on either side) more than `calls` other numbers called. In order of time. */
export function inBurst<T extends { cli: string, arrivedAt: number }>(brief: readonly T[], { calls, within }: { calls: number, within: number }): T[] {
  const sorted = brief.toSorted((a, b) => a.arrivedAt - b.arrivedAt)
  const there = new Map<string, number>()
  const count = (cli: string, by: number) => {
    const now = (there.get(cli) ?? 0) + by
    if (now === 0) there.delete(cli)
    else there.set(cli, now)
  }
  let [begin, end] = [0, 0]
  return sorted.filter(({ arrivedAt }) => {
    for (; end < sorted.length && sorted[end]!.arrivedAt <= arrivedAt + within; end++) count(sorted[end]!.cli, 1)
    for (; sorted[begin]!.arrivedAt < arrivedAt - within; begin++) count(sorted[begin]!.cli, -1)
    return there.size - 1 > calls
  })
}

/** The brief calls of a burst that any of these calls is in, by id; most often there are none. */
export async function burstAround(db: Db, plan: Plan, calls: readonly StoredCall[]): Promise<Set<string>> {
  const candidates = calls.filter(call => maybeBrief(plan, call))
  if (candidates.length === 0) return new Set()
  const { burst: { within } } = plan.followups
  const times = candidates.map(({ arrivedAt }) => arrivedAt)
  const brief = await briefCalls(db, plan, Math.min(...times) - 2 * within, Math.max(...times) + 2 * within)
  return new Set(inBurst(brief, plan.followups.burst).map(({ callId }) => callId))
}

async function briefCalls(db: Db, plan: Plan, from: number, to: number): Promise<{ callId: string, cli: string, arrivedAt: number }[]> {
  const rows = await db.selectFrom('calls').select(['callId', 'cli', 'arrivedAt']).where('arrivedAt', '>=', from).where('arrivedAt', '<=', to)
    .where('disposition', '=', 'abandoned').where('agency', 'is', null).where('connectedAt', 'is', null).where('cli', 'is not', null)
    .where(sql<boolean>`ended_at - coalesce(picked_at, arrived_at) < ${plan.followups.burst.shorter}`)
    .where(({ not, exists, selectFrom }) => not(exists(selectFrom('steps').select('steps.key').whereRef('steps.callId', '=', 'calls.callId').where('kind', '=', 'key'))))
    .orderBy('arrivedAt', 'desc').limit(most).execute()
  return rows.map(({ callId, cli, arrivedAt }) => ({ callId, cli: cli!, arrivedAt }))
}

/** As a burst's follow-up is made: with a person. One that is a person's anyway stays as it is. */
export const parked = (plan: Plan, followUp: FollowUp): FollowUp => followUp.state === 'open' ? { ...followUp, state: 'person', why: burst, list: deskOf(plan) } : followUp

/** Parks follow-ups that were made before the burst was seen to be one: those of its calls alone that nobody was rung for yet, and that nobody has asked for. How many. */
export async function parkAll({ db, tell, kind }: Change, plan: Plan, callIds: ReadonlySet<string>, who: string, facts: Record<string, unknown> = {}): Promise<number> {
  let moved = 0
  for (const followUp of await ofThese(db, kind, callIds)) {
    if (who === 'policy' && followUp.why === burstReleased) continue          // the desk has decided otherwise
    if (await move(db, tell, followUp, 'handed', { why: burst, list: deskOf(plan) }, who, facts, 'burst-parked')) moved++
  }
  return moved
}

async function ofThese(db: Db, kind: StoreKind, callIds: ReadonlySet<string>): Promise<FollowUp[]> {
  if (callIds.size === 0) return []
  const links = await db.selectFrom('followupCalls').select(['followupId', 'callId']).where('followupId', 'in',
    db.selectFrom('followupCalls').select('followupId').where('callId', 'in', anyOf(kind, [...callIds]))).execute()
  const alone = [...Map.groupBy(links, ({ followupId }) => followupId)].filter(([, calls]) => calls.every(({ callId }) => callIds.has(callId))).map(([id]) => id)
  if (alone.length === 0) return []
  return db.selectFrom('followups').selectAll().where('id', 'in', anyOf(kind, alone)).where('state', '=', 'open').where('attempt', '=', 0).where('priority', '>', 0).where('claimedBy', 'is', null).where('kind', '<>', 'asked').execute()
}

/** What of bursts stands with the desk: how many, and when their citizens called (Unix ms; null: there is none). */
export async function parkedNow(db: Pick<Db, 'selectFrom'>): Promise<{ parked: number, from: number | null, to: number | null }> {
  const { parked, from, to } = await db.selectFrom('followups').select(({ fn }) => [fn.countAll<number>().as('parked'), fn.min('arrivedAt').as('from'), fn.max('arrivedAt').as('to')])
    .where('endedAt', 'is', null).where('state', '=', 'person').where('why', '=', burst).executeTakeFirstOrThrow()
  return { parked: Number(parked), from: from === null ? null : Number(from), to: to === null ? null : Number(to) }
}

/** Has those that are parked rung after all, by the policy and after all others. A person who has one in hand keeps it. How many. */
export async function releaseAll({ db, tell }: Change, plan: Plan, who: string, reason: string, now: number, facts: Record<string, unknown>): Promise<number> {
  const all = await db.selectFrom('followups').selectAll().where('endedAt', 'is', null).where('state', '=', 'person').where('why', '=', burst).where('claimedBy', 'is', null).execute()
  let moved = 0
  for (const followUp of all) {
    const policy = policyOf(plan, followUp.agency, followUp.kind)
    const set = { why: burstReleased, list: followUp.rings, priority: last, dueAt: nextHour(plan, policy.hours, now), deadlineAt: now + policy.deadline, escalated: 0 }
    if (await move(db, tell, followUp, 'call-now', set, who, { reason, ...facts }, burstReleased)) moved++
  }
  return moved
}

/** Parks what of the brief calls since then nobody was rung for, though the service saw no burst. How many. */
export async function parkSince(change: Change, plan: Plan, since: number, now: number, who: string, reason: string, facts: Record<string, unknown>): Promise<number> {
  const brief = await briefCalls(change.db, plan, since, now)
  return parkAll(change, plan, new Set(brief.map(({ callId }) => callId)), who, { reason, ...facts })
}
