/** What a missed call makes of itself: the follow-up that we owe its caller. */
import { createHash } from 'node:crypto'
import { neverAcknowledged } from '../calls/story.ts'
import { nextOpening } from '../plan/calendar.ts'
import { deskOf, nextHour, policyOf } from '../plan/follow-up-policy.ts'
import { isOurs } from '../plan/own-numbers.ts'
import type { Plan } from '../plan/plan.ts'
import { noSwitches } from '../plan/switches.ts'
import type { FollowUpKind } from '../plan/schema-followups.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import type { FollowUp } from '../records/follow-up.ts'
import type { StoredCall } from '../records/tables.ts'

/** How late the ledger may tell of a call's end, before that counts as an outage, ms. */
const late = 5 * 60_000

/** A missed call, whether the service was there, and the language that the caller chose by a key, where they did. */
export type MissedCall = StoredCall & { served: boolean, language?: string }

/** The kind of follow-up that a call's end gives reason for. */
export function kindOf({ disposition, detail, served, endedAt }: MissedCall, now: number): FollowUpKind {
  if (disposition === 'callback') return detail === 'message-left' ? 'message' : 'asked'
  if (!served || now - (endedAt ?? now) > late) return 'late'
  if (disposition === 'unanswered') return 'unanswered'
  if (disposition !== 'abandoned') return 'failed'
  const place = detail ?? ''
  return /^(menu|mailbox):/.test(place) ? 'abandoned-menu' : place.startsWith('waiting:') ? 'abandoned-waiting'
    : /^(ringing|too-short|agency|returned):/.test(place) ? 'abandoned-ringing' : 'abandoned-greeting'
}

/** The opening (Unix ms) for which the caller of a closed agency was promised a callback; undefined where they were not. */
export function openingFor(plan: Plan, { disposition, detail, agency, arrivedAt, endedAt }: MissedCall, switches = noSwitches): number | undefined {
  const node = agency === null ? undefined : plan.nodes.get(agency)
  if (disposition !== 'callback' || !closed(detail) || node?.kind !== 'agency') return undefined
  return nextOpening(plan, node, endedAt ?? arrivedAt, switches)
}

/** Whether a call ended where a closed agency offers a callback. */
export const closed = (detail: string | null) => detail?.startsWith('closed:') ?? false

/** The follow-up of a call that no other follow-up knows. The same call always makes the same one. */
export function followUpOf(plan: Plan, call: MissedCall, now: number, switches = noSwitches): FollowUp {
  const opensAt = openingFor(plan, call, switches)
  return make(plan, { ...opensAt === undefined ? {} : { opensAt }, key: call.callId, kind: kindOf(call, now), ...call.detail === neverAcknowledged ? { person: neverAcknowledged } : {}, agency: agencyIn(plan, call.agency), cli: call.cli, did: call.did, ...call.language === undefined ? {} : { language: call.language }, arrivedAt: call.arrivedAt, missedAt: call.endedAt ?? call.arrivedAt }, now)
}

export interface Reason {
  /** What its id is made of. */
  key: string
  kind: FollowUpKind
  agency: string | null
  cli: string | null
  did: string
  /** What the citizen hears; the number's if left out. */
  language?: string
  /** When the citizen called, and when that came to nothing, Unix ms. */
  arrivedAt: number
  missedAt: number
  /** They were promised a callback for when the agency opens: all counts from then, Unix ms. */
  opensAt?: number
  /** Why it is a person's, and nobody is rung by itself. */
  person?: string
}

export function make(plan: Plan, { key, kind, agency, cli, did, language, arrivedAt, missedAt: told, opensAt: opening, person: theirs }: Reason, now: number): FollowUp {
  const policy = policyOf(plan, agency, kind)
  const missedAt = Math.min(told, now)                   // Asterisk's clock may be ahead of ours
  const opensAt = opening ?? missedAt
  const rings = agency ?? deskOf(plan)
  const person = cli === null || !mayBeRungBack(cli) ? 'no-number'
    : isOurs(plan, cli) ? 'own-number'
    : theirs !== undefined ? theirs
    : now - opensAt > plan.followups.stale ? 'learned-of-too-late'
    : policy.attempts === 0 || plan.followups.outbound.channels === 0 ? 'by-policy' : undefined
  return {
    id: idOf(key),
    kind, agency, rings, cli, did, language: language !== undefined && plan.languages.includes(language) ? language : plan.numbers.get(did)?.language ?? plan.languages[0]!,
    state: person ? 'person' : 'open', why: person ?? kind, priority: policy.priority,
    dueAt: nextHour(plan, policy.hours, Math.max(now, opensAt + policy.delay)), deadlineAt: opensAt + policy.deadline,
    arrivedAt, madeAt: now, attempt: 0, tried: 0, agencyFailed: 0, list: person ? deskOf(plan) : rings, escalated: 0,
    claimedBy: null, claimedAt: null, endedAt: null, endedBy: null
  }
}

/**
 * Of the same key always the same. A call's begins with the call's second (`satunomor-1795534728.0`, Asterisk's id of it): who called
 * at about the same time stand together in the store, which finds and writes them several times as fast.
 */
export function idOf(key: string): string {
  const hash = createHash('sha256').update(key).digest('hex')
  const [, second] = /-(\d{10})\.\d+$/.exec(key) ?? []
  return `${second === undefined ? hash.slice(8, 16) : Number(second).toString(16)}${hash.slice(0, 8)}`
}

/** An agency that the plan no longer has (or never had: the last resort) is none. */
export const agencyIn = (plan: Plan, agency: string | null) => agency !== null && plan.nodes.get(agency)?.kind === 'agency' ? agency : null
