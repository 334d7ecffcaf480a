/** PostgreSQL for Kysely: a small pool whose every wait has an end, and whose BIGINTs are numbers. */
import { PostgresDialect, type Dialect } from 'kysely'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { plainly } from './faults.ts'

const int8 = 20

/** The dialect for `postgres://…`. Nothing is loaded or connected until the first query. Waits: 3 s to connect, 10 s a query. */
export const postgres = (url: string, log: Logger): Dialect => new PostgresDialect({ pool: () => poolFor(url, log) })

async function poolFor(url: string, log: Logger): Promise<Pool> {
  const { default: { Pool, types } } = await import('pg')
  const pool = new Pool({
    connectionString: url,
    application_name: 'satunomor',
    max: 4,
    connectionTimeoutMillis: 3_000,
    query_timeout: 10_000,
    statement_timeout: 10_000,
    idle_in_transaction_session_timeout: 30_000,
    keepAlive: true,
    types: {
      // Our BIGINTs are milliseconds and row numbers: both far below 2^53.
      getTypeParser: (oid: number, format?: 'text' | 'binary') => oid === int8 ? Number : types.getTypeParser(oid, format as 'text')
    } as typeof types
  })
  // A connection that breaks says so to the pool while it is idle, and only itself while it is in use, e.g. between two
  // statements of a transaction; unheard, either would end the process.
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', error => log.warn(plainly(error), 'a connection to postgresql was lost')))
  return pool
}

/** The server and database without user and password, for logs and for naming watermarks. */
export function addressOf(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `postgres://${hostname}${port && `:${port}`}${pathname}`
}
