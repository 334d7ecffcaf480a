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

/** An error's message and code for the log. Never the whole error: PostgreSQL's `detail` quotes the row, with its number. */
export function plainly(error: unknown): { reason: string, code: string | number | undefined } {
  const { message, code, errcode, errors } = error as StoreFault & { errors?: Error[] }
  return { reason: message || errors?.[0]?.message || String(error), code: errcode ?? code }
}
