/** The checks of opening hours, holidays, exceptions and overflow: check.ts has them in its list. */
import { closedTo, type Draft, type Path, type Report } from './draft.ts'
import { mayAllRestIn } from './duty.ts'
import { didYouMean, listed, quote, thereAre } from './faults.ts'
import type { Calendar } from './holidays.ts'
import { minutes } from './hours.ts'
import { weekdays } from './schema.ts'

/** What an agency names as its timetable, its calendar, and its helpers, is there. */
export function hoursReferences({ hours, holidays, agencies, exceptions }: Draft, report: Report) {
  const look = (path: Path, name: string | undefined, known: Iterable<string>, what: string) => {
    const all = [...known]
    if (name !== undefined && !all.includes(name)) report(path, `${quote(name)} is no ${what}`, didYouMean(name, all) ?? thereAre(all))
  }
  for (const [id, agency] of agencies ?? []) {
    look(['agencies', id, 'hours'], agency?.hours, hours?.keys() ?? [], 'timetable of hours')
    look(['agencies', id, 'holidays'], agency?.holidays, holidays?.keys() ?? [], 'calendar of holidays')
    for (const ladder of ['busy', 'dead'] as const) look(['agencies', id, 'overflow', ladder], agency?.overflow?.[ladder], agencies!.keys(), 'agency')
  }
  exceptions?.forEach((exception, index) => exception?.agencies?.forEach((agency, at) => look(['exceptions', index, 'agencies', at], agency, agencies?.keys() ?? [], 'agency')))
}

/** A timetable opens, and says nothing twice. */
export function timetables({ hours }: Draft, report: Report) {
  for (const [name, periods] of hours ?? []) {
    const taken: { begin: number, end: number, index: number }[] = []
    periods?.forEach((period, index) => {
      const { days, from, to } = period ?? {}
      if (from === undefined || to === undefined) return
      if (from === to) return report(['hours', name, index, 'to'], `is ${to}, when it begins: it never opens`, 'for a whole day, write from 00:00 to 24:00')
      const open = minutes({ from, to })
      if (to < from && open.to - open.from > 720) {
        report(['hours', name, index], `is open from ${from} to ${to} of the next day, for ${Math.round((open.to - open.from) / 60)} hours`, `if that is meant, write two periods, from ${from} to 24:00 and from 00:00 to ${to}; else change from and to`, 'warning')
      }
      for (const day of days ?? []) {
        if (day === undefined) continue
        const begin = weekdays.indexOf(day) * 1440 + open.from
        const end = begin + open.to - open.from
        const other = taken.find(other => [-10_080, 0, 10_080].some(week => begin + week < other.end && other.begin < end + week))
        if (other) return report(['hours', name, index], `overlaps on ${day} with ${periodInWords(periods[other.index]!)}`, 'write the time once')
        taken.push({ begin, end, index })
      }
    })
  }
}

/** An agency that can be closed says where its callers go then. */
export function closable(plan: Draft, report: Report) {
  const { agencies, exceptions } = plan
  for (const [id, agency] of agencies ?? []) {
    if (!agency || agency.closed !== undefined) continue
    if (agency.overflow?.dead === undefined && mayAllRestIn(plan, id)) {
      report(['agencies', id, 'lines'], 'may all be out of service, or outside of their hours, at once, and no `closed` says where its callers go then', 'write the node under `closed`, or the agency that helps out under `overflow.dead`')
    }
    const exception = exceptions?.some(exception => exception?.is === 'closed' && exception.agencies?.includes(id))
    const why = agency.hours !== undefined ? 'has hours' : agency.holidays !== undefined ? 'has holidays' : exception ? 'has an exception that closes it' : undefined
    if (why) report(['agencies', id], `${why}, but no \`closed\``, 'say at which node its callers go on while it is closed')
  }
}

/** An exception is of days in their order, and no other says the contrary. */
export function exceptionDays({ exceptions = [] }: Draft, report: Report) {
  exceptions.forEach((exception, index) => {
    const { date, until = date, is, from, to, agencies = [] } = exception ?? {}
    if (date && until && until < date) report(['exceptions', index, 'until'], `is ${until}, before ${date}, its first day`, 'write the first day under date, the last under until')
    if (is === 'closed' && (from ?? to)) report(['exceptions', index, from ? 'from' : 'to'], 'has no meaning where it is closed', 'a day is closed whole; for shorter hours write "is: open" with from and to')
    if (is === 'open' && (from ?? '00:00') === (to ?? '24:00')) report(['exceptions', index, 'to'], `is ${to}, when it begins: it never opens`, 'write "is: closed"')
    if (!date || !until || !is) return
    const contrary = exceptions.findIndex((other, at) => at < index && other?.date && other.is && (is === 'closed' || other.is === 'closed')
      && other.date <= until && date <= (other.until ?? other.date) && other.agencies?.some(agency => agency !== undefined && agencies.includes(agency)))
    if (contrary >= 0) report(['exceptions', index], `is of the same day and agency as exception ${contrary + 1}`, 'one day is either open or closed: write one of them')
  })
}

/** Who opens on a holiday of its own calendar mostly did not look at the calendar. */
export function openOnHolidays({ exceptions = [], agencies }: Draft, calendars: ReadonlyMap<string, Calendar>, report: Report) {
  exceptions.forEach((exception, index) => {
    const { date, until = date, is, agencies: names = [] } = exception ?? {}
    if (is !== 'open' || !date || !until) return
    for (const agency of names) {
      const calendar = calendars.get(agencies?.get(agency ?? '')?.holidays ?? '')
      const holiday = [...calendar ?? []].find(([day]) => date <= day && day <= until)
      if (holiday) report(['exceptions', index], `opens ${agency} on ${holiday[0]}, a holiday (${holiday[1]})`, 'if that is meant, leave it as it is', 'warning')
    }
  })
}

/** An agency that hides its callers' numbers passes nobody on to one that shows them, or says so. */
export function anonymity({ agencies }: Draft, report: Report) {
  for (const [id, agency] of agencies ?? []) {
    if (agency?.callers !== 'anonymous') continue
    const ways = [[['closed'], closedTo(agency)], [['overflow', 'busy'], agency.overflow?.busy], [['overflow', 'dead'], agency.overflow?.dead]] as const
    for (const [below, to] of ways) {
      const next = to === undefined ? undefined : agencies!.get(to)
      if (!next || next.callers === 'anonymous') continue
      report(['agencies', id, ...below], `passes callers on to ${to}, whose lines see their numbers`, 'write "callers: anonymous" there, too, or lead them elsewhere; if it is meant, leave it as it is', 'warning')
    }
  }
}

/** However busy the agencies are: nobody is led back, without pressing a key, to where they came from. */
export function overflowEnds({ menus = new Map(), agencies = new Map() }: Draft, report: Report) {
  const onward = (node: string): string[] => [menus.get(node)?.silence, closedTo(agencies.get(node)), agencies.get(node)?.overflow?.busy, agencies.get(node)?.overflow?.dead].filter(next => next !== undefined)
  const reported = new Set<string>()
  for (const [id, agency] of agencies) {
    for (const ladder of ['busy', 'dead'] as const) {
      const helper: string | undefined = agency?.overflow?.[ladder]
      const way = helper === undefined || reported.has(id) ? undefined : wayTo(id, helper, onward)
      if (!way) continue
      way.forEach(node => reported.add(node))
      report(['agencies', id, 'overflow', ladder], `leads back to itself (${listed([id, ...way], { between: ' → ' })})`, 'callers would go round and round: end it at an agency without overflow')
    }
  }
}

/** The nodes from `start` to `goal`, both named; undefined where there is no way. */
function wayTo(goal: string, start: string, onward: (node: string) => string[], seen = new Set<string>()): string[] | undefined {
  if (start === goal) return [goal]
  if (seen.has(start)) return undefined
  seen.add(start)
  for (const next of onward(start)) {
    const rest = wayTo(goal, next, onward, seen)
    if (rest) return [start, ...rest]
  }
  return undefined
}

const periodInWords = ({ days = [], from, to }: { days?: (string | undefined)[], from?: string, to?: string }) => `${days.join(', ')} ${from}–${to}`
