/** One attempt to join a citizen and an agency: how it is begun, and what came of it, as the ledger tells. */
import { needless, preempted, type Step } from '../calls/story.ts'
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
  /** Withdraws one, as nobody needs it any more, or as the citizen calls us; nothing where it has ended. */
  hangUp(id: string, why: 'needless' | 'preempted'): Promise<void>
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
 * How an attempt ended. Of the agency: `agency-unreached` (nobody accepted), `agency-left` (accepted, and hung up before the two had talked);
 * `gave-way`: withdrawn before the citizen picked up, for somebody who calls now (another, or the citizen), or every line of the agency was theirs already;
 * `withdrawn`: a person, or a call, had ended the follow-up meanwhile.
 * Of the citizen: `busy`, `no-answer`, `unreachable` (no such number, or the network is out of order), `silent` (picked up, and hung up without a key),
 * `citizen-left` (was ready to talk, and hung up before the two had talked), `later`, `not-needed`, `wrong-number`.
 * `spoken`: both have talked. Where the citizen pressed no key, the agency's human has said so; `voicemail`: they said that it was a machine; `unconfirmed`: they said nothing.
 * `refused`: the dialplan would not ring the number. Where Asterisk itself ended in the middle of it: `cut-off` (the citizen was
 * being rung, or talked), or `void` (their telephone did not ring, as far as anybody knows).
 */
export type Outcome = 'spoken' | 'unconfirmed' | 'voicemail' | 'not-needed' | 'later' | 'wrong-number' | 'silent' | 'citizen-left' | 'no-answer' | 'busy' | 'unreachable'
  | 'agency-unreached' | 'agency-left' | 'gave-way' | 'withdrawn' | 'refused' | 'cut-off' | 'void'

export interface Result {
  outcome: Outcome
  /** The line of the agency that accepted, where one did. */
  line: string | null
  /** Whether the citizen's telephone was rung. */
  rung: boolean
  /** Whether somebody, or something, has picked it up. */
  up?: boolean
  /** Unix ms: since when the two heard each other, until when, and the end of all. null: has not happened. */
  joinedAt: number | null
  partedAt?: number | null
  endedAt: number | null
}

/** Folds the steps of an attempt. @param spoken how long two must have been joined for it to be a talk */
export function resultOf(steps: readonly Step[], spoken: Duration): Result {
  const all = steps.toSorted((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))
  const of = <K extends Step['kind']>(kind: K) => all.filter((step): step is Extract<Step, { kind: K }> => step.kind === kind)
  const first = <K extends Step['kind']>(kind: K) => of(kind)[0]
  const key = first('citizen-key')?.facts.key
  const accepted = first('accepted') !== undefined
  const outcomeOfCitizen = first('citizen-outcome')?.facts.outcome
  const endedAt = (first('ended') ?? first('alone'))?.at ?? null
  const rung = first('citizen') !== undefined
  const up = first('citizen-up') !== undefined
  // A clock that was put back meanwhile: how long anything lasted is then not known.
  const untimed = first('ended') !== undefined && all.at(-1)!.at > endedAt!
  const legs = of('connected').map(({ at, facts }) => ({
    ...facts, from: at, until: of('leg-ended').find(step => step.facts.line === facts.line && step.facts.agency === facts.agency && (step.at >= at || untimed))?.at ?? endedAt ?? Infinity
  }))
  const [ours, theirs] = [legs.filter(({ agency }) => agency === 'citizen'), legs.filter(({ agency }) => agency !== 'citizen')]
  const talk = accepted ? longest() : undefined
  return { outcome: outcome(), line: (talk?.agency ?? theirs[0])?.line ?? null, rung, up, joinedAt: talk?.from ?? null, partedAt: talk === undefined || talk.until === Infinity ? null : talk.until, endedAt }

  /** The longest time for which both were there. */
  function longest() {
    const talks = ours.flatMap(citizen => theirs.map(agency => ({ agency, citizen, from: Math.max(citizen.from, agency.from), until: Math.min(citizen.until, agency.until) })))
    return talks.filter(({ from, until }) => until > from || untimed).sort((a, b) => (b.until - b.from) - (a.until - a.from))[0]
  }

  function outcome(): Outcome {
    if (key === '2') return 'later'
    if (key === '3') return 'not-needed'
    if (key === '9') return 'wrong-number'
    if (talk && (untimed || talk.until - talk.from >= spoken)) return whatWasSaid()
    // The citizen was left alone: it was the agency, also where the end of its leg is written later than that, or not yet.
    if (talk) return first('alone') || talk.agency.until < talk.citizen.until ? 'agency-left' : 'citizen-left'
    if (outcomeOfCitizen === 'refused') return 'refused'
    if (outcomeOfCitizen === 'calling-us') return 'gave-way'
    if (up) return whoLeft()
    const cause = first('hangup')?.facts.q850
    if (cause === needless) return 'withdrawn'
    if (cause === preempted) return 'gave-way'
    if (outcomeOfCitizen === 'busy') return 'busy'
    if (outcomeOfCitizen === 'nonexistent' || outcomeOfCitizen === 'unavailable') return 'unreachable'
    if (outcomeOfCitizen === 'noanswer') return 'no-answer'
    const tries = of('line-outcome').filter(({ facts }) => facts.outcome !== 'off-duty')
    if (!rung && !accepted && tries.length > 0 && tries.every(({ facts }) => facts.outcome === 'full')) return 'gave-way'
    if (rung) return accepted ? 'agency-left' : 'no-answer'
    return first('line') || of('line-outcome').length > tries.length ? accepted ? 'agency-left' : 'agency-unreached' : 'void'
  }

  /** By key the citizen says that it is a human who talks; where they pressed none, the agency's human does. */
  function whatWasSaid(): Outcome {
    const said = first('confirmed')?.facts.key
    if (key === '1' || said === '1') return 'spoken'
    return said === '2' ? 'voicemail' : 'unconfirmed'
  }

  /** The citizen's telephone was picked up, and no talk came of it. */
  function whoLeft(): Outcome {
    const citizenEnded = of('leg-ended').find(({ facts }) => facts.agency === 'citizen')?.at ?? Infinity
    const agencyEnded = of('leg-ended').findLast(({ facts }) => theirs.some(({ line }) => line === facts.line))?.at ?? Infinity
    if (accepted && agencyEnded < citizenEnded) return 'agency-left'
    if (key === undefined) return 'silent'
    // They waited for the agency: until its last line was over, or not as long.
    const tries = of('line-outcome').filter(({ at, facts }) => at <= citizenEnded && facts.outcome !== 'cancelled')
    if (!accepted && tries.length >= of('line').length) return 'agency-unreached'
    return citizenEnded === Infinity ? accepted ? 'agency-left' : 'agency-unreached' : 'citizen-left'
  }
}
