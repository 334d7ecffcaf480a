/** How long a change of the demo city takes to be live: applied over the API, as `npx satunomor apply` does it, while the service runs. */
import { readFile, writeFile } from 'node:fs/promises'
import type { Exchange } from './exchange.ts'
import { quantiles } from './measure.ts'
import { one } from './table.ts'

/** ms of each step of an apply, by the step's name, in their order. */
export type ApplyTimes = Record<string, number>

/** The step in which the trial's calls ring: the line's time, not ours. */
const rings = 'smoke call rings'
export const withoutRinging = (times: ApplyTimes) => Object.entries(times).reduce((sum, [step, ms]) => step === rings ? sum : sum + ms, 0)

/** One key more and less, in turn; the smoke call is made each time. The service must run. */
export async function applyTimes({ planFile, url, token }: Pick<Exchange, 'planFile' | 'url' | 'token'>, rounds: number): Promise<ApplyTimes[]> {
  const all: ApplyTimes[] = []
  for (let round = 0; round < rounds; round++) {
    const text = await readFile(planFile, 'utf8')
    const [from, to] = round % 2 === 0 ? ['      0: posko\n', '      0: posko\n      4: bpbd\n'] as const : ['      4: bpbd\n', ''] as const
    if (!text.includes(from)) throw new Error(`the demo's plan has no ${JSON.stringify(from)}`)
    await writeFile(planFile, text.replace(from, to))
    const response = await fetch(`${url}/api/plan/apply`, {
      method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify({ who: 'the bench', why: `round ${round}` })
    })
    if (!response.ok) throw new Error(`round ${round} was not applied: ${await response.text()}`)
    const { steps } = await response.json() as { steps: { step: string, ms: number }[] }
    all.push(Object.fromEntries(steps.map(({ step, ms }) => [step, ms])))
  }
  return all
}

const median = (all: ApplyTimes[], of: (times: ApplyTimes) => number) => quantiles(all.map(of)).p50

export const applyRow = (all: ApplyTimes[]) => `apply without the smoke call's ring time: ${one(median(all, withoutRinging))} ms (median of ${all.length}; ${all.map(withoutRinging).join(', ')})`

export const applyText = (all: ApplyTimes[]): string[] => [
  '## An apply', '',
  `A key more or less in the demo city, ${all.length} times, the service and Asterisk running: ${(median(all, withoutRinging) / 1000).toFixed(2)} s (median; ${(Math.min(...all.map(withoutRinging)) / 1000).toFixed(2)} to ` +
  `${(Math.max(...all.map(withoutRinging)) / 1000).toFixed(2)} s), the start of the throw-away Asterisk in it, the time in which its calls ring not (${one(median(all, times => times[rings] ?? NaN))} ms). ` +
  `Medians of the steps, ms: ${Object.keys(all[0]!).map(step => `${step} ${one(median(all, times => times[step] ?? NaN))}`).join(', ')}.`, ''
]

/** The target, what was measured, and whether it is met. */
export const applyTarget = (all: ApplyTimes[] | undefined): [string, string, boolean | undefined] =>
  ['`apply` of a change in the demo city in under 5 s, without the smoke call\'s ring time', all ? `${(median(all, withoutRinging) / 1000).toFixed(2)} s (median of ${all.length})` : '', all ? median(all, withoutRinging) < 5000 : undefined]
