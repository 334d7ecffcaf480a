/**
 * Whether an agency is open at a time, and why. The service asks it of every call, and `simulate` and `calendar` ask
 * the same function. It compares what the clock on the wall shows, so that a change to summer time needs no rule of its own.
 *
 * What an admin has switched by hand comes first. A day's hours are the exception's, if there is one for it; else none on a holiday; else those of the season's timetable, or the agency's own. A period
 * that crosses midnight belongs to the day on which it begins: a holiday tomorrow does not cut tonight short.
 */
import { DateTime } from 'luxon'
import { allRest } from './duty.ts'
import type { AgencyNode, Plan } from './plan.ts'
import { weekdays, type Period } from './schema.ts'
import { timetableOn } from './seasons.ts'
import { noSwitches, type Switches } from './switches.ts'

export interface Opening {
  open: boolean
  because: 'always' | 'hours' | 'season' | 'holiday' | 'exception' | 'switch' | 'lines'
  /** The timetable's name, the season's, the holiday's, or the reason of the exception or switch; empty for `always`; `lines`: none of them is rung now. */
  what: string
}

/** Where an agency is open, and none of its lines is rung at that time, it is closed. @param at Unix time in ms */
export function opening(plan: Plan, agency: AgencyNode, at: number, switches = noSwitches): Opening {
  const state = openingOf(plan, agency, at, switches)
  return state.open && allRest(plan, agency, at) ? { open: false, because: 'lines', what: 'none is rung now' } : state
}

function openingOf(plan: Plan, agency: AgencyNode, at: number, switches: Switches): Opening {
  const shut = agency.closed === undefined ? undefined : switches.closed.get(agency.id)
  if (shut && at < shut.until) return { open: false, because: 'switch', what: shut.reason }
  const always = !agency.hours && !agency.holidays && !plan.exceptions.some(({ agencies }) => agencies.includes(agency.id))
  if (always) return { open: true, because: 'always', what: '' }           // most calls: no calendar is asked
  const now = DateTime.fromMillis(at, { zone: plan.timezone })
  const date = DateTime.utc(now.year, now.month, now.day)          // a date without a clock: every day has 24 hours
  const minute = now.hour * 60 + now.minute
  const yesterday = dayOf(plan, agency, date.minus({ days: 1 }))
  if (yesterday.periods.some(({ to }) => minute < to - 1440)) return { open: true, because: yesterday.because, what: yesterday.what }
  const { periods, because, what } = dayOf(plan, agency, date)
  return { open: periods.some(({ from, to }) => from <= minute && minute < to), because, what }
}

/** Whether a timetable, or that of the season instead of it, is open at a time (Unix ms), whatever holidays say. */
export function openAt(plan: Timetables, hours: string, at: number): boolean {
  const now = DateTime.fromMillis(at, { zone: plan.timezone })
  const date = DateTime.utc(now.year, now.month, now.day)
  const minute = now.hour * 60 + now.minute
  return periodsOn(plan, hours, date).some(({ from, to }) => from <= minute && minute < to)
    || periodsOn(plan, hours, date.minus({ days: 1 })).some(({ to }) => minute < to - 1440)
}

/** `closed (holiday: Natal)`, for people to read. */
export function openingInWords({ open, because, what }: Opening): string {
  const why = because === 'always' ? 'at all times' : `${because}: ${what}`
  return `${open ? 'open' : 'closed'} (${why})`
}

/** Minutes since the midnight that begins its day; `to` is beyond 1440 where it crosses the next. */
export function minutes({ from, to }: Pick<Period, 'from' | 'to'>): { from: number, to: number } {
  const [begin, end] = [minuteOf(from), minuteOf(to)]
  return { from: begin, to: end < begin ? end + 1440 : end }
}

export const minuteOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

type Timetables = Pick<Plan, 'hours' | 'seasons' | 'timezone'>

/** The periods of a day for those who go by a timetable. */
export function periodsOn(plan: Omit<Timetables, 'timezone'>, hours: string, date: DateTime): { from: number, to: number }[] {
  const { timetable } = timetableOn(plan, hours, date.toISODate()!)
  return plan.hours.get(timetable)!.filter(({ days }) => days.includes(weekdays[date.weekday - 1]!)).map(minutes)
}

/** The day's own periods, and what they come from. */
export function dayOf(plan: Plan, agency: AgencyNode, date: DateTime): Omit<Opening, 'open'> & { periods: { from: number, to: number }[] } {
  const day = date.toISODate()!
  const exceptions = plan.exceptions.filter(({ agencies, date, until = date }) => agencies.includes(agency.id) && date <= day && day <= until)
  if (exceptions.length > 0) {
    const open = exceptions.filter(exception => exception.is === 'open')
    const periods = open.map(({ from = '00:00', to = '24:00' }) => minutes({ from, to }))
    return { periods, because: 'exception', what: exceptions.map(({ reason }) => reason).join('; ') }
  }
  const holiday = agency.holidays && plan.holidays.get(agency.holidays)!.get(day)
  if (holiday) return { periods: [], because: 'holiday', what: holiday }
  if (!agency.hours) return { periods: [{ from: 0, to: 1440 }], because: 'always', what: '' }
  const { season } = timetableOn(plan, agency.hours, day)
  const why = season === undefined ? { because: 'hours', what: agency.hours } as const : { because: 'season', what: season } as const
  return { periods: periodsOn(plan, agency.hours, date), ...why }
}
