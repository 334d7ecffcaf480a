/**
 * Finds out what came of each attempt, from the ledger, whoever began it: this process, or one before it. An attempt whose
 * channel Asterisk no longer has, and whose end the ledger does not tell, is given up: what is not known to have rung did not.
 * Its end is noted as ours, for whoever was told that it rang.
 */
import type { Logger } from 'pino'
import { attemptId, attemptOf, resultOf, type CallbackLine, type Result } from './attempt.ts'
import type { Book } from './book.ts'
import { Rounds } from '../calls/rounds.ts'
import { pause } from '../calls/time.ts'
import { policyOf } from '../plan/follow-up-policy.ts'
import { milliseconds } from '../plan/duration.ts'
import type { Plan } from '../plan/plan.ts'
import type { Step } from '../calls/story.ts'

export interface SettlerOptions {
  book: Book
  line: CallbackLine
  plan: () => Plan
  /** The steps of these calls that are stored. */
  steps: (callIds: string[]) => Promise<Step[]>
  /** The numbers (E.164) that are in a call with us now. */
  callers: () => Promise<ReadonlySet<string>>
  /** Stores a step; one that is stored already changes nothing. */
  note: (step: Step) => Promise<void>
  /** Whether all that Asterisk has written is stored, and Asterisk can be asked. */
  caughtUp: () => boolean
  log: Logger
}

const often = milliseconds(1000)
/** An attempt is not missed before this long after its beginning, ms. */
const grace = 5_000

export class Settler {
  readonly #options: SettlerOptions
  readonly #rounds: Rounds
  /** Attempts that were not there at the last look. */
  #missing = new Set<string>()
  /** Whether any citizen's callback had not been picked up at the last look. */
  #beingRung = false

  constructor(options: SettlerOptions) {
    this.#options = options
    const look = async () => {
      await pause(milliseconds(250), this.#rounds.closing)          // the scribe writes within 200 ms
      await this.look(Date.now())
    }
    this.#rounds = new Rounds({ look, every: () => often, what: 'writing down what came of callbacks', log: options.log })
  }

  start() {
    this.#rounds.start()
  }

  async close() {
    await this.#rounds.close()
  }

  /** A step of the ledger, as it is read. A citizen who calls us now is not rung any longer. */
  heard(step: Step) {
    if (step.kind === 'ended' && attemptOf(step.callId)) this.#rounds.nudge()
    if (step.kind === 'arrived' && this.#beingRung) this.#rounds.nudge()
  }

  async look(now: number): Promise<void> {
    const { line, caughtUp, note, log } = this.#options
    const dialling = await this.#results()
    if (dialling.length === 0) {
      this.#beingRung = false
      return this.#missing.clear()
    }
    await this.#settle(dialling.filter(({ result }) => result.endedAt !== null), now)
    const open = dialling.filter(({ result }) => result.endedAt === null)
    await this.#withdraw(open)
    if (open.length === 0 || !caughtUp()) return
    const there = await line.ringing()
    const missing = new Set(open.map(({ id }) => id).filter(id => !there.has(id)))
    const gone = open.filter(({ id, begunAt }) => missing.has(id) && this.#missing.has(id) && Math.abs(now - begunAt) >= grace)
    this.#missing = missing
    if (gone.length === 0) return
    // Asked once more: the end may have been read since.
    const lost = (await this.#results()).filter(({ id }) => gone.some(one => one.id === id))
    for (const { id, followUp, attempt, result } of lost.filter(({ result }) => result.endedAt === null)) {
      log.warn({ call: id, followUp, attempt, rung: result.rung }, 'a callback is gone without an end in the ledger')
      await note({ callId: id, key: 'lost-ended', at: now, witness: 'service', kind: 'ended', facts: {} })          // before it is settled: an attempt that is settled is not looked at again
    }
    await this.#settle(lost.map(one => ({ ...one, result: withoutEnd(one.result) })), now)
  }

  /**
   * Spoken with, or closed, meanwhile: nobody's telephone need ring on. Nor need that of a citizen who is on another telephone call
   * with us. But once the citizen has picked up, nobody hangs up on them.
   */
  async #withdraw(open: { id: string, cli: string, wanted: boolean, result: Result }[]) {
    const { line, callers } = this.#options
    const rings = open.filter(({ result }) => !result.up)
    this.#beingRung = rings.length > 0
    const calling = rings.length > 0 ? await callers() : new Set()
    for (const { id, cli, wanted } of rings) {
      if (!wanted) await line.hangUp(id, 'needless')
      else if (calling.has(cli)) await line.hangUp(id, 'preempted')
    }
  }

  /** What is known of every attempt that may be ringing. */
  async #results() {
    const { book, plan, steps } = this.#options
    const dialling = (await book.dialling()).map(({ attempt: { followupId, attempt, begunAt, cli }, followUp: { agency, kind, state } }) =>
      ({ wanted: state === 'calling', cli, id: attemptId(followupId, attempt), followUp: followupId, attempt, begunAt: begunAt!, spoken: policyOf(plan(), agency, kind).spoken }))
    // An end that we have noted says nothing of what came of it: whoever was killed then gives it up once more.
    const told = Map.groupBy(dialling.length === 0 ? [] : (await steps(dialling.map(({ id }) => id))).filter(({ kind, witness }) => kind !== 'ended' || witness === 'ledger'), ({ callId }) => callId)
    return dialling.map(({ spoken, ...one }) => ({ ...one, result: resultOf(told.get(one.id) ?? [], spoken) }))
  }

  async #settle(ended: { followUp: string, attempt: number, result: Result }[], now: number) {
    await this.#options.book.settle(ended, now)
    for (const { followUp, attempt, result: { outcome, line } } of ended) this.#options.log.info({ call: attemptId(followUp, attempt), followUp, attempt, outcome, line }, 'a callback has ended')
  }
}

/** What the citizen has said by key stands, and a talk that was over. Whoever was cut off in a talk is owed another, as a caller whom we cut off is. */
function withoutEnd(result: Result): Result {
  if (result.endedAt !== null || (result.partedAt ?? null) !== null || ['later', 'not-needed', 'wrong-number'].includes(result.outcome)) return result
  return { ...result, outcome: result.rung ? 'cut-off' : 'void' }
}
