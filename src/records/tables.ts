/** The store's tables as Kysely sees them, and how steps become rows. Times are Unix ms, columns are snake_case in SQL. */
import type { Generated } from 'kysely'
import type { CallRecord, Step } from '../calls/story.ts'
import type { AuditEntry } from './audit-trail.ts'
import type { Attempt, FollowUp } from './follow-up.ts'
import type { Message } from './message.ts'
import type { Delivery } from './delivery.ts'

export interface Tables {
  steps: StepRow & { seq: Generated<number> }
  calls: StoredCall
  watermarks: Watermark
  /** Written by audit-trail.ts alone. */
  audit: AuditEntry & { id: Generated<number>, sum: string }
  followups: FollowUp
  followupCalls: { callId: string, followupId: string }
  attempts: Attempt
  followupEvents: { id: Generated<number>, followupId: string, at: number, who: string, what: string, facts: string }
  messages: Message
  /** What citizens have answered, by the gateway's id, so that an answer counts once; its text is in the follow-up's history. */
  replies: { id: string, followupId: string, at: number, meaning: string }
  deliveries: Delivery
  outbox: { id: Generated<number>, topic: string, callId: string, payload: string, madeAt: number, doneAt: number | null }
}

/** How a name came to stand there: its owner signed in, or a bearer of the city's token said so. Otherwise (a command, an older record) nothing says. */
export type SignedBy = 'own-token' | 'city-token'

/** A call as it is stored; `plan` is the version of the service plan that it ran under, where that is known. */
export type StoredCall = CallRecord & { plan: string | null }

/** How far a reader has come, e.g. in Asterisk's CEL file. */
export interface Watermark { name: string, value: string }

/** Work that the store owes somebody: made in the transaction that gave reason for it, done at least once. */
export interface OutboxItem { id: number, topic: string, callId: string, payload: unknown, madeAt: number }

export type StepRow = { callId: string, key: string, at: number, witness: string, kind: string, facts: string }

export const toRow = ({ callId, key, at, witness, kind, facts }: Step): StepRow =>
  ({ callId: text(callId), key: text(key), at: Math.round(at), witness, kind, facts: JSON.stringify(facts, cleanly) })

export const toStep = ({ callId, key, at, witness, kind, facts }: StepRow): Step =>
  ({ callId, key, at, witness, kind, facts: JSON.parse(facts) }) as Step

/** PostgreSQL's text holds no NUL and UTF-8 no half surrogates: both become U+FFFD, on either store. */
export const text = (value: string) => value.replaceAll('\0', '\uFFFD').toWellFormed()

const cleanly = (_key: string, value: unknown) => typeof value === 'string' ? text(value) : value
