/**
 * The states that a follow-up goes through, and what leads from one to the other (docs/followups.md draws them; a test holds the two together).
 *
 *   open      waits for its next attempt
 *   calling   an attempt is under way
 *   person    automation cannot finish it, or should not: it stands on somebody's list
 *   done      somebody has spoken with the citizen
 *   closed    a person (or the citizen, by key or reply) has closed it, with a reason
 */
import type { FollowUpState } from '../records/follow-up.ts'

/** What can happen to a follow-up, by state, and the state that it then is in. What is not here cannot happen. */
export const transitions = {
  open: { begins: 'calling', 'call-now': 'open', handed: 'person', spoke: 'done', closed: 'closed' },
  calling: { again: 'open', handed: 'person', spoke: 'done', closed: 'closed' },
  person: { 'call-now': 'open', handed: 'person', spoke: 'done', closed: 'closed' },
  done: { reopened: 'person' },
  closed: { reopened: 'person' }
} as const satisfies Record<FollowUpState, Record<string, FollowUpState>>

export type Happening = { [S in FollowUpState]: keyof (typeof transitions)[S] }[FollowUpState]

/** The states in which this can happen, and what comes of it. */
export function from(happening: Happening): { states: FollowUpState[], to: FollowUpState } {
  const found = Object.entries(transitions).flatMap(([state, ways]) => happening in ways ? [{ state: state as FollowUpState, to: (ways as Record<string, FollowUpState>)[happening]! }] : [])
  return { states: found.map(({ state }) => state), to: found[0]!.to }
}
