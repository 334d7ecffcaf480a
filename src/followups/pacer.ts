/**
 * Decides when citizens are rung: as many at once as the agencies' free lines and the trunk leave, and live callers first.
 * What is due stands in the store; each tick claims what may be made now, and only that goes into the queue.
 */
import type { Logger } from 'pino'
import type { Book, Claim } from './book.ts'
import { Rounds } from '../calls/rounds.ts'
import { outboundTrunk } from '../plan/follow-up-policy.ts'
import { milliseconds } from '../plan/duration.ts'
import { agencies, type Plan } from '../plan/plan.ts'
import type { StoredCall } from '../records/tables.ts'

export interface PacerOptions {
  book: Book
  plan: () => Plan
  /** The calls that go on now. */
  live: () => Promise<StoredCall[]>
  /** Whether callbacks can be made at all now: Asterisk and Redis are there. */
  ready: () => boolean
  /** Takes claims that it may know already; rejects where the queue is away. */
  queue: (claims: Claim[]) => Promise<void>
  log: Logger
}

/** How often it looks. */
const tick = milliseconds(100)
/** A claim that is not begun after this long is queued again: the queue may have been flushed, ms. */
const forgotten = 2_000

export class Pacer {
  readonly #options: PacerOptions
  readonly #rounds: Rounds
  #queueing: Promise<void> | undefined
  #escalatedAt = 0

  constructor(options: PacerOptions) {
    this.#options = options
    this.#rounds = new Rounds({ look: () => this.look(Date.now()), every: () => tick, what: 'follow-ups', log: options.log })
  }

  start() {
    this.#rounds.start()
  }

  async close() {
    await this.#rounds.close()
    await this.#queueing?.catch(() => {})
  }

  /** One look, at a time (Unix ms): the outbox, the deadlines, and what is due. Whether there was something, so that there may be more. */
  async look(now: number): Promise<boolean> {
    const { book, plan, ready, queue } = this.#options
    while (await book.takeOutbox(now) > 0 && !this.#rounds.closing.aborted);
    if (Math.abs(now - this.#escalatedAt) >= 1_000) {
      this.#escalatedAt = now
      await book.escalate(now)
    }
    if (!ready() || outboundTrunk(plan()) === undefined) return false
    const active = await book.active()
    const stuck = active.filter(({ state, madeAt }) => state === 'claimed' && Math.abs(now - madeAt) > forgotten)
    if (stuck.length > 0) await queue(stuck.map(({ followupId, attempt }) => ({ followUp: { id: followupId }, attempt })))
    const due = await book.nextDue()
    if (due === null || due > now) return false
    const claims = await book.claim(now, await this.#room(active.map(({ agency }) => agency)))
    // While Redis takes these, the store is asked for the next ones. What it does not take is queued again, as `stuck`.
    const before = this.#queueing
    this.#queueing = claims.length > 0 ? queue(claims) : undefined
    this.#queueing?.catch(() => {})                    // heard at the next look
    await before
    return claims.length > 0
  }

  /** How much may be begun now. */
  async #room(ringing: string[]): Promise<{ allowance: number, free: Map<string, number>, busy: Set<string> }> {
    const plan = this.#options.plan()
    const { channels, reserve } = plan.followups.outbound
    const calls = await this.#options.live()
    const onTrunk = plan.trunks.get(outboundTrunk(plan)!)!.channels ?? Infinity
    const left = onTrunk - reserve - calls.length - ringing.length
    const free = new Map(agencies(plan).map(({ id, lines }) => {
      const here = calls.filter(({ agency }) => agency === id)
      // Somebody waits for this agency now: they come first.
      if (here.some(({ connectedAt }) => connectedAt === null)) return [id, 0]
      return [id, lines.reduce((sum, { capacity }) => sum + capacity, 0) - here.length - ringing.filter(agency => agency === id).length]
    }))
    return { allowance: Math.min(channels - ringing.length, left), free, busy: new Set(calls.flatMap(({ cli }) => cli ?? [])) }
  }
}
