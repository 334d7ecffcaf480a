/**
 * Calendars of holidays: data files of the plan, dialplan/holidays/<name>.yaml. Each says how far it reaches, so that a
 * plan is warned before a year begins of which nobody has written down the holidays.
 */
import { DateTime } from 'luxon'
import { Type, type Static } from 'typebox'
import { conform, type Rule } from './conform.ts'
import type { Draft, Partly, Report } from './draft.ts'
import { orMeant, type Fault } from './faults.ts'
import { date, oneOf, text } from './schema-words.ts'
import { openSource, type FileTexts } from './source.ts'

const HolidayFile = Type.Object({
  name: text('For people to read'),
  from: date('The first day of which the file knows whether it is a holiday'),
  until: date('The last such day'),
  days: Type.Array(Type.Object({
    date: date('The holiday, or the first day of several'),
    until: Type.Optional(date('The last of the days; the same day if left out')),
    name: text('What callers and admins call it'),
    basis: oneOf(['fixed', 'decreed', 'computed', 'expected'], 'What the date rests on; `expected` is not certain')
  }), { description: 'Whole days; in any order' })
})
type HolidayFile = Static<typeof HolidayFile>

/** By date: the holiday's name, and `(expected)` behind it where it is not certain. */
export type Calendar = ReadonlyMap<string, string>

/**
 * The calendars of a plan, out of the files that they name. Faults of the plan go to `report`. `now` is Unix time in ms.
 */
export function readCalendars(plan: Draft, files: HolidayFiles, report: Report, now: number): Map<string, Calendar> {
  const calendars = new Map<string, Calendar>()
  for (const [calendar, names] of plan.holidays ?? []) {
    const days = new Map<string, string>()
    for (const [index, name] of names?.entries() ?? []) {
      if (name === undefined) continue
      if (!files.has(name)) {
        report(['holidays', calendar, index], `there is no holidays/${name}.yaml`, orMeant('write it, as docs/plan.md says', name, files.names))
        continue
      }
      const { until, days: holidays = [] } = files.of(name)!
      for (const day of holidays) {
        if (!day?.name) continue
        for (const date of daysOf(day)) days.set(date, day.basis === 'expected' ? `${day.name} (expected)` : day.name)
      }
      if (until && [...plan.agencies?.values() ?? []].some(agency => agency?.holidays === calendar)) runsOut(until, report, calendar, index, now)
    }
    calendars.set(calendar, days)
  }
  return calendars
}

/** The files that a plan names: of its calendars, and of its seasons. */
export const filesNamed = ({ holidays, seasons }: Draft): Set<string> =>
  new Set([...[...holidays?.values() ?? []].flat(), ...[...seasons?.values() ?? []].map(season => season?.file)].filter(name => name !== undefined))

/** The files of holidays/, each read once, when it is asked for. */
export class HolidayFiles {
  readonly #texts: FileTexts
  readonly #read = new Map<string, Partly<HolidayFile>>()
  /** Of those that were read. */
  readonly faults: Fault[] = []

  /** `texts` are by name without .yaml. */
  constructor(texts: FileTexts) {
    this.#texts = texts
  }

  get names() { return [...this.#texts.keys()] }

  has(name: string) { return this.#texts.has(name) }

  of(name: string): Partly<HolidayFile> | undefined {
    const source = this.#texts.get(name)
    if (!source) return undefined
    const known = this.#read.get(name)
    if (known) return known
    const { holidays, faults } = readFile(source)
    this.faults.push(...faults)
    this.#read.set(name, holidays)
    return holidays
  }

  /** Warns of those that the plan does not name. Without calendars and seasons the files are only there; where a name is misspelt, that is the fault. */
  unnamed(plan: Draft): Fault[] {
    const named = filesNamed(plan)
    if ((!plan.holidays && named.size === 0) || [...named].some(name => !this.has(name))) return []
    return [...this.#texts].flatMap(([name, { file }]): Fault[] => named.has(name) ? [] : [{
      severity: 'warning', file, line: 1, column: 1, path: '', sentence: 'is named by no calendar of the plan: its days are no holidays', suggestion: 'name it under `holidays`, or delete it'
    }])
  }
}

/** Each of the days that an entry says, as ISO dates. */
function daysOf({ date, until = date }: { date?: string, until?: string }): string[] {
  if (!date || !until) return []
  const days: string[] = []
  for (let day = DateTime.fromISO(date, { zone: 'utc' }); day.toISODate()! <= until && days.length < 366; day = day.plus({ days: 1 })) days.push(day.toISODate()!)
  return days
}

function runsOut(until: string, report: Report, calendar: string, index: number, now: number) {
  if (DateTime.fromISO(until, { zone: 'utc' }).toMillis() >= now + 60 * 86_400_000) return
  report(['holidays', calendar, index], `knows no holidays after ${until}, which is over or near`, 'add the coming ones, and move its `until`', 'warning')
}

function readFile({ file, text }: { file: string, text: string | Uint8Array }): { holidays: Partly<HolidayFile>, faults: Fault[] } {
  const source = openSource(text, file)
  if (source.faults.length > 0) return { holidays: {}, faults: source.faults }
  const holidays = (conform(source.root, HolidayFile as Rule, [], source) ?? {}) as Partly<HolidayFile>
  const { from, until, days = [] } = holidays
  if (from && until && until < from) source.report(['until'], `is ${until}, before ${from}, the first day`, 'write the first day under from, the last under until')
  days.forEach((day, index) => {
    if (day?.date && day.until && day.until < day.date) source.report(['days', index, 'until'], `is ${day.until}, before ${day.date}, its first day`, 'write the first day under date, the last under until')
    if (day?.until && until && day.until > until) source.report(['days', index, 'until'], `${day.until} is outside of ${from} to ${until}`, 'the file says `from` and `until` where it knows all holidays')
    if (day?.date && from && until && (day.date < from || day.date > until)) source.report(['days', index, 'date'], `${day.date} is outside of ${from} to ${until}`, 'the file says `from` and `until` where it knows all holidays')
    if (day?.date && days.findIndex(other => other?.date === day.date) < index) source.report(['days', index, 'date'], `${day.date} is listed twice`, 'write both names into one')
  })
  return { holidays, faults: source.faults }
}
