/**
 * The book of follow-ups: their truth, in the store. Every change is a transaction that looks at the state it changes, writes
 * a line of history, and is told to whoever listens once it is committed; so it may be asked for twice, or by two at once.
 */
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { sql, type ExpressionBuilder, type Kysely } from 'kysely'
import { neverAcknowledged, type Happenings } from '../calls/story.ts'
import { attemptId, type Outcome, type Result } from './attempt.ts'
import { burst, burstAround, maybeBrief, parkAll, parked, parkedNow, parkSince, releaseAll } from './bursts.ts'
import { escalate, followPlan, handAll } from './deadlines.ts'
import { afterLoss } from './after-loss.ts'
import { agencyIn, closed, followUpOf, idOf, make, openingFor, type MissedCall, type Reason } from './make.ts'
import { byId, move, numbersOf, type Db, type Tell } from './move.ts'
import { afterAttempt, type Next } from './next.ts'
import { figures, page, whole, type FollowUpQuery } from './reading.ts'
import { from, type Happening } from './states.ts'
import { calledSince, settleOthers, settles, spokenWith } from './talks.ts'
import { asleep, deskOf } from '../plan/follow-up-policy.ts'
import { isOurs } from '../plan/own-numbers.ts'
import { agencies, type Plan } from '../plan/plan.ts'
import { noSwitches, type Switches } from '../plan/switches.ts'
import type { Attempt, FollowUp, FollowUpEvent } from '../records/follow-up.ts'
import { anyOf, beginAttempts, claimAttempts, endAttempts, leaveCalling, storeEvents, storeFollowUps, storeLinks, type AttemptKey } from '../records/bulk-followups.ts'
import type { StoreKind } from '../records/migrations.ts'
import { served, type Records } from '../records/records.ts'
import type { SignedBy, Tables } from '../records/tables.ts'

/** A change, once it is committed. */
export interface Changed { followUp: FollowUp, event: Omit<FollowUpEvent, 'id'> }

/** What is asked of a follow-up cannot be done in the state that it is in. The message is for people. */
export class NotNow extends Error {
  override name = 'NotNow'
}

/** Somebody has asked for a number that has never called. */
export class NeverCalled extends NotNow {
  override name = 'NeverCalled'
}

export interface Claim { followUp: Pick<FollowUp, 'id'>, attempt: number }

export class Book {
  readonly #records: Records
  readonly #plan: () => Plan
  readonly #switches: () => Switches
  /** Attempts that are about to begin. */
  readonly #waiting: { attempt: AttemptKey, now: number, done: PromiseWithResolvers<FollowUp | undefined> }[] = []
  #beginning = false
  /** Whom nobody is rung for in this minute. */
  #asleep: { plan?: Plan, minute?: number, them: ReturnType<typeof asleep> } = { them: [] }
  readonly #told = new EventEmitter<{ changed: [Changed] }>().setMaxListeners(0)

  /** @param switches what admins have set by hand; nothing if left out */
  constructor(records: Records, plan: () => Plan, switches = () => noSwitches) {
    this.#records = records
    this.#plan = plan
    this.#switches = switches
  }

  /** Hears every change; the listener must not throw. Returns what ends it. */
  onChanged(listener: (change: Changed) => void): () => void {
    this.#told.on('changed', listener)
    return () => { this.#told.off('changed', listener) }
  }

  /** Turns what the outbox owes into follow-ups; how many it took. Call it until it is 0. */
  async takeOutbox(now: number, limit = 500): Promise<number> {
    return this.#change(async (db, tell) => {
      const owed = await db.selectFrom('outbox').selectAll().where('doneAt', 'is', null).orderBy('id').limit(limit).execute()
      if (owed.length === 0) return 0
      const missed = owed.filter(({ topic }) => topic === 'missed-call').map(({ callId }) => callId)
      await this.#make(db, tell, await callsOf(db, this.#records.kind, missed), now)
      const answered = owed.filter(({ topic }) => topic === 'answered-call').map(({ callId }) => callId)
      for (const callId of await whoAreOwed(db, this.#records.kind, answered)) await spokenWith({ db, tell, kind: this.#records.kind }, this.#plan(), callId, now)
      await db.updateTable('outbox').set({ doneAt: now }).where('id', 'in', owed.map(({ id }) => id)).execute()
      return owed.length
    })
  }

  async #make(db: Db, tell: Tell, calls: MissedCall[], now: number) {
    if (calls.length === 0) return
    const { kind } = this.#records
    const plan = this.#plan()
    const switches = this.#switches()
    const known = new Set((await db.selectFrom('followupCalls').select('callId').where('callId', 'in', anyOf(kind, calls.map(({ callId }) => callId))).execute()).map(({ callId }) => callId))
    const fresh = calls.filter(({ callId }) => !known.has(callId)).sort((a, b) => a.arrivedAt - b.arrivedAt)
    const open = Map.groupBy(await db.selectFrom('followups').selectAll().where('cli', 'in', anyOf(kind, numbersOf(fresh))).where('endedAt', 'is', null).execute(), ({ cli }) => cli)
    const inBurst = await burstAround(db, plan, fresh)
    const made: FollowUp[] = []
    const opened = new Map<string, { kind: string, why: string }>()
    const promised = new Map<string, FollowUp>()
    const links: { callId: string, followupId: string }[] = []
    for (const call of fresh) {
      const agency = agencyIn(plan, call.agency)
      const theirs = call.cli === null ? [] : open.get(call.cli) ?? []
      const other = theirs.find(one => one.agency === agency && (one.why !== neverAcknowledged || call.detail === neverAcknowledged) && (one.why !== burst || maybeBrief(plan, call)) && (Math.abs(call.arrivedAt - one.arrivedAt) <= plan.followups.window || closed(call.detail) && waits(one, call)))
      const followUp = other ?? (inBurst.has(call.callId) ? parked(plan, followUpOf(plan, call, now, switches)) : followUpOf(plan, call, now, switches))
      links.push({ callId: call.callId, followupId: followUp.id })
      if (other) {
        // What they were told last holds: they are called when it opens, and not before.
        if (other.state === 'open' && other.priority > 0 && openingFor(plan, call, switches) !== undefined) {
          const { kind, why, priority, dueAt, deadlineAt } = followUpOf(plan, call, now, switches)
          promised.set(other.id, Object.assign(other, { kind, why, priority, dueAt, deadlineAt }))
        } else if (other.state === 'open' && other.priority > 0) {
          // Who calls again needs us more than who hung up at once, and at least as much as by the new call alone.
          const priority = Math.min(other.priority, Math.max(other.priority - 1, usual), followUpOf(plan, call, now, switches).priority)
          if (priority < other.priority) promised.set(other.id, Object.assign(other, { priority }))
        }
        tell(other, 'citizen', 'called-again', { callId: call.callId, detail: call.detail })
      } else {
        made.push(followUp)
        if (call.cli !== null) open.set(call.cli, [...theirs, followUp])
        const facts = { kind: followUp.kind, why: followUp.why }
        opened.set(followUp.id, facts)
        tell(followUp, 'policy', 'opened', facts)
      }
    }
    await storeFollowUps(db, kind, made)
    for (const { id, kind, why, priority, dueAt, deadlineAt } of promised.values()) {
      await db.updateTable('followups').set({ kind, why, priority, dueAt, deadlineAt }).where('id', '=', id).where('state', '=', 'open').execute()
    }
    await storeLinks(db, kind, links)
    if (inBurst.size > 0) await parkAll({ db, tell, kind }, plan, inBurst, 'policy')
    if (made.length === 0) return
    for (const { id, why } of await afterLoss(db, plan, made, now)) opened.get(id)!.why = why
    // Found late: they may have reached somebody since.
    const first = new Map(made.toReversed().map(({ cli, arrivedAt }) => [cli, arrivedAt]))
    const reached = await db.selectFrom('calls').select(['callId', 'cli', 'arrivedAt']).where('cli', 'in', anyOf(kind, numbersOf(made))).where('arrivedAt', '>', Math.min(...first.values())).where('connectedAt', 'is not', null).execute()
    for (const { callId, cli, arrivedAt } of reached) if (arrivedAt > first.get(cli)!) await spokenWith({ db, tell, kind: this.#records.kind }, this.#plan(), callId, now)
  }

  /**
   * Opens one that somebody asks for. The number must have called us. The same key of the same asker makes the same one, and is for the same number and agency.
   * A number has one of them at most that is open. Throws `NotNow`, or `NeverCalled`.
   * @param key undefined: it is never asked again
   */
  async ask({ key, ...reason }: Omit<Reason, 'key' | 'kind' | 'arrivedAt' | 'missedAt'> & { key?: string }, who: string, why: string, now: number, { signedBy }: { signedBy?: SignedBy } = {}): Promise<FollowUp> {
    const plan = this.#plan()
    return this.#change(async (db, tell) => {
      const followUp = make(plan, { ...reason, key: key === undefined ? `asked ${randomUUID()}` : keyOf(key, who, signedBy), kind: 'asked', arrivedAt: now, missedAt: now }, now)
      const there = key === undefined ? undefined : await asked(db, followUp.id, key, who)
      if (there && (there.cli !== reason.cli || there.agency !== reason.agency)) throw new NotNow(`the key "${key}" was used for another number or agency: use a new key`)
      if (there) return there
      if (reason.cli !== null && !await hasCalled(db, reason.cli)) throw new NeverCalled('this number has never called: only who has called us is rung back')
      const other = reason.cli === null ? undefined : await openAsk(db, reason.cli)
      if (other) throw new NotNow(`a callback to this number is asked for already, and open: work follow-up ${other.id} (list ${other.list})`)
      await db.insertInto('followups').values(followUp).execute()
      tell(followUp, who, 'opened', { kind: 'asked', reason: why, ...signedBy === undefined ? {} : { signedBy } })
      return followUp
    })
  }

  /** The number that a call came from (null: none that can be rung), and what it dialled; undefined: there is no such call. */
  async callerOf(callId: string): Promise<{ cli: string | null, did: string } | undefined> {
    return this.#records.db.selectFrom('calls').select(['cli', 'did']).where('callId', '=', callId).executeTakeFirst()
  }

  /** What there is to do, in one question: whether the outbox owes anything, when the next one is due (Unix ms; null: nothing waits), whether any attempt goes on. */
  async agenda(): Promise<{ owed: boolean, nextDue: number | null, going: boolean }> {
    const { rows: [row] } = await sql<{ owed: boolean | number, nextDue: number | null, going: boolean | number }>`select
      exists (select id from outbox where done_at is null) as owed,
      (select min(due_at) from followups where state = 'open') as next_due,
      exists (select attempt from attempts where state <> 'ended') as going`.execute(this.#records.db)
    return { owed: Boolean(row!.owed), nextDue: row!.nextDue, going: Boolean(row!.going) }
  }

  /**
   * Claims attempts: of each agency's due follow-ups the first ones, as many as `free` says, `allowance` in all; emergency first,
   * then who called first. Whoever is on the telephone with us now (`busy`), or being rung, is passed over.
   */
  async claim(now: number, { allowance, free, busy }: { allowance: number, free: ReadonlyMap<string, number>, busy: ReadonlySet<string> }): Promise<Claim[]> {
    if (allowance <= 0) return []
    const { hourly, cityHourly } = this.#plan().followups.outbound
    const { kind } = this.#records
    return this.#change(async (db, tell) => {
      const hourAgo = now - hour
      const left = Math.min(allowance, cityHourly - await madeSince(db, hourAgo))
      if (left <= 0) return []
      await this.#putOff(db, now)
      const due = await firstDue(db, kind, now, free, left, busy)
      const taken = new Set<string>()
      const numbers = anyOf(kind, numbersOf(due))
      const rung = new Map((await db.selectFrom('attempts').select('cli').select(({ fn }) => fn.countAll<number>().as('rung')).where('cli', 'in', numbers).where('begunAt', '>', hourAgo).where(counts).groupBy('cli').execute()).map(row => [row.cli, Number(row.rung)]))
      const callers = new Set((await db.selectFrom('calls').select('cli').distinct().where('cli', 'in', numbers).execute()).map(({ cli }) => cli))
      const attempts: (Attempt & { of: FollowUp })[] = []
      for (const of of due) {
        if (attempts.length >= left) break
        const { id, cli, attempt, rings, claimedBy, priority } = of
        if (taken.has(cli!)) continue
        const often = (rung.get(cli!) ?? 0) >= hourly
        const own = isOurs(this.#plan(), cli!)
        if (own || often || !callers.has(cli)) {
          await move(db, tell, of, 'handed', { why: own ? 'own-number' : often ? 'rung-too-often' : 'never-called', list: deskOf(this.#plan()) }, 'policy', { rung: rung.get(cli!) ?? 0 })
          continue
        }
        const by = claimedBy !== null && priority === 0 ? claimedBy : 'policy'
        attempts.push({ of, followupId: id, attempt: attempt + 1, state: 'claimed', agency: rings, cli: cli!, by, madeAt: now, begunAt: null, endedAt: null, outcome: null, rung: null, line: null, joinedAt: null })
        taken.add(cli!)
      }
      const moved = await claimAttempts(db, kind, attempts)
      const claimed = attempts.filter(({ followupId }) => moved.has(followupId))
      const { to } = from('begins')
      for (const { of, attempt, by } of claimed) tell({ ...of, state: to, attempt }, by, 'begins', { attempt, why: of.why })
      return claimed.map(({ of, attempt }) => ({ followUp: of, attempt }))
    })
  }

  /** It has become an hour at which the policy has nobody rung: what is due waits for the next. What somebody has asked for now does not. */
  async #putOff(db: Db, now: number) {
    const plan = this.#plan()
    const minute = Math.floor(now / 60_000)
    if (this.#asleep.plan !== plan || this.#asleep.minute !== minute) this.#asleep = { plan, minute, them: asleep(plan, now) }
    for (const { agency, kinds, until } of this.#asleep.them) {
      await db.updateTable('followups').set({ dueAt: until }).where('state', '=', 'open').where('dueAt', '<=', now).where('priority', '>', 0).where('kind', 'in', kinds)
        .where(({ eb, or }) => agency === null ? or([eb('agency', 'is', null), eb('agency', 'not in', anyOf(this.#records.kind, agencies(plan).map(({ id }) => id)))]) : eb('agency', '=', agency)).execute()
    }
  }

  /** How many attempts have not ended, by the agency whose lines they are for. */
  async going(): Promise<Map<string, number>> {
    const rows = await this.#records.db.selectFrom('attempts').select('agency').select(({ fn }) => fn.countAll<number>().as('count')).where('state', '<>', 'ended').groupBy('agency').execute()
    return new Map(rows.map(({ agency, count }) => [agency, Number(count)]))
  }

  /** Of these attempts (`attemptId`), those that have not ended. */
  async unended(ids: ReadonlySet<string>): Promise<Set<string>> {
    if (ids.size === 0) return new Set()
    return new Set((await this.dialling()).map(({ attempt: { followupId, attempt } }) => attemptId(followupId, attempt)).filter(id => ids.has(id)))
  }

  /** The first claims that were made before `early` (or after `late`, by a clock that has been put back since) and have not begun. */
  async unbegun(early: number, late: number, limit: number): Promise<Claim[]> {
    const rows = await this.#records.db.selectFrom('attempts').select(['followupId', 'attempt']).where('state', '=', 'claimed').where('state', '<>', 'ended')          // by the index of those that go on
      .where(({ or, eb }) => or([eb('madeAt', '<', early), eb('madeAt', '>', late)])).orderBy('madeAt').limit(limit).execute()
    return rows.map(({ followupId, attempt }) => ({ followUp: { id: followupId }, attempt }))
  }

  /** Attempts that may be ringing, each with its follow-up. */
  async dialling(): Promise<{ attempt: Attempt, followUp: FollowUp }[]> {
    const { db, kind } = this.#records
    const attempts = await db.selectFrom('attempts').selectAll().where('state', '<>', 'ended').where('begunAt', 'is not', null).execute()
    if (attempts.length === 0) return []
    const followUps = await byId(db, kind, attempts.map(({ followupId }) => followupId))
    return attempts.map(attempt => ({ attempt, followUp: followUps.get(attempt.followupId)! }))
  }

  /**
   * The one moment that may happen once: from here on the exchange may have been asked. Undefined for whoever comes second.
   * Those who come together share a transaction: a commit costs more than all else.
   */
  begin(attempt: AttemptKey, now: number): Promise<FollowUp | undefined> {
    const done = Promise.withResolvers<FollowUp | undefined>()
    this.#waiting.push({ attempt, now, done })
    if (this.#waiting.length === 1 && !this.#beginning) void this.#beginAll()
    return done.promise
  }

  async #beginAll() {
    this.#beginning = true
    while (this.#waiting.length > 0) {
      const together = this.#waiting.splice(0)
      try {
        const begun = await this.#begin(together.map(({ attempt }) => attempt), together.at(-1)!.now)
        for (const { attempt, done } of together) {
          const name = attemptId(attempt.followUp, attempt.attempt)
          done.resolve(begun.get(name))
          begun.delete(name)                              // delivered twice at once: one of them has it
        }
      } catch (error) {
        for (const { done } of together) done.reject(error)
      }
    }
    this.#beginning = false
  }

  #begin(attempts: AttemptKey[], now: number): Promise<Map<string, FollowUp>> {
    const { kind } = this.#records
    return this.#change(async db => {
      const begun = await beginAttempts(db, kind, attempts, now)
      if (begun.length === 0) return new Map()
      const followUps = await byId(db, kind, begun.map(({ followUp }) => followUp))
      // Spoken with, or closed, since it was claimed.
      const needless = begun.filter(({ followUp }) => followUps.get(followUp)!.state !== 'calling')
      if (needless.length > 0) await endAttempts(db, kind, needless.map(key => ({ ...key, outcome: 'void', rung: 0, line: null, joinedAt: null })), now)
      return new Map(begun.filter(key => !needless.includes(key)).map(({ followUp, attempt }) => [attemptId(followUp, attempt), followUps.get(followUp)!]))
    })
  }

  /** Writes down what came of attempts, and what follows from it. Once: a second time changes nothing. */
  async settle(ended: readonly (AttemptKey & { result: Result })[], now: number): Promise<void> {
    if (ended.length === 0) return
    const { kind } = this.#records
    await this.#change(async (db, tell) => {
      const results = new Map(ended.map(({ followUp, attempt, result }) => [attemptId(followUp, attempt), result]))
      const rows = await endAttempts(db, kind, ended.map(({ followUp, attempt, result: { outcome, line, joinedAt, rung } }) => ({ followUp, attempt, outcome, line, joinedAt, rung: rung || !idle.includes(outcome) ? 1 : 0 })), now)
      const followUps = await byId(db, kind, rows.map(({ followupId }) => followupId))
      const resultFor = ({ followupId, attempt }: { followupId: string, attempt: number }) => results.get(attemptId(followupId, attempt))!
      const settling = rows.filter(row => settles.includes(resultFor(row).outcome))
      const since = await calledSince(db, kind, settling.map(({ followupId, attempt }) => ({ followUp: followupId, callId: attemptId(followupId, attempt) })))
      const becomes: { is: FollowUp, next: Next, attempt: number, outcome: Outcome }[] = []
      for (const row of rows) {
        const { followupId, attempt, by } = row
        const result = resultFor(row)
        const { outcome, line, rung } = result
        const followUp = followUps.get(followupId)!
        tell(followUp, by, 'attempt-ended', { attempt, outcome, line, rung, seconds: secondsOf(result) })
        if (followUp.state !== 'calling') continue
        const next = afterAttempt(this.#plan(), followUp, { by, calledSince: since.has(followupId) }, outcome, now)
        becomes.push({ is: { ...followUp, ...next.set, state: from(next.happening).to }, next, attempt, outcome })
      }
      const moved = await leaveCalling(db, kind, becomes.map(({ is }) => is))
      for (const { is, next: { happening, who }, attempt, outcome } of becomes) if (moved.has(is.id)) tell(is, who, happening, { attempt, outcome, why: is.why })
      await settleOthers({ db, tell, kind }, this.#plan(), settling.map(row => ({ ...row, result: resultFor(row), followUp: followUps.get(row.followupId)! })), now)
    })
  }

  /** @see parkedNow */
  parked() {
    return parkedNow(this.#records.db)
  }

  /** @see parkSince */
  parkBurst(since: number, now: number, who: string, reason: string, facts: Record<string, unknown> = {}): Promise<number> {
    return this.#change((db, tell) => parkSince({ db, tell, kind: this.#records.kind }, this.#plan(), since, now, who, reason, facts))
  }

  /** @see releaseAll */
  releaseBurst(who: string, reason: string, now: number, facts: Record<string, unknown> = {}): Promise<number> {
    return this.#change((db, tell) => releaseAll({ db, tell, kind: this.#records.kind }, this.#plan(), who, reason, now, facts))
  }

  /** @see escalate */
  escalate(now: number): Promise<number> {
    return this.#change((db, tell) => escalate({ db, tell, kind: this.#records.kind }, this.#plan(), now))
  }

  /** @see handAll */
  handAll(now: number): Promise<number> {
    return this.#change((db, tell) => handAll({ db, tell, kind: this.#records.kind }, this.#plan(), now))
  }

  /** @see followPlan */
  followPlan(): Promise<number> {
    return this.#change((db, tell) => followPlan({ db, tell, kind: this.#records.kind }, this.#plan()))
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
        tell({ ...followUp, ...set }, who, what, facts)
      }
      return db.selectFrom('followups').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
    })
  }

  /** @see whole */
  get(id: string) {
    return whole(this.#records.db, id)
  }

  /** @see page */
  list(query: FollowUpQuery) {
    return page(this.#records.db, query)
  }

  /** @see figures */
  async figures(now: number) {
    const { db } = this.#records
    return { ...await figures(db, now), parked: (await parkedNow(db)).parked, budgetLeft: Math.max(0, this.#plan().followups.outbound.cityHourly - await madeSince(db, now - hour)) }
  }

  /** A change of what stands beside the follow-ups (messages, answers), in one transaction with the lines of history that it tells. */
  alter<T>(work: (db: Db, tell: Tell) => Promise<T>): Promise<T> {
    return this.#change(work)
  }

  async #change<T>(work: (db: Db, tell: Tell) => Promise<T>): Promise<T> {
    const changes: Changed[] = []
    const result = await this.#records.db.transaction().execute(async db => {
      const result = await work(db, (followUp, who, what, facts) => { changes.push({ followUp, event: { followupId: followUp.id, at: Date.now(), who, what, facts } }) })
      await storeEvents(db, this.#records.kind, changes.map(({ event }) => event))
      return result
    })
    for (const change of changes) this.#told.emit('changed', change)
    return result
  }
}

/** What a person does: a happening of states.ts, or only a note or a claim. */
export interface Act {
  happening?: Happening
  /** The word of the history. */
  what: string
  set?: Partial<FollowUp>
  facts?: Record<string, unknown>
}

async function callsOf(db: Db, kind: StoreKind, callIds: string[]): Promise<MissedCall[]> {
  if (callIds.length === 0) return []
  const rows = await db.selectFrom('calls').selectAll()
    .select(served.as('served'))
    .where('callId', 'in', anyOf(kind, callIds)).execute()
  const keys = await db.selectFrom('steps').select(['callId', 'facts']).where('callId', 'in', anyOf(kind, callIds)).where('kind', '=', 'key').orderBy('at').execute()
  const chosen = new Map(keys.flatMap(({ callId, facts }) => {
    const { language } = JSON.parse(facts) as Happenings['key']
    return language === undefined ? [] : [[callId, language] as const]
  }))
  return rows.map(row => ({ ...row, served: Boolean(row.served) || row.way === 'shed', ...chosen.has(row.callId) ? { language: chosen.get(row.callId)! } : {} }))
}

/** Of these calls, those whose caller has a follow-up that is open: few of all that are answered. */
async function whoAreOwed(db: Db, kind: StoreKind, callIds: string[]): Promise<string[]> {
  if (callIds.length === 0) return []
  const rows = await db.selectFrom('calls').select('callId').where('callId', 'in', anyOf(kind, callIds))
    .where(({ exists, selectFrom }) => exists(selectFrom('followups').select('followups.id').whereRef('followups.cli', '=', 'calls.cli').where('followups.endedAt', 'is', null)))
    .orderBy('arrivedAt').execute()
  return rows.map(({ callId }) => callId)
}

/** Asked for by key: whose key it is belongs to it. */
const keyOf = (key: string, who: string, signedBy?: SignedBy) => `asked by ${signedBy ?? 'nobody'} ${JSON.stringify(who)} ${key}`

/** What was opened for this key before: under its asker's, or (until November 2026) under the key alone, by the same asker. */
async function asked(db: Db, id: string, key: string, who: string): Promise<FollowUp | undefined> {
  const there = await db.selectFrom('followups').selectAll().where('id', '=', id).executeTakeFirst()
  if (there) return there
  return db.selectFrom('followups').selectAll().where('id', '=', idOf(`asked ${key}`))
    .where(({ exists, selectFrom }) => exists(selectFrom('followupEvents').select('followupEvents.id').whereRef('followupEvents.followupId', '=', 'followups.id').where('what', '=', 'opened').where('who', '=', who))).executeTakeFirst()
}

const openAsk = (db: Db, cli: string) => db.selectFrom('followups').select(['id', 'list']).where('cli', '=', cli).where('kind', '=', 'asked').where('endedAt', 'is', null).executeTakeFirst()

async function hasCalled(db: Db, cli: string): Promise<boolean> {
  return await db.selectFrom('calls').select('callId').where('cli', '=', cli).limit(1).executeTakeFirst() !== undefined
}

/** Whether a callback that was asked for has yet to begin, as the agency was closed at this call, too. */
const waits = ({ kind, state, attempt, dueAt }: FollowUp, { arrivedAt, endedAt }: MissedCall) => kind === 'asked' && state === 'open' && attempt === 0 && dueAt > (endedAt ?? arrivedAt)

/** Attempts that end so have rung nobody, unless the ledger says so; of others that cannot be known. */
const idle: readonly Outcome[] = ['gave-way', 'withdrawn', 'agency-unreached', 'agency-left']

/** What counts for the hour: whoever was rung, and who may have been. */
const counts = ({ or, eb }: ExpressionBuilder<Tables, 'attempts'>) => or([eb('rung', 'is', null), eb('rung', '=', 1)])

async function madeSince(db: Kysely<Tables>, at: number): Promise<number> {
  const { made } = await db.selectFrom('attempts').select(({ fn }) => fn.countAll<number>().as('made')).where('begunAt', '>', at).where(counts).executeTakeFirstOrThrow()
  return Number(made)
}

/** How long the two talked; null: they did not, or the clock was put back meanwhile. */
function secondsOf({ joinedAt, endedAt, partedAt = endedAt }: Result) {
  return joinedAt === null || partedAt === null || partedAt < joinedAt ? null : Math.round((partedAt - joinedAt) / 1000)
}

const hour = 3_600_000

/** The priority of most: calling again makes nobody more urgent than that. */
const usual = 5

/** So many that are due at once are many. */
const many = 1_000

/**
 * Those due whose turn it is, in order. Few are found by their time, among however many wait; of many, each agency's first ones
 * are found by their rank.
 */
async function firstDue(db: Db, kind: StoreKind, now: number, free: ReadonlyMap<string, number>, most: number, busy: ReadonlySet<string>): Promise<FollowUp[]> {
  const withLines = [...free].filter(([, lines]) => lines > 0)
  if (withLines.length === 0) return []
  const due = db.selectFrom('followups').where('followups.state', '=', 'open').where('dueAt', '<=', now)
  const reachable = due.selectAll().where('cli', 'not in', anyOf(kind, [...busy]))
    .where(({ not, exists, selectFrom }) => not(exists(selectFrom('attempts').select('attempts.cli').whereRef('attempts.cli', '=', 'followups.cli').where('attempts.state', '<>', 'ended'))))
  const { count } = await db.selectFrom(due.select('dueAt').limit(many).as('due')).select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
  if (Number(count) < many) {
    const all = Map.groupBy((await reachable.execute()).sort(inTurn), ({ rings }) => rings)
    return withLines.flatMap(([rings, lines]) => all.get(rings)?.slice(0, lines) ?? []).sort(inTurn)
  }
  const [one, ...more] = withLines.map(([rings, lines]) =>
    db.selectFrom(reachable.where('rings', '=', rings).orderBy('priority').orderBy('arrivedAt').limit(Math.min(lines, most)).as('theirs')).selectAll())
  return db.selectFrom(more.reduce((all, theirs) => all.unionAll(theirs), one!).as('due')).selectAll().orderBy('priority').orderBy('arrivedAt').limit(most).execute()
}

const inTurn = (a: FollowUp, b: FollowUp) => a.priority - b.priority || a.arrivedAt - b.arrivedAt
