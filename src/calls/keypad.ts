/** The keys that a caller has pressed and nobody has read yet: typing ahead of a prompt is allowed. */
export class Keypad {
  readonly #unread: string[] = []
  readonly #waiting = new Set<() => void>()

  /** More than 32 unread keys are a flood, not a choice: the rest is dropped. */
  press(digit: string) {
    if (this.#unread.length < 32) this.#unread.push(digit)
    for (const wake of this.#waiting) wake()
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
