/**
 * Deadlines as the calls speak of them, on the global `setTimeout`, so that a test's fake clock moves them
 * (`AbortSignal.timeout` and `timers/promises` ignore fake clocks). Durations are `src/plan/duration.ts`'s.
 */
import type { Duration } from '../plan/duration.ts'

export class TimeUp extends Error {
  override name = 'TimeUp'
}

/** A signal that aborts with `TimeUp` when the time is up, or sooner, with its reason, when `other` does. Dispose it. */
export function deadline(within: Duration, other?: AbortSignal): AbortSignal & Disposable {
  const timer = new AbortController()
  const handle = setTimeout(() => timer.abort(new TimeUp(`${within} ms are over`)), within)
  const sooner = () => timer.abort(other?.reason)
  const done = () => {
    clearTimeout(handle)
    other?.removeEventListener('abort', sooner)
  }
  timer.signal.addEventListener('abort', done, { once: true })
  if (other?.aborted) sooner()
  else other?.addEventListener('abort', sooner)
  return Object.assign(timer.signal, { [Symbol.dispose]: done })
}

/** The result of `work`, or a rejection with `TimeUp` when it takes longer: what it was doing is named in `what`. */
export async function within<T>(limit: Duration, what: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const handle = setTimeout(() => reject(new TimeUp(`${what}: no answer in ${limit} ms`)), limit)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(handle)
    work.catch(() => {})          // it lost the race: its late failure is nobody's
  }
}

/** Waits, or returns early when the signal aborts: the one who waits looks at which. */
export function pause(length: Duration, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const time = deadline(length, signal)
  if (time.aborted) resolve()
  else time.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
