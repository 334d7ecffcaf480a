/** When a line rings at all: its own hours, and "out of service until". The service, `simulate` and the dialplan (src/dialplan/view.ts) go by the same. */
import { DateTime } from 'luxon'
import { allLines, type Draft, type Report } from './draft.ts'
import { didYouMean, quote, thereAre } from './faults.ts'
import { minutes, openAt } from './hours.ts'
import type { AgencyNode, Line, Plan } from './plan.ts'
import { weekdays } from './schema.ts'
import type { OutOfService } from './schema-duty.ts'

/** Why a line is not rung. */
export interface Rest {
  because: 'hours' | 'out of service'
  /** The timetable's name; or until when, and why, for people to read. */
  what: string
}

/** When a line is rung again (Unix ms): a day alone is out of service to its end. */
export function endsAt({ until }: OutOfService, timezone: string): number {
  const moment = DateTime.fromISO(until.replace(' ', 'T'), { zone: timezone })
  return (until.length > 10 ? moment : moment.plus({ days: 1 })).toMillis()
}

/** Why the line is not rung at this time (Unix ms); undefined: it is. */
export function restOf(plan: Pick<Plan, 'hours' | 'seasons' | 'timezone'>, { hours, outOfService }: Pick<Line, 'hours' | 'outOfService'>, at: number): Rest | undefined {
  if (outOfService && at < endsAt(outOfService, plan.timezone)) return { because: 'out of service', what: `until ${outOfService.until}, ${outOfService.why}` }
  return hours === undefined || openAt(plan, hours, at) ? undefined : { because: 'hours', what: hours }
}

/** Whether none of the agency's lines is rung at this time (Unix ms). */
export const allRest = (plan: Plan, { lines }: Pick<AgencyNode, 'lines'>, at: number) => lines.every(line => restOf(plan, line, at) !== undefined)

type Timetables = ReadonlyMap<string, readonly ({ days?: readonly (string | undefined)[], from?: string, to?: string } | undefined)[] | undefined>

/** Whether there may be a time at which none of these lines is rung: in an ordinary week, or in one of a season. */
export function mayAllRest(lines: readonly ({ hours?: string, outOfService?: unknown } | undefined)[], hours: Timetables, seasons: readonly ReadonlyMap<string, string | undefined>[]): boolean {
  const able = lines.filter(line => line && !line.outOfService)
  if (able.some(line => line!.hours === undefined)) return false
  return [new Map<string, string>(), ...seasons].some(season => {
    const open = able.flatMap(line => hours.get(season.get(line!.hours!) ?? line!.hours!) ?? []).flatMap(period => {
      const { days = [], from, to } = period ?? {}
      if (from === undefined || to === undefined) return []
      const span = minutes({ from, to })
      return days.map(day => ({ from: weekdays.indexOf(day as typeof weekdays[number]) * 1440 + span.from, to: weekdays.indexOf(day as typeof weekdays[number]) * 1440 + span.to }))
    })
    const spans = [...open, ...open.map(({ from, to }) => ({ from: from - 10_080, to: to - 10_080 }))].sort((one, other) => one.from - other.from)
    let covered = 0
    for (const { from, to } of spans) if (from <= covered) covered = Math.max(covered, to)
    return covered < 10_080
  })
}

/** The same of a plan that is being checked; lines that another agency shares count. */
export function mayAllRestIn(plan: Draft, agency: string): boolean {
  const owned = new Map([...allLines(plan)].flatMap(({ line }) => line?.id === undefined ? [] : [[line.id, line] as const]))
  const lines = (plan.agencies?.get(agency)?.lines ?? []).map(line => line && 'line' in line ? owned.get(line.line ?? '') : line as typeof line & { hours?: string, outOfService?: unknown })
  return lines.length > 0 && lines.every(line => line !== undefined) && mayAllRest(lines as { hours?: string }[], plan.hours ?? new Map(), [...plan.seasons?.values() ?? []].map(season => season?.hours ?? new Map()))
}

/** A line's timetable is there; it is out of service until a time that is to come, and not by a slip of the pen. */
export function duties(plan: Draft, report: Report, now: number) {
  const known = [...plan.hours?.keys() ?? []]
  for (const { path, line } of allLines(plan)) {
    if (line?.hours !== undefined && !known.includes(line.hours)) report([...path, 'hours'], `${quote(line.hours)} is no timetable of hours`, didYouMean(line.hours, known) ?? thereAre(known))
    const { until, why } = line?.outOfService ?? {}
    const end = until === undefined || plan.timezone === undefined ? NaN : endsAt({ until, why: why ?? '' }, plan.timezone)
    if (end <= now) report([...path, 'outOfService', 'until'], `is ${until}, which is over: the line is rung again`, 'delete outOfService', 'warning')
    if (end > now + 366 * 86_400_000) report([...path, 'outOfService', 'until'], `is ${until}, more than a year from now`, 'if the line does not come back, delete it; else look at the year', 'warning')
  }
}
