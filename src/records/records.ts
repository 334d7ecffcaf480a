/** The store: every step of every call, and the record that each call's steps add up to. SQLite or PostgreSQL, one code. */
import { EventEmitter } from 'node:events'
import { CamelCasePlugin, Kysely, Migrator, sql, type Transaction } from 'kysely'
import type { Logger } from 'pino'
import { neverAcknowledged, type Disposition, type Owner, type Step, type Way } from '../calls/story.ts'
import { lines, tell, type LineTry } from '../calls/tell.ts'
import { checkAudit, readAudit, writeAudit, type AuditQuery } from './audit-trail.ts'
import { stepsOf, storeCalls, storeSteps } from './bulk.ts'
import { fromCursor, toCursor } from './cursor.ts'
import { plainly } from './faults.ts'
import { migrations, type StoreKind } from './migrations.ts'
import { addressOf, postgres } from './postgres.ts'
import { sqlite, type SqliteDialect } from './sqlite.ts'
import { text, toRow, toStep, type OutboxItem, type SignedBy, type StoredCall, type Tables, type Watermark } from './tables.ts'

/** A SQLite file, or a PostgreSQL database (`postgres://user:password@host:port/database`). */
export type Where = { file: string } | { url: string }

export interface AppendOptions {
  /** Set in the same transaction: after a crash, reading on from it loses nothing and repeats little. */
  watermark?: Watermark | readonly Watermark[]
  /** The service plan's version for a call whose version is not stored yet. */
  plan?: (callId: string) => string | null
  /** false where another store already owes the follow-up (the relay's target). Default true. */
  outbox?: boolean
}

/** `from` is included, `to` is not; both are Unix ms of the arrival. */
export interface ListQuery {
  from?: number
  to?: number
  agency?: string
  disposition?: Disposition
  cursor?: string
  limit: number
}

/** Dispositions after which somebody is owed a call back. */
const missed: readonly Disposition[] = ['abandoned', 'unanswered', 'failed', 'callback']
/** The two were cut off: by us (Asterisk died), or since the caller's sound stopped, and with it perhaps their telephone. They are owed a call, too. */
const cutOffBy: readonly (Owner | null)[] = ['us', 'carrier']
export const cutOff = ({ disposition, endedBy }: StoredCall) => disposition === 'answered' && cutOffBy.includes(endedBy)

/** How long a follow-up may take to be opened, ms: longer than the service takes to be started again. After that somebody is forgotten. */
const opening = 5 * 60_000

/**
 * Whether the service was there for a call: it had a hand in it, or the caller left before anybody could have. Asterisk waits for up to half a second for the
 * caller's sound before it hands the call over. (The dialplan would have taken it, and said so, were the service away.)
 */
export const served = sql<boolean | number>`(exists (select seq from steps where steps.call_id = calls.call_id and witness = 'service')
  or (ended_at - arrived_at < 3000 and not exists (select seq from steps where steps.call_id = calls.call_id and steps.kind in ('menu', 'agency', 'mailbox'))))`

/** Calls and steps that share a transaction's time: one writer after the other, so that none refolds on half the steps. */
const writersLock = 112

export class Records implements AsyncDisposable {
  /** For the tables of others (follow-ups); reading and writing calls goes through the methods. */
  readonly db: Kysely<Tables>
  /** The file, or the server and database; no password in it. */
  readonly address: string
  readonly kind: StoreKind
  readonly #sqlite: SqliteDialect | undefined
  readonly #damage = new EventEmitter<{ seen: [Error] }>()

  private constructor(where: Where, log: Logger) {
    this.kind = 'file' in where ? 'sqlite' : 'postgres'
    this.address = 'file' in where ? where.file : addressOf(where.url)
    this.#sqlite = 'file' in where ? sqlite(where.file, { onDamage: error => this.#damage.emit('seen', error) }) : undefined
    const dialect = 'url' in where ? postgres(where.url, log) : this.#sqlite!
    this.db = new Kysely<Tables>({ dialect, plugins: [new CamelCasePlugin()] })
  }

  /** A store that need not be there yet: nothing is opened before the first question. `migrate` is the caller's duty. */
  static at(where: Where, log: Logger): Records {
    return new Records(where, log)
  }

  /** Opens the store and brings its tables up to date. Throws, with the store's address and a reason, if it cannot. */
  static async open(where: Where, log: Logger): Promise<Records> {
    const records = Records.at(where, log)
    try {
      await records.migrate()
      return records
    } catch (error) {
      await records[Symbol.asyncDispose]().catch(() => {})
      const hint = 'file' in where ? 'does its folder exist, and may this user write there?' : 'is the server up, and are its name, user and password right?'
      throw new Error(`cannot open the store ${records.address}: ${plainly(error).reason} (${hint})`, { cause: error })
    }
  }

  /** Brings the tables up to date; may run on every start, and on several nodes at once. */
  async migrate(): Promise<void> {
    const { error } = await new Migrator({ db: this.db, provider: { getMigrations: async () => migrations(this.kind) } }).migrateToLatest()
    if (error) throw error
  }

  /** Hears each time that the store's file shows itself damaged. */
  onDamage(listener: (error: Error) => void) {
    this.#damage.on('seen', listener)
  }

  /** Does work while nobody else has the connection. `close` lets go of the file, so that another one can take its place. SQLite alone. */
  alone(work: (db: Kysely<Tables>, close: () => Promise<void>) => Promise<void>): Promise<void> {
    return this.db.connection().execute(db => work(db, async () => this.#sqlite?.close()))
  }

  /**
   * Stores steps and retells the calls that they belong to, all or nothing. A step that is known already changes
   * nothing. A call that has thereby ended without a human is put into the outbox (`missed-call`), once.
   */
  async append(steps: readonly Step[], { watermark = [], plan = () => null, outbox = true }: AppendOptions = {}): Promise<void> {
    const rows = steps.map(toRow)
    const marks = [watermark].flat()
    if (rows.length + marks.length === 0) return
    await this.db.transaction().execute(async db => {
      if (this.kind === 'postgres') await sql`select pg_advisory_xact_lock(${writersLock})`.execute(db)
      if (rows.length > 0) {
        await storeSteps(db, this.kind, rows)
        await retell(db, this.kind, [...new Set(rows.map(row => row.callId))], plan, outbox)
      }
      for (const { name, value } of marks) {
        await db.insertInto('watermarks').values({ name, value })
          .onConflict(conflict => conflict.column('name').doUpdateSet({ value })).execute()
      }
    })
  }

  /** Newest first. `next` is the cursor of what follows, null at the end. Throws `BadCursor`. */
  async list({ from, to, agency, disposition, cursor, limit }: ListQuery): Promise<{ calls: StoredCall[], next: string | null }> {
    let query = this.db.selectFrom('calls').selectAll().orderBy('arrivedAt', 'desc').orderBy('callId', 'desc').limit(limit + 1)
    if (from !== undefined) query = query.where('arrivedAt', '>=', from)
    if (to !== undefined) query = query.where('arrivedAt', '<', to)
    if (agency !== undefined) query = query.where('agency', '=', text(agency))
    if (disposition !== undefined) query = query.where('disposition', '=', disposition)
    if (cursor !== undefined) {
      const { arrivedAt, callId } = fromCursor(cursor)
      query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('arrivedAt', 'callId'), '<', tuple(arrivedAt, callId)))
    }
    const found = await query.execute()
    const calls = found.slice(0, limit)
    return { calls, next: found.length > limit ? toCursor(calls.at(-1)!) : null }
  }

  /** One call with everything that is known of it; null where there is none of that id. */
  async get(callId: string): Promise<{ call: StoredCall, steps: Step[], lines: LineTry[] } | null> {
    const id = text(callId)
    const call = await this.db.selectFrom('calls').selectAll().where('callId', '=', id).executeTakeFirst()
    if (!call) return null
    const story = await this.steps(id)
    return { call, steps: story, lines: lines(story) }
  }

  /** The steps of one call, or of a callback (`followup-…`), in order of time. */
  async steps(callId: string): Promise<Step[]> {
    const rows = await this.db.selectFrom('steps').selectAll().where('callId', '=', text(callId)).orderBy('at').orderBy('seq').execute()
    return rows.map(toStep)
  }

  /** All steps of these calls, in no order. */
  async stepsOf(callIds: readonly string[]): Promise<Step[]> {
    return (await stepsOf(this.db, this.kind, callIds)).map(toStep)
  }

  /** Calls that have not ended, as far as is known; newest first, at most 1,000. */
  live(): Promise<StoredCall[]> {
    return this.db.selectFrom('calls').selectAll().where('endedAt', 'is', null).orderBy('arrivedAt', 'desc').limit(1_000).execute()
  }

  /** How the calls that arrived in a period ended, and whether the service had a hand in them. For the audit. */
  async outcomes(from: number, to: number): Promise<{ callId: string, disposition: Disposition | null, served: boolean, way: Way | null }[]> {
    const rows = await this.db.selectFrom('calls').select(['callId', 'disposition', 'way'])
      .select(served.as('served'))
      .where('arrivedAt', '>=', from).where('arrivedAt', '<', to).orderBy('arrivedAt').execute()
    return rows.map(row => ({ ...row, served: Boolean(row.served) }))
  }

  /** What became of those who were missed in a period: by state, and who was forgotten. For the audit. @param now Unix ms */
  async followedUp(from: number, to: number, now = Date.now()): Promise<{ states: Record<string, number>, forgotten: string[], unsigned: string[] }> {
    const rows = await this.db.selectFrom('calls')
      .leftJoin('followupCalls', 'followupCalls.callId', 'calls.callId').leftJoin('followups', 'followups.id', 'followupCalls.followupId')
      .leftJoin('outbox', join => join.onRef('outbox.callId', '=', 'calls.callId').on('outbox.topic', '=', 'missed-call').on('outbox.doneAt', 'is', null))
      .select(['calls.callId', 'followups.id', 'followups.state', 'followups.endedAt', 'followups.endedBy', 'outbox.madeAt as owedSince'])
      .where('calls.arrivedAt', '>=', from).where('calls.arrivedAt', '<', to)
      .where(({ or, and, eb }) => or([eb('calls.disposition', 'in', missed), and([eb('calls.disposition', '=', 'answered'), eb('calls.endedBy', 'in', cutOffBy)])])).execute()
    const where = ({ state, owedSince }: typeof rows[number]) => state ?? (owedSince !== null && now - owedSince <= opening ? 'being opened' : 'forgotten')
    const states: Record<string, number> = {}
    for (const row of rows) states[where(row)] = (states[where(row)] ?? 0) + 1
    return {
      states, forgotten: rows.filter(row => where(row) === 'forgotten').map(({ callId }) => callId),
      unsigned: rows.filter(({ endedAt, endedBy }) => endedAt !== null && !endedBy).map(({ id }) => id!)
    }
  }

  /** How many calls ended how, ever; and the outbox's depth. For the metrics. */
  async totals(): Promise<{ dispositions: { disposition: Disposition, calls: number }[], unacknowledged: number, owed: number }> {
    const rows = await this.db.selectFrom('calls').select('disposition').select(({ fn }) => fn.countAll().as('calls'))
      .where('disposition', 'is not', null).groupBy('disposition').execute()
    const { unacknowledged } = await this.db.selectFrom('calls').select(({ fn }) => fn.countAll().as('unacknowledged'))
      .where('disposition', '=', 'abandoned').where('detail', '=', neverAcknowledged).executeTakeFirstOrThrow()
    const { owed } = await this.db.selectFrom('outbox').select(({ fn }) => fn.countAll().as('owed')).where('doneAt', 'is', null).executeTakeFirstOrThrow()
    return { dispositions: rows.map(row => ({ disposition: row.disposition!, calls: Number(row.calls) })), unacknowledged: Number(unacknowledged), owed: Number(owed) }
  }

  async watermark(name: string): Promise<string | null> {
    const row = await this.db.selectFrom('watermarks').select('value').where('name', '=', name).executeTakeFirst()
    return row?.value ?? null
  }

  /** Notes that somebody has seen or done something that must be answered for. */
  async audit(who: string, what: string, callId: string | null, signedBy: SignedBy | null = null): Promise<void> {
    await writeAudit(this.db, this.kind, { at: Date.now(), who, what, callId, signedBy })
  }

  /** Who has seen or done what, newest first. Throws `BadCursor`. */
  audited(query: AuditQuery) {
    return readAudit(this.db, query)
  }

  /** Whether each entry of the audit is as it was written, and none is missing. */
  auditTrail() {
    return checkAudit(this.db)
  }

  /** What is owed and not done, oldest first. */
  async pendingOutbox(limit: number): Promise<OutboxItem[]> {
    const rows = await this.db.selectFrom('outbox').select(['id', 'topic', 'callId', 'payload', 'madeAt'])
      .where('doneAt', 'is', null).orderBy('id').limit(limit).execute()
    return rows.map(row => ({ ...row, payload: JSON.parse(row.payload) }))
  }

  async outboxDone(id: number): Promise<void> {
    await this.db.updateTable('outbox').set({ doneAt: Date.now() }).where('id', '=', id).where('doneAt', 'is', null).execute()
  }

  /** Steps in the order in which this store took them, after number `seq`; with the plan of their call. For the relay. */
  async after(seq: number, limit: number): Promise<{ seq: number, step: Step, plan: string | null }[]> {
    const rows = await this.db.selectFrom('steps').leftJoin('calls', 'calls.callId', 'steps.callId')
      .selectAll('steps').select('calls.plan').where('steps.seq', '>', seq).orderBy('steps.seq').limit(limit).execute()
    return rows.map(row => ({ seq: row.seq, step: toStep(row), plan: row.plan }))
  }

  /** Rejects where the store does not answer. */
  async ping(): Promise<void> {
    await sql`select 1`.execute(this.db)
  }

  /** How many steps came after number `seq`. */
  async stepsAfter(seq: number): Promise<number> {
    const { steps } = await this.db.selectFrom('steps').select(({ fn }) => fn.countAll().as('steps')).where('seq', '>', seq).executeTakeFirstOrThrow()
    return Number(steps)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.destroy()
  }
}

async function retell(db: Transaction<Tables>, kind: StoreKind, ids: string[], plan: (callId: string) => string | null, outbox: boolean) {
  const rows = await stepsOf(db, kind, ids)
  const stories = Map.groupBy(rows.map(toStep), step => step.callId)
  // One that came in a second time may have been taken for a call until the ledger said so.
  const repeated = [...stories].filter(([, steps]) => steps.some(({ kind }) => kind === 'repeat')).map(([callId]) => callId)
  if (repeated.length > 0) await db.deleteFrom('calls').where('callId', 'in', repeated).execute()
  const told = stories.values().map(tell).filter(call => call !== null)
  const calls = [...told].map(call => ({ ...call, plan: plan(call.callId) }))
  if (calls.length === 0) return
  await storeCalls(db, kind, calls)

  if (!outbox) return
  const owed = calls.filter(call => (call.disposition !== null && missed.includes(call.disposition)) || cutOff(call))
  if (owed.length > 0) await owe(db, 'missed-call', owed)
  // Whoever reaches somebody may have been owed a call.
  const spoken = calls.filter(({ cli, connectedAt, disposition }) => cli !== null && connectedAt !== null && disposition !== null)
  if (spoken.length === 0) return
  const awaited = new Set((await db.selectFrom('followups').select('cli').where('cli', 'in', spoken.map(({ cli }) => cli)).where('endedAt', 'is', null).execute()).map(({ cli }) => cli))
  const reached = spoken.filter(call => awaited.has(call.cli) && !cutOff(call))
  if (reached.length > 0) await owe(db, 'answered-call', reached)
}

async function owe(db: Transaction<Tables>, topic: string, calls: StoredCall[]) {
  await db.insertInto('outbox').values(calls.map(({ callId, disposition, detail, agency, arrivedAt }) => ({
    topic, callId, payload: JSON.stringify({ callId, disposition, detail, agency, arrivedAt }), madeAt: Date.now(), doneAt: null
  }))).onConflict(conflict => conflict.columns(['topic', 'callId']).doNothing()).execute()
}
