/** What the plan may say of a waiting room. */
import { expect, test } from 'vitest'
import { formatFault, type PlanFaults } from '../../src/plan/faults.ts'
import type { AgencyNode } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { waits } from '../../src/plan/walk.ts'
import { townPrompts, townWith } from './town.ts'

const spoken = new Map([...townPrompts].map(([language, texts]) => [language, new Map([...texts, ['mohon-maaf', true], ['tawaran-menunggu', true]])]))
const read = (room: string, prompts = spoken) => readPlan(townWith(['    name: BPBD\n', `    name: BPBD\n    wait: ${room}\n`]), { file: 'plan.yaml', prompts })
const bpbd = (room: string) => read(room).plan.nodes.get('bpbd') as AgencyNode
const faults = (room: string, prompts = spoken) => {
  try {
    return read(room, prompts).faults.map(formatFault)
  } catch (error) {
    return (error as PlanFaults).faults.map(formatFault)
  }
}

test('its times may be left out', () => {
  expect(bpbd('{}').wait).toEqual({ longest: 600_000, every: 20_000 })
  expect(bpbd('{ longest: 3 min, every: 30 s }').wait).toEqual({ longest: 180_000, every: 30_000 })
  expect(faults('{}')).toEqual([])
})

test.each([
  ['{ longest: 5 s }', 'plan.yaml:28:13 agencies.bpbd.wait.longest'], ['{ every: 3 min }', 'plan.yaml:28:13 agencies.bpbd.wait.every'], ['10 min', 'plan.yaml:28:5 agencies.bpbd.wait: ']
])('%s is refused, with its place', (room, place) => { expect(faults(room)[0]).toContain(place) })

test('what callers hear there has a text in each language; without a waiting room none is asked for', () => {
  expect(faults('{}', townPrompts as typeof spoken).map(fault => /prompts\.\w+.*no text in \w+(, \w+)*/.exec(fault)?.[0])).toEqual([
    'prompts.waiting: the prompt "mohon-maaf" has no text in id, en', 'prompts.offerWaiting: the prompt "tawaran-menunggu" has no text in id, en'])
  expect(readPlan(townWith(), { file: 'plan.yaml', prompts: townPrompts }).faults).toEqual([])
})

test('they wait where all lines that work are in use, and not where nobody picks up, or nothing works', () => {
  const agency = bpbd('{}')
  expect(['FULL', 'BUSY', 'NOANSWER', 'CHANUNAVAIL', 'CONGESTION', ''].filter(status => waits(agency, status))).toEqual(['FULL', 'BUSY'])
  expect(waits(read('{}').plan.nodes.get('posko') as AgencyNode, 'FULL')).toBe(false)
})
