/** Which numbers are the city's own: to ring one back would be to ring ourselves. */
import { agencies, type Plan } from './plan.ts'
import { domestic, looksLikeTelephone } from './telephone.ts'

/** By plan: thousands of follow-ups ask at once. */
const known = new WeakMap<Plan, ReadonlySet<string>>()

/** Whether a caller's number (E.164) is one of the city's numbers or of the agencies' lines, in whatever way the plan writes it. */
export function isOurs(plan: Plan, number: string): boolean {
  let ours = known.get(plan)
  if (!ours) known.set(plan, ours = ownNumbers(plan))
  return ours.has(bare(number))
}

function ownNumbers(plan: Plan): Set<string> {
  const lines = agencies(plan).flatMap(agency => agency.lines.map(line => line.number))
  return new Set([...plan.numbers.keys(), ...lines.filter(looksLikeTelephone)].map(bare))
}

/** The number without country code and prefix. */
const bare = (number: string) => domestic(number.replace(/^00(?=62)/, '+')).replace(/^0/, '')
