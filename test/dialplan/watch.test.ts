/** After an apply: how long calls are watched, by whom, and what happens when too many of them fail. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { Version } from '../../src/dialplan/versions.ts'
import { failedSince, Watch } from '../../src/dialplan/watch.ts'
import { Records } from '../../src/records/records.ts'
import { milliseconds, seconds } from '../../src/plan/duration.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { eventually } from '../parts/city.ts'
import { aCall, aLog, start, tempFolder } from '../records/stories.ts'

const plan = { apply: { watch: seconds(60), failed: 1, keep: 200 } } as Plan
const made = (secondsAgo: number, more: Partial<Version> = {}) => ({ version: 2, base: 1, restores: null, at: new Date(Date.now() - secondsAgo * 1000).toISOString(), ...more }) as Version

/** A city in which so many calls have failed since a version was made. */
function city(failed: number) {
  const rolledBack: string[] = [], since: number[] = [], said: string[] = []
  const watch = new Watch({
    changes: () => ({ versions: { current: async () => ({ version: 2 }) }, rollBack: async ({ why }: { why: string }) => void rolledBack.push(why) }) as never,
    failedSince: async at => { since.push(at); return failed }, log: pino({ level: 'info' }, { write: line => void said.push((JSON.parse(line) as { msg: string }).msg) })
  })
  return { watch, rolledBack, since, said, [Symbol.asyncDispose]: () => watch.close() }
}

test('a service that comes after one that was killed watches on, over all calls since the version was made', async () => {
  await using it = city(2)
  const version = made(30)
  it.watch.goOn(version, plan)
  await eventually('it is rolled back', async () => it.rolledBack.length > 0)
  expect(it.rolledBack).toEqual(['2 calls failed since version 2 was made live; 1 is the most (apply.failed in the plan)'])
  expect(new Set(it.since)).toEqual(new Set([Date.parse(version.at)]))
})

test('for the rest of the time, and no longer', async () => {
  await using it = city(0)
  const began = performance.now()
  it.watch.goOn(made(59), { apply: { ...plan.apply, watch: milliseconds(59_200) } } as Plan)
  await eventually('it has stood its time', async () => it.said.includes('the version has stood its time'))
  expect(performance.now() - began).toBeLessThan(5_000)
  expect(it.since.length).toBeGreaterThan(0)
  expect(it.rolledBack).toEqual([])
})

test.each([['whose time is over', made(61)], ['that somebody rolled back to', made(1, { restores: 1 })], ['that is the first', made(1, { base: null })]])('a version %s is not watched', async (_, version) => {
  await using it = city(9)
  it.watch.goOn(version, plan)
  await it.watch.close()
  expect(it.said).toEqual([])
  expect([it.since, it.rolledBack]).toEqual([[], []])
})

test('all that failed are counted, however many the plan lets fail; what ended before, and what did not fail, is not', async () => {
  await using folder = await tempFolder()
  await using records = await Records.open({ file: `${folder.path}/records.sqlite` }, aLog().log)
  const failed = (from: number, to: number, more: Partial<Parameters<typeof aCall>[1]> = {}) => Array.from({ length: to - from }, (_, at) => aCall(`1700000000.${from + at}`, { at: from + at, ends: 'failed', ...more })).flat()
  await records.append([...failed(0, 450), ...failed(450, 500, { ends: 'abandoned' }), ...failed(500, 505, { at: -100_000 })])
  expect(await failedSince(records, start, 1001)).toBe(450)
  expect(await failedSince(records, start, 301)).toBe(301)
  expect(await failedSince(records, start + 3_600_000, 4)).toBe(0)
})
