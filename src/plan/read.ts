/** Reads the service plan: whole and typed, or refused with everything that is wrong with it. */
import { createHash } from 'node:crypto'
import { DateTime } from 'luxon'
import { checks, laterChecks, missingPrompts, unreachable, type PromptCatalogue } from './check.ts'
import { openOnHolidays } from './check-hours.ts'
import { duties } from './duty.ts'
import { conform, type Rule } from './conform.ts'
import type { Draft } from './draft.ts'
import { byPlace, PlanFaults, type Fault } from './faults.ts'
import { readDirectory } from './directory.ts'
import { filesNamed, HolidayFiles, readCalendars } from './holidays.ts'
import { finish, type Plan } from './plan.ts'
import { PlanFile } from './schema.ts'
import { checkRooms } from './rooms.ts'
import { readSeasons } from './seasons.ts'
import { openSource, type FileTexts } from './source.ts'

export interface PlanContext {
  /** Only for the faults' places. */
  file: string
  /** Which prompts exist; without it they are not looked for. */
  prompts?: PromptCatalogue
  /** The holiday files that the plan may name. */
  holidays?: FileTexts
  /** The files of the directory that it may name; without them they are not looked for. */
  directory?: FileTexts
  /** It was checked when it was made live. */
  kept?: boolean
  /** Unix time in ms: calendars that are about to end are warned of. */
  now?: number
}

/**
 * Takes the plan's text (or bytes, which are checked to be UTF-8). The faults returned are warnings.
 * Throws `PlanFaults`, and nothing else.
 */
export function readPlan(
  text: string | Uint8Array, { file, prompts, holidays = new Map(), directory, kept = false, now = Date.now() }: PlanContext
): { plan: Plan, faults: Fault[] } {
  const source = openSource(text, file)
  if (source.faults.length > 0) throw new PlanFaults(source.faults.sort(byPlace))

  const draft = (conform(source.root, PlanFile as Rule, [], source) ?? {}) as Draft
  for (const check of checks) check(draft, source.report)
  for (const check of laterChecks) check(draft, (path, sentence, suggestion) => source.report(path, sentence, suggestion, kept ? 'warning' : 'error'))
  if (prompts) missingPrompts(draft, prompts, source.report)
  duties(draft, source.report, now)
  const files = new HolidayFiles(holidays)
  const calendars = readCalendars(draft, files, source.report, now)
  const seasons = readSeasons(draft, files, source.report, DateTime.fromMillis(now, { zone: 'utc' }).toISODate()!)
  openOnHolidays(draft, calendars, source.report)
  const { entries, whole, faults: inDirectory } = readDirectory(draft, directory, source.report)
  checkRooms(draft, whole ? entries : undefined, source.report)
  if (source.faults.every(fault => fault.severity === 'warning')) unreachable(draft, source.report)

  const faults = [...source.faults, ...files.faults, ...files.unnamed(draft), ...inDirectory].sort(byPlace)
  if (faults.some(fault => fault.severity === 'error')) throw new PlanFaults(faults)
  const hash = createHash('sha256').update(source.text)
  for (const name of filesNamed(draft)) hash.update(holidays.get(name)!.text)
  if (directory && draft.directory?.wilayah !== undefined) hash.update(directory.get(draft.directory.wilayah)!.text)
  return { plan: finish(draft as PlanFile, calendars, seasons, entries, hash.digest('hex').slice(0, 12)), faults }
}
