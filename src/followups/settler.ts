/**
 * Finds out what came of each attempt, from the ledger, whoever began it: this process, or one before it. An attempt whose
 * channel Asterisk no longer has, and whose end the ledger does not tell, is given up: what is not known to have rung did not.
 */
import type { Logger } from 'pino'
import { attemptId, attemptOf, resultOf, type CallbackLine, type Result } from './attempt.ts'
import type { Book } from './book.ts'
import { pause } from '../calls/time.ts'
import { policyOf } from '../plan/follow-up-policy.ts'
import { milliseconds } from '../plan/duration.ts'
import type { Plan } from '../plan/plan.ts'
import type { Step } from '../calls/story.ts'
import type { Attempt } from '../records/follow-up.ts'

export interface SettlerOptions {
  book: Book
  line: CallbackLine
  plan: () => Plan
  /** The steps of a call that are stored. */
  steps: (callId: string) => Promise<Step[]>
  /** Whether all that Asterisk has written is stored, and Asterisk can be asked. */
  caughtUp: () => boolean
  log: Logger
}

const often = milliseconds(1000)
/** An attempt is not missed before this long after its beginning, ms. */
const grace = 5_000

export class Settler {
  readonly #options: SettlerOptions
  readonly #closing = new AbortController()
  /** Attempts that were not there at the last look. */
  #missing = new Set<string>()
  #nudge = Promise.withResolvers<void>()
  #running: Promise<void> | undefined
  #failing = false

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  start() {
    this.#running ??= this.#run()
  }

  async close() {
    this.#closing.abort()
    this.#nudge.resolve()
    await this.#running
  }

  /** A step of the ledger, as it is read. */
  heard({ kind, callId }: Step) {
    if (kind === 'ended' && attemptOf(callId)) this.#nudge.resolve()
  }

  async #run() {
    const { log } = this.#options
    while (!this.#closing.signal.aborted) {
      try {
        await this.look(Date.now())
        this.#failing = false
      } catch (error) {
        if (!this.#failing) log.error({ err: error }, 'what came of callbacks could not be written down; trying again')
        this.#failing = true
      }
      await Promise.race([this.#nudge.promise, pause(often, this.#closing.signal)])
      this.#nudge = Promise.withResolvers()
      await pause(milliseconds(250), this.#closing.signal)          // the scribe writes within 200 ms
    }
  }

  async look(now: number): Promise<void> {
    const { book, line, caughtUp } = this.#options
    const dialling = (await book.active()).filter(({ state }) => state === 'dialling')
    if (dialling.length === 0) return this.#missing.clear()
    const open: Attempt[] = []
    for (const attempt of dialling) {
      const result = await this.#result(attempt)
      if (result.endedAt === null) open.push(attempt)
      else await this.#settle(attempt, result, now)
    }
    if (open.length === 0 || !caughtUp()) return
    const there = await line.ringing()
    const missing = new Set(open.map(({ followupId, attempt }) => attemptId(followupId, attempt)).filter(id => !there.has(id)))
    for (const attempt of open) {
      const id = attemptId(attempt.followupId, attempt.attempt)
      if (!missing.has(id) || !this.#missing.has(id) || Math.abs(now - attempt.begunAt!) < grace) continue
      const result = await this.#result(attempt)
      const lost = result.endedAt === null && result.outcome !== 'spoken' && result.outcome !== 'later' && result.outcome !== 'not-needed' && result.outcome !== 'wrong-number'
      this.#options.log.warn({ followUp: attempt.followupId, attempt: attempt.attempt, rung: result.rung }, 'a callback is gone without an end in the ledger')
      await this.#settle(attempt, lost ? { ...result, outcome: 'void' } : result, now)
      missing.delete(id)
    }
    this.#missing = missing
  }

  async #result({ followupId, attempt }: Attempt): Promise<Result> {
    const { book, plan, steps } = this.#options
    const found = await book.get(followupId)
    const spoken = policyOf(plan(), found!.followUp.agency, found!.followUp.kind).spoken
    return resultOf(await steps(attemptId(followupId, attempt)), spoken)
  }

  async #settle({ followupId, attempt }: Attempt, result: Result, now: number) {
    await this.#options.book.settle({ followUp: followupId, attempt }, result, now)
    this.#options.log.info({ followUp: followupId, attempt, outcome: result.outcome, line: result.line }, 'a callback has ended')
  }
}
