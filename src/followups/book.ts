/**
 * The book of follow-ups: their truth, in the store. Every change is a transaction that looks at the state it changes, writes
 * a line of history, and is told to whoever listens once it is committed; so it may be asked for twice, or by two at once.
 */
import { EventEmitter } from 'node:events'
import type { Transaction } from 'kysely'
import type { Result } from './attempt.ts'
import { agencyIn, followUpOf, make, type MissedCall, type Reason } from './make.ts'
import { afterAttempt } from './next.ts'
import { from, type Happening } from './states.ts'
import { deskOf } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import type { Attempt, FollowUp, FollowUpEvent } from '../records/follow-up.ts'
import { fromCursor, toCursor } from '../records/cursor.ts'
import type { Records } from '../records/records.ts'
import type { Tables } from '../records/tables.ts'

export type Db = Transaction<Tables>

/** A change, once it is committed. */
export interface Changed { followUp: FollowUp, event: Omit<FollowUpEvent, 'id'> }

/** What is asked of a follow-up cannot be done in the state that it is in. The message is for people. */
export class NotNow extends Error {
  override name = 'NotNow'
}

export interface Claim { followUp: Pick<FollowUp, 'id'>, attempt: number }

export class Book {
  readonly #records: Records
  readonly #plan: () => Plan
  readonly #told = new EventEmitter<{ changed: [Changed] }>().setMaxListeners(0)

  constructor(records: Records, plan: () => Plan) {
    this.#records = records
    this.#plan = plan
  }

  /** Hears every change; the listener must not throw. Returns what ends it. */
  onChanged(listener: (change: Changed) => void): () => void {
    this.#told.on('changed', listener)
    return () => { this.#told.off('changed', listener) }
  }

  /** Turns what the outbox owes into follow-ups; how many it took. Call it until it is 0. */
  async takeOutbox(now: number, limit = 500): Promise<number> {
    return this.#change(async (db, tell) => {
      const owed = await db.selectFrom('outbox').selectAll().where('doneAt', 'is', null).where('topic', 'in', ['missed-call', 'answered-call']).orderBy('id').limit(limit).execute()
      if (owed.length === 0) return 0
      const missed = owed.filter(({ topic }) => topic === 'missed-call').map(({ callId }) => callId)
      await this.#make(db, tell, await callsOf(db, missed), now)
      for (const { topic, callId } of owed) if (topic === 'answered-call') await this.#spokenWith(db, tell, callId, now)
      await db.updateTable('outbox').set({ doneAt: now }).where('id', 'in', owed.map(({ id }) => id)).execute()
      return owed.length
    })
  }

  async #make(db: Db, tell: Tell, calls: MissedCall[], now: number) {
    const plan = this.#plan()
    const known = new Set(calls.length === 0 ? [] : (await db.selectFrom('followupCalls').select('callId').where('callId', 'in', calls.map(({ callId }) => callId)).execute()).map(({ callId }) => callId))
    const fresh = calls.filter(({ callId }) => !known.has(callId))
    const callers = [...new Set(fresh.flatMap(({ cli }) => cli ?? []))]
    const open = callers.length === 0 ? [] : await db.selectFrom('followups').selectAll().where('cli', 'in', callers).where('endedAt', 'is', null).execute()
    const made: FollowUp[] = []
    for (const call of fresh.toSorted((a, b) => a.arrivedAt - b.arrivedAt)) {
      const agency = agencyIn(plan, call.agency)
      const other = call.cli === null ? undefined : [...open, ...made].find(one => one.cli === call.cli && one.agency === agency && Math.abs(call.arrivedAt - one.arrivedAt) <= plan.followups.window)
      const followUp = other ?? followUpOf(plan, call, now)
      if (!other) made.push(followUp)
      await db.insertInto('followupCalls').values({ callId: call.callId, followupId: followUp.id }).execute()
      if (other) await tell(other, 'citizen', 'called-again', { callId: call.callId, detail: call.detail })
    }
    for (let at = 0; at < made.length; at += 100) await db.insertInto('followups').values(made.slice(at, at + 100)).onConflict(conflict => conflict.column('id').doNothing()).execute()
    for (const followUp of made) await tell(followUp, 'policy', 'opened', { kind: followUp.kind, why: followUp.why })
    // Found late: they may have reached somebody since.
    for (const followUp of made) {
      if (followUp.cli === null) continue
      const since = await db.selectFrom('calls').select('callId').where('cli', '=', followUp.cli).where('arrivedAt', '>', followUp.arrivedAt).where('connectedAt', 'is not', null).execute()
      for (const { callId } of since) await this.#spokenWith(db, tell, callId, now)
    }
  }

  /** They reached the agency, or the desk, or anybody where they had chosen none: nothing is owed any more. */
  async #spokenWith(db: Db, tell: Tell, callId: string, now: number) {
    const call = await db.selectFrom('calls').selectAll().where('callId', '=', callId).executeTakeFirst()
    if (!call?.cli || call.connectedAt === null) return
    const desk = deskOf(this.#plan())
    const steps = await db.selectFrom('steps').select('facts').where('callId', '=', callId).where('kind', '=', 'agency').execute()
    const passed = new Set([call.agency, ...steps.map(({ facts }) => (JSON.parse(facts) as { agency: string }).agency)])
    const open = await db.selectFrom('followups').selectAll().where('cli', '=', call.cli).where('endedAt', 'is', null).where('arrivedAt', '<=', call.connectedAt).execute()
    for (const followUp of open) {
      if (followUp.agency !== null && !passed.has(followUp.agency) && call.agency !== desk) continue
      await move(db, tell, followUp, 'spoke', { why: 'already-spoken-with', endedAt: now, endedBy: `call ${callId}` }, 'citizen', { callId, agency: call.agency })
    }
  }

  /** Opens one that somebody asks for. The number must have called us, and the same key makes the same one. Throws `NotNow`. */
  async ask(reason: Omit<Reason, 'kind' | 'arrivedAt' | 'missedAt'>, who: string, why: string, now: number): Promise<FollowUp> {
    const plan = this.#plan()
    return this.#change(async (db, tell) => {
      const followUp = make(plan, { ...reason, kind: 'asked', arrivedAt: now, missedAt: now }, now)
      const there = await db.selectFrom('followups').selectAll().where('id', '=', followUp.id).executeTakeFirst()
      if (there) return there
      if (reason.cli !== null && !await hasCalled(db, reason.cli)) throw new NotNow('this number has never called: only who has called us is rung back')
      await db.insertInto('followups').values(followUp).execute()
      await tell(followUp, who, 'opened', { kind: 'asked', reason: why })
      return followUp
    })
  }

  /** Is anything due, and when is the next? Unix ms, null: nothing waits. */
  async nextDue(): Promise<number | null> {
    const row = await this.#records.db.selectFrom('followups').select('dueAt').where('state', '=', 'open').orderBy('dueAt').limit(1).executeTakeFirst()
    return row?.dueAt ?? null
  }

  /**
   * Claims attempts: of each agency's due follow-ups the first ones, as many as `free` says, `allowance` in all; emergency first,
   * then who called first. Whoever is on the telephone with us now (`busy`), or being rung, is passed over.
   */
  async claim(now: number, { allowance, free, busy }: { allowance: number, free: ReadonlyMap<string, number>, busy: ReadonlySet<string> }): Promise<Claim[]> {
    if (allowance <= 0) return []
    const { hourly, cityHourly } = this.#plan().followups.outbound
    return this.#change(async (db, tell) => {
      const hourAgo = now - 3_600_000
      const { made } = await db.selectFrom('attempts').select(({ fn }) => fn.countAll<number>().as('made')).where('begunAt', '>', hourAgo).executeTakeFirstOrThrow()
      let left = Math.min(allowance, cityHourly - Number(made))
      const ringing = new Set([...busy, ...(await db.selectFrom('attempts').select('cli').where('state', '<>', 'ended').execute()).map(({ cli }) => cli)])
      const due: FollowUp[] = []
      for (const [rings, lines] of free) {
        if (lines <= 0) continue
        const some = db.selectFrom('followups').selectAll().where('state', '=', 'open').where('rings', '=', rings).where('dueAt', '<=', now)
          .orderBy('priority').orderBy('arrivedAt').limit(Math.min(lines, left) + ringing.size)
        due.push(...(await some.execute()).filter(({ cli }) => !ringing.has(cli!)).slice(0, lines))
      }
      const claims: Claim[] = []
      for (const followUp of due.sort((a, b) => a.priority - b.priority || a.arrivedAt - b.arrivedAt)) {
        if (left <= 0) break
        if (ringing.has(followUp.cli!)) continue
        const { rung } = await db.selectFrom('attempts').select(({ fn }) => fn.countAll<number>().as('rung')).where('cli', '=', followUp.cli).where('begunAt', '>', hourAgo).executeTakeFirstOrThrow()
        if (Number(rung) >= hourly || !await hasCalled(db, followUp.cli!)) {
          await move(db, tell, followUp, 'handed', { why: Number(rung) >= hourly ? 'rung-too-often' : 'never-called', list: deskOf(this.#plan()) }, 'policy', { rung: Number(rung) })
          continue
        }
        const attempt = followUp.attempt + 1
        const by = followUp.claimedBy !== null && followUp.priority === 0 ? followUp.claimedBy : 'policy'
        await db.insertInto('attempts').values({ followupId: followUp.id, attempt, state: 'claimed', agency: followUp.rings, cli: followUp.cli!, by, madeAt: now, begunAt: null, endedAt: null, outcome: null, line: null, joinedAt: null }).execute()
        if (!await move(db, tell, followUp, 'begins', { attempt }, by, { attempt })) continue
        claims.push({ followUp, attempt })
        ringing.add(followUp.cli!)
        left--
      }
      return claims
    })
  }

  /** Attempts that have not ended. */
  async active(): Promise<Attempt[]> {
    return this.#records.db.selectFrom('attempts').selectAll().where('state', '<>', 'ended').orderBy('madeAt').execute()
  }

  /** The one moment that may happen once: from here on the exchange may have been asked. Undefined for whoever comes second. */
  async begin({ followUp, attempt }: { followUp: string, attempt: number }, now: number): Promise<FollowUp | undefined> {
    return this.#change(async db => {
      const { numUpdatedRows } = await db.updateTable('attempts').set({ state: 'dialling', begunAt: now })
        .where('followupId', '=', followUp).where('attempt', '=', attempt).where('state', '=', 'claimed').executeTakeFirst()
      if (numUpdatedRows !== 1n) return undefined
      const found = await db.selectFrom('followups').selectAll().where('id', '=', followUp).executeTakeFirstOrThrow()
      if (found.state === 'calling') return found
      await db.updateTable('attempts').set({ state: 'ended', endedAt: now, outcome: 'void' }).where('followupId', '=', followUp).where('attempt', '=', attempt).execute()
      return undefined                            // spoken with, or closed, since it was claimed
    })
  }

  /** Writes down what came of an attempt, and what follows from it. Once: a second time changes nothing. */
  async settle({ followUp: id, attempt }: { followUp: string, attempt: number }, result: Result, now: number): Promise<void> {
    await this.#change(async (db, tell) => {
      const row = await db.selectFrom('attempts').selectAll().where('followupId', '=', id).where('attempt', '=', attempt).where('state', '<>', 'ended').executeTakeFirst()
      if (!row) return
      const { outcome, line, joinedAt, rung } = result
      await db.updateTable('attempts').set({ state: 'ended', endedAt: now, outcome, line, joinedAt }).where('followupId', '=', id).where('attempt', '=', attempt).execute()
      const followUp = await db.selectFrom('followups').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
      await tell(followUp, row.by, 'attempt-ended', { attempt, outcome, line, rung, seconds: joinedAt === null || result.endedAt === null ? null : Math.round((result.endedAt - joinedAt) / 1000) })
      if (followUp.state !== 'calling') return
      const { happening, set, who } = afterAttempt(this.#plan(), followUp, row, outcome, now)
      await move(db, tell, followUp, happening, set, who, { attempt, outcome })
    })
  }

  /** Those whose deadline is over go to the next one of the plan's `escalate`; they are a person's then. How many. */
  async escalate(now: number): Promise<number> {
    const plan = this.#plan()
    const steps = plan.followups.escalate ?? []
    return this.#change(async (db, tell) => {
      const overdue = await db.selectFrom('followups').selectAll().where('endedAt', 'is', null).where('deadlineAt', '<=', now).where('escalated', '<=', steps.length)
        .where('state', '<>', 'calling').orderBy('deadlineAt').limit(200).execute()
      let moved = 0
      for (const followUp of overdue) {
        const step = followUp.escalated - 1                   // 0: the deadline itself; then one step of the plan after the other
        const at = followUp.deadlineAt + steps.slice(0, step + 1).reduce((sum, { after }) => sum + after, 0)
        if (at > now) continue
        const list = step < 0 ? followUp.list : steps[step]!.to
        await move(db, tell, followUp, 'handed', { why: 'overdue', list: step < 0 && followUp.state === 'open' ? deskOf(plan) : list, escalated: followUp.escalated + 1 }, 'policy', { overdue: now - followUp.deadlineAt, to: list })
        moved++
      }
      return moved
    })
  }

  /** What a person does. Throws `NotNow` where it cannot be done. Undefined: there is no such follow-up. */
  async act(id: string, who: string, does: (followUp: FollowUp) => Act, now: number): Promise<FollowUp | undefined> {
    return this.#change(async (db, tell) => {
      const followUp = await db.selectFrom('followups').selectAll().where('id', '=', id).executeTakeFirst()
      if (!followUp) return undefined
      const { happening, what, set = {}, facts = {} } = does(followUp)
      if (happening) {
        if (!await move(db, tell, followUp, happening, { ...set, ...happening === 'closed' || happening === 'spoke' ? { endedAt: now, endedBy: who } : {} }, who, facts, what)) throw new NotNow(`it is ${followUp.state}: that cannot be done`)
      } else {
        if (Object.keys(set).length > 0) await db.updateTable('followups').set(set).where('id', '=', id).execute()
        await tell({ ...followUp, ...set }, who, what, facts)
      }
      return db.selectFrom('followups').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
    })
  }

  async get(id: string): Promise<{ followUp: FollowUp, calls: string[], attempts: Attempt[], history: FollowUpEvent[] } | undefined> {
    const { db } = this.#records
    const followUp = await db.selectFrom('followups').selectAll().where('id', '=', id).executeTakeFirst()
    if (!followUp) return undefined
    const calls = await db.selectFrom('followupCalls').select('callId').where('followupId', '=', id).execute()
    const attempts = await db.selectFrom('attempts').selectAll().where('followupId', '=', id).orderBy('attempt').execute()
    const history = await db.selectFrom('followupEvents').selectAll().where('followupId', '=', id).orderBy('id').execute()
    return { followUp, attempts, calls: calls.map(({ callId }) => callId), history: history.map(event => ({ ...event, facts: JSON.parse(event.facts) as Record<string, unknown> })) }
  }

  /** A change of what stands beside the follow-ups (messages, answers), in one transaction with the lines of history that it tells. */
  alter<T>(work: (db: Db, tell: Tell) => Promise<T>): Promise<T> {
    return this.#change(work)
  }

  /** A page of them: the most urgent first (by deadline), or the newest. Throws `BadCursor`. */
  async list({ state, agency, list, kind, claimedBy, overdueAt, order, cursor, limit }: FollowUpQuery): Promise<{ followUps: FollowUp[], next: string | null }> {
    const [column, way] = order === 'deadline' ? ['deadlineAt', 'asc'] as const : ['arrivedAt', 'desc'] as const
    let query = this.#records.db.selectFrom('followups').selectAll().orderBy(column, way).orderBy('id', way).limit(limit + 1)
    if (state !== undefined) query = query.where('state', 'in', state)
    if (agency !== undefined) query = query.where('agency', '=', agency)
    if (list !== undefined) query = query.where('list', '=', list)
    if (kind !== undefined) query = query.where('kind', '=', kind)
    if (claimedBy !== undefined) query = query.where('claimedBy', '=', claimedBy)
    if (overdueAt !== undefined) query = query.where('endedAt', 'is', null).where('deadlineAt', '<=', overdueAt)
    if (cursor !== undefined) {
      const { arrivedAt: at, callId: id } = fromCursor(cursor)
      query = query.where(({ eb, refTuple, tuple }) => eb(refTuple(column, 'id'), way === 'asc' ? '>' : '<', tuple(at, id)))
    }
    const found = await query.execute()
    const followUps = found.slice(0, limit)
    const last = followUps.at(-1)
    return { followUps, next: found.length > limit && last ? toCursor({ arrivedAt: last[column], callId: last.id }) : null }
  }

  /** For the metrics: what is open, by kind and state, with the oldest call; how those ended that have; attempts that it took. */
  async figures() {
    const { db } = this.#records
    const open = await db.selectFrom('followups').select(['kind', 'state']).select(({ fn }) => [fn.countAll<number>().as('count'), fn.min('arrivedAt').as('oldest')]).where('endedAt', 'is', null).groupBy(['kind', 'state']).execute()
    const ended = await db.selectFrom('followups').select(['state']).select(({ fn }) => fn.countAll<number>().as('count'))
      .select(({ eb, ref }) => eb('endedAt', '<=', ref('deadlineAt')).as('inTime')).where('endedAt', 'is not', null).groupBy(['state', 'inTime']).execute()
    const attempts = await db.selectFrom('followups').select('attempt').select(({ fn }) => fn.countAll<number>().as('count')).where('state', '=', 'done').where('why', '=', 'spoken').groupBy('attempt').execute()
    return {
      open: open.map(row => ({ ...row, count: Number(row.count), oldest: Number(row.oldest) })),
      ended: ended.map(row => ({ state: row.state, inTime: Boolean(row.inTime), count: Number(row.count) })),
      attempts: attempts.map(row => ({ attempts: row.attempt, count: Number(row.count) }))
    }
  }

  async #change<T>(work: (db: Db, tell: Tell) => Promise<T>): Promise<T> {
    const changes: Changed[] = []
    const result = await this.#records.db.transaction().execute(db => work(db, async (followUp, who, what, facts) => {
      const event = { followupId: followUp.id, at: Date.now(), who, what, facts }
      await db.insertInto('followupEvents').values({ ...event, facts: JSON.stringify(facts) }).execute()
      changes.push({ followUp, event })
    }))
    for (const change of changes) this.#told.emit('changed', change)
    return result
  }
}

/** Writes a line of history: the follow-up as it is then, who, what, and the facts. */
export type Tell = (followUp: FollowUp, who: string, what: string, facts: Record<string, unknown>) => Promise<void>
export interface FollowUpQuery {
  state?: FollowUp['state'][]
  agency?: string
  list?: string
  kind?: FollowUp['kind']
  claimedBy?: string
  /** Only those that have not ended and whose deadline is over at this time, Unix ms. */
  overdueAt?: number
  order: 'deadline' | 'newest'
  cursor?: string
  limit: number
}


/** What a person does: a happening of states.ts, or only a note or a claim. */
export interface Act {
  happening?: Happening
  /** The word of the history. */
  what: string
  set?: Partial<FollowUp>
  facts?: Record<string, unknown>
}

/** Takes a follow-up from the state that it is in to the next; false where it cannot go there. */
export async function move(db: Db, tell: Tell, followUp: FollowUp, happening: Happening, set: Partial<FollowUp>, who: string, facts: Record<string, unknown> = {}, what: string = happening): Promise<boolean> {
  const { states, to } = from(happening)
  const { numUpdatedRows } = await db.updateTable('followups').set({ ...set, state: to }).where('id', '=', followUp.id).where('state', 'in', states).executeTakeFirst()
  if (numUpdatedRows !== 1n) return false
  await tell({ ...followUp, ...set, state: to }, who, what, { ...facts, why: set.why ?? followUp.why })
  return true
}

async function callsOf(db: Db, callIds: string[]): Promise<MissedCall[]> {
  if (callIds.length === 0) return []
  const rows = await db.selectFrom('calls').selectAll()
    .select(({ exists, selectFrom }) => exists(selectFrom('steps').select('steps.seq').whereRef('steps.callId', '=', 'calls.callId').where('witness', '=', 'service')).as('served'))
    .where('callId', 'in', callIds).execute()
  return rows.map(row => ({ ...row, served: Boolean(row.served) }))
}

async function hasCalled(db: Db, cli: string): Promise<boolean> {
  return await db.selectFrom('calls').select('callId').where('cli', '=', cli).limit(1).executeTakeFirst() !== undefined
}

