/** Expected calls: those of the repository hold, and one that does not is told with its place and its way. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkExpectedCalls } from '../../src/plan/expected.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { loadPlan } from '../../src/plan/load.ts'
import { readPlan } from '../../src/plan/read.ts'
import { townWith } from './town.ts'

const { plan } = readPlan(townWith(
  ['    name: BPBD\n', '    name: BPBD\n    hours: kantor\n    closed: posko\n'],
  ['prompts:\n', 'hours:\n  kantor: [{ days: [mon], from: 08:00, to: 16:00 }]\nprompts:\n']), { file: 'plan.yaml' })
const faults = (...calls: string[]) => checkExpectedCalls(`calls:\n${calls.map(call => `  - { name: x, number: 112, ${call} }\n`).join('')}`, 'calls.yaml', plan).map(formatFault)
const look = '"x" is expected; look at it: npx satunomor simulate --number 112 --at "2027-01-11'

test('the demo city\'s expected calls hold, and its plan is the one that they are checked against', async () => {
  const text = readFileSync('dialplan/calls.yaml', 'utf8')
  const { plan } = await loadPlan('dialplan/plan.yaml')
  expect(checkExpectedCalls(text, 'calls.yaml', plan)).toEqual([])
  const edited = readPlan(readFileSync('dialplan/plan.yaml', 'utf8').replace('1: ambulans', '1: bpbd'), { file: 'plan.yaml' })
  expect(checkExpectedCalls(text, 'calls.yaml', edited.plan).map(({ line }) => line)).toEqual([6, 7, 13])
})

test('calls that get where they are expected are no faults', () => {
  expect(faults(
    'at: 2027-01-11 08:00, press: [1], reaches: bpbd, line: bpbd-1', 'at: 2027-01-11 07:59, press: [1], reaches: posko',
    'at: 2027-01-11 08:00, reaches: posko', 'at: 2027-01-11 08:00, busy: [posko-1], reaches: nobody',
    'at: 2027-01-11 08:00, press: [2, "*", 1], dead: [bpbd-1], reaches: bpbd, line: bpbd-2'
  )).toEqual([])
})

test.each([
  ['another agency', 'at: 2027-01-11 16:00, press: [1], reaches: bpbd',
    `2:63 calls.0.reaches: gets to posko, not to bpbd (utama, key 1, bpbd closed, posko) — ${look} 16:00" --press "1"`],
  ['another line', 'at: 2027-01-11 08:00, press: [1], busy: [bpbd-1], reaches: bpbd, line: bpbd-1',
    `2:94 calls.0.line: gets to bpbd by bpbd-2, not by bpbd-1 — ${look} 08:00" --press "1" --busy "bpbd-1"`],
  ['another language', 'at: 2027-01-11 08:00, press: [1], reaches: bpbd, language: en',
    `2:78 calls.0.language: is heard in "id", not in "en" (utama, key 1, bpbd) — ${look} 08:00" --press "1"`],
  ['an apology', 'at: 2027-01-11 08:00, busy: [posko-1], reaches: posko',
    `2:68 calls.0.reaches: gets to nobody, not to posko (utama, silence, posko, posko-1 busy) — ${look} 08:00" --busy "posko-1"`]
])('a call that gets to %s is told, with its way', (_, call, fault) => {
  expect(faults(call)).toEqual([`calls.yaml:${fault}`])
})

test('what is written wrong is told at once, each with its place', () => {
  expect(checkExpectedCalls(`calls:
  - { name: a, number: 113, at: 2027-01-11 08:00, reaches: posko }
  - { name: b, number: 112, at: 2027-02-30 08:00, reaches: posko }
  - { name: c, number: 112, at: 2027-01-11, reaches: posko }
  - { name: d, number: 112, at: 2027-01-11 08:00, pres: [1], reaches: poskoo }
  - { name: e, number: 112, at: 2027-01-11 08:00, press: [12], dead: [bpbd-7], reaches: posko }
  - { name: f, number: 112, at: 2027-01-11 08:00, dead: [bpbd-7], reaches: posko }
`, 'calls.yaml', plan).map(formatFault)).toEqual([
    'calls.yaml:2:16 calls.0.number: "113" is no number of the plan — did you mean "112"?',
    'calls.yaml:3:29 calls.1.at: is "2027-02-30 08:00", a day that does not exist',
    'calls.yaml:4:29 calls.2.at: is "2027-01-11"; it must be a date and a time of the plan’s zone, as in "2027-03-20 02:30"',
    'calls.yaml:5:51 calls.3.pres: is not a known key — did you mean "press"?',
    'calls.yaml:5:62 calls.3.reaches: "poskoo" is no agency of the plan — did you mean "posko"?',
    'calls.yaml:6:59 calls.4.press.0: is "12"; it must be a key of a telephone: 0 to 9, "*" or "#"',
    'calls.yaml:7:58 calls.5.dead.0: "bpbd-7" is no line or trunk of the plan — did you mean "bpbd-1"?'
  ])
  expect(checkExpectedCalls('calls: [', 'calls.yaml', plan)).toHaveLength(1)
  expect(checkExpectedCalls('', 'calls.yaml', plan).map(formatFault)).toEqual(['calls.yaml:1:1 must have keys and values, not nothing'])
})
