/** When agencies open and close, in the order of time: what an admin looks through before a week of holidays. */
import { DateTime } from 'luxon'
import { endsAt } from './duty.ts'
import { dayOf, opening, periodsOn, type Opening } from './hours.ts'
import { agencies, type AgencyNode, type Plan } from './plan.ts'
import { noSwitches, type Switches } from './switches.ts'

export interface Change {
  /** Unix time in ms. */
  at: number
  agency: string
  /** What it is from now on, and what it was. */
  now: Opening
  before: Opening
}

/** The changes after `from` until `to` (Unix times in ms), of all agencies. */
export function changes(plan: Plan, from: number, to: number, switches = noSwitches): Change[] {
  return agencies(plan).flatMap(agency => changesOf(plan, agency, from, to, switches)).sort((a, b) => a.at - b.at)
}

function changesOf(plan: Plan, agency: AgencyNode, from: number, to: number, switches: Switches): Change[] {
  const found: Change[] = []
  let before = opening(plan, agency, from, switches)
  for (const at of moments(plan, agency, from, to, switches)) {
    const now = opening(plan, agency, at, switches)
    if (now.open !== before.open || now.because !== before.because || now.what !== before.what) found.push({ at, agency: agency.id, now, before })
    before = now
  }
  return found
}

const week = 7 * 86_400_000
/** How far ahead an opening is looked for, ms: longer than any holidays. */
const horizon = 9 * week

/** The first moment from `at` on (Unix ms) at which the agency is open; undefined where none is near. */
export function nextOpening(plan: Plan, agency: AgencyNode, at: number, switches = noSwitches): number | undefined {
  const open = (at: number) => opening(plan, agency, at, switches).open
  if (open(at)) return at
  for (let from = at; from < at + horizon; from += week) {
    const opens = moments(plan, agency, from, from + week, switches).find(open)
    if (opens !== undefined) return opens
  }
  return undefined
}

/** Every moment at which something could change: midnights, the ends of the day's periods of those of its eve, of a switch, and of what keeps a line from being rung. */
function moments(plan: Plan, agency: AgencyNode, from: number, to: number, { closed }: Switches): number[] {
  const shut = closed.get(agency.id)
  const hours = new Set(agency.lines.flatMap(line => line.hours ?? []))
  const periods = (date: DateTime) => [dayOf(plan, agency, date).periods, ...[...hours].map(one => periodsOn(plan, one, date))].flat()
  const back = agency.lines.flatMap(({ outOfService }) => outOfService ? [endsAt(outOfService, plan.timezone)] : [])
  return edges(plan.timezone, periods, from, to, [...shut ? [shut.until] : [], ...back])
}

/** The moments after `from` until `to` (Unix ms) at which a day's periods (in minutes since midnight) begin or end, midnights, and what else is told. */
export function edges(timezone: string, periodsOf: (date: DateTime) => readonly { from: number, to: number }[], from: number, to: number, more: readonly number[] = []): number[] {
  const moments = new Set(more)
  const last = DateTime.fromMillis(to, { zone: timezone })
  let midnight = DateTime.fromMillis(from, { zone: timezone }).startOf('day')
  while (midnight <= last) {
    const next = midnight.plus({ days: 1 }).startOf('day')           // in Santiago, 00:00 is skipped once a year
    const date = DateTime.utc(midnight.year, midnight.month, midnight.day)
    const minutes = periodsOf(date).flatMap(({ from, to }) => [from, to])
    const eve = periodsOf(date.minus({ days: 1 })).map(({ to }) => to - 1440)
    // On the day on which the clock is set, what it shows does not tell the moment: any minute could be the one.
    const clockIsSet = next.diff(midnight).as('hours') !== 24
    if (clockIsSet) for (let at = midnight.toMillis(); at < next.toMillis(); at += 60_000) moments.add(at)
    else for (const minute of [0, ...minutes, ...eve]) if (minute >= 0 && minute < 1440) moments.add(midnight.toMillis() + minute * 60_000)
    midnight = next
  }
  return [...moments].filter(at => at > from && at <= to).sort((a, b) => a - b)
}
