/** How long a caller who presses nothing, or waits, may be on the way to a human. */
import { milliseconds, seconds, type Duration } from './duration.ts'
import { groups } from './hunt.ts'
import type { AgencyNode, Line, Plan } from './plan.ts'
import { elsewhere } from './walk.ts'

/** To accept the call by key: the question, and what there is of time for it. */
const accepting = seconds(15)

/**
 * The longest of all ways from a node of the plan over waiting rooms, lines that ring, overflow, closed agencies and silence, without what
 * is heard between them. Each waiting room may be left by its last moment, for lines that ring in vain.
 */
export function longestWay(plan: Plan): Duration {
  const known = new Map<string, number>()
  const from = (id: string | undefined): number => {
    const node = id === undefined ? undefined : plan.nodes.get(id)
    if (!node) return 0
    if (known.has(node.id)) return known.get(node.id)!
    known.set(node.id, 0)                       // the check has seen to it that no way goes round
    const way = node.kind === 'menu' ? node.patience + from(node.silence)
      : node.kind === 'agency' ? inside(node) + Math.max(from(node.closed), from(node.overflow?.busy), from(node.overflow?.dead), from(node.wait && elsewhere(plan, node))) : 0
    known.set(node.id, way)
    return way
  }
  return milliseconds(Math.max(0, ...[...plan.nodes.keys()].map(from)))
}

/** All its lines ring in vain, and once more after the longest wait for them. */
function inside(agency: AgencyNode): number {
  const rings = groups(agency).reduce((sum, { lines }) => {
    const times = lines.map(ringing)
    return sum + (agency.order === 'all-at-once' ? Math.max(...times) : times.reduce((one, other) => one + other, 0))
  }, 0)
  return agency.wait ? rings + agency.wait.longest + agency.wait.every + rings : rings
}

const ringing = ({ ringTime, acceptKey }: Line) => ringTime + (acceptKey === undefined ? 0 : accepting)
