/**
 * Decides when citizens are rung: as many at once as the agencies' free lines and the trunk leave, and live callers first.
 * What is due stands in the store; each tick claims what may be made now, and only that goes into the queue.
 */
import type { Logger } from 'pino'
import type { Book, Claim } from './book.ts'
import { Rounds } from '../calls/rounds.ts'
import { outboundTrunk } from '../plan/follow-up-policy.ts'
import { milliseconds } from '../plan/duration.ts'
import { restOf } from '../plan/duty.ts'
import { agencies, sharing, type Plan } from '../plan/plan.ts'
import type { StoredCall } from '../records/tables.ts'

export interface PacerOptions {
  book: Book
  plan: () => Plan
  /** The calls that go on now. */
  live: () => Promise<StoredCall[]>
  /** Whether callbacks can be made at all now: Asterisk and Redis are there. */
  ready: () => boolean
  /** Whether the store has what the ledger told at this start; true if left out. Before, nobody knows who has been spoken with since. */
  whole?: () => boolean
  /** Takes claims that it may know already; rejects where the queue is away. */
  queue: (claims: Claim[]) => Promise<void>
  /** @see CallbackLine.giveWay */
  giveWay: () => Promise<string | undefined>
  log: Logger
}

/** How often it looks. */
const tick = milliseconds(100)
/** Claimed at most in one go: more are faster by little, and are held in memory meanwhile. */
const most = 1_000
/** A claim that is not begun after this long is queued again: the queue may have been flushed, ms. */
const forgotten = 2_000

export class Pacer {
  readonly #options: PacerOptions
  readonly #rounds: Rounds
  #queueing: Promise<void> | undefined
  #escalatedAt = 0
  #remindedAt = 0
  /** The plan that the follow-ups have been brought into. */
  #followed: Plan | undefined
  /** Those that were withdrawn, and whose end is not read yet. */
  #withdrawn = new Set<string>()

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
    const { book, plan, ready, queue, whole = () => true } = this.#options
    if (!whole()) return false
    let agenda = await book.agenda()
    if (agenda.owed) {
      while (await book.takeOutbox(now) > 0 && !this.#rounds.closing.aborted);
      agenda = await book.agenda()
    }
    if (Math.abs(now - this.#escalatedAt) >= 1_000) {
      this.#escalatedAt = now
      await book.escalate(now)
    }
    if (this.#followed !== plan()) {
      const following = plan()
      while (await book.followPlan() > 0 && !this.#rounds.closing.aborted);
      this.#followed = following
    }
    if (outboundTrunk(plan()) === undefined) return (agenda.nextDue !== null || agenda.going) && await book.handAll(now) > 0
    if (!ready()) return false
    if (Math.abs(now - this.#remindedAt) >= 1_000) {
      this.#remindedAt = now
      const stuck = await book.unbegun(now - forgotten, now + forgotten, most)
      if (stuck.length > 0) await queue(stuck)
    }
    const isDue = agenda.nextDue !== null && agenda.nextDue <= now
    if (!agenda.going && !isDue) return false
    const going = await book.going()
    const calls = await this.#options.live()
    await this.#giveWay(going, calls)
    if (!isDue) return false
    const claims = await book.claim(now, this.#room(going, calls, now))
    // While Redis takes these, the store is asked for the next ones. What it does not take is queued again, as `stuck`.
    const before = this.#queueing
    this.#queueing = claims.length > 0 ? queue(claims) : undefined
    this.#queueing?.catch(() => {})                    // heard at the next look
    await before
    return claims.length > 0
  }

  /** Calls have come in on what is kept free for them: what rings, and nobody has accepted, makes it free again. */
  async #giveWay(going: Map<string, number>, calls: StoredCall[]) {
    this.#withdrawn = await this.#options.book.unended(this.#withdrawn)
    for (let over = -this.#onTrunk(sum(going) - this.#withdrawn.size, calls); over > 0; over--) {
      const id = await this.#options.giveWay()
      if (id === undefined) return
      this.#withdrawn.add(id)
    }
  }

  /** How many more the trunk takes; fewer than none where too many are on it. */
  #onTrunk(callbacks: number, calls: StoredCall[]) {
    const plan = this.#options.plan()
    return (plan.trunks.get(outboundTrunk(plan)!)!.channels ?? Infinity) - plan.followups.outbound.reserve - calls.length - callbacks
  }

  /** How much may be begun now. Who calls an agency finds a place there that no callback has, wherever it has more than one: what is accepted is never withdrawn. */
  #room(going: Map<string, number>, calls: StoredCall[], now: number): { allowance: number, free: Map<string, number>, busy: Set<string> } {
    const plan = this.#options.plan()
    const { channels, agencyReserve } = plan.followups.outbound
    const free = new Map(agencies(plan).map(({ id, lines }) => {
      const here = calls.filter(({ agency }) => agency === id)
      const partners = sharing(plan, id)
      const ids = new Set(lines.map(({ id }) => id))
      const elsewhere = partners.length === 0 ? [] : calls.filter(({ agency, line }) => agency !== id && line !== null && ids.has(line))
      // Somebody waits for this agency now: they come first.
      if (calls.some(({ agency, connectedAt }) => connectedAt === null && agency !== null && (agency === id || partners.includes(agency)))) return [id, 0]
      const able = lines.filter(line => restOf(plan, line, now) === undefined)          // where none is rung, an attempt says so, and a person has it in the end
      const places = (able.length > 0 ? able : lines).reduce((sum, { capacity }) => sum + capacity, 0)
      return [id, places - Math.min(agencyReserve, places - 1) - here.length - elsewhere.length - (going.get(id) ?? 0)]
    }))
    return { allowance: Math.min(most, channels - sum(going), this.#onTrunk(sum(going), calls)), free, busy: new Set(calls.flatMap(({ cli }) => cli ?? [])) }
  }
}

const sum = (counts: Map<string, number>) => counts.values().reduce((all, one) => all + one, 0)
