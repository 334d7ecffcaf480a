/** A timetable with its seasons as comparisons of numbers that a clock shows: what Asterisk can do without the service. */
import { DateTime } from 'luxon'
import { minutes } from './hours.ts'
import type { Plan } from './plan.ts'
import { weekdays } from './schema.ts'

/** Open from `from` until before `to`, both as day of the week, hour and minute (Monday 07:30 is 10730), on days after and before these (20270208). */
export interface Window { from: number, to: number, after: number, before: number }

/** All windows of a timetable: `openAt` of hours.ts says the same. */
export function windowsOf({ hours, seasons }: Pick<Plan, 'hours' | 'seasons'>, name: string): Window[] {
  const mine = seasons.filter(season => season.hours.has(name))
  const found: Window[] = []
  /** What a timetable has that holds on the days between; what is after midnight is of the day before. */
  const add = (timetable: string, after: string | undefined, before: string | undefined) => {
    for (const period of hours.get(timetable)!) {
      const { from, to } = minutes(period)
      for (const day of period.days) {
        const weekday = weekdays.indexOf(day) + 1
        found.push({ from: shown(weekday, from), to: shown(weekday, Math.min(to, 1440)), after: date(after, 0, 0), before: date(before, 0, 99_999_999) })
        if (to > 1440) found.push({ from: shown(weekday % 7 + 1, 0), to: shown(weekday % 7 + 1, to - 1440), after: date(after, 1, 0), before: date(before, 1, 99_999_999) })
      }
    }
  }
  let last: string | undefined
  for (const season of mine) {
    add(name, last, season.from)
    add(season.hours.get(name)!, dayBefore(season.from), dayAfter(season.until))
    last = season.until
  }
  add(name, last, undefined)
  return found
}

const shown = (weekday: number, minute: number) => weekday * 10_000 + Math.floor(minute / 60) * 100 + minute % 60

/** 20270208 of an ISO date, so many days later. */
function date(day: string | undefined, later: number, otherwise: number): number {
  return day === undefined ? otherwise : Number(DateTime.fromISO(day, { zone: 'utc' }).plus({ days: later }).toFormat('yyyyMMdd'))
}

const dayBefore = (day: string) => DateTime.fromISO(day, { zone: 'utc' }).minus({ days: 1 }).toISODate()!
const dayAfter = (day: string) => DateTime.fromISO(day, { zone: 'utc' }).plus({ days: 1 }).toISODate()!
