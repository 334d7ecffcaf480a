/** The holidays that we ship: the files are whole, and what can be reckoned has been. */
import { DateTime } from 'luxon'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { holidayTexts } from '../../src/plan/load.ts'
import { readPlan } from '../../src/plan/read.ts'
import { townWith } from './town.ts'

interface Day { date: string, name: string, basis: string }
const texts = await holidayTexts('dialplan/holidays')
const { days } = parse(String(texts.get('indonesia')!.text)) as { days: Day[] }
const of = (year: number) => days.filter(({ date }) => date.startsWith(String(year)))
const names = (year: number) => of(year).map(({ name }) => name.replace(/ \d+( [A-Z][a-z]*| H)?(?=,|$)/, '')).sort()

it('a plan can name them', () => {
  const text = townWith(['prompts:\n', 'holidays:\n  libur: [indonesia, cuti-bersama]\nprompts:\n'], ['    name: BPBD\n', '    name: BPBD\n    holidays: libur\n    closed: posko\n'])
  const { plan, faults } = readPlan(text, { file: 'plan.yaml', holidays: texts, now: DateTime.fromISO('2026-06-01').toMillis() })
  expect(faults).toEqual([])
  expect(plan.holidays.get('libur')!.get('2026-12-24')).toBe('Cuti bersama Natal')
  expect(plan.holidays.get('libur')!.get('2027-03-10')).toBe('Idul Fitri 1448 H (expected)')
})

it('both years have the same holidays, but for a second Isra Mikraj at the end of 2027', () => {
  expect(of(2026)).toHaveLength(17)
  expect(names(2027)).toEqual([...names(2026), 'Isra Mikraj'].sort())
})

it('nothing of the moon\'s in 2027 is given as certain', () => {
  const moon = of(2027).filter(({ name }) => /Isra|Imlek|Nyepi|Idul|Waisak|Islam|Maulid/.test(name))
  expect(moon).toHaveLength(10)
  expect(new Set(moon.map(({ basis }) => basis))).toEqual(new Set(['expected']))
})

it('the Islamic dates of 2027 are the tabular calendar\'s, those of 2026 within a day of it', () => {
  const islamic = new Intl.DateTimeFormat('en-u-ca-islamic-civil', { timeZone: 'UTC', day: 'numeric', month: 'numeric' })
  const reckoned = (date: DateTime) => islamic.format(date.toJSDate()).replace(/ .*/, '')
  const feasts = { 'Isra Mikraj': '7/27', 'Idul Fitri': '10/1', 'Idul Adha': '12/10', 'Tahun Baru Islam': '1/1', 'Maulid Nabi': '3/12' }
  for (const [feast, expected] of Object.entries(feasts)) {
    for (const { date, basis } of days.filter(({ name }) => name.startsWith(feast) && !name.includes('kedua'))) {
      const day = DateTime.fromISO(date, { zone: 'utc' })
      const slack = basis === 'decreed' ? [-1, 0, 1] : [0]
      expect(slack.map(days => reckoned(day.plus({ days }))), `${feast} ${date}`).toContain(expected)
    }
  }
})

it('Good Friday, Easter and Ascension follow from Easter', () => {
  for (const [year, easter] of [[2026, '2026-04-05'], [2027, '2027-03-28']] as const) {
    const sunday = DateTime.fromISO(easter)
    const date = (part: string) => of(year).find(({ name }) => name.startsWith(part))?.date
    expect(sunday.weekday).toBe(7)
    expect([date('Wafat'), date('Paskah'), date('Kenaikan')]).toEqual([sunday.minus({ days: 2 }), sunday, sunday.plus({ days: 39 })].map(day => day.toISODate()))
  }
})
