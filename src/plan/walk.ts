/** The decisions on a call's way that are the plan's, not the caller's. The service and `simulate` both ask here. */
import { nextOpening } from './calendar.ts'
import { callsBack, whoAnswersSilence } from './follow-up-policy.ts'
import { opening, type Opening } from './hours.ts'
import type { AgencyNode, MailboxNode, MenuNode, Plan } from './plan.ts'
import { noSwitches } from './switches.ts'

/** Where callers of a node come to at this time. With `opens` (Unix ms) the agency is closed, and a callback can be promised for then. */
export type Arrival = { detours: Detour[] } & ({ node: MenuNode | MailboxNode } | { node: AgencyNode, opening: Opening, opens?: number })

/** A closed agency that passed them on. */
export interface Detour { agency: string, opening: Opening, to: string }

/**
 * Follows closed agencies to where somebody is there, or a callback can be offered; the plan's check has seen to it that there is an end.
 * `at` is Unix time in ms; `canBeRung`: whether the caller has a number that may be rung back; asked only where an offer depends on it.
 */
export function arrive(plan: Plan, name: string, at: number, switches = noSwitches, canBeRung = () => true): Arrival {
  const detours: Detour[] = []
  let next = name
  while (true) {
    const node = plan.nodes.get(next)
    if (!node) throw new Error(`the service plan has no node "${next}" (any more)`)
    if (node.kind !== 'agency') return { detours, node }
    const state = opening(plan, node, at, switches)
    const ringsOn = state.because === 'lines' && node.closed === undefined          // its overflow takes them, after its last line
    if (state.open || ringsOn) return { detours, node, opening: state }
    const opens = node.closedOffer && canBeRung() && callsBack(plan, node.id) ? nextOpening(plan, node, at, switches) : undefined
    if (opens !== undefined) return { detours, node, opening: state, opens }
    if (node.closed === undefined) throw new Error(`the agency "${node.id}" is closed, and the service plan does not say where its callers go`)
    detours.push({ agency: node.id, opening: state, to: node.closed })
    next = node.closed
  }
}

/** Nobody could be rung at all. Everything else (busy, full, silent, declined, not accepted, a talk too short) is a line that works. */
const outOfOrder = new Set(['CHANUNAVAIL', 'CONGESTION', 'INVALIDARGS'])

/** Whether a caller waits after an agency's last line: all that work are in use. Where one rang and nobody came, waiting would be in vain. */
export const waits = ({ wait }: AgencyNode, status: string) => wait !== undefined && (status === 'FULL' || status === 'BUSY')

/** What the dialplan says of a caller whose number is at as many lines of the agency as one number may hold (`sameNumber`): no line rang. */
export const sameNumber = 'SAME_NUMBER'

/** How many calls of one number may be at this agency at once; Infinity: any number of them. */
export function callsOfOneNumber(plan: Plan, agency: string): number {
  return (agency === whoAnswersSilence(plan) ? plan.sameNumber.desk : plan.sameNumber.calls) || Infinity
}

/** Where one more call of such a number goes: to a human elsewhere, so that somebody whose first call is dying is heard. Undefined at the desk without an overflow. */
export function elsewhere(plan: Plan, { id, overflow }: AgencyNode): string | undefined {
  const desk = whoAnswersSilence(plan)
  return overflow?.busy ?? (id === desk ? undefined : desk)
}

/** Which of the two ladders a caller stands on after an agency's last line, and where it leads; an apology if nowhere. `status` is `DIALSTATUS`, or `FULL`. */
export function overflow({ overflow }: AgencyNode, status: string): { ladder: 'busy' | 'dead', to?: string } {
  const ladder = outOfOrder.has(status) ? 'dead' : 'busy'
  return { ladder, to: overflow?.[ladder] }
}
