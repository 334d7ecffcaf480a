/** The coming weeks' changes, as an admin reads them. */
import fc from 'fast-check'
import { DateTime } from 'luxon'
import { expect, test } from 'vitest'
import { changes, nextOpening } from '../../src/plan/calendar.ts'
import { opening } from '../../src/plan/hours.ts'
import type { AgencyNode, Plan } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { calendarInWords } from '../../src/verbs/calendar.ts'
import { townWith } from './town.ts'

const holidays = new Map([['libur', { file: 'libur.yaml', text: 'name: Libur\nfrom: 2027-01-01\nuntil: 2028-12-31\ndays:\n  - { date: 2027-03-10, name: Idul Fitri, basis: expected }\n' }]])
const town = (timezone: string, hours: string): Plan => readPlan(townWith(
  ['Asia/Jakarta', timezone],
  ['    name: BPBD\n', '    name: BPBD\n    hours: siang\n    holidays: nasional\n    closed: posko\n'],
  ['prompts:\n', `hours:\n  siang: ${hours}\nholidays: { nasional: [libur] }
exceptions:
  - { date: 2027-03-12, until: 2027-03-13, agencies: [bpbd], is: closed, reason: Pindah }
prompts:\n`]), { file: 'plan.yaml', holidays, now: DateTime.fromISO('2027-01-01').toMillis() }).plan
const time = (plan: Plan, text: string) => DateTime.fromISO(text, { zone: plan.timezone }).toMillis()

test('a week with a holiday and an exception', () => {
  const plan = town('Asia/Jakarta', '[{ days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00 }, { days: [sat], from: 20:00, to: 02:00 }]')
  expect(calendarInWords(plan, changes(plan, time(plan, '2027-03-09T12:00'), time(plan, '2027-03-15T12:00'))).split('\n')).toEqual([
    'Tue 2027-03-09 16:00  bpbd   is closed (hours: siang)',
    'Wed 2027-03-10 00:00  bpbd   stays closed (holiday: Idul Fitri (expected))',
    'Thu 2027-03-11 00:00  bpbd   stays closed (hours: siang); the holiday is over: Idul Fitri (expected)',
    'Thu 2027-03-11 08:00  bpbd   is open (hours: siang)',
    'Thu 2027-03-11 16:00  bpbd   is closed (hours: siang)',
    'Fri 2027-03-12 00:00  bpbd   stays closed (exception: Pindah)',
    'Sun 2027-03-14 00:00  bpbd   stays closed (hours: siang); the exception is over: Pindah',
    'Mon 2027-03-15 08:00  bpbd   is open (hours: siang)',
    'No change: posko'
  ])
})

test('a night ends on the next day, in its month and year', () => {
  const plan = town('Asia/Jakarta', '[{ days: [fri], from: 22:00, to: 06:00 }]')
  const at = (from: string, to: string) => changes(plan, time(plan, from), time(plan, to)).map(({ at, now }) => `${DateTime.fromMillis(at, { zone: plan.timezone }).toFormat('yyyy-MM-dd HH:mm')} ${now.open}`)
  expect(at('2027-12-31T12:00', '2028-01-01T12:00')).toEqual(['2027-12-31 22:00 true', '2028-01-01 06:00 false'])
})

test('whatever the zone does with its clocks, a change is told at the very minute, and none is left out', () => {
  // The clock is set in each of these spans, at 02:00, 03:00 or (Santiago) at midnight itself.
  const spans = [['Europe/Berlin', '2027-03-26'], ['Europe/Berlin', '2027-10-29'], ['America/Santiago', '2027-04-02'], ['America/Santiago', '2027-09-03'], ['Asia/Jakarta', '2027-03-09']] as const
  const period = fc.tuple(fc.integer({ min: 0, max: 95 }), fc.integer({ min: 0, max: 95 })).filter(([from, to]) => from !== to)
  const clock = (quarter: number) => `${String(Math.floor(quarter / 4)).padStart(2, '0')}:${String(quarter % 4 * 15).padStart(2, '0')}`
  fc.assert(fc.property(fc.constantFrom(...spans), period, ([zone, day], [from, to]) => {
    const plan = town(zone, `[{ days: [mon, wed, fri, sat], from: "${clock(from)}", to: "${clock(to)}" }]`.replace('fri, sat', from < to ? 'fri, sat' : 'sat'))
    const agency = plan.nodes.get('bpbd') as AgencyNode
    const [begin, end] = [time(plan, day), time(plan, day) + 4 * 86_400_000]
    const told = changes(plan, begin, end).filter(({ now, before }) => now.open !== before.open).map(({ at }) => at)
    const seen: number[] = []
    for (let at = begin + 60_000; at <= end; at += 60_000) if (opening(plan, agency, at).open !== opening(plan, agency, at - 60_000).open) seen.push(at)
    expect(told).toEqual(seen)
    const opens = [begin, ...seen].find(at => opening(plan, agency, at).open)
    if (opens !== undefined) expect(nextOpening(plan, agency, begin)).toBe(opens)
  }), { numRuns: 12 })
}, 30_000)
