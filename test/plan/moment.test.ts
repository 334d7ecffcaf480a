/** Moments as people and programs write them. */
import { expect, test } from 'vitest'
import { momentIn } from '../../src/plan/moment.ts'

const seven = Date.UTC(2026, 0, 31)

test.each(['2026-01-31T07:00', '2026-01-31 07:00', '2026-01-31 07:00:00', '2026-01-31T00:00Z', '2026-01-31T08:00+08:00', '2026-01-31T08:00 08:00', '2026-01-31 08:00+08:00', '2026-01-31 08:00 08:00', String(seven)])('%s is seven in the morning in Jakarta', text => {
  expect(momentIn('Asia/Jakarta', text)).toBe(seven)
})

test.each([['2026-01-31', Date.UTC(2026, 0, 30, 17)], ['2026-02-30', undefined], ['yesterday', undefined], ['', undefined], ['7', undefined]])('%s is %s', (text, at) => {
  expect(momentIn('Asia/Jakarta', text)).toBe(at)
})
