/** Work that is looked for again and again while the service lives. A look that fails is told once, and tried again. */
import type { Logger } from 'pino'
import { seconds, type Duration } from '../plan/duration.ts'
import { pause } from './time.ts'

export interface RoundsOptions {
  /** One look; true: there was something, so that there may be more, and the next look comes at once. */
  look: () => Promise<boolean | void>
  /** How long to wait for the next one. */
  every: () => Duration
  /** What is held up while looks fail, for the log. */
  what: string
  log: Logger
}

export class Rounds {
  readonly #options: RoundsOptions
  readonly #closing = new AbortController()
  #nudged = Promise.withResolvers<void>()
  #running: Promise<void> | undefined
  #failing = false

  constructor(options: RoundsOptions) {
    this.#options = options
  }

  /** Aborts when no more is to be begun. */
  get closing() { return this.#closing.signal }

  start() {
    this.#running ??= this.#run()
  }

  /** The next look comes now. */
  nudge() {
    this.#nudged.resolve()
  }

  /** Resolves when the look that is under way has ended. */
  async close() {
    this.#closing.abort()
    await this.#running
  }

  async #run() {
    const { look, every, what, log } = this.#options
    while (!this.closing.aborted) {
      try {
        const more = await look()
        if (this.#failing) log.warn({ what }, 'what was held up goes on')
        this.#failing = false
        if (more) continue
      } catch (error) {
        if (!this.#failing) log.error({ err: error, what }, 'this is held up; trying again')
        this.#failing = true
        await pause(seconds(1), this.closing)            // a store that is locked is not kept from others, too
      }
      await Promise.race([this.#nudged.promise, pause(every(), this.closing)])
      this.#nudged = Promise.withResolvers()
    }
  }
}
