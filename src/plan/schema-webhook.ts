/** What the plan says about an agency's own system: what it is told, and where. Part of schema.ts. */
import { Type, type Static } from 'typebox'
import type { Draft, Report } from './draft.ts'
import { quote } from './faults.ts'
import { oneOf } from './schema-words.ts'
import { urlRefusal } from './webhook-url.ts'

/** docs/webhooks.md has an example of each. */
export const webhookEvents = ['call.ringing', 'call.claimed', 'call.connected', 'call.ended', 'call.abandoned', 'followup.opened', 'followup.closed', 'heartbeat'] as const
export type WebhookEvent = typeof webhookEvents[number]

export const Webhook = Type.Object({
  url: Type.String({ pattern: '^https?://[^\\p{C}\\s]{1,400}$', expects: 'an address of the form https://host/path', description: 'Where its events are posted, signed: https, or http to this machine' }),
  events: Type.Array(oneOf([...webhookEvents], 'An event'), { minItems: 1, uniqueItems: true, default: [...webhookEvents], description: 'What it is told; everything if left out' })
}, { description: 'The agency\'s own system is told of its calls and follow-ups (docs/webhooks.md); the secret is not in the plan' })
export type Webhook = Static<typeof Webhook>

/** Events go only where nobody reads along, and to no address that a receiver cannot have. */
export function webhookUrls({ agencies }: Draft, report: Report) {
  for (const [id, agency] of agencies ?? []) {
    const { url } = agency?.webhook ?? {}
    const refusal = url === undefined ? undefined : urlRefusal(url)
    if (refusal) report(['agencies', id, 'webhook', 'url'], `${quote(url!)} ${refusal}`, 'as in "https://opd.example.go.id/satunomor"')
  }
}
