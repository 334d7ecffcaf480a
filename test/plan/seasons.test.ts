/** Seasons: which hours hold on which day, and how an admin learns what is wrong with the dates. */
import { DateTime } from 'luxon'
import { describe, expect, it, test } from 'vitest'
import { nextOpening } from '../../src/plan/calendar.ts'
import { formatFault, PlanFaults } from '../../src/plan/faults.ts'
import { nextHour } from '../../src/plan/follow-up-policy.ts'
import { opening, openingInWords } from '../../src/plan/hours.ts'
import type { AgencyNode } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { simulate } from '../../src/plan/simulate.ts'
import { townPrompts, townWith } from './town.ts'

const sections = `hours:
  kantor:
    - { days: [mon, tue, wed, thu, fri], from: 07:30, to: 16:00 }
  kantor-ramadan:
    - { days: [mon, tue, wed, thu, fri], from: 08:00, to: 15:00 }
  malam:
    - { days: [mon, tue, wed, thu, fri, sat, sun], from: 22:00, to: 06:00 }
  malam-ramadan:
    - { days: [mon, tue, wed, thu, fri, sat, sun], from: 22:00, to: 03:00 }
seasons:
  ramadan:
    name: Ramadan
    dates:
      - { from: 2026-02-18, until: 2026-03-19 }
      - { from: 2027-02-08, until: 2027-03-09 }
    hours: { kantor: kantor-ramadan, malam: malam-ramadan }
holidays:
  nasional: [libur]
exceptions:
  - { date: 2027-02-11, agencies: [bpbd], is: open, from: 17:00, to: 20:00, reason: Buka bersama }
followups: { policy: { hours: kantor } }
`
const libur = 'name: Libur\nfrom: 2026-01-01\nuntil: 2028-12-31\ndays:\n  - { date: 2027-02-17, until: 2027-02-18, name: Imlek, basis: fixed }\n'
const ramadan = `name: Ramadan
from: 2027-01-01
until: 2028-12-31
days:
  - { date: 2027-02-08, until: 2027-03-09, name: Ramadan 1448 H, basis: expected }
  - { date: 2028-01-28, until: 2028-02-25, name: Ramadan 1449 H, basis: decreed }
`
const watch = '  jaga:\n    name: Jaga\n    connecting: sambung\n    hours: malam\n    closed: posko\n    lines: [{ id: jaga-1, trunk: gateway, number: jaga-1 }]\n'
const whole = townWith(['    name: BPBD\n', '    name: BPBD\n    hours: kantor\n    holidays: nasional\n    closed: posko\n'], ['prompts:\n', `${watch}${sections}prompts:\n`], ['2: lain', '2: lain\n      3: jaga'])

type Edit = [from: string, to: string]
const read = (edits: Edit[] = [], files: Record<string, string> = {}) => readPlan(edits.reduce((text, [from, to]) => {
  if (!text.includes(from)) throw new Error(`the plan has no ${JSON.stringify(from)}`)
  return text.replace(from, () => to)
}, whole), {
  file: 'plan.yaml', prompts: townPrompts, now: Date.parse('2027-01-10T00:00Z'),
  holidays: new Map(Object.entries({ libur, ...files }).map(([name, text]) => [name, { file: `holidays/${name}.yaml`, text }]))
})

function told(...args: Parameters<typeof read>): string[] {
  try {
    return read(...args).faults.map(formatFault)
  } catch (error) {
    if (error instanceof PlanFaults) return error.faults.map(formatFault)
    throw error
  }
}

const jakarta = (time: string) => DateTime.fromISO(time, { zone: 'Asia/Jakarta' }).toMillis()
const { plan } = read()
const agency = (name: string) => plan.nodes.get(name) as AgencyNode

describe('an office is', () => {
  it.each([
    ['2027-02-05T07:45', 'open (hours: kantor)'], ['2027-02-08T07:45', 'closed (season: Ramadan)'], ['2027-02-08T08:00', 'open (season: Ramadan)'],
    ['2027-03-09T15:00', 'closed (season: Ramadan)'], ['2027-03-10T15:30', 'open (hours: kantor)'], ['2026-03-19T15:30', 'closed (season: Ramadan)'],
    ['2028-02-10T15:30', 'open (hours: kantor)'], ['2027-02-18T10:00', 'closed (holiday: Imlek)'], ['2027-02-19T10:00', 'open (season: Ramadan)'],
    ['2027-02-11T17:30', 'open (exception: Buka bersama)'], ['2027-02-13T10:00', 'closed (season: Ramadan)']
  ])('at %s %s', (time, expected) => {
    expect(openingInWords(opening(plan, agency('bpbd'), jakarta(time)))).toBe(expected)
  })
})

describe('a night watch goes by the day on which it begins', () => {
  it.each([
    ['2027-02-08T05:00', 'open (hours: malam)'], ['2027-02-09T02:59', 'open (season: Ramadan)'], ['2027-02-09T03:00', 'closed (season: Ramadan)'],
    ['2027-03-10T04:00', 'closed (hours: malam)'], ['2027-03-11T05:00', 'open (hours: malam)']
  ])('at %s it is %s', (time, expected) => {
    expect(openingInWords(opening(plan, agency('jaga'), jakarta(time)))).toBe(expected)
  })
})

test('the next opening, and the hours of callbacks, are the season\'s', () => {
  expect(nextOpening(plan, agency('bpbd'), jakarta('2027-02-05T18:00'))).toBe(jakarta('2027-02-08T08:00'))
  expect(nextHour(plan, 'kantor', jakarta('2027-02-05T18:00'))).toBe(jakarta('2027-02-08T08:00'))
  expect(nextHour(plan, 'kantor', jakarta('2027-03-09T15:30'))).toBe(jakarta('2027-03-10T07:30'))
})

test('a simulated call is passed on in the season, at an hour that is else open', () => {
  const call = (at: string) => simulate(plan, { number: '112', at: jakarta(at), press: ['1'] }).reaches?.agency
  expect([call('2027-02-09T15:30'), call('2027-03-10T15:30')]).toEqual(['posko', 'bpbd'])
})

const fromFile: Edit = ['    dates:\n      - { from: 2026-02-18, until: 2026-03-19 }\n      - { from: 2027-02-08, until: 2027-03-09 }\n', '    file: puasa\n']

test('the dates may stand in a file, which then says what is not certain', () => {
  const { plan, faults } = read([fromFile], { puasa: ramadan })
  expect(faults).toEqual([])
  expect(plan.version).not.toBe(read([fromFile], { puasa: ramadan.replace('02-08', '02-07') }).plan.version)
  const words = (time: string) => openingInWords(opening(plan, plan.nodes.get('bpbd') as AgencyNode, jakarta(time)))
  expect([words('2027-02-08T09:00'), words('2028-01-28T09:00'), words('2028-02-28T09:00')]).toEqual(['open (season: Ramadan (expected))', 'open (season: Ramadan)', 'open (hours: kantor)'])
})

describe('it is told, with its place:', () => {
  const next = '  nyepi:\n    name: Nyepi\n    dates: [{ from: 2027-03-09, until: 2027-03-09 }]\n    hours: { HOURS }\nholidays:\n'
  it.each<[string, Edit[], string[]]>([
    ['a timetable that there is not', [['malam: malam-ramadan', 'malem: malam-ramadan']], ['plan.yaml:63:38 seasons.ramadan.hours.malem: "malem" is no timetable of hours — did you mean "malam"?']],
    ['a timetable instead that there is not', [['malam: malam-ramadan', 'malam: malam-puasa']], ['plan.yaml:63:38 seasons.ramadan.hours.malam: "malam-puasa" is no timetable of hours — there are kantor, kantor-ramadan, malam, malam-ramadan']],
    ['one that replaces itself', [['malam: malam-ramadan', 'malam: malam']], ['plan.yaml:63:38 seasons.ramadan.hours.malam: replaces its own hours — write a second timetable under `hours`, and name it here']],
    ['no hours', [['{ kantor: kantor-ramadan, malam: malam-ramadan }', '{}']], ['plan.yaml:63:5 seasons.ramadan.hours: replaces no hours — write which timetable holds instead of which: { kantor: kantor-ramadan }']],
    ['no dates', [[fromFile[0], '']], ['plan.yaml:58:3 seasons.ramadan: has no dates — write dates: [{ from: 2027-02-08, until: 2027-03-09 }], or the name of a file of holidays/ under `file`']],
    ['days in the wrong order', [['until: 2027-03-09', 'until: 2027-01-09']], ['plan.yaml:62:29 seasons.ramadan.dates.1.until: is 2027-01-09, before 2027-02-08, its first day — write the first day under from, the last under until']],
    ['a season that overlaps with itself', [['until: 2026-03-19', 'until: 2027-02-08']], ['plan.yaml:62:9 seasons.ramadan.dates.1: overlaps with ramadan (2026-02-18 to 2027-02-08): both replace the hours of "kantor" — one day has one season: change the dates of one of them']],
    ['two seasons of one timetable', [['holidays:\n  nas', next.replace('HOURS', 'malam: kantor') + '  nas']], ['plan.yaml:66:13 seasons.nyepi.dates.0: overlaps with ramadan (2027-02-08 to 2027-03-09): both replace the hours of "malam" — one day has one season: change the dates of one of them']],
    ['two seasons of two timetables: nothing', [['holidays:\n  nas', next.replace('HOURS', 'kantor-ramadan: kantor') + '  nas']], []],
    ['a season that is over', [['      - { from: 2027-02-08, until: 2027-03-09 }\n', '']], ['plan.yaml:58:3 seasons.ramadan: (warning) is over since 2026-03-19 — write its next dates, or delete it']],
    ['a file that there is not', [fromFile], ['plan.yaml:60:5 seasons.ramadan.file: there is no holidays/puasa.yaml — write it, as docs/plan.md says']],
    ['a date that there is not', [['from: 2027-02-08', 'from: 2027-02-30']], ['plan.yaml:62:11 seasons.ramadan.dates.1.from: is "2027-02-30"; it must be a date that exists, as in "2027-03-20"']]
  ])('%s', (_, edits, expected) => {
    expect(told(edits).filter(line => !line.includes('is used by no agency'))).toEqual(expected)
  })

  it('days of a file in the wrong order, and outside of it', () => {
    expect(told([fromFile], { puasa: ramadan.replace('until: 2027-03-09', 'until: 2027-02-01').replace('until: 2028-02-25', 'until: 2029-02-25') })).toEqual([
      'holidays/puasa.yaml:5:25 days.0.until: is 2027-02-01, before 2027-02-08, its first day — write the first day under date, the last under until',
      'holidays/puasa.yaml:6:25 days.1.until: 2029-02-25 is outside of 2027-01-01 to 2028-12-31 — the file says `from` and `until` where it knows all holidays'
    ])
  })

  it('a timetable that only a season names is used; a file that nothing names is not', () => {
    expect(told([], { puasa: ramadan })).toEqual(['holidays/puasa.yaml:1:1 (warning) is named by no calendar of the plan: its days are no holidays — name it under `holidays`, or delete it'])
  })
})
