/**
 * The table `audit`: who has seen or done what must be answered for. Each entry holds a sum (SHA-256) of itself and of the sum before it, and
 * the last sum stands in `watermarks`, too: an entry that somebody changes or deletes shows.
 */
import { createHash } from 'node:crypto'
import { sql, type Kysely } from 'kysely'
import { BadCursor, fromCursor, toCursor } from './cursor.ts'
import type { StoreKind } from './migrations.ts'
import { text, type SignedBy, type Tables } from './tables.ts'

export interface AuditEntry {
  /** Unix ms. */
  at: number
  who: string
  what: string
  callId: string | null
  signedBy: SignedBy | null
}

/** `from` is included, `to` is not; both are Unix ms. */
export interface AuditQuery {
  from?: number
  to?: number
  who?: string
  callId?: string
  cursor?: string
  limit: number
}

export interface Trail {
  entries: number
  /** The sum of the last entry: where it is written down elsewhere, nobody can make the whole trail anew. null: there is none. */
  head: string | null
  /** Entries, by number, that were changed, or before which one is missing. */
  broken: number[]
  /** The newest entries are missing. */
  cut: boolean
}

/** The name of the last sum among the watermarks. */
const mark = 'audit'
/** So many entries are summed up without a pause. */
const atOnce = 500
/** One writer after the other (PostgreSQL). */
const writersLock = 113

export const sumOf = (before: string | null, { at, who, what, callId, signedBy }: AuditEntry) =>
  createHash('sha256').update(JSON.stringify([before, at, who, what, callId, signedBy])).digest('hex')

export async function writeAudit(db: Kysely<Tables>, kind: StoreKind, { who, what, callId, ...entry }: AuditEntry): Promise<void> {
  const row = { ...entry, who: text(who), what: text(what), callId: callId === null ? null : text(callId) }
  await db.transaction().execute(async db => {
    if (kind === 'postgres') await sql`select pg_advisory_xact_lock(${writersLock})`.execute(db)
    const sum = sumOf(await lastSum(db), row)
    await db.insertInto('audit').values({ ...row, sum }).execute()
    await db.insertInto('watermarks').values({ name: mark, value: sum }).onConflict(conflict => conflict.column('name').doUpdateSet({ value: sum })).execute()
  })
}

/** Newest first, with the caller's number where the call is known. `next` is the cursor of what follows. Throws `BadCursor`. */
export async function readAudit(db: Kysely<Tables>, { from, to, who, callId, cursor, limit }: AuditQuery): Promise<{ entries: (AuditEntry & { id: number, cli: string | null })[], next: string | null }> {
  let query = db.selectFrom('audit').leftJoin('calls', 'calls.callId', 'audit.callId')
    .select(['audit.id', 'audit.at', 'audit.who', 'audit.what', 'audit.callId', 'audit.signedBy', 'calls.cli']).orderBy('audit.id', 'desc').limit(limit + 1)
  if (from !== undefined) query = query.where('audit.at', '>=', from)
  if (to !== undefined) query = query.where('audit.at', '<', to)
  if (who !== undefined) query = query.where('audit.who', '=', text(who))
  if (callId !== undefined) query = query.where('audit.callId', '=', text(callId))
  if (cursor !== undefined) query = query.where('audit.id', '<', idIn(cursor))
  const found = await query.execute()
  const entries = found.slice(0, limit)
  const last = entries.at(-1)
  return { entries, next: found.length > limit && last ? toCursor({ arrivedAt: last.at, callId: String(last.id) }) : null }
}

function idIn(cursor: string): number {
  const { callId: id } = fromCursor(cursor)
  if (!/^\d{1,15}$/.test(id)) throw new BadCursor('This cursor is of another list: start again without one.')
  return Number(id)
}

/** Sums up the whole trail anew. */
export async function checkAudit(db: Kysely<Tables>): Promise<Trail> {
  const last = await lastSum(db)                 // what is written from now on comes after it
  const trail: Trail = { entries: 0, head: null, broken: [], cut: last !== null }
  for (let after = 0; ;) {
    const rows = await db.selectFrom('audit').selectAll().where('id', '>', after).orderBy('id').limit(atOnce).execute()
    for (const { id, sum, ...entry } of rows) {
      if (sum !== sumOf(trail.head, entry)) trail.broken.push(id)
      trail.entries++
      trail.head = sum
      if (sum === last) trail.cut = false
      after = id
    }
    if (rows.length < atOnce) return trail
  }
}

/** For the migration: gives a sum to the entries of before. */
export async function sealAudit(db: Kysely<Tables>): Promise<void> {
  let before: string | null = null
  for (const { id, sum: _, ...entry } of await db.selectFrom('audit').selectAll().orderBy('id').execute()) {
    before = sumOf(before, entry)
    await db.updateTable('audit').set({ sum: before }).where('id', '=', id).execute()
  }
  if (before !== null) await db.insertInto('watermarks').values({ name: mark, value: before }).execute()
}

async function lastSum(db: Kysely<Tables>): Promise<string | null> {
  return (await db.selectFrom('watermarks').select('value').where('name', '=', mark).executeTakeFirst())?.value ?? null
}
