/**
 * Write-behind in front of the store: noting a step costs a call nothing, and an outage of the store loses nothing.
 *
 * Steps wait in memory, in order, and go to the store in one transaction within 200 ms. A store that is locked, full
 * or away is tried again for ever. Above `bound` waiting steps only the trivial ones (what was played and pressed:
 * no disposition depends on them) are left out, and the log says how many; everything else is kept whatever it costs.
 */
import type { Logger } from 'pino'
import type { Kind, Step } from '../calls/story.ts'
import { isBadData, plainly } from './faults.ts'
import type { AppendOptions, Records } from './records.ts'
import type { Watermark } from './tables.ts'

export interface ScribeOptions {
  /** See `AppendOptions`. */
  plan?: AppendOptions['plan']
  /** How many steps may wait before trivial ones are left out. Default 100,000 (some 50 MB). */
  bound?: number
}

const promptly = 200
const longestPause = 5_000
const batchSize = 500
const trivial: ReadonlySet<Kind> = new Set(['key', 'key-ignored', 'silence', 'played'])

export class Scribe implements AsyncDisposable {
  readonly #records: Pick<Records, 'append'>
  readonly #log: Logger
  readonly #plan: AppendOptions['plan']
  readonly #bound: number
  readonly #queue: (Step | Watermark)[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #pause = promptly
  #leftOut = 0
  #complainedAt = -Infinity
  #failingSince: number | null = null
  readonly #closed = new AbortController()

  constructor(records: Pick<Records, 'append'>, log: Logger, { plan, bound = 100_000 }: ScribeOptions = {}) {
    this.#records = records
    this.#log = log
    this.#plan = plan
    this.#bound = bound
  }

  /** How many steps (and marks) are not in the store yet. */
  get pending(): number { return this.#queue.length }

  /** Since when the store takes nothing, in Unix ms; null while all is well. */
  get failingSince(): number | null { return this.#failingSince }

  /** Takes a step. Never throws, never waits. */
  note(step: Step): void {
    if (this.#queue.length >= this.#bound && !this.#keeps(step)) return
    this.#queue.push(step)
    this.#soon()
  }

  /** Sets a watermark in the store together with, never before, the steps noted so far. */
  mark(watermark: Watermark): void {
    this.#queue.push(watermark)
    this.#soon()
  }

  /** Writes all that waits, now. Rejects with the store's error if it cannot; the steps are kept and tried again. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    return this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
      if (this.#queue.length > 0) this.#soon()
    })
  }

  /** Writes the rest, trying for `patience` ms; then gives up and says in the log how much was lost. */
  async close(patience = 5_000): Promise<void> {
    const deadline = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => deadline.resolve('late'), patience)
    while (this.#queue.length > 0) {
      const outcome = await Promise.race([this.flush().then(() => 'written', () => 'failed'), deadline.promise])
      if (outcome === 'late') break
      if (outcome === 'failed') await Promise.race([new Promise(again => setTimeout(again, 100)), deadline.promise])
    }
    clearTimeout(timer)
    this.#closed.abort()
    clearTimeout(this.#timer)
    if (this.#queue.length > 0) this.#log.error({ lost: this.#queue.length }, 'closing with steps that the store did not take')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #soon() {
    if (this.#closed.signal.aborted) return
    this.#timer ??= setTimeout(() => { this.flush().catch(() => {}) }, this.#pause)
  }

  async #write() {
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue.slice(0, batchSize)
        await this.#store(batch)
        this.#queue.splice(0, batch.length)
        this.#recovered()
      }
    } catch (error) {
      this.#failed(error)
      throw error
    }
  }

  async #store(batch: (Step | Watermark)[]): Promise<void> {
    const steps = batch.filter(entry => 'kind' in entry)
    const watermark = [...new Map(batch.filter(entry => 'name' in entry).map(mark => [mark.name, mark])).values()]
    try {
      await this.#records.append(steps, { watermark, ...this.#plan ? { plan: this.#plan } : {} })
    } catch (error) {
      if (!isBadData(error)) throw error
      // One step that no store could take must not hold up all that follow: find it, say so, go on.
      if (batch.length > 1) {
        for (const entry of batch) await this.#store([entry])
      } else {
        const { callId, key, kind } = batch[0] as Step
        this.#log.error({ call: callId, key, kind, ...plainly(error) }, 'a step cannot be stored and is left out')
      }
    }
  }

  #failed(error: unknown) {
    if (this.#failingSince === null) {
      this.#failingSince = Date.now()
      this.#log.error({ ...plainly(error), pending: this.pending }, 'the store takes no steps: keeping them in memory and trying again')
    }
    this.#pause = Math.min(this.#pause * 2, longestPause)
  }

  #recovered() {
    if (this.#failingSince === null) return
    const seconds = (Date.now() - this.#failingSince) / 1_000
    this.#log.warn({ seconds, leftOut: this.#leftOut, pending: this.pending }, 'the store takes steps again')
    this.#failingSince = null
    this.#pause = promptly
    this.#leftOut = 0
  }

  #keeps({ kind }: Step): boolean {
    const kept = !trivial.has(kind)
    if (!kept) this.#leftOut++
    if (Date.now() - this.#complainedAt >= 1_000) {
      this.#complainedAt = Date.now()
      this.#log.error({ pending: this.pending, leftOut: this.#leftOut }, 'too many steps wait for the store: leaving out keys, silence and prompts')
    }
    return kept
  }
}
