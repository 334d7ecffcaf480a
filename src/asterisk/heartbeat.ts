import type { Logger } from 'pino'
import { seconds } from '../plan/duration.ts'
import type { AriLink } from './ari-link.ts'

/**
 * Tells Asterisk each second that the service lives: `[trunk-in]` hands calls over only while the beat is fresh
 * (design.md, section 5). It beats only while events come back over the websocket, and stops when we drain.
 */
export class Heartbeat {
  readonly #link: AriLink
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #beating: Promise<void> | undefined
  /** When Asterisk last took a beat: monotonic ms. */
  beatAt: number | undefined

  constructor(link: AriLink, log: Logger) {
    this.#link = link
    this.#log = log
  }

  start() {
    this.#timer ??= setInterval(() => { this.#beating = this.beat() }, seconds(1))
  }

  async beat() {
    const { beatAt } = this.#link
    if (beatAt === undefined || performance.now() - beatAt > seconds(3)) return
    await this.#write(Math.floor(Date.now() / 1000))
  }

  /** From now on new calls go to the fallback: the beat is set to long ago. */
  async stop() {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#beating             // one that is on its way must not come after
    if (this.#link.up) await this.#write(0)
  }

  async #write(value: number) {
    try {
      await this.#link.request('asterisk', 'setGlobalVar', { variable: 'SN_BEAT', value: String(value) })
      this.beatAt = value === 0 ? undefined : performance.now()
    } catch (error) {
      this.#log.warn({ err: error }, 'a beat did not reach Asterisk')
    }
  }
}
