/** How long the prompts are, and whether a caller may choose soon enough. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { milliseconds, seconds, type Duration } from '../plan/duration.ts'
import type { Fault } from '../plan/faults.ts'
import type { Plan } from '../plan/plan.ts'
import { lead } from './synthesise.ts'

/** By language, then by the prompt's name. */
export type Durations = ReadonlyMap<string, ReadonlyMap<string, Duration>>

/** How long the voice is in what `synthesise` made, without the silence before it: A-law is 8000 bytes a second. */
export async function durations(out: string, languages: readonly string[]): Promise<Durations> {
  const all = new Map<string, ReadonlyMap<string, Duration>>()
  for (const language of languages) {
    const here = new Map<string, Duration>()
    for (const file of await readdir(join(out, language))) {
      if (!file.endsWith('.alaw')) continue
      const { size } = await stat(join(out, language, file))
      here.set(file.slice(0, -'.alaw'.length), milliseconds(Math.max(0, Math.round(size / 8) - lead)))
    }
    all.set(language, here)
  }
  return all
}

/** Whoever waits for the menu's end has heard every choice within 10 s (or what the plan says, with its reason), at the number's own node and at siaga's, in the number's language and in each that a key of the menu chooses. `folder` (the texts') is for the faults' places. */
export function firstChoice(plan: Plan, lengths: Durations, { folder = 'dialplan/prompts', atMost = plan.lastChoice?.within ?? seconds(10) } = {}): Fault[] {
  const faults: Fault[] = []
  for (const { who, language, entry } of beginnings(plan)) {
    const menu = plan.nodes.get(entry)
    if (menu?.kind !== 'menu') continue
    const parts = [menu.greeting, menu.prompt].filter(name => name !== undefined)
      .map(name => ({ name, length: lengths.get(language)?.get(name) ?? seconds(0) }))
    const whole = parts.reduce((sum, part) => sum + part.length, 0)
    if (whole <= atMost) continue
    const sum = parts.map(({ name, length }) => `${name} ${inSeconds(length)}`).join(' + ')
    faults.push({
      severity: 'error', file: join(folder, language, `${menu.prompt}.txt`), line: 1, column: 1, path: '',
      sentence: `${who} hears the last choice only after ${inSeconds(whole)} (${sum}); ${inSeconds(atMost)} is the most`,
      suggestion: 'shorten one of the texts, or set another limit in the plan: lastChoice: { within: 15 s, why: … }'
    })
  }
  return faults
}

/** Where callers hear their first choices. */
function beginnings(plan: Plan): { who: string, language: string, entry: string }[] {
  const numbers = [...plan.numbers].map(([did, { language, entry }]) => ({ who: `who dials ${did}`, language, entry }))
  // In siaga all of them begin at one node, each in its own language.
  const surge = plan.siaga ? numbers.map(({ who, language }) => ({ who: `${who} in siaga`, language, entry: plan.siaga!.entry })) : []
  const first = surge.filter((one, at) => ![...numbers, ...surge.slice(0, at)].some(({ language, entry }) => language === one.language && entry === one.entry))
  return [...numbers, ...first].flatMap(({ who, language, entry }) => {
    const menu = plan.nodes.get(entry)
    const chosen = menu?.kind === 'menu' ? [...menu.keys].filter(([, choice]) => choice.language !== undefined) : []
    return [{ who, language, entry }, ...chosen.map(([key, { to, language }]) => ({ who: `${who} and presses ${key}`, language: language!, entry: to }))]
  })
}

const inSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
