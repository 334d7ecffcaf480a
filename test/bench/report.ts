/** The bench's figures as people read them: docs/bench.md. */
import { readFile, writeFile } from 'node:fs/promises'
import { applyTarget, applyText, type ApplyTimes } from './apply.ts'
import type { FollowUpFigures } from './followups.ts'
import type { Held } from './held.ts'
import { size, type PlanTimes } from './plan.ts'
import { quantiles, type Figures } from './measure.ts'
import { variants, type Variant } from './places.ts'
import { followUpsText, followUpTargets } from './report-followups.ts'
import { heldText, readyText } from './report-held.ts'
import { letter, one } from './table.ts'

/** The highest rates at which no call failed (`clean`), and at which the key did its work within 100 ms (p95) besides (`calm`). */
export interface Searched { clean: number, calm: number, tried: Figures[] }

export interface Results {
  at: string
  command: string
  machine: { cores: number, model: string, memory: number }
  seconds: number
  rates: Figures[]
  search: Partial<Record<Variant, Searched>>
  cel?: Record<'on', Record<'dialplan' | 'fallback', Figures>> & Partial<Record<'off', Record<'dialplan' | 'fallback', Figures>>>
  live?: Figures
  many?: Figures
  held?: Held[]
  plan?: PlanTimes[]
  apply?: ApplyTimes[]
  followUps?: FollowUpFigures
  /** ms from the service's start until it was ready, each time that it was killed and started again. */
  ready?: number[]
}

export const total = ({ asteriskCpu, appCpu, besideCpu }: Figures) => asteriskCpu + appCpu + besideCpu

/** One line for whoever watches. */
export const row = (f: Figures) => `${letter(f.variant)} ${f.rate}/s (made ${one(f.madeRate)}): ${f.calls} calls, ${f.failed} failed, ${f.byFallback} shed, ` +
  `CPU ${one(f.asteriskCpu)} + ${one(f.appCpu)} + ${one(f.besideCpu)} ms, key→INVITE ${one(f.keyToInvite.p50)} / ${one(f.keyToInvite.p95)} / ${one(f.keyToInvite.p99)} ms, ` +
  `INVITE→200 ${one(f.inviteTo200.p50)} / ${one(f.inviteTo200.p95)} ms, RSS ${f.appRss ? `${one(f.appRss.before)}→${one(f.appRss.highest)}` : '–'} MB, ` +
  `loop p99 ${one(f.loopDelay?.p99 ?? NaN)} max ${one(f.loopDelay?.max ?? NaN)} ms, live ${f.liveCalls}, busy ${one(f.busyCores)} (others ${one(f.othersCores)}) cores, retransmitted ${f.retransmitted}`

const head = [
  '| calls/s | | calls | failed | CPU ms a call: Asterisk + app | together | key→INVITE p50 / p95 / p99, ms | INVITE→200 p50 / p95, ms | app\'s RSS, MB | loop delay p99 / max, ms | machine busy, of that others, cores |',
  '|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|'
]
const line = (f: Figures) => `| ${f.rate} | ${letter(f.variant)} | ${f.calls} | ${f.failed}${f.byFallback ? ` (${f.byFallback} calls shed)` : ''} | ` +
  `${one(f.asteriskCpu)} + ${one(f.appCpu)}${f.besideCpu ? ` + ${one(f.besideCpu)}` : ''} | ${one(total(f))} | ` +
  `${one(f.keyToInvite.p50)} / ${one(f.keyToInvite.p95)} / ${one(f.keyToInvite.p99)} | ${one(f.inviteTo200.p50)} / ${one(f.inviteTo200.p95)} | ` +
  `${f.appRss ? one(f.appRss.highest) : ''} | ${f.loopDelay ? `${one(f.loopDelay.p99)} / ${one(f.loopDelay.max)}` : ''} | ${one(f.busyCores)}, ${one(f.othersCores)} |`

const begin = '<!-- what follows is written by npm run bench -->'
const end = '<!-- what npm run bench writes ends here -->'

/** Writes the figures into the document, between the marks; what stands around them is people's. */
export async function write(results: Results, file: string) {
  const before = await readFile(file, 'utf8').catch(() => `# What a call costs\n\n${begin}\n${end}\n`)
  const [above = '', rest = ''] = before.split(begin)
  const below = rest.split(end)[1] ?? '\n'
  await writeFile(file, `${above}${begin}\n${text(results)}${end}${below}`)
}

function text(results: Results): string {
  const { machine, rates, cel, live, many, search, held, ready, plan, apply, followUps } = results
  const lines = [
    '', `Measured ${results.at.slice(0, 16).replace('T', ' ')} UTC with \`${results.command}\` on ${machine.cores} cores (${machine.model.trim()}), ${machine.memory} GB, SIPp on the same cores.`, ''
  ]
  if (rates.length > 0) lines.push(...[...new Set(rates.map(({ variant }) => variant))].map(variant => `- ${variants[variant].words}`), '', 'Each three times, in turns, after 200 calls that are not counted; of the three the one in the middle by its CPU, and the most failed calls.', '', ...head, ...rates.map(line), '')
  if (Object.keys(search).length > 0) {
    lines.push('## Highest clean rate', '', 'No call failed, and SIPp made the rate; 8 s at each of 40, 50, … 260 calls a second from the highest calm one of the table above on, two tries each. Calm: key→INVITE p95 at most 100 ms besides.', '',
      '| | highest calm rate | highest clean rate | the first that was not clean |', '|---|--:|--:|---|',
      ...Object.entries(search).map(([variant, { clean, calm, tried }]) => {
        const last = tried.at(-1)
        if (!last) return `| ${letter(variant as Variant)} | ${calm} | ${clean} | |`
        return `| ${letter(variant as Variant)} | ${calm || 'none'} | ${clean || 'none'}${last.rate === clean ? ' (the highest tried)' : ''} | ${last.rate === clean ? '' :
          `${last.rate}: made ${one(last.madeRate)}, ${last.failed} of ${last.calls} failed, ${last.byFallback} shed, key→INVITE p95 ${one(last.keyToInvite.p95)} ms, ${one(last.busyCores)} cores busy`} |`
      }), '', 'All of them:', '', ...head, ...Object.values(search).flatMap(({ tried }) => tried).map(line), '')
  }
  if (live?.appRss) lines.push('## Memory', '', `${live.liveCalls} live calls: the service's RSS was ${one(live.appRss.before)} MB before, ${one(live.appRss.highest)} MB at its highest, ${one(live.appRss.after)} MB after; Asterisk's ${one(live.asteriskRss)} MB. ${live.failed} of ${live.calls} calls failed.`, '')
  if (many?.appRss) lines.push(`${many.calls} calls at ${many.rate} a second: ${one(many.appRss.before)} MB before, ${one(many.appRss.highest)} MB at its highest, ${one(many.appRss.after)} MB after; ${many.failed} failed.`, '')
  if (cel?.off) {
    lines.push('## What the ledger (CEL) costs', '', 'At 40 calls a second, Asterisk\'s CPU ms a call.', '', '| | CEL on | CEL off | price |', '|---|--:|--:|--:|',
      ...(['dialplan', 'fallback'] as const).map(variant => {
        const [on, off] = [cel.on[variant].asteriskCpu, cel.off![variant].asteriskCpu]
        return `| ${variants[variant].words} | ${one(on)} | ${one(off)} | ${one(on - off)} ms (${Math.round((on / off - 1) * 100)} %) |`
      }), '')
  }
  if (held) lines.push(...heldText(held))
  if (ready) lines.push(...readyText(ready))
  if (plan) {
    const median = (part: keyof PlanTimes) => one(quantiles(plan.map(times => times[part])).p50)
    lines.push('## A big plan', '', `${size}: check ${median('check')} ms, render ${median('render')} ms, lint ${median('lint')} ms (medians of ${plan.length}; the first, cold, took ${one(sum(plan[0]!))} ms in all).`, '')
  }
  if (apply) lines.push(...applyText(apply))
  if (followUps) lines.push(...followUpsText(followUps))
  lines.push('## Targets', '', '| target | measured | |', '|---|---|---|', ...targets(results).map(([target, measured, met]) => `| ${target} | ${measured} | ${met === undefined ? 'not measured' : met ? 'met' : '**not met**'} |`), '')
  return lines.join('\n')
}

const sum = ({ check, render, lint }: PlanTimes) => check + render + lint

function targets({ rates, search, live, many, ready, plan, apply, followUps }: Results): [string, string, boolean | undefined][] {
  const at = (rate: number, variant: Variant) => rates.find(f => f.rate === rate && f.variant === variant)
  const rows: [string, string, boolean | undefined][] = []
  const [a, b] = [at(40, 'dialplan'), at(40, 'service')]
  const ratio = a && b ? total(b) / total(a) : NaN
  rows.push(['total CPU a call at 40 a second at most 1.6 × (a)', a && b ? `${one(total(b))} / ${one(total(a))} ms = ${ratio.toFixed(2)} ×` : '', a && b ? ratio <= 1.6 : undefined])
  for (const rate of [...new Set(rates.map(f => f.rate))]) {
    const [a, b] = [at(rate, 'dialplan'), at(rate, 'service')]
    if (a && b) rows.push([`key→INVITE p95 at most (a) + 10 ms, at ${rate} a second`, `${one(b.keyToInvite.p95)} against ${one(a.keyToInvite.p95)} ms`, b.keyToInvite.p95 <= a.keyToInvite.p95 + 10])
    if (a && b && rate >= 80) rows.push([`no failed call, and key→INVITE p95 at most 2 × (a), at ${rate} a second`, `${b.failed} failed, ${one(b.keyToInvite.p95)} / ${one(a.keyToInvite.p95)} ms = ${(b.keyToInvite.p95 / a.keyToInvite.p95).toFixed(2)} ×`, b.failed === 0 && b.keyToInvite.p95 <= 2 * a.keyToInvite.p95])
  }
  const [sa, sb] = [search.dialplan, search.service]
  rows.push(['highest clean rate at least 0.8 × (a)', sa && sb ? `${sb.clean} against ${sa.clean} a second` : '', sa && sb ? sb.clean >= 0.8 * sa.clean : undefined])
  rows.push(['… and the highest calm one', sa && sb ? `${sb.calm} against ${sa.calm} a second` : '', sa && sb ? sb.calm >= 0.8 * sa.calm : undefined])
  const median = ready ? quantiles(ready).p50 : NaN
  rows.push(['ready in under 3 s from the start', ready ? `${(median / 1000).toFixed(2)} s (median of ${ready.length})` : '', ready ? median < 3000 : undefined])
  rows.push(['service\'s RSS under 150 MB with 300 live calls', live?.appRss ? `${one(live.appRss.highest)} MB with ${live.liveCalls}` : '', live?.appRss ? live.liveCalls >= 300 && live.appRss.highest < 150 : undefined])
  rows.push(['… and flat over 10,000 calls', many?.appRss ? `${one(many.appRss.before)} → ${one(many.appRss.after)} MB over ${many.calls}` : '', many?.appRss ? many.calls >= 10_000 && many.appRss.after < many.appRss.before * 1.25 : undefined])
  rows.push([`check + render + lint of ${size} in under 1 s`, plan ? `${one(quantiles(plan.map(sum)).p50)} ms` : '', plan ? quantiles(plan.map(sum)).p50 < 1000 : undefined])
  return [...rows, applyTarget(apply), ...followUpTargets(followUps)]
}
