/**
 * Whether the caller's side has acknowledged that we picked up (SIP ACK), as the copies of SIP messages tell (sip-copies.ts). A call that nobody acknowledges is
 * lost on the way, or forged: no line rings for it. Where the copies say nothing (none came, or the service was started anew), a call is as any other.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { milliseconds } from '../plan/duration.ts'
import { pause } from '../calls/time.ts'

/** Asterisk repeats its 200 after 100 ms (timer_t1 in asterisk-config/pjsip.conf), and then after twice as long each time. */
const first = 100
/** So much later a repeat has not come: the call is acknowledged, and the copy that says so is lost. */
const slack = 400
/** Calls that are waited for at most; of more the oldest are taken for acknowledged. */
const most = 2_000

interface Waiting { answeredAt: number, lastAt: number, acknowledged: AbortController }

export class Acknowledgements {
  readonly #waiting = new Map<string, Waiting>()

  /** Our 200 to the INVITE of this channel went out, at first or once more. `now` is on the clock of `performance.now`. */
  answered(channel: string, now = performance.now()) {
    const known = this.#waiting.get(channel)
    if (known) {
      known.lastAt = now
      return
    }
    this.#waiting.set(channel, { answeredAt: now, lastAt: now, acknowledged: new AbortController() })
    if (this.#waiting.size > most) this.acknowledged(this.#waiting.keys().next().value!)
  }

  /** The caller's side has acknowledged it, or the call is over. */
  acknowledged(channel: string) {
    this.#waiting.get(channel)?.acknowledged.abort()
    this.#waiting.delete(channel)
  }

  /** Resolves as soon as nothing says any more that this channel's call is not acknowledged, or `stop` aborts: for almost every call at once. */
  async until(channel: string, stop: AbortSignal): Promise<void> {
    if (!this.#waiting.has(channel)) await turn()          // the copy may be there, and not read yet
    for (let known = this.#waiting.get(channel); known && !stop.aborted; known = this.#waiting.get(channel)) {
      const { answeredAt, lastAt, acknowledged } = known
      const next = answeredAt + 2 * (lastAt - answeredAt) + first + slack - performance.now()
      if (next <= 0) break
      await pause(milliseconds(next), AbortSignal.any([acknowledged.signal, stop]))
    }
    this.#waiting.delete(channel)
  }
}
