/** When an agency is open: opening hours, holidays, exceptions, and how an admin learns what is wrong with them. */
import fc from 'fast-check'
import { DateTime } from 'luxon'
import { describe, expect, it } from 'vitest'
import { formatFault, PlanFaults } from '../../src/plan/faults.ts'
import { opening, openingInWords } from '../../src/plan/hours.ts'
import type { AgencyNode } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { townPrompts, townWith } from './town.ts'

const libur = `name: Libur
from: 2026-01-01
until: 2027-12-31
days:
  - { date: 2027-01-01, name: Tahun Baru, basis: fixed }
  - { date: 2027-03-10, name: Idul Fitri, basis: expected }
`
const sections = `hours:
  kantor:
    - { days: [mon, tue, wed, thu], from: 08:00, to: 16:00 }
    - { days: [fri], from: 08:00, to: 11:30 }
    - { days: [fri], from: 13:00, to: 16:30 }
  malam:
    - { days: [sat, sun], from: 22:00, to: 06:00 }
holidays:
  nasional: [libur]
exceptions:
  - { date: 2027-02-27, agencies: [bpbd], is: open, from: 09:00, to: 12:00, reason: Bakti sosial }
  - { date: 2027-12-30, until: 2028-01-02, agencies: [bpbd], is: closed, reason: Pindah kantor }
  - { date: 2027-03-11, agencies: [posko2], is: open, reason: Siaga }
`
const agencies = '    hours: kantor\n    holidays: nasional\n    closed: posko\n'
const more = `  posko2:
    name: Malam
    connecting: sambung
    hours: malam
    closed: posko
    lines:
      - { id: malam-1, trunk: gateway, number: malam-1 }
`

type Edit = [from: string, to: string]
const now = DateTime.fromISO('2027-01-10T00:00Z').toMillis()

/** The small town with office hours for bpbd and a night watch. */
const whole = townWith(['    name: BPBD\n', `    name: BPBD\n${agencies}`], ['prompts:\n', `${more}${sections}prompts:\n`], ['2: lain', '2: lain\n      3: posko2'])
const read = (edits: Edit[] = [], { holidays = libur, at = now } = {}) => readText(edits.reduce((text, [from, to]) => {
  if (!text.includes(from)) throw new Error(`the plan has no ${JSON.stringify(from)}`)
  return text.replace(from, () => to)
}, whole), holidays, at)

function readText(text: string, holidays: string, at: number) {
  return readPlan(text, { file: 'plan.yaml', prompts: townPrompts, holidays: new Map([['libur', { file: 'holidays/libur.yaml', text: holidays }]]), now: at })
}

function refusal(edits: Edit[], options = {}): string[] {
  try {
    return read(edits, options).faults.map(formatFault)
  } catch (error) {
    if (error instanceof PlanFaults) return error.faults.map(formatFault)
    throw error
  }
}

function at(agency: string, time: string, edits: Edit[] = [], zone = 'Asia/Jakarta') {
  const { plan } = read(edits)
  return openingInWords(opening(plan, plan.nodes.get(agency) as AgencyNode, DateTime.fromISO(time, { zone }).toMillis()))
}

describe('an agency is', () => {
  it.each([
    ['before its hours', 'bpbd', '2027-01-11T07:59:59', 'closed (hours: kantor)'],
    ['in their first minute', 'bpbd', '2027-01-11T08:00:00', 'open (hours: kantor)'],
    ['in their last second', 'bpbd', '2027-01-11T15:59:59', 'open (hours: kantor)'],
    ['at their end', 'bpbd', '2027-01-11T16:00:00', 'closed (hours: kantor)'],
    ['between two periods of a day', 'bpbd', '2027-01-15T12:00:00', 'closed (hours: kantor)'],
    ['in the second of them', 'bpbd', '2027-01-15T16:29:00', 'open (hours: kantor)'],
    ['on a day without hours', 'bpbd', '2027-01-16T10:00:00', 'closed (hours: kantor)'],
    ['without hours at all', 'posko', '2027-03-10T03:00:00', 'open (at all times)'],

    ['before a night that crosses midnight', 'posko2', '2027-01-16T21:59:00', 'closed (hours: malam)'],
    ['in it, before midnight', 'posko2', '2027-01-16T23:59:59', 'open (hours: malam)'],
    ['in it, after midnight', 'posko2', '2027-01-17T00:00:00', 'open (hours: malam)'],
    ['at its end', 'posko2', '2027-01-17T06:00:00', 'closed (hours: malam)'],
    ['in the night that ends a week', 'posko2', '2027-01-18T05:59:00', 'open (hours: malam)'],
    ['in the same hour of a day whose eve has no night', 'posko2', '2027-01-19T05:59:00', 'closed (hours: malam)'],
    ['in the night from one month to the next', 'posko2', '2027-02-28T23:30:00', 'open (hours: malam)'],
    ['in it, on the first of the month', 'posko2', '2027-03-01T02:00:00', 'open (hours: malam)'],
    ['in a leap year\'s night after 29 February', 'posko2', '2032-03-01T02:00:00', 'open (hours: malam)'],
    ['in the night from one year to the next', 'posko2', '2028-01-02T23:00:00', 'open (hours: malam)'],
    ['in it, on New Year of a Sunday\'s eve', 'posko2', '2023-01-01T03:00:00', 'open (hours: malam)'],

    ['on a holiday', 'bpbd', '2027-01-01T10:00:00', 'closed (holiday: Tahun Baru)'],
    ['on one that is not certain', 'bpbd', '2027-03-10T10:00:00', 'closed (holiday: Idul Fitri (expected))'],
    ['on the day after', 'bpbd', '2027-03-11T10:00:00', 'open (hours: kantor)'],
    ['on a day opened by way of exception', 'bpbd', '2027-02-27T10:00:00', 'open (exception: Bakti sosial)'],
    ['on that day, before it', 'bpbd', '2027-02-27T08:59:00', 'closed (exception: Bakti sosial)'],
    ['closed over the year\'s end, first day', 'bpbd', '2027-12-30T10:00:00', 'closed (exception: Pindah kantor)'],
    ['closed over the year\'s end, last day', 'bpbd', '2028-01-02T10:00:00', 'closed (exception: Pindah kantor)'],
    ['when that is over', 'bpbd', '2028-01-03T10:00:00', 'open (hours: kantor)'],
    ['opened for a whole day', 'posko2', '2027-03-11T00:00:00', 'open (exception: Siaga)'],
    ['until the midnight that ends it', 'posko2', '2027-03-12T00:00:00', 'closed (hours: malam)']
  ])('%s', (_, agency, time, expected) => {
    expect(at(agency, time)).toBe(expected)
  })

  it('open through a night that began before a holiday', () => {
    expect(at('posko2', '2027-01-17T03:00:00', [['    hours: malam\n', '    hours: malam\n    holidays: nasional\n']])).toBe('open (hours: malam)')
    expect(at('posko2', '2027-03-10T03:00:00', [['[sat, sun]', '[tue, wed]'], ['    hours: malam\n', '    hours: malam\n    holidays: nasional\n']])).toBe('open (hours: malam)')
    expect(at('posko2', '2027-03-10T22:30:00', [['[sat, sun]', '[tue, wed]'], ['    hours: malam\n', '    hours: malam\n    holidays: nasional\n']])).toBe('closed (holiday: Idul Fitri (expected))')
  })

  it('open by the plan\'s clock, wherever the machine is', () => {
    expect(at('bpbd', '2027-01-11T01:00:00Z')).toBe('open (hours: kantor)')
    expect(at('bpbd', '2027-01-11T00:59:00Z')).toBe('closed (hours: kantor)')
  })

  it.each([
    // Berlin: 2027-03-28 02:00 → 03:00, 2027-10-31 03:00 → 02:00; both are Sundays, and the night began on Saturday
    ['the night in which the clock goes forward ends an hour sooner, by the wall', '2027-03-28T03:59:00Z', 'open (hours: malam)'],
    ['', '2027-03-28T04:00:00Z', 'closed (hours: malam)'],
    ['the night in which it goes back lasts an hour longer', '2027-10-31T04:59:00Z', 'open (hours: malam)'],
    ['', '2027-10-31T05:00:00Z', 'closed (hours: malam)']
  ])('summer time: %s', (_, time, expected) => {
    expect(at('posko2', time, [['Asia/Jakarta', 'Europe/Berlin']])).toBe(expected)
  })
})

describe('hours are refused for', () => {
  it.each<[string, Edit[], ...string[]]>([
    ['a weekday that is none', [['[sat, sun]', '[sat, sund]']],
      '55:21 hours.malam.0.days.1: is "sund"; it must be one of mon, tue, wed, thu, fri, sat, sun — did you mean "sun"?'],
    ['a time that is none', [['from: 22:00', 'from: 25:00']],
      '55:27 hours.malam.0.from: is "25:00"; it must be a time of the day, as in "07:30" (24:00 at most)'],
    ['a period that never opens', [['to: 06:00', 'to: 22:00']],
      '55:40 hours.malam.0.to: is 22:00, when it begins: it never opens — for a whole day, write from 00:00 to 24:00'],
    ['a timetable that never opens', [['    - { days: [sat, sun], from: 22:00, to: 06:00 }', '    []']],
      '54:3 hours.malam: is an empty list — it needs at least one entry'],
    ['periods that overlap', [['[fri], from: 13:00', '[thu, fri], from: 11:00']],
      '53:7 hours.kantor.2: overlaps on thu with mon, tue, wed, thu 08:00–16:00 — write the time once'],
    ['a night that overlaps with the next morning, over the week\'s end', [['from: 22:00, to: 06:00 }', 'from: 22:00, to: 06:00 }\n    - { days: [mon], from: 05:00, to: 07:00 }']],
      '56:7 hours.malam.1: overlaps on mon with sat, sun 22:00–06:00 — write the time once'],
    ['a timetable that is not there', [['hours: kantor', 'hours: kantr']],
      '29:5 agencies.bpbd.hours: "kantr" is no timetable of hours — did you mean "kantor"?'],
    ['a calendar that is not there', [['holidays: nasional', 'holidays: nasionl']],
      '30:5 agencies.bpbd.holidays: "nasionl" is no calendar of holidays — did you mean "nasional"?'],
    ['a file that is not there', [['[libur]', '[liburan]']],
      '57:14 holidays.nasional.0: there is no holidays/liburan.yaml — write it, as docs/plan.md says; did you mean "libur"?'],
    ['nowhere to go when it is closed', [['    closed: posko\n', '']],
      '27:3 agencies.bpbd: has hours, but no `closed` — say at which node its callers go on while it is closed'],
    ['a node that is none, for when it is closed', [['closed: posko\n', 'closed: pos\n']],
      '31:5 agencies.bpbd.closed: leads to "pos", which is no menu or agency — there are utama, lain, bpbd, posko, posko2'],
    ['a circle of closed agencies', [['closed: posko\n', 'closed: posko2\n'], ['hours: malam\n    closed: posko', 'hours: malam\n    closed: bpbd']],
      '31:5 agencies.bpbd.closed: may never end at a human (bpbd → posko2 → bpbd) — one of these agencies must be open at all times'],
    ['silence that leads to nobody at night', [['silence: posko', 'silence: bpbd'], ['closed: posko\n', 'closed: utama\n']],
      '18:5 menus.utama.silence: may never end at a human (utama → bpbd → utama) — one of these agencies must be open at all times'],
    ['a date that does not exist', [['2027-02-27', '2027-02-29']],
      '59:7 exceptions.0.date: is "2027-02-29"; it must be a date that exists, as in "2027-03-20"'],
    ['days in the wrong order', [['until: 2028-01-02', 'until: 2027-01-02']],
      '60:25 exceptions.1.until: is 2027-01-02, before 2027-12-30, its first day — write the first day under date, the last under until'],
    ['an exception for nobody who is known', [['agencies: [posko2]', 'agencies: [posko3]']],
      '61:36 exceptions.2.agencies.0: "posko3" is no agency — did you mean "posko"?'],
    ['two exceptions that contradict each other', [['2027-03-11, agencies: [posko2]', '2028-01-02, agencies: [bpbd]']],
      '61:5 exceptions.2: is of the same day and agency as exception 2 — one day is either open or closed: write one of them'],
    ['closed hours of a closed day', [['is: closed,', 'is: closed, from: 10:00,']],
      '60:74 exceptions.1.from: has no meaning where it is closed — a day is closed whole; for shorter hours write "is: open" with from and to'],
    ['an exception that closes who never says where to', [['agencies: [bpbd], is: closed', 'agencies: [posko], is: closed']],
      '36:3 agencies.posko: has an exception that closes it, but no `closed` — say at which node its callers go on while it is closed'],
    ['overflow to no agency', [['    closed: posko\n', '    closed: posko\n    overflow: { busy: lain }\n']],
      '32:17 agencies.bpbd.overflow.busy: "lain" is no agency — there are bpbd, posko, posko2'],
    ['overflow that goes round in a circle', [['    closed: posko\n', '    closed: posko\n    overflow: { busy: posko2 }\n'], ['hours: malam\n', 'hours: malam\n    overflow: { dead: bpbd }\n']],
      '32:17 agencies.bpbd.overflow.busy: leads back to itself (bpbd → posko2 → bpbd) — callers would go round and round: end it at an agency without overflow'],
    ['overflow that comes back by way of a closed agency', [['    sorry: maaf-posko\n', '    sorry: maaf-posko\n    overflow: { dead: bpbd }\n']],
      '40:17 agencies.posko.overflow.dead: leads back to itself (posko → bpbd → posko) — callers would go round and round: end it at an agency without overflow']
  ])('%s', (_, edits, ...faults) => {
    expect(refusal(edits)).toEqual(faults.map(fault => `plan.yaml:${fault}`))
  })

  it('faults in the holidays\' file, told with its own places', () => {
    const holidays = libur.replace('2027-01-01, name', '2027-02-30, name').replace('basis: expected', 'basis: expcted').replace('2027-03-10', '2028-03-10')
    expect(refusal([], { holidays })).toEqual([
      'holidays/libur.yaml:5:7 days.0.date: is "2027-02-30"; it must be a date that exists, as in "2027-03-20"',
      'holidays/libur.yaml:6:7 days.1.date: 2028-03-10 is outside of 2026-01-01 to 2027-12-31 — the file says `from` and `until` where it knows all holidays',
      'holidays/libur.yaml:6:43 days.1.basis: is "expcted"; it must be one of fixed, decreed, computed, expected — did you mean "expected"?'
    ])
  })
})

describe('an admin is warned of', () => {
  it('an exception that opens on a holiday, hours that cross midnight and are longer than half a day, and a calendar that nobody names', () => {
    const warned = (edits: Edit[], options = {}) => refusal(edits, options).map(line => line.replace(/^[\w./]+:\d+:\d+ /, ''))
    expect(warned([['date: 2027-02-27', 'date: 2027-03-09, until: 2027-03-10']])).toEqual(['exceptions.0: (warning) opens bpbd on 2027-03-10, a holiday (Idul Fitri (expected)) — if that is meant, leave it as it is'])
    expect(warned([['days: [fri], from: 08:00, to: 11:30', 'days: [fri], from: 16:30, to: 08:00'], ['from: 13:00, to: 16:30', 'from: 13:00, to: 14:00']])).toEqual([
      'hours.kantor.1: (warning) is open from 16:30 to 08:00 of the next day, for 16 hours — if that is meant, write two periods, from 16:30 to 24:00 and from 00:00 to 08:00; else change from and to'])
    expect(readText(townWith(), libur, now).faults).toEqual([])
    const files = new Map(['libur', 'lama'].map(name => [name, { file: `holidays/${name}.yaml`, text: libur }]))
    expect(readPlan(whole, { file: 'plan.yaml', prompts: townPrompts, holidays: files, now }).faults.map(formatFault)).toEqual([
      'holidays/lama.yaml:1:1 (warning) is named by no calendar of the plan: its days are no holidays — name it under `holidays`, or delete it'])
  })

  it('a calendar that ends within 60 days', () => {
    const of = (time: string) => refusal([], { at: DateTime.fromISO(time).toMillis() })
    expect(of('2027-11-01T00:00Z')).toEqual([])
    expect(of('2027-11-02T00:00Z')).toEqual(['plan.yaml:57:14 holidays.nasional.0: (warning) knows no holidays after 2027-12-31, which is over or near — add the coming ones, and move its `until`'])
  })

  it('a timetable and a calendar that nobody uses', () => {
    expect(refusal([[agencies, '    closed: posko\n']])).toEqual([
      'plan.yaml:48:3 hours.kantor: (warning) is used by no agency — name it there, or delete it', 'plan.yaml:55:3 holidays.nasional: (warning) is used by no agency — name it there, or delete it'
    ])
  })
})

it('another holiday file is another version of the plan', () => {
  const { plan } = read()
  expect(read([], { holidays: libur.replace('2027-03-10', '2027-03-11') }).plan.version).not.toBe(plan.version)
  expect(read([], { holidays: libur }).plan.version).toBe(plan.version)
})

it('whatever is written, it is a plan that opens and closes, or it is refused with reasons', () => {
  const scrap = fc.constantFrom('', 'x', '[', ']', '{', '}', ':', '\n', '  ', '- ', '0', '2027-13-01', '25:00', 'mon', 'posko', 'is: open', 'null', ',')
  const cut = (text: string) => fc.record({ at: fc.nat(text.length), remove: fc.nat(25), insert: scrap })
  const after = (text: string, cuts: { at: number, remove: number, insert: string }[]) =>
    cuts.reduce((text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove), text)
  const hours = whole.indexOf('agencies:')
  fc.assert(fc.property(fc.array(cut(whole.slice(hours)), { minLength: 1, maxLength: 3 }), fc.array(cut(libur), { maxLength: 1 }), (cuts, inHolidays) => {
    try {
      const { plan } = readText(whole.slice(0, hours) + after(whole.slice(hours), cuts), after(libur, inHolidays), now)
      for (const node of plan.nodes.values()) if (node.kind === 'agency') expect(typeof opening(plan, node, now).open).toBe('boolean')
    } catch (error) {
      expect(error).toBeInstanceOf(PlanFaults)
      for (const { line, column, sentence } of (error as PlanFaults).faults) expect([line > 0, column > 0, sentence !== '']).toEqual([true, true, true])
    }
  }), { numRuns: 400 })
}, 60_000)
