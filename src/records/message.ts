/** A message to a citizen, as it is stored. Times are Unix ms. */

/**
 * `waiting`: to be sent (again) from `dueAt` on; `sending`: the gateway may have been asked; `sent`: it has taken it;
 * `recorded`: there is no gateway, it is only shown; `delivered`; `failed`; `dropped`: it was not to be sent after all (`why`).
 */
export type MessageState = 'waiting' | 'sending' | 'sent' | 'recorded' | 'delivered' | 'failed' | 'dropped'

export interface Message {
  /** Sixteen hex digits, made of the follow-up and the occasion: there is one message for each. */
  id: string
  followupId: string
  /** `opened`, or `attempt-<n>`. */
  occasion: string
  /** Its name in the plan. */
  name: string
  /** E.164. */
  cli: string
  language: string
  text: string
  state: MessageState
  /** How often the gateway was asked, and when first. */
  tries: number
  claimedAt: number | null
  madeAt: number
  /** `waiting`: not before then; `sending`, or once it was tried: when it counts as forgotten by the queue. */
  dueAt: number
  endedAt: number | null
  /** What the gateway calls it. */
  gatewayId: string | null
  /** Why it failed or was dropped, in a few words without personal data. */
  why: string | null
}
