/**
 * Agencies' own systems are told what concerns them. No call waits for it: events are made from what the store has of the
 * ledger and of the follow-ups' history, up to a mark in the store, in one transaction with that mark; so a crash loses none
 * and numbers none twice. BullMQ has them delivered; what cannot be, ends in the list of the dead.
 */
import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import type { Logger } from 'pino'
import { Rounds } from '../calls/rounds.ts'
import { pauseAfter, type Retry } from '../delivery/courier.ts'
import { post } from '../delivery/post.ts'
import { attemptOf } from '../followups/attempt.ts'
import { milliseconds } from '../plan/duration.ts'
import { deskOf } from '../plan/follow-up-policy.ts'
import { agencies, isAnonymous, type Plan } from '../plan/plan.ts'
import type { WebhookEvent } from '../plan/schema-webhook.ts'
import type { Delivery } from '../records/delivery.ts'
import type { Records } from '../records/records.ts'
import { toStep, type StepRow, type Tables } from '../records/tables.ts'
import { measuring, ofFollowUp, ofStep, telling, type Change, type Event } from './events.ts'

type Db = Transaction<Tables>

export interface WebhooksOptions {
  /** The local store. */
  records: Records
  plan: () => Plan
  secrets: (agency: string) => Promise<string[]>
  retry: Retry
  /** Takes ids that it may know already; rejects where the queue is away. */
  queue: (ids: string[]) => Promise<void>
  ready: () => boolean
  /** Whether the store has what the ledger told at this start; true if left out. */
  whole?: () => boolean
  /** Nobody is told anything, not even that we live. */
  held?: () => boolean
  log: Logger
}

export const webhookTries: Retry = { tries: 10, pause: 2_000 }
const often = milliseconds(250)
const seldom = milliseconds(1000)
const beat = 60_000
/** What happened longer ago is not told any more, ms: nobody's screen needs it. */
const tooOld = 24 * 3_600_000
/** How many of an agency's events may be on their way at once; each is sent after the one before. */
const atOnce = 5
/** How long an event is kept once it is delivered, and once it is dead, ms. */
const keep = { delivered: 24 * 3_600_000, dead: 30 * 24 * 3_600_000 }
const noWebhook = 'the plan names no webhook of this agency'
const marks = { steps: 'webhooks steps', followUps: 'webhooks follow-ups' }

export class Webhooks {
  readonly #options: WebhooksOptions
  readonly #rounds: Rounds
  /** By agency: what is being sent, one after the other. */
  readonly #turns = new Map<string, Promise<void>>()
  /** Agencies whose system did not answer the last time. */
  readonly #away = new Set<string>()
  #beatAt = Date.now()
  #sweptAt = 0

  constructor(options: WebhooksOptions) {
    this.#options = options
    this.#rounds = new Rounds({ look: () => this.look(Date.now()), every: () => this.#receivers().size > 0 ? often : seldom, what: 'webhooks', log: options.log })
  }

  start() {
    this.#rounds.start()
  }

  async close() {
    await this.#rounds.close()
  }

  /** One look, at a time (Unix ms): what has happened, what is due, and the minute's heartbeat. */
  async look(now: number): Promise<void> {
    if (this.#options.whole?.() ?? true) while (await this.#make(now) > 0 && !this.#rounds.closing.aborted);
    if (this.#options.ready()) await this.#queueDue(now)
    if (!this.#options.held?.() && Math.abs(now - this.#beatAt) >= beat) {
      this.#beatAt = now
      void this.#beat(now)
    }
    if (Math.abs(now - this.#sweptAt) >= 3_600_000) {
      this.#sweptAt = now
      await this.#sweep(now)
    }
  }

  /** Forgets what is long over; what an agency was to be told whom the plan tells nothing any more, is dead. */
  async #sweep(now: number) {
    const { db } = this.#options.records
    for (const state of ['delivered', 'dead'] as const) await db.deleteFrom('deliveries').where('state', '=', state).where('endedAt', '<', now - keep[state]).execute()
    await db.updateTable('deliveries').set({ state: 'dead', endedAt: now, why: noWebhook }).where('state', '=', 'waiting').where('agency', 'not in', ['', ...this.#receivers().keys()]).execute()
  }

  /** The agencies that are told something, each with what. */
  #receivers(): Map<string, { url: string, events: readonly WebhookEvent[] }> {
    return new Map(agencies(this.#options.plan()).flatMap(({ id, webhook }) => webhook ? [[id, webhook]] : []))
  }

  /** Makes events of what is new in the store; how many lines of it were looked at. */
  async #make(now: number): Promise<number> {
    const receivers = this.#receivers()
    const plan = this.#options.plan()
    return this.#options.records.db.transaction().execute(async db => {
      const from = { steps: await markOf(db, marks.steps), followUps: await markOf(db, marks.followUps) }
      // What happened before anybody was told anything is passed over.
      if (receivers.size === 0 || from.steps === undefined || from.followUps === undefined) {
        const { seq } = await db.selectFrom('steps').select(({ fn }) => fn.max('seq').as('seq')).executeTakeFirstOrThrow()
        const { id } = await db.selectFrom('followupEvents').select(({ fn }) => fn.max('id').as('id')).executeTakeFirstOrThrow()
        await setMark(db, marks.steps, Number(seq ?? 0), from.steps)
        await setMark(db, marks.followUps, Number(id ?? 0), from.followUps)
        return 0
      }
      const rows = await db.selectFrom('steps').selectAll().where('seq', '>', from.steps).orderBy('seq').limit(200).execute()
      const changes = await db.selectFrom('followupEvents').select(['id', 'followupId', 'what', 'at']).where('id', '>', from.followUps).orderBy('id').limit(200).execute()
      if (rows.length + changes.length === 0) return 0
      const events = [...await eventsOfSteps(db, rows), ...await eventsOfChanges(db, changes, deskOf(this.#options.plan()))]
      await this.#keep(db, events.filter(({ agency, type, at }) => receivers.get(agency)?.events.includes(type) && now - at < tooOld).map(event => hidden(plan, event)).sort((a, b) => a.at - b.at), now)
      await setMark(db, marks.steps, rows.at(-1)?.seq ?? from.steps, from.steps)
      await setMark(db, marks.followUps, changes.at(-1)?.id ?? from.followUps, from.followUps)
      return rows.length + changes.length
    })
  }

  /** Each gets its agency's next number; what was told already gets none. */
  async #keep(db: Db, events: Event[], now: number) {
    for (const [agency, its] of Map.groupBy(events, ({ agency }) => agency)) {
      const counter = `webhooks ${agency}`
      const before = await markOf(db, counter)
      let sequence = before ?? 0
      for (const { type, key, at, data } of its) {
        const { numInsertedOrUpdatedRows } = await db.insertInto('deliveries').values({
          id: `evt_${randomUUID()}`, agency, sequence: sequence + 1, key: `${type} ${key}`, type, at, data: JSON.stringify(data), state: 'waiting', tries: 0, madeAt: now, dueAt: now, endedAt: null, why: null
        }).onConflict(conflict => conflict.columns(['agency', 'key']).doNothing()).executeTakeFirst()
        if (numInsertedOrUpdatedRows === 1n) sequence++
      }
      await setMark(db, counter, sequence, before)
    }
  }

  async #queueDue(now: number) {
    const { db } = this.#options.records
    for (const agency of this.#receivers().keys()) {
      // While nobody answers there, the few that are tried are enough: the rest waits here, in order. What is due again is tried by nobody: the queue has lost it.
      const tried = this.#away.has(agency) ? await db.selectFrom('deliveries').select('id').where('state', '=', 'waiting').where('agency', '=', agency).where('tries', '>', 0).where('dueAt', '>', now).limit(atOnce).execute() : []
      const due = await db.selectFrom('deliveries').select('id').where('state', '=', 'waiting').where('agency', '=', agency).where('dueAt', '<=', now).orderBy('sequence').limit(atOnce - tried.length).execute()
      if (due.length > 0) await this.#options.queue(due.map(({ id }) => id))
    }
  }

  /** Delivers one, after those of the same agency that are being delivered. Rejects where it is to be tried again. */
  async deliver(id: string): Promise<void> {
    const found = await this.#options.records.db.selectFrom('deliveries').select('agency').where('id', '=', id).executeTakeFirst()
    if (!found) return
    const { agency } = found
    const turn = (this.#turns.get(agency) ?? Promise.resolve()).then(() => this.#try(id))
    this.#turns.set(agency, turn.catch(() => {}))
    return turn
  }

  async #try(id: string): Promise<void> {
    const { records: { db }, retry, log, secrets } = this.#options
    this.#rounds.closing.throwIfAborted()
    const event = await db.selectFrom('deliveries').selectAll().where('id', '=', id).where('state', '=', 'waiting').executeTakeFirst()
    if (!event) return
    const { agency, sequence, type } = event
    const hook = this.#receivers().get(agency)
    const failure = hook ? await this.#post(hook.url, await secrets(agency), id, bodyOf(event)) : { why: noWebhook, away: false }
    const now = Date.now()
    if (!failure) {
      this.#away.delete(agency)
      await db.updateTable('deliveries').set({ state: 'delivered', tries: event.tries + 1, endedAt: now, why: null }).where('id', '=', id).execute()
      return
    }
    const { why } = failure
    if (failure.away) this.#away.add(agency)
    const tries = event.tries + 1
    if (hook && tries < retry.tries) {
      await db.updateTable('deliveries').set({ tries, why, dueAt: now + 2 * pauseAfter(retry, tries) + 60_000 }).where('id', '=', id).execute()
      throw new Error(why)
    }
    await db.updateTable('deliveries').set({ state: 'dead', tries, why, endedAt: now }).where('id', '=', id).execute()
    log.error({ agency, sequence, type, why }, 'an event could not be delivered to the agency\'s system; it is on the list of the dead')
  }

  /** Undefined: it was taken. `away`: others would fare no better. */
  async #post(url: string, secrets: string[], id: string, body: string): Promise<{ why: string, away: boolean } | undefined> {
    try {
      const { status } = await post({ url, secrets, id, body, signal: this.#rounds.closing })
      return status >= 200 && status < 300 ? undefined : { why: `HTTP ${status}`, away: status === 429 || status > 500 }
    } catch (error) {
      this.#rounds.closing.throwIfAborted()          // nobody knows: as if we had been killed
      return { why: (error as Error).message.slice(0, 200), away: true }
    }
  }

  /** Tells that we live, once: a heartbeat that comes late is none. */
  async #beat(now: number) {
    const { records: { db }, secrets, log, plan } = this.#options
    await Promise.all([...this.#receivers()].map(async ([agency, { url, events }]) => {
      if (!events.includes('heartbeat')) return
      try {
        const last = await db.selectFrom('watermarks').select('value').where('name', '=', `webhooks ${agency}`).executeTakeFirst()
        const failure = await this.#post(url, await secrets(agency), `hb_${randomUUID()}`, bodyOf({ type: 'heartbeat', at: now, agency, sequence: null, data: JSON.stringify({ lastSequence: Number(last?.value ?? 0), plan: plan().version }) }))
        if (failure) log.info({ agency, why: failure.why }, 'a heartbeat was not taken by the agency\'s system')
        else this.#away.delete(agency)
      } catch (error) {
        if (!this.#rounds.closing.aborted) log.warn({ err: error, agency }, 'a heartbeat was not sent')
      }
    }))
  }

  /** For the metrics: how many there are in each state. */
  async figures(): Promise<{ what: 'webhook', state: string, count: number }[]> {
    const rows = await this.#options.records.db.selectFrom('deliveries').select('state').select(({ fn }) => fn.countAll<number>().as('count')).groupBy('state').execute()
    return rows.map(({ state, count }) => ({ what: 'webhook', state, count: Number(count) }))
  }

  /** What could not be delivered, newest first. */
  async dead({ agency, limit }: { agency?: string, limit: number }): Promise<Delivery[]> {
    const dead = this.#options.records.db.selectFrom('deliveries').selectAll().where('state', '=', 'dead').orderBy('endedAt', 'desc').orderBy('sequence', 'desc').limit(limit)
    return (agency === undefined ? dead : dead.where('agency', '=', agency)).execute()
  }

  /** Has one that is dead, or all of an agency, delivered anew: with the same id and number. How many. */
  async redeliver(which: { id: string } | { agency: string }): Promise<number> {
    const update = this.#options.records.db.updateTable('deliveries').set({ state: 'waiting', tries: 0, dueAt: Date.now(), endedAt: null }).where('state', '=', 'dead')
    const { numUpdatedRows } = await ('id' in which ? update.where('id', '=', which.id) : update.where('agency', '=', which.agency)).executeTakeFirst()
    return Number(numUpdatedRows)
  }
}

/** What is posted; docs/webhooks.md has one of each. */
export function bodyOf({ type, at, agency, sequence, data }: Pick<Delivery, 'type' | 'at' | 'agency' | 'data'> & { sequence: number | null }): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), agency, ...sequence === null ? {} : { sequence }, data: JSON.parse(data) as object })
}

/** Without the caller's number, where the plan says so of the agency. */
const hidden = (plan: Plan, event: Event): Event => isAnonymous(plan, event.agency) ? { ...event, data: { ...event.data, number: null } } : event

async function eventsOfSteps(db: Db, rows: StepRow[]): Promise<Event[]> {
  const told = rows.filter(({ kind }) => telling.has(kind))
  const callIds = [...new Set(told.map(({ callId }) => callId))]
  if (callIds.length === 0) return []
  const calls = await db.selectFrom('calls').selectAll().where('callId', 'in', callIds).execute()
  const all = await db.selectFrom('steps').selectAll().where('callId', 'in', callIds).where('kind', 'in', [...measuring, ...telling]).orderBy('at').orderBy('seq').execute()
  const ofCallbacks = callIds.flatMap(callId => attemptOf(callId)?.followUp ?? [])
  const followUps = ofCallbacks.length === 0 ? [] : await db.selectFrom('followups').selectAll().where('id', 'in', ofCallbacks).execute()
  return told.flatMap(row => ofStep(toStep(row), {
    call: calls.find(({ callId }) => callId === row.callId), followUp: followUps.find(({ id }) => id === attemptOf(row.callId)?.followUp),
    steps: all.filter(({ callId }) => callId === row.callId).map(toStep)
  }))
}

async function eventsOfChanges(db: Db, changes: (Change & { followupId: string })[], desk: string): Promise<Event[]> {
  if (changes.length === 0) return []
  const ids = [...new Set(changes.map(({ followupId }) => followupId))]
  const followUps = await db.selectFrom('followups').selectAll().where('id', 'in', ids).execute()
  const calls = await db.selectFrom('followupEvents').select(['id', 'followupId', 'facts']).where('followupId', 'in', ids).where('what', '=', 'call-now').orderBy('id').execute()
  const rung = Map.groupBy(calls.flatMap(({ id, followupId, facts }) => {
    const { agency } = JSON.parse(facts) as { agency?: string }
    return agency === undefined ? [] : [{ id, followupId, agency }]
  }), ({ followupId }) => followupId)
  return changes.flatMap(change => followUps.filter(({ id }) => id === change.followupId).flatMap(followUp => ofFollowUp(followUp, change, rung.get(followUp.id) ?? [], desk)))
}

async function markOf(db: Db, name: string): Promise<number | undefined> {
  const row = await db.selectFrom('watermarks').select('value').where('name', '=', name).executeTakeFirst()
  return row && Number(row.value)
}

async function setMark(db: Db, name: string, value: number, before: number | undefined) {
  if (value === before) return
  await db.insertInto('watermarks').values({ name, value: String(value) }).onConflict(conflict => conflict.column('name').doUpdateSet({ value: String(value) })).execute()
}
