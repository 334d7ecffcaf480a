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
    date: date('The holiday'),
    name: text('What callers and admins call it'),
    basis: oneOf(['fixed', 'decreed', 'computed', 'expected'], 'What the date rests on; `expected` is not certain')
  }), { description: 'Whole days; in any order' })
})
type HolidayFile = Static<typeof HolidayFile>

/** By date: the holiday's name, and `(expected)` behind it where it is not certain. */
export type Calendar = ReadonlyMap<string, string>

/**
 * The calendars of a plan, out of the files that they name. Faults of the plan go to `report`, those of the files are
 * returned. `texts` are by name without .yaml; `now` is Unix time in ms.
 */
export function readCalendars(plan: Draft, texts: FileTexts, report: Report, now: number): { calendars: Map<string, Calendar>, faults: Fault[] } {
  const calendars = new Map<string, Calendar>()
  const files = new Map<string, Partly<HolidayFile>>()
  const faults: Fault[] = []
  for (const [calendar, names] of plan.holidays ?? []) {
    const days = new Map<string, string>()
    for (const [index, name] of names?.entries() ?? []) {
      const source = name !== undefined && texts.get(name)
      if (!source) {
        if (name !== undefined) report(['holidays', calendar, index], `there is no holidays/${name}.yaml`, orMeant('write it, as docs/plan.md says', name, texts.keys()))
        continue
      }
      if (!files.has(name)) {
        const read = readFile(source)
        files.set(name, read.holidays)
        faults.push(...read.faults)
      }
      const { until, days: holidays = [] } = files.get(name)!
      for (const day of holidays) if (day?.date && day.name) days.set(day.date, day.basis === 'expected' ? `${day.name} (expected)` : day.name)
      if (until && [...plan.agencies?.values() ?? []].some(agency => agency?.holidays === calendar)) runsOut(until, report, calendar, index, now)
    }
    calendars.set(calendar, days)
  }
  const named = new Set([...plan.holidays?.values() ?? []].flat())
  const misspelt = [...named].some(name => name !== undefined && !texts.has(name))          // then that is the fault
  if (!plan.holidays || misspelt) return { calendars, faults }          // without calendars the files are only there
  for (const [name, { file }] of texts) {
    if (!named.has(name)) faults.push({ severity: 'warning', file, line: 1, column: 1, path: '', sentence: 'is named by no calendar of the plan: its days are no holidays', suggestion: 'name it under `holidays`, or delete it' })
  }
  return { calendars, faults }
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
    if (day?.date && from && until && (day.date < from || day.date > until)) source.report(['days', index, 'date'], `${day.date} is outside of ${from} to ${until}`, 'the file says `from` and `until` where it knows all holidays')
    if (day?.date && days.findIndex(other => other?.date === day.date) < index) source.report(['days', index, 'date'], `${day.date} is listed twice`, 'write both names into one')
  })
  return { holidays, faults: source.faults }
}
