/** The book's statements of many rows at once, made as those of bulk.ts are: the rows are one parameter of JSON. */
import { sql, type RawBuilder, type Transaction } from 'kysely'
import { each } from './bulk.ts'
import type { Attempt, FollowUp, FollowUpEvent } from './follow-up.ts'
import type { StoreKind } from './migrations.ts'
import type { Tables } from './tables.ts'

type Db = Transaction<Tables>

/** These, for `where(column, 'in', …)`: the statement's text stays the same, however many there are. */
export const anyOf = (kind: StoreKind, texts: readonly string[]): RawBuilder<string> => sql<string>`(select value from ${each(kind, texts)})`

/** Stores follow-ups; one whose id is known changes nothing. */
export async function storeFollowUps(db: Db, kind: StoreKind, followUps: readonly FollowUp[]): Promise<void> {
  if (followUps.length === 0) return
  const values = followUps.map(it => [
    it.id, it.kind, it.agency, it.rings, it.cli, it.did, it.language, it.state, it.why, it.list, it.priority, it.attempt, it.tried, it.agencyFailed, it.escalated,
    it.dueAt, it.deadlineAt, it.arrivedAt, it.madeAt, it.claimedBy, it.claimedAt, it.endedAt, it.endedBy])
  await sql`insert into followups (id, kind, agency, rings, cli, did, language, state, why, list, priority, attempt, tried, agency_failed, escalated,
      due_at, deadline_at, arrived_at, made_at, claimed_by, claimed_at, ended_at, ended_by)
    select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9, cast(value->>10 as integer),
      cast(value->>11 as integer), cast(value->>12 as integer), cast(value->>13 as integer), cast(value->>14 as integer), cast(value->>15 as bigint), cast(value->>16 as bigint),
      cast(value->>17 as bigint), cast(value->>18 as bigint), value->>19, cast(value->>20 as bigint), cast(value->>21 as bigint), value->>22 from ${each(kind, values)} where true
    on conflict (id) do nothing`.execute(db)
}

/** Stores which calls belong to which follow-up. */
export async function storeLinks(db: Db, kind: StoreKind, links: readonly { callId: string, followupId: string }[]): Promise<void> {
  if (links.length === 0) return
  await sql`insert into followup_calls (call_id, followup_id) select value->>0, value->>1 from ${each(kind, links.map(({ callId, followupId }) => [callId, followupId]))} where true`.execute(db)
}

/** Stores lines of history, in this order. */
export async function storeEvents(db: Db, kind: StoreKind, events: readonly Omit<FollowUpEvent, 'id'>[]): Promise<void> {
  if (events.length === 0) return
  const values = events.map(({ followupId, at, who, what, facts }) => [followupId, at, who, what, JSON.stringify(facts)])
  await sql`insert into followup_events (followup_id, at, who, what, facts)
    select value->>0, cast(value->>1 as bigint), value->>2, value->>3, value->>4 from ${each(kind, values)} where true`.execute(db)
}

/** Stores attempts that are claimed, and moves their follow-ups from `open` to `calling`: only those that were open, and says which. */
export async function claimAttempts(db: Db, kind: StoreKind, attempts: readonly Attempt[]): Promise<Set<string>> {
  if (attempts.length === 0) return new Set()
  const { rows } = await sql<{ id: string }>`update followups set state = 'calling', attempt = attempt + 1
    where state = 'open' and id in ${anyOf(kind, attempts.map(({ followupId }) => followupId))} returning id`.execute(db)
  const moved = new Set(rows.map(({ id }) => id))
  const values = attempts.filter(({ followupId }) => moved.has(followupId)).map(({ followupId, attempt, agency, cli, by, madeAt }) => [followupId, attempt, agency, cli, by, madeAt])
  if (values.length > 0) {
    await sql`insert into attempts (followup_id, attempt, state, agency, cli, by, made_at)
      select value->>0, cast(value->>1 as integer), 'claimed', value->>2, value->>3, value->>4, cast(value->>5 as bigint) from ${each(kind, values)} where true`.execute(db)
  }
  return moved
}

export interface AttemptKey { followUp: string, attempt: number }

/** Begins attempts that are claimed: only those, and says which. */
export async function beginAttempts(db: Db, kind: StoreKind, attempts: readonly AttemptKey[], now: number): Promise<AttemptKey[]> {
  const { rows } = await sql<{ followupId: string, attempt: number }>`update attempts set state = 'dialling', begun_at = ${now}
    from ${each(kind, attempts.map(({ followUp, attempt }) => [followUp, attempt]))}
    where state = 'claimed' and followup_id = value->>0 and attempt = cast(value->>1 as integer) returning followup_id, attempt`.execute(db)
  return rows.map(({ followupId, attempt }) => ({ followUp: followupId, attempt }))
}

export type AttemptEnd = AttemptKey & Pick<Attempt, 'outcome' | 'rung' | 'line' | 'joinedAt'>

/** Ends attempts that have not ended: only those, and says which. */
export async function endAttempts(db: Db, kind: StoreKind, ends: readonly AttemptEnd[], now: number): Promise<Pick<Attempt, 'followupId' | 'attempt' | 'by' | 'agency'>[]> {
  const values = ends.map(({ followUp, attempt, outcome, line, joinedAt, rung }) => [followUp, attempt, outcome, line, joinedAt, rung])
  const { rows } = await sql<Pick<Attempt, 'followupId' | 'attempt' | 'by' | 'agency'>>`update attempts set state = 'ended', ended_at = ${now}, outcome = value->>2, line = value->>3, joined_at = cast(value->>4 as bigint),
      rung = cast(value->>5 as integer)
    from ${each(kind, values)}
    where state <> 'ended' and followup_id = value->>0 and attempt = cast(value->>1 as integer) returning followup_id, attempt, by, agency`.execute(db)
  return rows
}

/** Writes down what follow-ups that were `calling` have become: only those, and says which. */
export async function leaveCalling(db: Db, kind: StoreKind, followUps: readonly FollowUp[]): Promise<Set<string>> {
  if (followUps.length === 0) return new Set()
  const values = followUps.map(it => [it.id, it.state, it.why, it.list, it.priority, it.tried, it.agencyFailed, it.dueAt, it.endedAt, it.endedBy])
  const { rows } = await sql<{ id: string }>`update followups set state = value->>1, why = value->>2, list = value->>3, priority = cast(value->>4 as integer), tried = cast(value->>5 as integer),
      agency_failed = cast(value->>6 as integer), due_at = cast(value->>7 as bigint), ended_at = cast(value->>8 as bigint), ended_by = value->>9
    from ${each(kind, values)} where state = 'calling' and followups.id = value->>0 returning followups.id`.execute(db)
  return new Set(rows.map(({ id }) => id))
}
