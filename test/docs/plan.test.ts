/** docs/plan.md: each of its examples is read within the demo city's plan, so that none is out of date. */
import { readFileSync } from 'node:fs'
import { DateTime } from 'luxon'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { checkExpectedCalls } from '../../src/plan/expected.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { directoryTexts, holidayTexts } from '../../src/plan/load.ts'
import { readPlan } from '../../src/plan/read.ts'
import { PlanFile } from '../../src/plan/schema.ts'
import { asPart, isPart, over, type Part } from './parts.ts'

interface Example { heading: string, file: string, text: string }
const examples: Example[] = []
let heading = ''
for (const [, title, file, text] of readFileSync('docs/plan.md', 'utf8').matchAll(/^## (.*)$|^```yaml *(.*)\n([\s\S]*?)^```$/gm)) {
  if (title !== undefined) heading = title
  else examples.push({ heading, file: file || 'plan.yaml', text: text! })
}
const ofPlan = examples.filter(({ file }) => file === 'plan.yaml')
const holidays = new Map([
  ...await holidayTexts('dialplan/holidays'),
  ...examples.filter(({ file }) => file.startsWith('holidays/')).map(({ file, text }) => [file.slice('holidays/'.length, -'.yaml'.length), { file, text }] as const)
])

const demo = asPart(readFileSync('dialplan/plan.yaml', 'utf8'))
const directory = await directoryTexts('dialplan/directory')
/** Those that it names: of any other it would be warned. */
const namedIn = (text: string) => new Map([...holidays].filter(([name]) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(text)))
const read = (plan: Part) => readPlan(stringify(plan), { file: 'plan.yaml', holidays: namedIn(stringify(plan)), directory, now: DateTime.fromISO('2027-01-10').toMillis() })

test.each(ofPlan.map(({ heading, text }) => [heading, text]))('%s: the example is a plan', (_, text) => {
  // A menu that takes keys away leaves agencies without a way to them; that is all that may be warned of.
  expect(read(over(demo, asPart(text!))).faults.map(formatFault).filter(fault => !fault.includes('is reached by no number'))).toEqual([])
})

test('every part of the plan has an example, down to its last word', () => {
  const written = ofPlan.map(({ text }) => text).join('\n')
  const words = (rule: unknown): string[] => isPart(rule) ? [
    ...Object.entries(rule['properties'] as Part ?? {}).flatMap(([key, part]) => [key, ...words(part)]),
    ...Object.values(rule['patternProperties'] as Part ?? {}).flatMap(words), ...words(rule['items'])
  ] : []
  expect([...new Set(words(PlanFile))].filter(word => !new RegExp(`\\b${word}:`).test(written))).toEqual([])
})

test('the calendar of the examples has the days of its files', () => {
  const { plan } = read(over(demo, asPart(ofPlan.find(({ heading }) => heading === 'Holidays')!.text)))
  expect([...plan.holidays.get('libur')!].filter(([date]) => date.startsWith('2027-06'))).toEqual([
    ['2027-06-01', 'Hari Lahir Pancasila'], ['2027-06-06', 'Tahun Baru Islam 1449 H (expected)'], ['2027-06-17', 'Hari jadi kota']])
})

test('the expected calls of the examples are met in the demo city', () => {
  const [calls] = examples.filter(({ file }) => file === 'calls.yaml')
  expect(checkExpectedCalls(calls!.text, 'docs/plan.md', read(demo).plan)).toEqual([])
})
