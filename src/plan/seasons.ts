/** Seasons: dates on which other hours hold, as in Ramadan. Part of schema.ts; read.ts has them read. */
import { Type, type Static } from 'typebox'
import type { Draft, Partly, Path, Report } from './draft.ts'
import { didYouMean, orMeant, quote, thereAre } from './faults.ts'
import type { HolidayFiles } from './holidays.ts'
import type { Plan } from './plan.ts'
import { date, name, named, reference, text } from './schema-words.ts'

const Dates = Type.Object({ from: date('The first day'), until: date('The last day') })

export const Season = Type.Object({
  name: text('For people to read'),
  dates: Type.Optional(Type.Array(Dates, { minItems: 1, description: 'When it is: one entry for each year' })),
  file: Type.Optional(reference('A file of holidays/, without .yaml: its days are the season’s; instead of `dates`, or beside them')),
  hours: named(name, reference('The timetable that holds instead'), 'By timetable (of `hours`): the one that holds instead, for all who go by it')
})
type Season = Static<typeof Season>

/** One time that a season lasts. Both days (ISO dates) are of it. */
export interface SeasonDates { from: string, until: string, name: string, hours: ReadonlyMap<string, string> }

/** The timetable that holds on a day (ISO date) for those who go by `hours`; and the season's name where that is why. */
export function timetableOn({ seasons }: Pick<Plan, 'seasons'>, hours: string, day: string): { timetable: string, season?: string } {
  const now = seasons.find(season => season.from <= day && day <= season.until && season.hours.has(hours))
  return now ? { timetable: now.hours.get(hours)!, season: now.name } : { timetable: hours }
}

/** All times of all seasons, in the order of the calendar. What is wrong goes to `report`; `today` is an ISO date. */
export function readSeasons(plan: Draft, files: HolidayFiles, report: Report, today: string): SeasonDates[] {
  const all: (SeasonDates & { id: string, path: Path })[] = []
  for (const [id, season] of plan.seasons ?? []) {
    if (!season) continue
    const hours = replaced(plan, id, season, report)
    const inPlan = written(id, season, report)
    const dates = [...inPlan, ...inFile(id, season, files, report)]
    for (const { path, from, until, label } of dates) all.push({ id, path, from, until, name: label, hours })
    if (!('dates' in season) && !('file' in season)) report(['seasons', id], 'has no dates', 'write dates: [{ from: 2027-02-08, until: 2027-03-09 }], or the name of a file of holidays/ under `file`')
    const last = dates.map(({ until }) => until).sort().at(-1)
    const whole = inPlan.length === (season.dates?.length ?? 0)          // else a date that is refused may be the next one
    if (whole && last !== undefined && last < today) report(['seasons', id], `is over since ${last}`, 'write its next dates, or delete it', 'warning')
  }
  all.forEach((one, index) => {
    const other = all.find((other, at) => at < index && other.from <= one.until && one.from <= other.until && one.hours.keys().some(hours => other.hours.has(hours)))
    if (!other) return
    const timetable = one.hours.keys().find(hours => other.hours.has(hours))!
    report(one.path, `overlaps with ${other.id} (${other.from} to ${other.until}): both replace the hours of ${quote(timetable)}`, 'one day has one season: change the dates of one of them')
  })
  return all.map(({ from, until, name, hours }) => ({ from, until, name, hours: new Map(hours) })).sort((one, other) => one.from.localeCompare(other.from))
}

/** Which timetable holds instead of which: both are there, and they are two. */
function replaced({ hours }: Draft, id: string, season: Partly<Season>, report: Report): Map<string, string> {
  const known = [...hours?.keys() ?? []]
  const pairs = new Map<string, string>()
  for (const [from, to] of season.hours ?? []) {
    const path = ['seasons', id, 'hours', from]
    for (const timetable of [from, to]) {
      if (timetable !== undefined && !known.includes(timetable)) report(path, `${quote(timetable)} is no timetable of hours`, didYouMean(timetable, known) ?? thereAre(known))
    }
    if (from === to) report(path, 'replaces its own hours', 'write a second timetable under `hours`, and name it here')
    if (to !== undefined) pairs.set(from, to)
  }
  if (season.hours?.size === 0) report(['seasons', id, 'hours'], 'replaces no hours', 'write which timetable holds instead of which: { kantor: kantor-ramadan }')
  return pairs
}

interface Lasts { path: Path, from: string, until: string, label: string }

function written(id: string, { dates = [], name: label = id }: Partly<Season>, report: Report): Lasts[] {
  return dates.flatMap((one, index): Lasts[] => {
    const path = ['seasons', id, 'dates', index]
    const { from, until } = one ?? {}
    if (!from || !until) return []
    if (until < from) {
      report([...path, 'until'], `is ${until}, before ${from}, its first day`, 'write the first day under from, the last under until')
      return []
    }
    return [{ path, from, until, label }]
  })
}

function inFile(id: string, { file, name: label = id }: Partly<Season>, files: HolidayFiles, report: Report): Lasts[] {
  if (file === undefined) return []
  const path = ['seasons', id, 'file']
  const { days = [] } = files.of(file) ?? {}
  if (!files.has(file)) report(path, `there is no holidays/${file}.yaml`, orMeant('write it, as docs/plan.md says', file, files.names))
  return days.flatMap((day): Lasts[] => {
    const { date: from, until = from, basis } = day ?? {}
    return from && until && from <= until ? [{ path, from, until, label: basis === 'expected' ? `${label} (expected)` : label }] : []
  })
}
