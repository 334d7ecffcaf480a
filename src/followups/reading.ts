/** The follow-ups as they are read: one whole, a page of them, and figures. */
import { sql, type Kysely } from 'kysely'
import { burst, burstReleased } from './bursts.ts'
import { fromCursor, toCursor } from '../records/cursor.ts'
import { urgency, urgencyOf, type Attempt, type FollowUp, type FollowUpEvent } from '../records/follow-up.ts'
import type { Tables } from '../records/tables.ts'

type Db = Kysely<Tables>

export interface FollowUpQuery {
  state?: FollowUp['state'][]
  agency?: string
  list?: string
  kind?: FollowUp['kind']
  claimedBy?: string
  /** Only those of bursts. */
  burst?: boolean
  /** Only those that have not ended and whose deadline is over at this time, Unix ms. */
  overdueAt?: number
  order: 'deadline' | 'newest'
  cursor?: string
  limit: number
}

/** One, with its calls, attempts and history; undefined where there is none of that id. */
export async function whole(db: Db, id: string): Promise<{ followUp: FollowUp, calls: string[], attempts: Attempt[], history: FollowUpEvent[] } | undefined> {
  const followUp = await db.selectFrom('followups').selectAll().where('id', '=', id).executeTakeFirst()
  if (!followUp) return undefined
  const calls = await db.selectFrom('followupCalls').select('callId').where('followupId', '=', id).execute()
  const attempts = await db.selectFrom('attempts').selectAll().where('followupId', '=', id).orderBy('attempt').execute()
  const history = await db.selectFrom('followupEvents').selectAll().where('followupId', '=', id).orderBy('id').execute()
  return { followUp, attempts, calls: calls.map(({ callId }) => callId), history: history.map(event => ({ ...event, facts: JSON.parse(event.facts) as Record<string, unknown> })) }
}

/** A page of them: the most urgent first (whom somebody has asked to reach now, then by deadline), or the newest. Throws `BadCursor`. */
export async function page(db: Db, { state, agency, list, kind, claimedBy, burst: ofBurst, overdueAt, order, cursor, limit }: FollowUpQuery): Promise<{ followUps: FollowUp[], next: string | null }> {
  const [place, of, way] = order === 'deadline' ? [urgency, urgencyOf, 'asc'] as const : [sql<number>`arrived_at`, ({ arrivedAt }: FollowUp) => arrivedAt, 'desc'] as const
  let query = db.selectFrom('followups').selectAll().orderBy(place, way).orderBy('id', way).limit(limit + 1)
  if (state?.every(one => one !== 'done' && one !== 'closed')) query = query.where('endedAt', 'is', null)          // by the index of these
  if (state !== undefined) query = query.where('state', 'in', state)
  if (agency !== undefined) query = query.where('agency', '=', agency)
  if (list !== undefined) query = query.where('list', '=', list)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (claimedBy !== undefined) query = query.where('claimedBy', '=', claimedBy)
  if (ofBurst) query = query.where('why', 'in', [burst, burstReleased])
  if (overdueAt !== undefined) query = query.where('endedAt', 'is', null).where('deadlineAt', '<=', overdueAt)
  if (cursor !== undefined) {
    const { arrivedAt: at, callId: id } = fromCursor(cursor)
    query = query.where(sql<boolean>`(${place}, id) ${sql.raw(way === 'asc' ? '>' : '<')} (${at}, ${id})`)
  }
  const found = await query.execute()
  const followUps = found.slice(0, limit)
  const last = followUps.at(-1)
  return { followUps, next: found.length > limit && last ? toCursor({ arrivedAt: of(last), callId: last.id }) : null }
}

/** How long ago a citizen called, in words of the metrics; the last is open to above. */
const ages = [['under-5m', 300_000], ['under-30m', 1_800_000], ['under-2h', 7_200_000], ['under-1d', 86_400_000]] as const

/**
 * For the metrics, at a time (Unix ms): what is open, by kind, state and age, with the oldest call and how many are past their deadline; how those ended that
 * have; attempts that it took.
 */
export async function figures(db: Db, now: number) {
  const open = await db.selectFrom('followups').select(['kind', 'state']).select(({ eb, fn }) => {
    const [[first, within], ...others] = ages
    const age = others.reduce((cases, [name, ms]) => cases.when('arrivedAt', '>', now - ms).then(name), eb.case().when('arrivedAt', '>', now - within).then<string>(first)).else('older').end()
    return [age.as('age'), fn.countAll<number>().as('count'), fn.min('arrivedAt').as('oldest'), fn.sum<number>(eb.case().when('deadlineAt', '<=', now).then(1).else(0).end()).as('overdue')]
  }).where('endedAt', 'is', null).groupBy(['kind', 'state', 'age']).orderBy('oldest', 'desc').execute()
  const ended = await db.selectFrom('followups').select(['state']).select(({ fn }) => fn.countAll<number>().as('count'))
    .select(({ eb, ref }) => eb('endedAt', '<=', ref('deadlineAt')).as('inTime')).where('endedAt', 'is not', null).groupBy(['state', 'inTime']).execute()
  const attempts = await db.selectFrom('followups').select('attempt').select(({ fn }) => fn.countAll<number>().as('count')).where('state', '=', 'done').where('why', '=', 'spoken').groupBy('attempt').execute()
  return {
    open: open.map(row => ({ ...row, count: Number(row.count), oldest: Number(row.oldest), overdue: Number(row.overdue) })),
    ended: ended.map(row => ({ state: row.state, inTime: Boolean(row.inTime), count: Number(row.count) })),
    attempts: attempts.map(row => ({ attempts: row.attempt, count: Number(row.count) }))
  }
}
