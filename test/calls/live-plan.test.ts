/** While one plan takes the place of another, a call finds the one that it needs. */
import { expect, test } from 'vitest'
import { LivePlan } from '../../src/calls/live-plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { town, townWith } from '../plan/town.ts'

const old = readPlan(town, { file: 'plan.yaml' }).plan
const next = readPlan(townWith(['2: lain', '2: posko'], ['  lain:\n', '  baru:\n']), { file: 'plan.yaml' }).plan

test('new calls begin under the newest plan; one that Asterisk still sends to a node of the plan before begins under that', () => {
  const live = new LivePlan(old)
  live.follow(next)
  expect(live.now).toBe(next)
  expect(live.at({ node: 'utama' })).toBe(next)
  expect(live.at({ node: 'baru' })).toBe(next)
  expect(live.at({ node: 'lain' })).toBe(old)
  expect(live.at({ returned: { agency: 'bpbd', status: 'BUSY' } })).toBe(next)
  expect(live.at({ node: 'nowhere' })).toBe(next)
  live.follow(old)
  expect(live.now).toBe(old)
})
