/** Lines: in which order they ring, by which trunks; what is wrong with them, and what `simulate` says of them. */
import { expect, test } from 'vitest'
import { checkExpectedCalls } from '../../src/plan/expected.ts'
import { formatFault, PlanFaults } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { simulate, type Supposition } from '../../src/plan/simulate.ts'
import { townPrompts, townWith } from './town.ts'

const read = (text: string) => readPlan(text, { file: 'plan.yaml', prompts: townPrompts })
function faults(text: string): string[] {
  try {
    return read(text).faults.map(formatFault)
  } catch (error) {
    if (error instanceof PlanFaults) return error.faults.map(formatFault)
    throw error
  }
}
const first = '{ id: bpbd-1, trunk: gateway, number: bpbd-1 }'

test.each<[string, [string, string][], string[]]>([
  ['no trunk', [[first, '{ id: bpbd-1, number: bpbd-1 }']],
    ['30:9 agencies.bpbd.lines.0.trunk: is missing — it must be the trunk that reaches the line; where there are several, write `trunks`']],
  ['both ways at once', [[first, '{ id: bpbd-1, trunk: gateway, trunks: [carrier], number: bpbd-1 }'], ['port: 5070', 'qualify: 30 s']],
    ['30:39 agencies.bpbd.lines.0.trunks: stands beside `trunk` — write all of them into `trunks`, in the order in which they are tried']],
  ['a second trunk that is none', [[first, '{ id: bpbd-1, trunks: [gateway, carier], number: bpbd-1 }'], ['port: 5070', 'qualify: 30 s']],
    ['30:41 agencies.bpbd.lines.0.trunks.1: "carier" is no trunk — did you mean "carrier"?']],
  ['a trunk twice', [[first, '{ id: bpbd-1, trunks: [carrier, carrier], number: bpbd-1 }'], ['{ role: carrier, address: 127.0.0.2 }', '{ role: carrier, address: 127.0.0.2, qualify: 30 s }']],
    ['30:41 agencies.bpbd.lines.0.trunks.1: "carrier" is listed twice — delete one of the two']],
  ['the same number on the second trunk', [[first, '{ id: bpbd-1, trunks: [gateway, carrier], number: "0721556" }'], ['port: 5070', 'qualify: 30 s']],
    ['31:39 agencies.bpbd.lines.1.number: "0721556" on carrier is a line of bpbd already — give the line once, with its capacity']],
  ['an order that is none', [['    name: BPBD\n', '    name: BPBD\n    order: ring-all\n']],
    ['28:5 agencies.bpbd.order: is "ring-all"; it must be one of in-turn, all-at-once, longest-idle']],
  ['a priority that is none', [[first, '{ id: bpbd-1, trunk: gateway, number: bpbd-1, priority: 0 }']],
    ['30:55 agencies.bpbd.lines.0.priority: is 0; it must be between 1 and 9']],
  ['a limit of incoming calls where none come in', [['port: 5070', 'maxCalls: 20']], ['6:50 trunks.gateway.maxCalls: is of an agencies’ trunk, and counts only calls that come in from a carrier — for calls to lines, write `channels`']],
  ['asking without end', [['port: 5070', 'qualify: 1 s']], ['6:50 trunks.gateway.qualify: is 1 s; it must be between 5 s and 60 min']]
])('%s is a fault, with its place', (_, edits, expected) => {
  expect(faults(townWith(...edits))).toEqual(expected.map(fault => `plan.yaml:${fault}`))
})

test.each<[string, number, number, string | undefined]>([
  ['all-at-once', 40, 53, undefined], ['all-at-once', 40, 80, 'only the first 53 of its 80 lines of priority 2'], ['all-at-once', 11, 100, undefined], ['all-at-once', 11, 130, 'only the first 100 of its 130 lines of priority 2'],
  ['longest-idle', 11, 120, undefined], ['longest-idle', 40, 80, 'only the first 60 of its 80 lines of priority 2'], ['in-turn', 40, 130, undefined]
])('%s, with names of %i letters and %i lines: %s', (order, letters, count, fault) => {
  const lines = Array.from({ length: count }, (_, n) => `      - { id: ${`r-${n + 1000}-`.padEnd(letters, 'x')}, trunk: gateway, number: r-${n}, priority: 2 }\n`).join('')
  const found = faults(townWith(['    name: BPBD\n', `    name: BPBD\n    order: ${order}\n`], ['  posko:\n', `${lines}  posko:\n`])).filter(one => one.includes('order'))
  expect(found).toEqual(fault === undefined ? [] : [expect.stringContaining(`agencies.bpbd.order: is ${order}, and ${fault} would ring`)])
})

test('a trunk with another behind it that is never asked whether it is there is warned of', () => {
  const several: [string, string] = [first, '{ id: bpbd-1, trunks: [gateway, carrier], number: bpbd-1 }']
  expect(faults(townWith(several, ['port: 5070', 'qualify: off']))).toEqual(['plan.yaml:6:3 trunks.gateway: (warning) is never asked whether it is there, and bpbd-1 has another trunk behind it — while it says nothing, each caller waits 6 s for the next trunk: qualify: 10 s'])
  expect(faults(townWith(several, ['port: 5070', 'qualify: 30 s, channels: 4']))).toEqual([])
  expect(faults(townWith(several))).toEqual([])
})

const third = '      - { id: bpbd-3, trunk: gateway, number: bpbd-3, priority: 2 }\n'
const city = (order: string) => read(townWith(['    name: BPBD\n', `    name: BPBD\n    order: ${order}\n`], [first, '{ id: bpbd-1, trunks: [gateway, carrier], number: bpbd-1 }'],
  ['port: 5070', 'qualify: 30 s'], ['  posko:\n', `${third}  posko:\n`])).plan
const way = (order: string, supposed: Partial<Supposition> = {}) => {
  const { steps, reaches } = simulate(city(order), { number: '112', at: 0, press: ['1'], ...supposed })
  const from = steps.findIndex(({ kind }) => kind === 'agency') + 1
  return [...steps.slice(from).map(({ ...step }) => Object.entries(step).filter(([word]) => word !== 'language').map(([, value]) => value).join(' ')), ...reaches ? [`reaches ${Object.values(reaches).flat().join(' ')}`] : []]
}

test('in turn: one after the other, those of the second priority last', () => {
  expect(way('in-turn')).toEqual(['hears sambung', 'line bpbd-1 answered', 'reaches bpbd bpbd-1'])
  expect(way('in-turn', { busy: ['bpbd-1'], dead: ['bpbd-2'] })).toEqual(['hears sambung', 'line bpbd-1 busy', 'hears coba-lain', 'line bpbd-2 dead',
    'order bpbd in-turn 2', 'hears sedang-menghubungkan', 'line bpbd-3 answered', 'reaches bpbd bpbd-3'])
})

test('all at once: all of a priority ring, and any of them may be picked up', () => {
  expect(way('all-at-once')).toEqual(['order bpbd all-at-once 1', 'hears sambung', 'line bpbd-1 answered', 'line bpbd-2 cancelled', 'reaches bpbd bpbd-1 bpbd-2'])
  expect(way('all-at-once', { busy: ['bpbd-1'] })).toEqual(['order bpbd all-at-once 1', 'hears sambung', 'line bpbd-1 busy', 'line bpbd-2 answered', 'reaches bpbd bpbd-2'])
  expect(way('all-at-once', { busy: ['bpbd-1'], dead: ['bpbd-2', 'bpbd-3'] })).toEqual(['order bpbd all-at-once 1', 'hears sambung', 'line bpbd-1 busy', 'line bpbd-2 dead',
    'order bpbd in-turn 2', 'hears sedang-menghubungkan', 'line bpbd-3 dead', 'hears maaf'])
})

test('longest idle: which line that is, the plan does not know', () => {
  expect(way('longest-idle')).toEqual(['order bpbd longest-idle 1', 'hears sambung', 'line bpbd-1 answered', 'reaches bpbd bpbd-1 bpbd-2'])
  expect(way('longest-idle', { dead: ['bpbd-1'] })).toEqual(['order bpbd longest-idle 1', 'hears sambung', 'line bpbd-1 dead', 'hears sedang-menghubungkan', 'line bpbd-2 answered', 'reaches bpbd bpbd-2'])
})

test('a trunk that is out of order is passed over, and a line without another is dead with it', () => {
  expect(way('in-turn', { dead: ['gateway'] })).toEqual(['hears sambung', 'trunk bpbd-1 gateway', 'line bpbd-1 answered', 'reaches bpbd bpbd-1'])
  expect(way('in-turn', { dead: ['carrier'], busy: ['bpbd-1'] })).toEqual(['hears sambung', 'line bpbd-1 busy', 'hears coba-lain', 'line bpbd-2 dead', 'order bpbd in-turn 2', 'hears sedang-menghubungkan', 'line bpbd-3 answered', 'reaches bpbd bpbd-3'])
  expect(way('in-turn', { dead: ['gateway', 'carrier'] }).at(-1)).toBe('hears maaf')
})

test('an expected call names a line only where the plan says which', () => {
  const expected = (order: string, more: string) => checkExpectedCalls(`calls:\n  - { name: x, number: 112, at: 2027-01-11 08:00, press: [1], reaches: bpbd, ${more} }\n`, 'calls.yaml', city(order)).map(formatFault)
  expect(expected('in-turn', 'line: bpbd-1')).toEqual([])
  expect(expected('in-turn', 'dead: [gateway], line: bpbd-1')).toEqual([])
  expect(expected('longest-idle', 'busy: [bpbd-2], line: bpbd-1')).toEqual([])
  expect(expected('longest-idle', 'line: bpbd-2')).toEqual(['calls.yaml:2:78 calls.0.line: may be bpbd-1 or bpbd-2: the plan does not say which rings first, or is picked up first — leave `line` out, or suppose the others busy'])
})
