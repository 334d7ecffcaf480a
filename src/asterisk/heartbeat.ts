import type { Logger } from 'pino'
import { seconds } from '../plan/duration.ts'
import type { AriLink } from './ari-link.ts'

/** How long a word that the service is overloaded holds, s: it is said anew with each beat. */
const shedFor = 10

/**
 * Tells Asterisk each second that the service lives: `[trunk-in]` hands calls over only while the beat is fresh
 * (design.md, section 5). It beats only while events come back over the websocket, and stops when we drain.
 * While the service is overloaded it beats on, for the calls that it has; and `SN_SHED` says until when new ones take the
 * dialplan's own menu. A service that dies meanwhile leaves nothing behind: the word ends by itself.
 */
export class Heartbeat {
  readonly #link: AriLink
  readonly #log: Logger
  readonly #overloaded: () => boolean
  #timer: NodeJS.Timeout | undefined
  #beating: Promise<unknown> | undefined
  /** What Asterisk has been told last; undefined: a service before us may have said anything. */
  #shed: boolean | undefined
  /** When Asterisk last took a beat: monotonic ms. */
  beatAt: number | undefined

  constructor(link: AriLink, log: Logger, overloaded: () => boolean = () => false) {
    this.#link = link
    this.#log = log
    this.#overloaded = overloaded
  }

  start() {
    this.#timer ??= setInterval(() => { this.#beating = this.beat() }, seconds(1))
  }

  async beat() {
    const { beatAt } = this.#link
    if (beatAt === undefined) this.#shed = undefined
    if (beatAt === undefined || performance.now() - beatAt > seconds(3)) return
    await Promise.all([this.tellLoad(), this.#write(Math.floor(Date.now() / 1000))])
  }

  /** Says whether new calls are to take the dialplan's own menu; at once when that changes, and again with each beat while they are. */
  async tellLoad() {
    const shed = this.#overloaded()
    if (!this.#link.up || (!shed && this.#shed === false)) return
    try {
      await this.#set('SN_SHED', shed ? Math.floor(Date.now() / 1000) + shedFor : 0)
      this.#shed = shed
    } catch (error) {
      this.#shed = undefined
      this.#log.warn({ err: error }, 'the load was not told to Asterisk')
    }
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
      await this.#set('SN_BEAT', value)
      this.beatAt = value === 0 ? undefined : performance.now()
    } catch (error) {
      this.#log.warn({ err: error }, 'a beat did not reach Asterisk')
    }
  }

  async #set(variable: string, value: number) {
    await this.#link.request('asterisk', 'setGlobalVar', { variable, value: String(value) })
  }
}
