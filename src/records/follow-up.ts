/** A follow-up and its attempts, as they are stored. What may happen to one: followups/states.ts. Times are Unix ms. */
import { sql } from 'kysely'
import type { FollowUpKind } from '../plan/schema-followups.ts'

export type FollowUpState = 'open' | 'calling' | 'person' | 'done' | 'closed'

/** What we owe a citizen. */
export interface FollowUp {
  /** Twelve letters and digits, made of the first call's id. */
  id: string
  kind: FollowUpKind
  /** The agency that the citizen chose; null: none. */
  agency: string | null
  /** Whose lines a callback rings: the agency's, or the desk's. */
  rings: string
  /** E.164; null: there is no number to ring. */
  cli: string | null
  /** The number that was dialled, and the language that the citizen hears. */
  did: string
  language: string
  state: FollowUpState
  /** Why it is in this state, in a word or two: `attempts-used-up`, `no-number`, `spoken`, `not-needed`, a person's reason. */
  why: string
  /** 1 goes before 2; 0 is what a person has asked for now. */
  priority: number
  /** When the next attempt is due. */
  dueAt: number
  /** Until when somebody should have spoken with the citizen. */
  deadlineAt: number
  /** When the first of its calls came in. */
  arrivedAt: number
  madeAt: number
  /** The number of the last attempt; how many of them were the citizen's failure, and the agency's. */
  attempt: number
  tried: number
  agencyFailed: number
  /** Whose list it stands on, and how many steps of the plan's `escalate` it has gone. */
  list: string
  escalated: number
  /** The person who has taken it in hand. */
  claimedBy: string | null
  claimedAt: number | null
  endedAt: number | null
  /** Who ended it: `callback`, `call <id>`, `citizen`, or a person's name. */
  endedBy: string | null
}

/** One attempt. `claimed`: meant to be made; `dialling`: the exchange may have been asked; `ended`. */
export interface Attempt {
  followupId: string
  attempt: number
  state: 'claimed' | 'dialling' | 'ended'
  /** Whose lines it rings, and whom. */
  agency: string
  cli: string
  /** Who wanted it: `policy`, or a person's name. */
  by: string
  madeAt: number
  begunAt: number | null
  endedAt: number | null
  outcome: string | null
  /** 0: the citizen's telephone did not ring; 1: it did, or may have; null: not known yet. */
  rung: number | null
  line: string | null
  joinedAt: number | null
}

/** One line of a follow-up's history. */
export interface FollowUpEvent {
  id: number
  followupId: string
  at: number
  /** `policy`, `citizen`, `agency`, or a person's name. */
  who: string
  what: string
  facts: Record<string, unknown>
}

/**
 * Where a follow-up stands in a list, lowest first: by its deadline, but before all others where somebody is to be reached now. An index is made of just these
 * words: others need a migration.
 */
export const urgency = sql<number>`case when priority = 0 then deadline_at - 10000000000000 else deadline_at end`
export const urgencyOf = ({ priority, deadlineAt }: Pick<FollowUp, 'priority' | 'deadlineAt'>) => priority === 0 ? deadlineAt - 10_000_000_000_000 : deadlineAt
