/** docs/operations.md and monitoring/: each alert leads to its entry, and each entry has an alert. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const page = readFileSync('docs/operations.md', 'utf8')
const { groups: [{ rules }] } = parse(readFileSync('monitoring/alerts.yaml', 'utf8')) as { groups: [{ rules: { alert: string, expr: string, labels: { severity: string }, annotations: { summary: string, runbook_url: string } }[] }] }
/** As GitHub makes it of a heading. */
const anchor = (heading: string) => heading.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-')
const linked = rules.map(({ annotations }) => annotations.runbook_url)

test('each alert leads to a heading, says what is wrong, and how bad that is', () => {
  expect(rules.length).toBeGreaterThan(10)
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => `docs/operations.md#${anchor(heading!)}`)
  for (const { alert, expr, labels, annotations: { summary, runbook_url } } of rules) {
    expect([alert, headings]).toEqual([alert, expect.arrayContaining([runbook_url])])
    expect([alert, expr, summary, labels.severity]).toEqual([alert, expect.stringMatching(/\S/), expect.stringMatching(/\.$/), expect.stringMatching(/^(critical|warning)$/)])
  }
})

test('each entry of the alerts has an alert that leads to it', () => {
  const section = page.slice(page.indexOf('\n## Alerts of Prometheus'), page.indexOf('\n## A trunk that is down'))
  const entries = [...section.matchAll(/^### (.*)$/gm)].map(([, heading]) => `docs/operations.md#${anchor(heading!)}`)
  expect(entries.toSorted()).toEqual(linked.filter(link => link !== 'docs/operations.md#a-trunk-that-is-down').toSorted())
})
