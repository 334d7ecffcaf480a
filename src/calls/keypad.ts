import type { Duration } from '../plan/duration.ts'

/** Why a key is no answer: it was pressed before its caller had heard the question, or it is the same press once more. */
export type Ignored = 'early' | 'repeated'

/**
 * The keys that a caller has pressed and nobody has read yet: typing ahead of a prompt is allowed.
 *
 * One press is one key, however it arrives: faulty telephones repeat it (each packet with a timestamp of its own, RFC 4733 beside SIP
 * INFO), and hands that shake press twice. The same key within `guard` counts once, and one that is held down counts once.
 */
export class Keypad {
  readonly #guard: Duration
  readonly #ignored: (digit: string, why: Ignored) => void
  readonly #unread: string[] = []
  readonly #waiting = new Set<() => void>()
  /** The last key, when it came, and when it last counted. On the clock of `performance.now`. */
  #last = { digit: '', at: -Infinity, counted: -Infinity }
  #deafUntil = -Infinity

  /** @param ignored hears of each key that does not count */
  constructor(guard: Duration, ignored: (digit: string, why: Ignored) => void = () => {}) {
    this.#guard = guard
    this.#ignored = ignored
  }

  /** More than 32 unread keys are a flood, not a choice: the rest is dropped. */
  press(digit: string) {
    const now = performance.now()
    const same = digit === this.#last.digit
    const repeated = same && (now - this.#last.at < this.#guard / 4 || now - this.#last.counted < this.#guard)
    const counts = !repeated && now >= this.#deafUntil
    this.#last = { digit, at: now, counted: counts ? now : same ? this.#last.counted : -Infinity }
    if (!counts) return this.#ignored(digit, repeated ? 'repeated' : 'early')
    if (this.#unread.length < 32) this.#unread.push(digit)
    for (const wake of this.#waiting) wake()
  }

  /** A question begins that the caller has not heard: no key answers it that was pressed before, or is pressed within `guard` from now. */
  newQuestion() {
    for (const digit of this.#unread.splice(0)) this.#ignored(digit, 'early')
    this.#deafUntil = performance.now() + this.#guard
  }

  get unread() { return this.#unread.length }

  read(): string | undefined {
    return this.#unread.shift()
  }

  /** Resolves when there is a key to read, or when the signal aborts: the one who asked looks at which. */
  async pressed(signal: AbortSignal): Promise<void> {
    if (this.#unread.length > 0 || signal.aborted) return
    await new Promise<void>(resolve => {
      const wake = () => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }
}
