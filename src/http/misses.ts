/**
 * Whoever asks by number whether somebody has called us learns it by the answer. Masked numbers could be found out by trying all that fit: so each person
 * may miss a few times an hour, and no more.
 */
import { performance } from 'node:perf_hooks'

const most = 10
const within = 3_600_000

export class Misses {
  /** When each of their misses was, on the clock of `performance.now`. */
  readonly #by = new Map<string, number[]>()

  /** Whether they have missed too often. */
  tooMany(who: string, now = performance.now()): boolean {
    return this.#recent(who, now).length >= most
  }

  /** Returns true where it is the last one that they may. */
  missed(who: string, now = performance.now()): boolean {
    const recent = [...this.#recent(who, now), now]
    this.#by.set(who, recent)
    return recent.length === most
  }

  #recent(who: string, now: number) {
    const recent = this.#by.get(who)?.filter(at => now - at < within) ?? []
    if (recent.length === 0) this.#by.delete(who)
    return recent
  }
}
