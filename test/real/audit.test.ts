/** The books: every call on the trunk has its record, also those that no service saw; a difference is found and named. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { project } from '../../setup/project.mjs'
import type { AuditReport } from '../../src/audit.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { families, lint } from '../parts/promlint.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 5, withRedis: true }) })
afterAll(() => city?.[Symbol.asyncDispose]())

const run = promisify(execFile)
const program = async () => run(process.execPath, [join(project, 'src', 'audit.ts'), '--json'], { env: { ...process.env, SATUNOMOR_STATE: city.state } })
  .then(({ stdout }) => ({ code: 0, report: JSON.parse(stdout) as AuditReport }), ({ code, stdout }) => ({ code: code as number, report: JSON.parse(stdout) as AuditReport }))
const page = async (path: string) => fetch(`${city.service.url}${path}`, { headers: { authorization: `Bearer ${city.service.token}` } })

async function talk(from: string) {
  const call = city.dial({ from })
  await call.answered
  await call.press('3')
  await (await city.rung('hallo-1', from)).answered
  await eventually('they talk', async () => call.heard.length > 20)
  await call.hangUp()
}

test('answered, abandoned, unanswered and served by the fallback: the sums are the same', async () => {
  await talk('+627215550161')
  const abandoned = city.dial({ from: '+627215550162' })
  await abandoned.answered
  await abandoned.hangUp()
  city.line('hallo-1', call => call.refuse(486))
  const unanswered = city.dial({ from: '+627215550163' })
  await unanswered.answered
  await unanswered.press('3')
  await unanswered.ended
  city.line('hallo-1', call => call.answer())
  await city.restart(() => talk('+627215550164'))
  await city.quiet()
  await city.service.scribe.flush()

  const report = await (await page('/api/audit')).json() as AuditReport
  expect(report).toMatchObject({ arrived: 4, dispositions: { answered: 2, abandoned: 1, unanswered: 1 }, live: 0, missing: [], unfinished: [], orphans: [], unreadable: 0, balanced: true })
  expect(report.backfilled).toHaveLength(1)
  expect(await program()).toMatchObject({ code: 0, report: { arrived: 4, balanced: true } })
})

test('a record that is taken away, and one of no call, are differences, and end the program with 1', async () => {
  const { db } = city.service.records
  const [first, second] = await db.selectFrom('calls').select('callId').orderBy('arrivedAt').limit(2).execute()
  await db.deleteFrom('calls').where('callId', '=', first!.callId).execute()
  await db.updateTable('calls').set({ callId: 'invented' }).where('callId', '=', second!.callId).execute()
  const { code, report } = await program()
  expect(code).toBe(1)
  expect(report).toMatchObject({ balanced: false, missing: [first!.callId, second!.callId], orphans: ['invented'] })
})

test('the figures for Prometheus', async () => {
  const text = await (await fetch(`${city.service.url}/metrics`)).text()
  expect(text).toMatch(/^satunomor_calls_total\{disposition="answered"\} \d+$/m)
  expect(text).toMatch(/^satunomor_answer_seconds_count 1$/m)                 // the one that this process saw
  expect(text).toMatch(/^satunomor_heartbeat_age_seconds [012]/m)
  expect(text).toMatch(/^satunomor_line_busy\{agency="bpbd",line="bpbd-1"\} 0$/m)
  for (const name of ['ledger_lag_bytes', 'outbox_depth', 'store_pending_steps', 'nodejs_eventloop_lag_p99_seconds']) expect(text).toMatch(new RegExp(`^satunomor_${name} `, 'm'))
  expect(text).not.toContain('62721')
  expect(lint(text)).toEqual([])
})

const monitoring = (file: string) => readFileSync(join(project, 'monitoring', file), 'utf8')
const alerts = (parse(monitoring('alerts.yaml')) as { groups: { rules: { expr: string }[] }[] }).groups.flatMap(({ rules }) => rules.map(({ expr }) => expr))
const panels = (JSON.parse(monitoring('dashboard.json')) as { panels: { targets: { expr: string }[] }[] }).panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

test('the alert rules and the dashboard name figures and labels that there are', async () => {
  const figures = families(await (await fetch(`${city.service.url}/metrics`)).text())
  const asked = [...alerts, ...panels].flatMap(expr => [...expr.matchAll(/(satunomor_\w+)(?:\{([^}]*)\})?/g)].map(([, series, labels = '']) => ({ series: series!, labels: [...labels.matchAll(/(\w+)=/g)].map(([, label]) => label!) })))
  expect(asked.length).toBeGreaterThan(30)
  for (const { series, labels } of asked) {
    const family = figures.get(series) ?? figures.get(series.replace(/_(bucket|sum|count)$/, ''))
    expect([series, family?.type]).toEqual([series, expect.any(String)])
    if (family!.labels.size > 0) expect([series, [...family!.labels]]).toEqual([series, expect.arrayContaining(labels)])
  }
  const increasing = [...alerts, ...panels].flatMap(expr => [...expr.matchAll(/(?:increase|rate)\((satunomor_\w+?)(?:_bucket)?[{[]/g)].map(([, name]) => name!))
  expect(increasing.length).toBeGreaterThan(8)
  for (const name of increasing) expect([name, ['counter', 'histogram']]).toEqual([name, expect.arrayContaining([figures.get(name)!.type])])
})

test('that Redis is away stands in the figures, queue by queue', async () => {
  const up = async () => [...(await (await fetch(`${city.service.url}/metrics`)).text()).matchAll(/^satunomor_queue_up\{queue="(.+)"\} (\d)$/gm)].map(([, queue, figure]) => `${queue} ${figure}`)
  expect(await up()).toEqual(['followups 1', 'messages 1', 'webhooks 1'])
  await city.redis!.kill()
  await eventually('it is seen', async () => (await up()).every(one => one.endsWith(' 0')))
  await city.startRedis()
  await eventually('it is back', async () => (await up()).every(one => one.endsWith(' 1')))
})
