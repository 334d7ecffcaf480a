/** The figures of calls held at once (held.ts), as docs/bench.md has them. */
import { isWhole, rate, timely, verdict, type Held } from './held.ts'
import { quantiles } from './measure.ts'
import type { Variant } from './places.ts'
import { letter, one, percent } from './table.ts'

const growth = ({ appRss, calls }: Held) => appRss ? (appRss.held - appRss.before) / calls : NaN

/** One line for whoever watches. */
export const heldRow = (h: Held) => `${letter(h.variant)} ${h.calls} held: ${h.failed} failed, ${h.byFallback} by fallback, sound ${percent(h.toAgency)} to the agency, ${percent(h.toCaller)} back, ` +
  `${one(h.delay)} ms (p99) in Asterisk, SIPp said ${percent(h.said)}, echoed ${percent(h.echoed)}, CPU ${one(h.asteriskCpu)} + ${one(h.appCpu)} ms a second, ` +
  `RSS ${h.appRss ? `${one(h.appRss.before)}→${one(h.appRss.held)}` : '–'} MB, Asterisk's ${one(h.asteriskRss)}, loop p99 ${one(h.loopDelay?.coming?.p99 ?? NaN)} coming, ${one(h.loopDelay?.held?.p99 ?? NaN)} held, ` +
  `busy ${one(h.busyCores)} (SIPp ${one(h.sippCores)}, others ${one(h.othersCores)}) cores: ${verdict(h)}`

const line = (h: Held) => `| ${h.calls} | ${letter(h.variant)} | ${h.failed}${h.byFallback ? ` (+ ${h.byFallback} by the fallback)` : ''} | ${percent(h.toAgency)} / ${percent(h.toCaller)} | ${one(h.delay)} | ` +
  `${percent(h.said)} / ${percent(h.echoed)} | ${one(h.asteriskCpu)} + ${one(h.appCpu)} | ${one(h.asteriskCpu / h.calls)} + ${one(h.appCpu / h.calls)} | ` +
  `${h.appRss ? `${one(h.appRss.held)} (${growth(h).toFixed(2)})` : ''} | ${one(h.asteriskRss)} | ${h.loopDelay ? `${one(h.loopDelay.coming?.p99 ?? NaN)} / ${one(h.loopDelay.held?.p99 ?? NaN)}` : ''} | ` +
  `${one(h.busyCores)}, ${one(h.sippCores)}, ${one(h.othersCores)} | ${verdict(h)} |`

/** The most calls of a variant that were held whole; 0 where none was. */
const mostHeld = (held: Held[], variant: Variant) => Math.max(0, ...held.filter(h => h.variant === variant && isWhole(h)).map(({ calls }) => calls))

const most = (held: Held[]) => [...new Set(held.map(({ variant }) => variant))].map(variant => {
  const [count, stopped] = [mostHeld(held, variant), held.find(h => h.variant === variant && !isWhole(h))]
  return `${letter(variant)} ${count}${stopped ? ` (${stopped.calls} were ${verdict(stopped)})` : ' (the most tried)'}`
}).join(', ')

/** From its first level to its last whole one: what a call more costs, and by how much a figure is higher. */
const grown = (held: Held[]) => [...new Set(held.map(({ variant }) => variant))].flatMap(variant => {
  const whole = held.filter(h => h.variant === variant && isWhole(h))
  const [first, last] = [whole[0], whole.at(-1)]
  if (!first || !last || first === last) return []
  const each = (of: (h: Held) => number) => ((of(last) - of(first)) / (last.calls - first.calls)).toFixed(2)
  return [`- ${letter(variant)} from ${first.calls} to ${last.calls}: each call more costs ${each(h => h.asteriskCpu)} ms a second in Asterisk and ${each(h => h.asteriskRss)} MB there` +
    `${last.appRss && first.appRss ? `, ${each(h => h.appCpu)} ms a second and ${each(h => h.appRss!.held)} MB in the app` : ''}; sound takes ${one(first.delay)} → ${one(last.delay)} ms (p99)` +
    `${last.loopDelay ? `; loop delay p99 while held ${one(first.loopDelay?.held?.p99 ?? NaN)} → ${one(last.loopDelay.held?.p99 ?? NaN)} ms` : ''}.`]
})

export const heldText = (held: Held[]): string[] => [
  '## Calls held at once, with sound both ways', '',
  `They come at ${rate} a second, press their key, talk until all are there and 10 s more; the agency echoes what it hears (SIPp, one media port). Figures are of those 10 s. Sound: frames of the caller's voice that can be ` +
  `known again, some 500 or more a level; delivered is what came through Asterisk within ${timely} ms: what the caller said and the agency got, what it echoed and the caller got. SIPp's own share: frames that it said in time, ` +
  'that it echoed. Whole: no call failed, none went to the fallback, at least 99 % of the sound both ways. A variant stops at its first level that is not; where only SIPp\'s own share is below 99 %, SIPp is the ' +
  'limit, not the exchange. RSS a live call: what was added since before the first call.', '',
  '| held | | failed | sound to the agency / back | in Asterisk p99, ms | SIPp said / echoed | CPU ms a second: Asterisk + app | … a held call | app\'s RSS, MB (a live call) | Asterisk\'s RSS, MB | loop delay p99, coming / held, ms | machine busy, of that SIPp, others, cores | |',
  '|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|', ...held.map(line), '',
  `The most calls held whole: ${most(held)}.`, '', ...grown(held), ''
]

/** ms of restarts after kill -9. */
export const readyText = (ready: number[]): string[] =>
  ['## Ready again', '', `Killed (kill -9) and started again, ${ready.length} times: ready for calls (\`/readyz\`) after ${ready.map(ms => (ms / 1000).toFixed(2)).join(', ')} s, median ${(quantiles(ready).p50 / 1000).toFixed(2)} s.`, '']
