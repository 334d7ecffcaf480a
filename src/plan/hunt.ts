/** In which order an agency's lines ring, and what becomes of a call there whose lines are supposed to be busy or dead. */
import type { AgencyNode, Line, Order, Prompts } from './plan.ts'

/** The lines of one priority, as they stand in the plan. */
export interface Group { priority: number, lines: readonly Line[] }

/** An agency's lines by priority: all of a group are tried before those of the next. */
export function groups({ lines }: Pick<AgencyNode, 'lines'>): Group[] {
  return [...Map.groupBy(lines, ({ priority }) => priority)].map(([priority, lines]) => ({ priority, lines }))
    .sort((one, other) => one.priority - other.priority)
}

export type HuntStep =
  | { kind: 'hears', prompt: string }
  /** Why the next lines ring as they do: they are more than one, and not in turn, or not the first. */
  | { kind: 'order', agency: string, order: Order, priority: number }
  /** A trunk that is passed over, as it is out of order. */
  | { kind: 'trunk', line: string, trunk: string }
  /** `cancelled`: it rang with others, and one of them was picked up. */
  | { kind: 'line', line: string, outcome: 'answered' | 'busy' | 'dead' | 'cancelled' }

export interface Hunted {
  steps: HuntStep[]
  /** The line that is picked up; missing where none is. */
  line?: string
  /** Those that may be instead: which of them, the plan does not say. */
  or: string[]
  /** What the dialplan says after the last line. */
  status: 'BUSY' | 'CHANUNAVAIL'
}

/** Lines that work and are not picked up; lines, and trunks, that are out of order. All others are picked up. */
export interface Supposed { busy: readonly string[], dead: readonly string[] }

/** The agency's lines as the dialplan rings them. */
export function hunt(agency: AgencyNode, { nextLine, connecting }: Pick<Prompts, 'nextLine' | 'connecting'>, supposed: Supposed): Hunted {
  const steps: HuntStep[] = []
  let status: Hunted['status'] = 'CHANUNAVAIL'
  let heard = agency.connecting
  const all = groups(agency)
  for (const { priority, lines } of all) {
    const order = lines.length > 1 ? agency.order : 'in-turn'
    if (order !== 'in-turn' || priority !== all[0]!.priority) steps.push({ kind: 'order', agency: agency.id, order, priority })
    const able = lines.filter(line => outcomeOf(line, supposed) === 'answered').map(({ id }) => id)
    for (const [index, line] of lines.entries()) {
      if (order !== 'all-at-once' || index === 0) {
        steps.push({ kind: 'hears', prompt: heard })
        heard = connecting
      }
      if (!supposed.dead.includes(line.id)) {
        for (const trunk of line.trunks.slice(0, -1)) {
          if (!supposed.dead.includes(trunk)) break
          steps.push({ kind: 'trunk', line: line.id, trunk })
        }
      }
      const outcome = outcomeOf(line, supposed)
      steps.push({ kind: 'line', line: line.id, outcome: outcome === 'answered' && line.id !== able[0] ? 'cancelled' : outcome })
      if (outcome === 'busy') status = 'BUSY'
      if (outcome === 'busy' && order !== 'all-at-once') heard = nextLine
      if (outcome === 'answered' && order !== 'all-at-once') break
    }
    if (able.length > 0) return { line: able[0]!, or: order === 'in-turn' ? [] : able.slice(1), status, steps }
  }
  return { or: [], status, steps }
}

function outcomeOf({ id, trunks }: Line, { busy, dead }: Supposed): 'answered' | 'busy' | 'dead' {
  if (dead.includes(id) || trunks.every(trunk => dead.includes(trunk))) return 'dead'
  return busy.includes(id) ? 'busy' : 'answered'
}
