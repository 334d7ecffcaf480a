/** One attempt to join a citizen and an agency: how it is begun, and what came of it, as the ledger tells. */
import { preempted, type Step } from '../calls/story.ts'
import type { Duration } from '../plan/duration.ts'

/** What a callback needs from the exchange. `asterisk/` provides it. */
export interface CallbackLine {
  /**
   * Begins to ring; resolves when the exchange has taken it on, not when somebody answers. An id that is ringing is rung
   * no second time. Rejects where the exchange is away: then it may have begun, or not.
   */
  ring(ringing: Ringing): Promise<void>
  /** The ids of the callbacks that ring or talk now. */
  ringing(): Promise<Set<string>>
  /** Ends one; nothing where it has ended. */
  hangUp(id: string): Promise<void>
  /**
   * Withdraws the callback that began last, of those that ring an agency (this one, or any if left out) where nobody has
   * accepted yet; never one whose citizen is being rung, or talks. Resolves with its id when its line is free again;
   * undefined: there is none. Rejects where the exchange is away.
   */
  giveWay(agency?: string): Promise<string | undefined>
}

export interface Ringing {
  /** `attemptId`: the channel's name, and its call's id in the ledger. */
  id: string
  /** Whose lines. */
  agency: string
  /** E.164. */
  citizen: string
  /** The number that the citizen sees. */
  cli: string
  language: string
  first: 'agency' | 'citizen'
  ringTime: Duration
}

/** The name of an attempt's channel. A follow-up's id holds no dash. */
export const attemptId = (followUp: string, attempt: number) => `followup-${followUp}-${attempt}`

/** The follow-up and attempt that a call of the ledger is; undefined for one that came in. */
export function attemptOf(callId: string): { followUp: string, attempt: number } | undefined {
  const [, followUp, attempt] = /^followup-([0-9a-z]+)-(\d+)$/.exec(callId) ?? []
  return followUp === undefined ? undefined : { followUp, attempt: Number(attempt) }
}

/**
 * How an attempt ended. Of the agency: `agency-unreached` (nobody accepted), `agency-left` (before the citizen was there);
 * `gave-way`: withdrawn before the citizen was rung, for somebody who calls now, or every line of the agency was theirs already.
 * Of the citizen: `busy`, `no-answer`, `unreachable` (no such number, or the network is out of order), `silent` (picked up,
 * but by nobody that could be told from a voicemail), `later`, `not-needed`, `wrong-number`, `spoken` (both have talked).
 * `refused`: the dialplan would not ring the number. Where Asterisk itself ended in the middle of it: `cut-off` (the citizen was
 * being rung, or talked), or `void` (their telephone did not ring, as far as anybody knows).
 */
export type Outcome = 'spoken' | 'not-needed' | 'later' | 'wrong-number' | 'silent' | 'no-answer' | 'busy' | 'unreachable'
  | 'agency-unreached' | 'agency-left' | 'gave-way' | 'refused' | 'cut-off' | 'void'

export interface Result {
  outcome: Outcome
  /** The line of the agency that accepted, where one did. */
  line: string | null
  /** Whether the citizen's telephone was rung. */
  rung: boolean
  /** Unix ms: since when the two heard each other, and the end of all. null: has not happened. */
  joinedAt: number | null
  endedAt: number | null
}

/** Folds the steps of an attempt. @param spoken how long two must have talked who were joined without a key */
export function resultOf(steps: readonly Step[], spoken: Duration): Result {
  const all = steps.toSorted((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))
  const first = <K extends Step['kind']>(kind: K) => all.find((step): step is Extract<Step, { kind: K }> => step.kind === kind)
  const key = first('citizen-key')?.facts.key
  const connected = all.filter(step => step.kind === 'connected')
  const [ours, theirs] = [connected.find(({ facts }) => facts.agency === 'citizen'), connected.find(({ facts }) => facts.agency !== 'citizen')]
  const accepted = first('accepted') !== undefined
  const outcomeOfCitizen = first('citizen-outcome')?.facts.outcome
  const joinedAt = accepted && ours && theirs ? Math.max(ours.at, theirs.at) : null
  const endedAt = first('ended')?.at ?? null
  const rung = first('citizen') !== undefined
  const tries = all.filter(step => step.kind === 'line-outcome')
  const allFull = !accepted && tries.length > 0 && tries.every(({ facts }) => facts.outcome === 'full')
  return { outcome: outcome(), line: theirs?.facts.line ?? null, rung, joinedAt, endedAt }

  function outcome(): Outcome {
    if (key === '2') return 'later'
    if (key === '3') return 'not-needed'
    if (key === '9') return 'wrong-number'
    if (joinedAt !== null) return key === '1' || (endedAt ?? Infinity) - joinedAt >= spoken ? 'spoken' : 'silent'
    if (outcomeOfCitizen === 'refused') return 'refused'
    if (key === '1' || key === 'talk') return accepted ? 'agency-left' : 'agency-unreached'
    if (first('citizen-up')) return 'silent'
    if (outcomeOfCitizen === 'busy') return 'busy'
    if (outcomeOfCitizen === 'nonexistent' || outcomeOfCitizen === 'unavailable') return 'unreachable'
    if (outcomeOfCitizen === 'noanswer') return 'no-answer'
    if (!rung && (first('hangup')?.facts.q850 === preempted || allFull)) return 'gave-way'
    if (rung) return accepted ? 'agency-left' : 'no-answer'
    return all.some(({ kind }) => kind === 'line') ? accepted ? 'agency-left' : 'agency-unreached' : 'void'
  }
}
