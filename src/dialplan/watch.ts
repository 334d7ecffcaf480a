/** After an apply: should calls end that should not, the version before is made live again, and it is said. */
import type { Logger } from 'pino'
import { notInTheLedger } from '../asterisk/bookkeeper.ts'
import { pause } from '../calls/time.ts'
import { milliseconds, seconds } from '../plan/duration.ts'
import type { Plan } from '../plan/plan.ts'
import type { Records } from '../records/records.ts'
import type { Changes } from './changes.ts'
import type { Version } from './versions.ts'

export interface WatchOptions {
  changes: () => Pick<Changes, 'rollBack' | 'versions'>
  /** How many calls have ended by our fault since then (Unix ms), counted up to `most`. */
  failedSince: (at: number, most: number) => Promise<number>
  log: Logger
}

export class Watch {
  readonly #options: WatchOptions
  #over = new AbortController()
  #watching: Promise<void> = Promise.resolve()

  constructor(options: WatchOptions) {
    this.#options = options
  }

  /** Watches from now on over this version, and no longer over another, until its time (from when it was made) is over. */
  over(version: Version, { apply }: Plan) {
    this.#over.abort()
    this.#over = new AbortController()
    this.#watching = this.#watch(version, apply, this.#over.signal)
  }

  /** A service before us may have been killed while it watched: the rest of the time is ours. What was rolled back to is not watched. */
  goOn(version: Version, plan: Plan) {
    if (version.restores === null && version.base !== null && Date.parse(version.at) + plan.apply.watch > Date.now()) this.over(version, plan)
  }

  async close() {
    this.#over.abort()
    await this.#watching
  }

  async #watch(version: Version, { watch, failed }: Omit<Plan['apply'], 'keep'>, stop: AbortSignal) {
    const { failedSince, changes, log } = this.#options
    const began = Date.parse(version.at)
    const end = performance.now() + Math.min(watch, began + watch - Date.now())
    while (!stop.aborted && performance.now() < end) {
      await pause(milliseconds(Math.min(seconds(1), end - performance.now())), stop)
      if (stop.aborted) return
      try {
        const count = await failedSince(began, failed + 1)
        if (count <= failed) continue
        log.error({ version: version.version, failed: count }, 'calls end that should not since this version is live: it is rolled back')
        if ((await changes().versions.current())?.version !== version.version) return
        await changes().rollBack({ who: 'Satunomor', why: `${count} ${count === 1 ? 'call' : 'calls'} failed since version ${version.version} was made live; ${failed} is the most (apply.failed in the plan)` })
        return
      } catch (error) {
        log.error({ err: error, version: version.version }, 'the calls since the last apply could not be watched, or it could not be rolled back: again in a second')
      }
    }
    if (!stop.aborted) log.info({ version: version.version }, 'the version has stood its time')
  }
}

/** Calls that ended by our fault since then (Unix ms), counted up to `most`; of those that had begun long before, nothing is said. No plan is to blame where the ledger is silent. */
export async function failedSince(records: Pick<Records, 'list'>, at: number, most: number): Promise<number> {
  let count = 0
  for (let cursor: string | undefined | null; cursor !== null && count < most;) {
    const { calls, next } = await records.list({ disposition: 'failed', from: at - 10 * 60_000, limit: 200, ...cursor === undefined ? {} : { cursor } })
    count += calls.filter(({ endedAt, detail }) => endedAt !== null && endedAt >= at && detail !== notInTheLedger).length
    cursor = next
  }
  return Math.min(count, most)
}
