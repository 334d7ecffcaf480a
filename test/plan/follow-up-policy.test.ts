/** When citizens may be rung: the hours of the policy. */
import { describe, expect, test } from 'vitest'
import { nextHour } from '../../src/plan/follow-up-policy.ts'
import { openAt } from '../../src/plan/hours.ts'
import { readPlan } from '../../src/plan/read.ts'
import { townWith } from './town.ts'

const minute = 60_000
const planIn = (timezone: string) => readPlan(`${townWith(['Asia/Jakarta', timezone])}hours:
  kerja: [{ days: [mon, tue, wed, thu, fri], from: 07:30, to: 16:15 }]
  malam: [{ days: [fri, sat], from: 22:00, to: 01:30 }]
`, { file: 'plan.yaml' }).plan

// Santiago skips midnight, Berlin an hour of the night; Jakarta does neither.
describe.each([['Asia/Jakarta', '2026-02-06'], ['Europe/Berlin', '2026-03-27'], ['Europe/Berlin', '2026-10-23'], ['America/Santiago', '2026-09-04']])('in %s, from %s on', (timezone, day) => {
  test.each(['kerja', 'malam'])('the next hour of "%s" is the first minute at which it is open', hours => {
    const plan = planIn(timezone)
    for (let at = Date.parse(`${day}T00:00Z`), n = 0; n < 24; n++, at += 211 * minute + 20_000) {
      let first = at
      while (!openAt(plan, hours, first)) first = (Math.floor(first / minute) + 1) * minute
      expect(nextHour(plan, hours, at), new Date(at).toISOString()).toBe(first)
    }
  })
})
