/** How a message gets to a citizen's telephone: a gateway for SMS or WhatsApp, Asterisk (asterisk/sip-messages.ts), or not at all. */
import { post } from '../delivery/post.ts'
import type { Message } from '../records/message.ts'

export interface Gateway {
  name: 'record' | 'webhook' | 'sip'
  /** Whether it takes an id once: then a message of which nothing is known may be handed over again. */
  repeatable: boolean
  /** Resolves when the message is the gateway's: with what that calls it, where it says so. Rejects with `NotSent`, or anything: it may be sent, or not. */
  send(message: Message, signal: AbortSignal): Promise<{ id: string | null }>
}

/** The message is certainly not sent. `again`: trying later may help. */
export class NotSent extends Error {
  override name = 'NotSent'
  readonly again: boolean

  constructor(why: string, { again }: { again: boolean }) {
    super(why)
    this.again = again
  }
}

/** Nothing leaves this machine: the message is shown in the follow-up's history, and in `GET /api/messages`. */
export const recorder: Gateway = { name: 'record', repeatable: true, send: async () => ({ id: null }) }

/** Hands messages over by a signed POST (docs/messages.md). */
export class WebhookGateway implements Gateway {
  readonly name = 'webhook'
  readonly repeatable = true
  readonly #url: string
  readonly #secret: string

  constructor({ url, secret }: { url: string, secret: string }) {
    this.#url = url
    this.#secret = secret
  }

  async send({ id, cli, text, language, followupId }: Message, signal: AbortSignal) {
    const body = JSON.stringify({ id, to: cli, text, language, followUp: followupId })
    const answer = await post({ url: this.#url, secrets: [this.#secret], id, body, signal })
    if (answer.status >= 200 && answer.status < 300) return { id: idIn(answer.text) }
    // What the gateway does not like about a message it will not like in a minute either.
    throw new NotSent(`HTTP ${answer.status}`, { again: answer.status >= 500 || [408, 409, 425, 429].includes(answer.status) })
  }
}

/** `{ "id": … }`, where the gateway gives the message one. */
function idIn(text: string): string | null {
  try {
    const { id } = JSON.parse(text) as { id?: unknown }
    return typeof id === 'string' && /^[\x21-\x7e]{1,200}$/.test(id) ? id : null
  } catch {
    return null
  }
}
