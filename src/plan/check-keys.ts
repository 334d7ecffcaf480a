/**
 * The keys of offers: a callback, or a message, in place of a line. Part of check.ts.
 * Somebody who presses the menu's key once more, as nothing seems to happen, must not take an offer by it.
 */
import type { Draft, Report } from './draft.ts'
import { quote } from './faults.ts'

/** Which keys a plan had before it could say so. Its prompts name them. */
export const firstOfferKeys = { callback: '1', message: '2' }

const example = 'write offerKeys: { callback: 7, message: 8 }, the keys that our prompts tawaran-… name'

export function keysOfOffers({ menus, followups, offerKeys }: Draft, report: Report) {
  const offered = new Map<string, string>()
  if (!followups) return
  const callbacks = followups.outbound?.channels !== 0
  const messages = followups.mailbox !== undefined
  if (!callbacks && !messages) return
  if (!offerKeys) return report(['offerKeys'], 'is missing: callers are offered a callback or a message, and the plan does not say by which keys they take it', example)
  const { callback, message } = offerKeys
  if (callbacks && callback !== undefined) offered.set(callback, 'a callback')
  if (messages && message !== undefined) {
    if (offered.has(message)) report(['offerKeys', 'message'], `${quote(message)} is the key of a callback, too`, 'give each offer a key of its own')
    offered.set(message, 'a message')
  }
  for (const [name, menu] of menus ?? []) {
    for (const key of menu?.keys?.keys() ?? []) {
      if (offered.has(key)) report(['menus', name, 'keys', key], `is the key by which callers take the offer of ${offered.get(key)} (offerKeys)`, 'choose another key for one of them: a caller who presses it twice must not take an offer by it')
    }
  }
}
