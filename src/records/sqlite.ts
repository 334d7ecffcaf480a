/** SQLite for Kysely: `node:sqlite` in a thread of its own (sqlite-thread.ts), one connection, writers wait in turn. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import {
  CompiledQuery, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler,
  type DatabaseConnection, type Dialect, type Driver, type Kysely, type QueryResult
} from 'kysely'
import { isDamaged, storeThreadEnded } from './faults.ts'
import type { Answer, Question } from './sqlite-thread.ts'

/** How long SQLite waits for another process's lock before it says "database is locked", in ms. */
const lockPatience = 500

export interface SqliteOptions {
  /** Changes nothing, and makes no file. */
  readOnly?: boolean
  /** Hears each answer that says that the file is damaged. */
  onDamage?: (error: Error) => void
}

/** `close` lets go of the file: only for whoever has the connection. The next question opens what is there by then. */
export type SqliteDialect = Dialect & { close(): Promise<void> }

/** The dialect for one file. WAL; `synchronous=FULL`: what was committed survives a power cut. */
export function sqlite(file: string, options: SqliteOptions = {}): SqliteDialect {
  const connection = new SqliteConnection(file, options)
  return {
    close: () => connection.close(),
    createDriver: () => new SqliteDriver(connection),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new Adapter(),
    createIntrospector: (db: Kysely<any>) => new SqliteIntrospector(db)
  }
}

/** A migration happens whole or not at all: SQLite's DDL is transactional, whatever Kysely's default says. */
class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl() { return true }
}

class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection
  #turn: Promise<void> = Promise.resolve()
  #release = () => {}

  constructor(connection: SqliteConnection) { this.#connection = connection }

  async init() {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const before = this.#turn
    this.#turn = before.then(() => promise)
    await before
    this.#release = resolve
    return this.#connection
  }

  async releaseConnection() { this.#release() }

  // Immediate: a transaction that has read may not fail to become a writer.
  async beginTransaction(connection: DatabaseConnection) { await connection.executeQuery(CompiledQuery.raw('begin immediate')) }
  async commitTransaction(connection: DatabaseConnection) { await connection.executeQuery(CompiledQuery.raw('commit')) }
  async rollbackTransaction(connection: DatabaseConnection) { await connection.executeQuery(CompiledQuery.raw('rollback')) }

  async destroy() { await this.#connection.close() }
}

function named(columns: readonly string[], row: readonly unknown[]): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  for (const [at, column] of columns.entries()) object[column] = row[at]
  return object
}

class SqliteConnection implements DatabaseConnection {
  readonly #file: string
  readonly #options: SqliteOptions
  #thread: Worker | undefined
  #asked = 0
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>()

  constructor(file: string, options: SqliteOptions) {
    this.#file = file
    this.#options = options
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const id = ++this.#asked
    const answer = Promise.withResolvers<Answer>()
    this.#waiting.set(id, answer)
    this.#thread ??= this.#start()
    try {
      this.#thread.postMessage({ id, sql, parameters } as Question)
    } catch (error) {
      this.#waiting.delete(id)
      throw error
    }
    const { columns = [], rows = [], changes, error } = await answer.promise
    if (error) {
      const fault = Object.assign(new Error(error.message), { code: error.code, errcode: error.errcode })
      if (isDamaged(fault)) this.#options.onDamage?.(fault)
      throw fault
    }
    return { rows: rows.map(row => named(columns, row)) as R[], ...changes === undefined ? {} : { numAffectedRows: BigInt(changes) } }
  }

  async * streamQuery(): AsyncGenerator<never> { throw new Error('the SQLite store does not stream: page instead') }

  /** What was asked before is still done. */
  async close() {
    const thread = this.#thread
    if (!thread) return
    const ended = once(thread, 'exit')
    thread.postMessage('close' satisfies Question)
    await ended
  }

  #start() {
    const thread = new Worker(new URL('./sqlite-thread.ts', import.meta.url), {
      workerData: { file: this.#file, patience: lockPatience, readOnly: this.#options.readOnly ?? false }, resourceLimits: { maxYoungGenerationSizeMb: 2 }
    })
    let reason: Error = Object.assign(new Error('the thread that holds the SQLite file has ended'), { code: storeThreadEnded })
    thread.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.resolve(answer)
      this.#waiting.delete(answer.id)
    })
    thread.on('error', error => { reason = error as Error })
    thread.on('exit', () => {
      this.#thread = undefined   // the next question starts another
      for (const { reject } of this.#waiting.values()) reject(reason)
      this.#waiting.clear()
    })
    return thread
  }
}
