import type { Logger } from 'pino'
import { seconds, type Duration } from '../plan/duration.ts'
import type { Channel, Prompt, Returned } from './channel.ts'
import { Keypad } from './keypad.ts'
import type { Happenings, Kind } from './story.ts'
import { e164 } from './tell.ts'
import { deadline } from './time.ts'

/** Where a note about a call goes: `records/` writes it down, a test reads it. It must not throw and not wait. */
export type Note = <K extends Kind>(kind: K, facts: Happenings[K]) => void

/** From a choice to the next one: no question is answered by a key before it has been heard for so long, and the same key within it is one press. */
export const guardTime = seconds(1)

/** The keys that did not count, as far as the story has them: a telephone that repeats keys for hours is told of so often. */
const mostIgnored = 20

/** A caller's call, in the verbs that a flow is written in. Every verb rejects with `Hangup` once the caller is gone. */
export class Call {
  readonly #channel: Channel
  readonly #keypad: Keypad
  #returned = Promise.withResolvers<Returned>()
  /** Writes a step of the call's story. */
  readonly note: Note
  /** Knows the call: every line has its id. */
  readonly log: Logger

  constructor(channel: Channel, note: Note, log: Logger, guard = guardTime) {
    this.#channel = channel
    this.note = note
    this.log = log
    let ignored = 0
    this.#keypad = new Keypad(guard, (digit, why) => { if (++ignored <= mostIgnored) note('key-ignored', { digit, why }) })
    channel.onDigit(digit => this.#keypad.press(digit))
  }

  /** Asterisk's linked id. */
  get callId() { return this.#channel.callId }

  get hungUp() { return this.#channel.hungUp }

  /** The caller's number, E.164; null where there is none that could be rung. */
  get caller() { return e164(this.#channel.caller) }

  /** Plays prompts to their end; keys pressed meanwhile are kept for a question that takes them. */
  async play(...prompts: Prompt[]) {
    await this.hold(prompts, this.hungUp)
    for (const prompt of prompts) this.note('played', { prompt })
  }

  /** Plays what is heard while the caller waits, to its end or `until` then; keys pressed meanwhile are kept for a question that takes them. */
  async hold(prompts: readonly Prompt[], until: AbortSignal) {
    await this.#channel.play(prompts, AbortSignal.any([this.hungUp, until]))
    this.hungUp.throwIfAborted()
  }

  /**
   * Plays a question and returns the key pressed during or after it; `undefined` is silence.
   * @param patience how long to wait after the question's last word
   * @param until ends it sooner, as silence does
   * @param ahead keys count from the question's first syllable, and those pressed before it: nothing has been chosen before, or the caller
   * has heard it already. Of any other question they must have heard as much as `guardTime`.
   * @param after what is heard before the question; its keys count. `then` is called when the question itself begins, or a key has cut the rest short
   */
  async ask(question: readonly Prompt[], { patience, until, ahead = false, after }: { patience: Duration, until?: AbortSignal, ahead?: boolean, after?: { prompts: readonly Prompt[], then: () => void } }): Promise<string | undefined> {
    if (!ahead) this.#keypad.newQuestion()
    const over = until ? AbortSignal.any([this.hungUp, until]) : this.hungUp
    if (after) {
      if (!this.#keypad.unread) await this.#playUntilKey(after.prompts, over)
      this.hungUp.throwIfAborted()
      after.then()
    }
    if (!this.#keypad.unread) await this.#playUntilKey(question, over)

    using waiting = deadline(patience, over)
    await this.#keypad.pressed(waiting)
    this.hungUp.throwIfAborted()
    return this.#keypad.read()
  }

  async #playUntilKey(question: readonly Prompt[], over: AbortSignal) {
    const stop = new AbortController()
    const enough = () => stop.abort('enough')          // without a reason of ours Node would make an exception of it, stack and all
    if (over.aborted) enough()
    else over.addEventListener('abort', enough)
    void this.#keypad.pressed(stop.signal).then(enough)
    try {
      await this.#channel.play(question, stop.signal)
    } finally {
      enough()
      over.removeEventListener('abort', enough)
    }
  }

  /** Writes on the channel where the caller is: after a restart the call goes on from there. */
  async at(place: string) {
    await this.#channel.remember(place)
  }

  /** What the caller hears from now on is in this language. */
  async speak(language: string) {
    await this.#channel.speak(language)
  }

  /**
   * Has the dialplan ring an agency's lines, and the two talk. Resolves when the caller comes back, nobody having
   * answered; rejects with `Hangup` when the call ends, by whomever and however long they talked.
   */
  async connect(agency: string): Promise<Returned> {
    this.#returned = Promise.withResolvers()
    const returned = this.#returned
    returned.promise.catch(() => {})          // the caller may be gone before anybody waits for it
    const gone = () => returned.reject(this.hungUp.reason)
    this.hungUp.addEventListener('abort', gone, { once: true })
    try {
      this.hungUp.throwIfAborted()
      await this.#channel.ring(agency)
      return await returned.promise
    } finally {
      this.hungUp.removeEventListener('abort', gone)
    }
  }

  /** Has the dialplan take a message from the caller, and end the call: rejects with `Hangup` when that is over. */
  async leaveMessage(mailbox: string): Promise<never> {
    await this.#channel.record(mailbox)
    return await new Promise<never>((_, reject) => {
      const over = () => reject(this.hungUp.reason)
      if (this.hungUp.aborted) over()
      else this.hungUp.addEventListener('abort', over, { once: true })
    })
  }

  /** The dialplan gives the call back to us. */
  comesBack(from: Returned) {
    this.#returned.resolve(from)
  }

  async hangUp() {
    await this.#channel.hangUp()
  }
}
