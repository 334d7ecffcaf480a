/** A moment as people and programs write it: every place that takes one reads it here. */
import { DateTime } from 'luxon'

/** What to write, for an error message. */
export const momentExample = '2026-01-31T07:00 (a time of the city), 2026-01-31T07:00:00+07:00, or Unix time in ms'

/** Unix ms of ISO 8601 (a space may stand for the T) or Unix time in ms. A time without a zone is the city's. Undefined where it is none of these. */
export function momentIn(zone: string, text: string): number | undefined {
  const value = text.trim()
  if (/^\d{9,15}$/.test(value)) return Number(value)
  // An unescaped + in an address arrives as a space.
  const time = DateTime.fromISO(value.replace(/ (\d\d:?\d\d)$/, (all, zone: string, at: number) => value.slice(0, at).includes(':') ? `+${zone}` : all).replace(/^(\d{4}-\d\d-\d\d) /, '$1T'), { zone })
  return time.isValid ? time.toMillis() : undefined
}
