/**
 * Whether this service may turn to anybody by itself: ring citizens back, send them messages, tell agencies' systems. A restore holds all
 * of that (held.json in the state folder) until an admin says `npx satunomor go-live`: a restored copy on a second machine must not do it
 * beside the first. Live calls are served all the same.
 */
import { readFile, rm, stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import { seconds } from './plan/duration.ts'

/** What held.json says, for people. */
export interface Held {
  /** ISO 8601. */
  since: string
  why: string
}

export const heldSentence = 'callbacks, messages and webhooks are held since a restore: npx satunomor go-live releases them, on the one machine that serves the city'

/** Undefined: nothing is held. A file that cannot be read holds, too. */
export async function readHeld(file: string): Promise<Held | undefined> {
  try {
    const { since, why } = JSON.parse(await readFile(file, 'utf8')) as Partial<Held>
    return { since: since ?? 'an unknown time', why: why ?? 'unknown' }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    return { since: 'an unknown time', why: `${file} cannot be read (${(error as Error).message})` }
  }
}

/** Releases it. */
export const goLive = (file: string) => rm(file, { force: true })

/** Looks each second; held until it has looked. */
export class OutboundHold {
  readonly #file: string
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #on: boolean | undefined

  constructor(file: string, log: Logger) {
    this.#file = file
    this.#log = log
  }

  get on() { return this.#on ?? true }

  async open() {
    await this.look()
    this.#timer = setInterval(() => void this.look(), seconds(1))
  }

  async look() {
    const on = await stat(this.#file).then(() => true, (error: NodeJS.ErrnoException) => error.code !== 'ENOENT')
    if (on === this.#on) return
    const before = this.#on
    this.#on = on
    if (on) this.#log.warn(await readHeld(this.#file), 'callbacks, messages and webhooks are held')
    else if (before !== undefined) this.#log.warn('callbacks, messages and webhooks go on')
  }

  close() { clearInterval(this.#timer) }
}
