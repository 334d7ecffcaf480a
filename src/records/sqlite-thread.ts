/**
 * The thread that holds the SQLite file. `node:sqlite` is synchronous: here a slow disk, a lock or an fsync stops
 * nobody but itself, and the service's loop (calls, the heartbeat) goes on.
 */
import { openSync, closeSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'

export type Question = { id: number, sql: string, parameters: SQLInputValue[] } | 'close'
export interface Answer {
  id: number
  /** The rows' columns, by name. Names go once, and not with each row: threads copy what they tell each other. */
  columns?: readonly string[]
  rows?: SQLOutputValue[][]
  changes?: number | bigint
  error?: { message: string, code?: string, errcode?: number }
}

// This thread alone (Linux): where there is more to do than cores, a caller who waits goes before a record that is written.
setPriority(0, 5)

const port = parentPort!
let database: DatabaseSync | undefined
/** Statements by their text: the same few come all the time. */
const prepared = new Map<string, { statement: StatementSync, columns: string[] }>()

// Opened by the first question that succeeds in it: a file that could not be opened yet is tried again by the next.
function open({ file, patience, readOnly }: { file: string, patience: number, readOnly: boolean }): DatabaseSync {
  if (readOnly) return new DatabaseSync(file, { readOnly, timeout: patience })
  if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600))   // holds callers' numbers: for our own eyes
  const opened = new DatabaseSync(file, { timeout: patience, enableForeignKeyConstraints: true })
  try {
    // An index by call or follow-up is hit all over: with room for its pages (8 MB), and written back less often, claims are a third faster.
    opened.exec('pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -8000; pragma wal_autocheckpoint = 4000')
    return opened
  } catch (error) {
    opened.close()
    throw error
  }
}

function ask({ sql, parameters }: Exclude<Question, 'close'>): Omit<Answer, 'id'> {
  database ??= open(workerData)
  // A full disk has ended the transaction already; saying so again would hide why.
  if (sql === 'rollback' && !database.isTransaction) return { rows: [] }
  const { statement, columns } = prepared.get(sql) ?? prepare(database, sql)
  // In arrays, though its type says otherwise: see `prepare`.
  if (columns.length > 0) return { columns, rows: statement.all(...parameters) as unknown as SQLOutputValue[][] }
  const { changes } = statement.run(...parameters)
  if (/^(alter|create|drop) /i.test(sql)) prepared.clear()      // their columns may be others now
  return { rows: [], changes }
}

function prepare(database: DatabaseSync, sql: string) {
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  const one = { statement, columns: statement.columns().map(({ name }) => name) }
  if (prepared.size > 100) prepared.clear()
  prepared.set(sql, one)
  return one
}

// IOERR, CORRUPT, CANTOPEN, NOTADB: the handle is worth nothing any more, the file perhaps still is.
const broken = new Set([10, 11, 14, 26])

function close() {
  prepared.clear()
  try {
    database?.close()
  } finally {
    database = undefined
  }
}

port.on('message', (question: Question) => {
  if (question === 'close') {
    close()
    port.close()
    return
  }
  try {
    port.postMessage({ id: question.id, ...ask(question) })
  } catch (error) {
    const { message, code, errcode } = error as Error & { code?: string, errcode?: number }
    if (broken.has((errcode ?? 0) & 0xff)) close()
    port.postMessage({ id: question.id, error: { message, code, errcode } })
  }
})
