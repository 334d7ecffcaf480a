/** The ways in which networks write one telephone number (country 62). Asterisk compares texts, so the dialplan has each of them. */
import type { Draft, Report } from './draft.ts'
import { quote } from './faults.ts'
import type { Plan } from './plan.ts'

/** Fewer digits than these are no telephone's own number, once the area code is taken away. */
const shortest = 5

/**
 * Every spelling of a number that citizens dial, the number as written first. `areaCodes` are as dialled within the country (`0721`): a
 * short or local number is known with each of them, and a number of that area is known without.
 */
export function spellings(number: string, areaCodes: Iterable<string>): string[] {
  const areas = [...areaCodes].map(code => code.slice(1))
  const national = /^(?:\+?62|0)([1-9]\d*)$/.exec(number)?.[1]
  if (national === undefined && number.startsWith('+')) return [...new Set([number, number.slice(1), `00${number.slice(1)}`])]
  const local = national === undefined ? number : areas.flatMap(area => national.startsWith(area) && national.length - area.length >= shortest ? [national.slice(area.length)] : [])[0]
  const whole = (digits: string) => [`0${digits}`, `+62${digits}`, `62${digits}`, `0062${digits}`]
  return [...new Set([
    number,
    ...national === undefined ? [] : [...whole(national), national],
    ...local === undefined ? [] : [local, `+${local}`, ...whole(local), ...areas.flatMap(area => [...whole(area + local), area + local])]
  ])]
}

/** The area codes of the plan: the city's, and those of its trunks. */
export const areaCodes = ({ areaCode, trunks }: { areaCode?: string | undefined, trunks?: ReadonlyMap<string, { areaCode?: string | undefined } | undefined> | undefined }): Set<string> =>
  new Set([areaCode, ...[...trunks?.values() ?? []].map(trunk => trunk?.areaCode)].filter(code => code !== undefined))

/** Two numbers that a network may write in the same way are one number to it: a call could begin at the wrong node. */
export function spelledAlike(plan: Draft, report: Report) {
  const codes = areaCodes(plan)
  const taken = new Map<string, string>()
  for (const did of plan.numbers?.keys() ?? []) {
    const all = spellings(did, codes)
    const twice = all.find(spelling => taken.has(spelling))
    if (twice !== undefined) report(['numbers', did], `${quote(did)} and ${quote(taken.get(twice)!)} are one number to a network: both can be written ${quote(twice)}`, 'keep one of them')
    for (const spelling of all) if (!taken.has(spelling)) taken.set(spelling, did)
  }
}

/** The number of the plan that is meant by what a carrier's trunk brings; undefined where it is none. */
export function numberOf(plan: Pick<Plan, 'numbers' | 'areaCode' | 'trunks'>, dialled: string): string | undefined {
  if (plan.numbers.has(dialled)) return dialled
  const codes = areaCodes(plan)
  return [...plan.numbers.keys()].find(did => spellings(did, codes).includes(dialled))
}
