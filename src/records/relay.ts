/**
 * Copies steps from the local store to the city's PostgreSQL, in order, as often as it takes.
 *
 * The local store stays the first writer: no call waits for a server. How far the copying has come is a watermark in
 * the local store; copying twice changes nothing.
 */
import type { Logger } from 'pino'
import { plainly } from './faults.ts'
import type { Records } from './records.ts'

const often = 250
const longestPause = 15_000
const batchSize = 500

export class Relay implements AsyncDisposable {
  readonly #from: Records
  readonly #to: Records
  readonly #log: Logger
  readonly #mark: string
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #pause = often
  #ready = false
  #failingSince: number | null = null
  #behind = 0
  #lookedAt = -Infinity
  readonly #stop = new AbortController()

  /** `to` comes from `Records.at`: it need not be up, and its tables are made when it is. Call `start`. */
  constructor({ from, to, log }: { from: Records, to: Records, log: Logger }) {
    this.#from = from
    this.#to = to
    this.#log = log
    this.#mark = `relay ${to.address}`
  }

  /** Since when nothing can be copied, in Unix ms; null while all is well. */
  get failingSince(): number | null { return this.#failingSince }

  start(): this {
    this.#soon(0)
    return this
  }

  /** How many steps were not copied at the last look. */
  get behind(): number { return this.#behind }

  /** Copies all that is there. Rejects with the store's error; what was copied stays copied. */
  async copy(): Promise<void> {
    this.#behind = await this.#from.stepsAfter(Number(await this.#from.watermark(this.#mark) ?? 0))
    if (!this.#ready) await this.#to.migrate()
    this.#ready = true
    let seq = Number(await this.#from.watermark(this.#mark) ?? 0)
    while (!this.#stop.signal.aborted) {
      const batch = await this.#from.after(seq, batchSize)
      if (batch.length === 0) return this.#look()
      const plans = new Map(batch.map(({ step, plan }) => [step.callId, plan]))
      await this.#to.append(batch.map(({ step }) => step), { plan: callId => plans.get(callId) ?? null, outbox: false })
      seq = batch.at(-1)!.seq
      this.#behind = Math.max(0, this.#behind - batch.length)
      await this.#from.append([], { watermark: { name: this.#mark, value: String(seq) } })
    }
  }

  /** Whether PostgreSQL is there shows also while nothing is to be copied. */
  async #look() {
    const now = performance.now()
    if (this.#failingSince === null && now - this.#lookedAt < often * 20) return
    this.#lookedAt = now
    await this.#to.ping()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#running
  }

  #soon(pause: number) {
    if (this.#stop.signal.aborted) return
    this.#timer = setTimeout(() => { this.#running = this.#turn() }, pause)
  }

  async #turn() {
    try {
      await this.copy()
      if (this.#failingSince !== null) this.#log.warn({ seconds: (Date.now() - this.#failingSince) / 1_000 }, 'records are copied to postgresql again')
      this.#failingSince = null
      this.#pause = often
    } catch (error) {
      if (this.#failingSince === null) this.#log.error({ ...plainly(error), to: this.#to.address }, 'records cannot be copied to postgresql: trying again')
      this.#failingSince ??= Date.now()
      this.#pause = Math.min(this.#pause * 2, longestPause)
    }
    this.#soon(this.#pause)
  }
}
