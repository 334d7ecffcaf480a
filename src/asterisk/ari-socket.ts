/**
 * ARI's requests over the websocket by which its events come (Asterisk 22.5 and later): no connection, no login and no HTTP a
 * request, which is most of what one costs on either side. Asterisk takes them one by one: only what it does at once may be asked
 * here (`atOnce`), since what waits for a channel, as setting its variable does while a prompt plays, would hold up all others.
 */
import type { Duration } from '../plan/duration.ts'
import { AsteriskAway, refusal } from './ari-errors.ts'

/** What a call needs while it is in our hands, by ari-client's names. Asterisk only hands these on to the channel's own thread. */
export const atOnce: ReadonlySet<string> = new Set(['channels.play', 'channels.continueInDialplan', 'playbacks.stop'])

/**
 * A text as a frame of a client's (RFC 6455, section 5.2). Its mask is four zeros: masks keep pages of a browser from forging what
 * proxies read, and here is neither; ws asks the kernel for another one for each frame, which costs more than the rest of it.
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const head = length < 126 ? 6 : length < 65_536 ? 8 : 14
  const frame = Buffer.alloc(head + length)
  frame[0] = 0x81
  frame[1] = 0x80 | (head === 6 ? length : head === 8 ? 126 : 127)
  if (head === 8) frame.writeUInt16BE(length, 2)
  if (head === 14) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.write(text, head)
  return frame
}

export interface Answer {
  type: 'RESTResponse'
  request_id: string
  status_code: number
  message_body?: string
}

interface Asked {
  resolve(body: string): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

export class AriSocket {
  readonly #send: (text: string) => void
  readonly #asked = new Map<string, Asked>()
  #count = 0

  /** `send` writes a text to the websocket. */
  constructor(send: (text: string) => void) {
    this.#send = send
  }

  /** The answer's body. `uri` is without `/ari/`. @throws AsteriskAway where no answer comes in time; Refused */
  ask({ method, uri, patience }: { method: string, uri: string, patience: Duration }): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const id = String(++this.#count)
    const timer = setTimeout(() => this.#take(id)?.reject(new AsteriskAway('no answer in time')), patience)
    this.#asked.set(id, { resolve, reject, timer })
    try {
      this.#send(JSON.stringify({ type: 'RESTRequest', request_id: id, method, uri }))
    } catch (error) {
      this.#take(id)?.reject(new AsteriskAway(`websocket: ${(error as Error).message}`))
    }
    return promise
  }

  /** Takes an answer that came by the websocket; one that was given up, or that nobody asked for, says nothing. */
  hear({ request_id, status_code, message_body = '' }: Answer) {
    const asked = this.#take(request_id)
    if (!asked) return
    if (status_code >= 400) asked.reject(refusal(status_code, message_body))
    else asked.resolve(message_body)
  }

  /** Whatever was asked is given up. */
  close() {
    for (const id of [...this.#asked.keys()]) this.#take(id)!.reject(new AsteriskAway('the link was given up'))
  }

  /** What was asked by this id, which waits no longer. */
  #take(id: string): Asked | undefined {
    const asked = this.#asked.get(id)
    clearTimeout(asked?.timer)
    this.#asked.delete(id)
    return asked
  }
}
