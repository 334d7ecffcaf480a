import type { Logger } from 'pino'
import { isShed, type Step } from '../calls/story.ts'
import { milliseconds, seconds } from '../plan/duration.ts'

/**
 * When the service counts as overloaded, and for how long. The one place for these figures; docs/bench.md has the runs behind them.
 */
export const limits = {
  /** A wait that is longer is slow. */
  wait: milliseconds(40),
  /** So many of the waits of the last half second are slow: the service is overloaded. */
  share: 1 / 4,
  /** Fewer waits in that half second say nothing: a few callers a second are no load. */
  least: 8,
  /** The service's loop stood still for so long: overloaded, however few call. Below the 4 s after which the beat counts as dead. */
  stall: seconds(1),
  /** It is calm when so long no more than that share was slow … */
  calm: seconds(5),
  /** … and not before this. It doubles each time that the load comes back within `again`: what was calm by the dialplan's work alone is no calm. */
  hold: { first: seconds(10), longest: seconds(120), again: seconds(60) }
}

const tick = milliseconds(100)
const recent = 5
const kept = limits.calm / tick

interface Slot { all: number, slow: number }

/**
 * Whether the service keeps callers waiting: then new calls take the dialplan's own menu, which needs no service, until it is calm again.
 *
 * A wait is from when the service asks Asterisk for what a caller waits for (a prompt begins or stops, the call goes to an agency) until it
 * hears that it is done. So it holds all that is between: our loop, the websocket, Asterisk's own threads, and a machine that is full. An
 * Asterisk that is busy, but does at once what is asked, is no overload. Besides: how late a timer of ours fires. All by the monotonic clock.
 */
export class Overload {
  readonly #onChange: () => void
  readonly #log: Logger
  readonly #waiting = new Map<string, number>()
  readonly #slots: Slot[] = []
  #slot: Slot = { all: 0, slow: 0 }
  #timer: NodeJS.Timeout | undefined
  #due = 0
  #since: number | undefined
  #hold: number = limits.hold.first
  #endedAt = -Infinity
  #shedBefore = 0
  /** How often it was overloaded, and how many calls the dialplan took for that, since the start. */
  readonly counts = { overloads: 0, shed: 0 }

  constructor({ onChange, log }: { onChange: () => void, log: Logger }) {
    this.#onChange = onChange
    this.#log = log
  }

  get on() { return this.#since !== undefined }

  start() {
    this.#due = performance.now() + tick
    this.#timer ??= setInterval(() => this.look(performance.now()), tick)
  }

  close() {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Asterisk has done what was asked, ms after that. */
  took(ms: number) {
    this.#slot.all++
    if (ms >= limits.wait) this.#slot.slow++
  }

  /** A call is asked to go on in the dialplan; `left` when it does. */
  leaves(callId: string, now = performance.now()) {
    this.#waiting.set(callId, now)
  }

  left(callId: string, now = performance.now()) {
    const asked = this.#waiting.get(callId)
    if (asked === undefined) return
    this.#waiting.delete(callId)
    this.took(now - asked)
  }

  /** That is no longer known: the call is gone, or the link was lost. */
  forgets(callId?: string) {
    if (callId === undefined) this.#waiting.clear()
    else this.#waiting.delete(callId)
  }

  /** A step of the ledger. */
  heard(step: Step) {
    if (isShed(step)) this.counts.shed++
  }

  /** One look, each `tick`. */
  look(now: number) {
    const late = now - this.#due
    this.#due = now + tick
    const stillWaiting = this.#countWaiting(now)
    this.#slots.push(this.#slot)
    if (this.#slots.length > kept) this.#slots.shift()
    this.#slot = { all: 0, slow: 0 }
    const { all, slow } = sum(this.#slots.slice(-recent))
    const crowded = all + stillWaiting >= limits.least && slow + stillWaiting >= limits.share * (all + stillWaiting)
    if (late >= limits.stall || crowded) return this.#begins(now, { waits: all + stillWaiting, slow: slow + stillWaiting, loopMs: Math.round(late) })
    if (this.#since !== undefined && now - this.#since >= this.#hold) this.#mayEnd(now, stillWaiting)
  }

  /** Those that wait for longer than the limit and still do. The oldest stand first. */
  #countWaiting(now: number) {
    let count = 0
    for (const [callId, asked] of this.#waiting) {
      if (now - asked < limits.wait) break
      if (now - asked > seconds(10)) this.#waiting.delete(callId)        // nobody will say any more
      else count++
    }
    return count
  }

  #begins(now: number, facts: object) {
    if (this.on) return
    this.#since = now
    this.counts.overloads++
    this.#shedBefore = this.counts.shed
    this.#hold = now - this.#endedAt < limits.hold.again ? Math.min(this.#hold * 2, limits.hold.longest) : limits.hold.first
    this.#log.warn({ ...facts, atLeastMs: this.#hold }, 'overloaded; new calls take the dialplan\'s menu')
    this.#onChange()
  }

  #mayEnd(now: number, stillWaiting: number) {
    const { all, slow } = sum(this.#slots)
    if (stillWaiting > 0 || all === 0 || slow >= limits.share * all) return
    this.#log.warn({ ms: Math.round(now - this.#since!), calls: this.counts.shed - this.#shedBefore }, 'calm again; new calls come to the service')
    this.#since = undefined
    this.#endedAt = now
    this.#onChange()
  }
}

const sum = (slots: Slot[]) => slots.reduce((one, other) => ({ all: one.all + other.all, slow: one.slow + other.slow }), { all: 0, slow: 0 })
