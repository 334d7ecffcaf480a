// Logs that others can make grow, kept short whatever logrotate does: strangers' datagrams that are no SIP, refusals at the API.
import { copyFile, rm, stat, truncate } from 'node:fs/promises'

/** A log is emptied when it has more bytes. What was in it stays beside it as `….before`, until the next time. */
export const longest = 50_000_000

/**
 * Whoever writes a log keeps it open, and appends: it is copied, then emptied. On a full disk it is only emptied. True where that was done.
 * @param {string} file @param {number} [most] @returns {Promise<boolean>}
 */
export async function keepShort(file, most = longest) {
  const size = await stat(file).then(({ size }) => size, () => 0)
  if (size <= most) return false
  const before = `${file}.before`
  await copyFile(file, before).catch(() => rm(before, { force: true }))
  await truncate(file)
  return true
}
