/** In which order an agency's lines ring, and what becomes of a call there whose lines are supposed to be busy or dead. */
import { restOf, type Rest } from './duty.ts'
import type { AgencyNode, Line, Order, Plan } from './plan.ts'

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
  /** A line that is not rung now, by its hours or as it is out of service. */
  | { kind: 'rests', line: string, rest: Rest }
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

/** The agency's lines as the dialplan rings them at a time (Unix ms). */
export function hunt(plan: Plan, agency: AgencyNode, at: number, supposed: Supposed): Hunted {
  const { nextLine, connecting } = plan.prompts
  const steps: HuntStep[] = []
  let status: Hunted['status'] = 'CHANUNAVAIL'
  let heard = agency.connecting
  const all = groups(agency)
  for (const { priority, lines: written } of all) {
    const rests = new Map(written.map(line => [line, restOf(plan, line, at)]))
    const lines = written.filter(line => !rests.get(line))
    const told = new Set<Line>()
    /** Of those that stand before this one in the plan, or of all, which are not rung. */
    const passOver = (until?: Line) => {
      for (const line of until ? written.slice(0, written.indexOf(until)) : written) {
        const rest = rests.get(line)
        if (rest && !told.has(line)) steps.push({ kind: 'rests', line: line.id, rest })
        told.add(line)
      }
    }
    const order = written.length > 1 ? agency.order : 'in-turn'
    if (lines.length === 0 || order === 'all-at-once') passOver()
    if (lines.length === 0) {
      if (order === 'all-at-once') heard = connecting
      continue
    }
    if (order !== 'in-turn' || priority !== all[0]!.priority) steps.push({ kind: 'order', agency: agency.id, order, priority })
    const able = lines.filter(line => outcomeOf(line, supposed) === 'answered').map(({ id }) => id)
    for (const [index, line] of lines.entries()) {
      passOver(line)
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
    if (able.length === 0) passOver()
    if (able.length > 0) return { line: able[0]!, or: order === 'in-turn' ? [] : able.slice(1), status, steps }
  }
  return { or: [], status, steps }
}

function outcomeOf({ id, trunks }: Line, { busy, dead }: Supposed): 'answered' | 'busy' | 'dead' {
  if (dead.includes(id) || trunks.every(trunk => dead.includes(trunk))) return 'dead'
  return busy.includes(id) ? 'busy' : 'answered'
}
