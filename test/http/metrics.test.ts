/** What Prometheus reads: every figure by promtool's rules, and counters that only grow. */
import { expect, test } from 'vitest'
import { Metrics, type Figures, type Instant } from '../../src/http/metrics.ts'
import { families, lint } from '../parts/promlint.ts'

const noFollowUps: Figures['followUps'] = { open: [], ended: [], attempts: [], parked: 0, budgetLeft: 300 }
const quiet: Figures = { dispositions: [], unacknowledged: 0, owed: 0, busyLines: [], lines: [], followUps: noFollowUps, deliveries: [] }
const instant: Instant = {
  heartbeatAge: 1, ledgerLag: 0, pendingSteps: 0, calls: 0, waiting: [{ agency: 'posko', callers: 1 }], linksLost: 2, trunks: [{ trunk: 'gateway', up: true }], load: { overloaded: false, overloads: 3, shed: 4 },
  refused: { acl: 1 }, queues: { followups: true }, sipReplies: { lost: 1 }
}
const figure = async (metrics: Metrics, series: string) => Number((await metrics.page()).split('\n').find(line => line.startsWith(`${series} `))?.split(' ')[1])

test('promtool finds nothing: every figure has its help, and its type is that of its name', async () => {
  const metrics = new Metrics({ instant: () => instant, figures: async () => ({
    dispositions: [{ disposition: 'answered', calls: 1 }], unacknowledged: 1, owed: 1, busyLines: [{ agency: 'posko', line: 'posko-1' }], lines: [{ agency: 'posko', line: 'posko-1' }], deliveries: [{ what: 'webhook', state: 'dead', count: 1 }],
    followUps: { open: [{ kind: 'unanswered', state: 'open', age: 'older', count: 1, oldest: 0, overdue: 1 }], ended: [{ state: 'done', inTime: true, count: 1 }], attempts: [{ attempts: 1, count: 1 }], parked: 1, budgetLeft: 1 }
  }) })
  const page = await metrics.page()
  expect(families(page).size).toBeGreaterThan(40)
  expect(lint(page)).toEqual([])
})

test('the rules find what promtool finds', () => {
  const page = ['# TYPE a_total gauge', 'a_total 1', '# HELP calls_count x', '# TYPE calls_count counter', 'calls_count 1', '# HELP wait_ms x', '# TYPE wait_ms gauge', 'wait_ms{bigName="1"} 1', '# HELP untyped x', 'untyped 1'].join('\n')
  expect(lint(page)).toEqual([
    'a_total: no help', 'a_total: a gauge with _total', 'calls_count: a counter without _total', 'calls_count: a counter with _count or _sum', 'wait_ms: a unit is abbreviated', 'wait_ms: not in snake_case', 'untyped: no type'
  ])
})

test('what comes from the store is counted from the start on, and never falls', async () => {
  const seen = { ...quiet, followUps: { ...noFollowUps } }
  const metrics = new Metrics({ instant: () => instant, figures: async () => seen })
  seen.dispositions = [{ disposition: 'answered', calls: 1_000 }]
  seen.followUps.ended = [{ state: 'done', inTime: true, count: 50 }]
  await metrics.begin()
  const answered = () => figure(metrics, 'satunomor_calls_total{disposition="answered"}')
  const done = () => figure(metrics, 'satunomor_followups_ended_total{state="done",in_time="yes"}')
  expect([await answered(), await figure(metrics, 'satunomor_calls_total{disposition="failed"}'), await done()]).toEqual([0, 0, 0])
  seen.dispositions = [{ disposition: 'answered', calls: 1_003 }, { disposition: 'failed', calls: 1 }]
  seen.followUps.ended = [{ state: 'done', inTime: true, count: 51 }]
  expect([await answered(), await figure(metrics, 'satunomor_calls_total{disposition="failed"}'), await done()]).toEqual([3, 1, 1])
  // A call is retold otherwise, and a follow-up is reopened and ends again.
  seen.dispositions = [{ disposition: 'answered', calls: 1_004 }]
  seen.followUps.ended = []
  expect([await answered(), await figure(metrics, 'satunomor_calls_total{disposition="failed"}'), await done()]).toEqual([4, 1, 1])
  seen.followUps.ended = [{ state: 'done', inTime: true, count: 1 }]
  expect(await done()).toBe(2)
})

test('those who ask at once get one answer', async () => {
  let asked = 0
  const metrics = new Metrics({ instant: () => instant, figures: async () => {
    asked++
    return quiet
  } })
  await Promise.all([metrics.page(), metrics.page(), metrics.page()])
  expect(asked).toBe(1)
  await metrics.page()
  expect(asked).toBe(2)
})

test('without a store, what does not need it is there', async () => {
  const metrics = new Metrics({ instant: () => instant, figures: () => Promise.reject(new Error('no store')) })
  await metrics.begin()
  for (const [series, value] of [['satunomor_trunk_up{trunk="gateway"}', 1], ['satunomor_ari_links_lost_total', 2], ['satunomor_overloads_total', 3], ['satunomor_calls_shed_total', 4]] as const) expect([series, await figure(metrics, series)]).toEqual([series, value])
})
