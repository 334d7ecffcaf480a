/**
 * What can still be read of a damaged store, row by row, and copied into a new one. A row counts only if each of its columns holds what it
 * should. Rows keep their numbers, so that marks of how far somebody has read stay true.
 */
import { Kysely, sql } from 'kysely'
import { isDamaged } from './faults.ts'
import { sqlite } from './sqlite.ts'

/** A store as its rows are, whatever they mean. */
type Raw = Kysely<any>
type Row = Record<string, unknown>
interface Column { name: string, type: string, notnull: number }

/** The tables whose rows tell what is owed, done and seen. */
export const small = ['watermarks', 'audit', 'followups', 'followup_calls', 'attempts', 'followup_events', 'messages', 'replies', 'deliveries', 'outbox'] as const
/** The tables of calls. They can be large. */
export const large = ['calls', 'steps'] as const
/** The tables whose rows are numbered. No number is used twice. */
const numbered = ['steps', 'audit', 'followup_events', 'outbox'] as const
/** Columns that hold JSON. */
const json: Record<string, string | undefined> = { steps: 'facts', followup_events: 'facts', outbox: 'payload', deliveries: 'data' }
/** Marks that do not hold for the new store. */
const notOurs = ['ledger', 'remade']
const atOnce = 500

/** Opens a damaged file, to be read only. */
export const damagedStore = (file: string): Raw => new Kysely<any>({ dialect: sqlite(file, { readOnly: true }) })

/** Copies what can be read of a table after row number `after`, a piece at a time; says up to which row it has come, and how many rows it has copied. */
export async function* copyTable(from: Raw, to: Raw, table: string, after = 0): AsyncGenerator<{ upTo: number, copied: number, unreadable: boolean }> {
  const { rows: columns } = await sql<Column>`select name, type, "notnull" from pragma_table_info(${table})`.execute(to)
  for await (const { rows, upTo, unreadable } of readable(from, table, after)) {
    const sound = rows.filter(row => isSound(table, columns, row) && !(table === 'watermarks' && notOurs.includes(String(row['name']))))
    await insert(to, table, columns.map(({ name }) => name).filter(name => rows[0] && name in rows[0]), sound)
    yield { upTo, copied: sound.length, unreadable: unreadable || rows.some(row => !isSound(table, columns, row)) }
  }
}

/** Has each numbered table of the new store go on after the numbers of the old one. */
export async function numberOn(from: Raw, to: Raw): Promise<void> {
  const marks = await ask<{ name: string, value: string }>(to, sql`select name, value from watermarks`) ?? []
  const seen = (mark: RegExp) => marks.flatMap(({ name, value }) => mark.test(name) && Number.isSafeInteger(Number(value)) ? [Number(value)] : [])
  const marked: Record<string, number[]> = { steps: seen(/^(relay .*|webhooks steps)$/), followup_events: seen(/^(messages|webhooks follow-ups)$/) }
  for (const table of numbered) {
    const last = Math.max(await lastRow(from, table) ?? 0, await lastRow(to, table) ?? 0, ...marked[table] ?? [])
    await sql`delete from sqlite_sequence where name = ${table}`.execute(to)
    await sql`insert into sqlite_sequence (name, seq) values (${table}, ${last})`.execute(to)
  }
}

/** The rows of a table in order of their numbers. Where a piece cannot be read, it looks for the next one that can. */
async function* readable(store: Raw, table: string, after: number): AsyncGenerator<{ rows: Row[], upTo: number, unreadable: boolean }> {
  const last = await lastRow(store, table) ?? 2 ** 40
  let unreadable = false
  for (;;) {
    let rows = await piece(store, table, after, atOnce)
    rows ??= await piece(store, table, after, 1)
    if (rows?.length === 0) break
    if (rows) {
      after = rows.at(-1)!['sn_row'] as number
      yield { rows, upTo: after, unreadable }
      unreadable = false
      continue
    }
    unreadable = true
    const next = await nextReadable(store, table, after, last)
    if (next === undefined) break
    after = next
  }
  if (unreadable) yield { rows: [], upTo: after, unreadable }
}

/** A row number after which rows can be read again; undefined: there is none. */
async function nextReadable(store: Raw, table: string, after: number, last: number): Promise<number | undefined> {
  let bad = after
  for (let step = 1; ; step *= 2) {
    if (bad > last) return undefined
    const good = after + step
    if (!await piece(store, table, good, 1)) {
      bad = good
      continue
    }
    let [low, high] = [bad, good]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (await piece(store, table, middle, 1)) high = middle
      else low = middle
    }
    return high
  }
}

const piece = (store: Raw, table: string, after: number, limit: number) =>
  ask<Row>(store, sql`select rowid as sn_row, * from ${sql.raw(table)} where rowid > ${after} order by rowid limit ${sql.raw(String(limit))}`)

async function lastRow(store: Raw, table: string): Promise<number | undefined> {
  const [row] = await ask<{ last: number | null }>(store, sql`select max(rowid) as last from ${sql.raw(table)}`) ?? []
  if (row) return row.last ?? 0
  const [sequence] = await ask<{ seq: number }>(store, sql`select seq from sqlite_sequence where name = ${table}`) ?? []
  return sequence?.seq
}

/** undefined: it cannot be read, or is not there. */
async function ask<T>(store: Raw, question: ReturnType<typeof sql>): Promise<T[] | undefined> {
  try {
    return (await question.execute(store)).rows as T[]
  } catch (error) {
    if (isDamaged(error) || (error as { errcode?: number }).errcode === 1) return undefined
    throw error
  }
}

function isSound(table: string, columns: readonly Column[], row: Row): boolean {
  const whole = columns.every(({ name, type, notnull }) => {
    const value = row[name] ?? null
    if (value === null) return notnull === 0
    return typeof value === (/int/i.test(type) ? 'number' : 'string')
  })
  return whole && isJson(row[json[table] ?? ''])
}

function isJson(value: unknown): boolean {
  if (typeof value !== 'string') return true
  try {
    JSON.parse(value)
    return true
  } catch {
    return false
  }
}

/** One that is there already stays as it is. */
async function insert(to: Raw, table: string, columns: readonly string[], rows: readonly Row[]) {
  if (rows.length === 0) return
  const names = sql.raw(columns.map(name => `"${name}"`).join(', '))
  const values = sql.raw(columns.map((_, at) => `value->>${at}`).join(', '))
  const json = JSON.stringify(rows.map(row => columns.map(name => row[name])))
  await sql`insert or ignore into ${sql.raw(table)} (${names}) select ${values} from json_each(${json})`.execute(to)
}
