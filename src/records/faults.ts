/** What a store's errors mean: whether waiting helps, and what may be logged of them. */

type StoreFault = Error & { code?: string, errcode?: number }

/** SQLite's primary result codes for "this value can never be stored": TOOBIG, CONSTRAINT, MISMATCH, RANGE. */
const sqliteData = new Set([18, 19, 20, 25])

/** True where the data is at fault, so that trying again cannot help; false where the store is (locked, full, away). */
export function isBadData(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof SyntaxError) return true
  const { code = '', errcode } = error as StoreFault
  if (errcode !== undefined) return sqliteData.has(errcode & 0xff)
  return /^2[23]...$/.test(code) || code === '54000'   // SQLSTATE: data exception, integrity violation, limit exceeded
}

/** SQLite's primary result codes for a file that holds something else than it should: CORRUPT, NOTADB. */
const sqliteDamage = new Set([11, 26])

/** True where the file itself is damaged: waiting does not mend it. */
export function isDamaged(error: unknown): boolean {
  const { errcode } = error as StoreFault
  return errcode !== undefined && sqliteDamage.has(errcode & 0xff)
}

/** Where files cannot be written: ENOSPC and the like. */
const diskFaults = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/** True where the store or the disk takes or gives nothing now (full, locked, damaged, away), and not our question is at fault. */
export function isStoreAway(error: unknown): boolean {
  const { code, errcode } = error as StoreFault
  if (errcode !== undefined) return !isBadData(error) && (errcode & 0xff) !== sqliteError
  if (typeof code !== 'string') return false
  return code === storeThreadEnded || diskFaults.has(code) || /^(08|25006|53|55P03|57|58)/.test(code) && code.length === 5          // SQLSTATE: connection, read-only, resources, locks, shutdown, system
}

/** SQLite's primary result code for a statement that makes no sense. */
const sqliteError = 1
/** What a question fails with whose thread has ended. */
export const storeThreadEnded = 'STORE_THREAD_ENDED'

/** An error's message and code for the log. Never the whole error: PostgreSQL's `detail` quotes the row, with its number. */
export function plainly(error: unknown): { reason: string, code: string | number | undefined } {
  const { message, code, errcode, errors } = error as StoreFault & { errors?: Error[] }
  return { reason: message || errors?.[0]?.message || String(error), code: errcode ?? code }
}
