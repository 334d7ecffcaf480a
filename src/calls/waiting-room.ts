/**
 * Where callers wait while all lines of an agency are in use. Who called the city first is connected first. That a line is free is known
 * from the ledger, as for callers who talk without us: a call that rang or talked there is over.
 */
import { milliseconds, type Duration } from '../plan/duration.ts'
import type { LineOutcome, Step } from './story.ts'

/** A caller's place in line; dispose it when they wait no more. */
export interface Place extends Disposable {
  /** Aborts when it is their turn: a line may be free. */
  turn: AbortSignal
  /** Whether nobody waits before them. */
  readonly first: boolean
}

/**
 * What lets a place on a line go while the call that had it goes on: nobody came there. A line that was full, busy or out of order is no
 * freer for having been tried; one whose caller left is let go with their call.
 */
const letsGo = new Set<LineOutcome>(['noanswer', 'declined', 'too-short'])

interface Waiter {
  callId: string
  turn: AbortController
  /** Until then (on the clock of `performance.now`) only a call that is over, or a line that was answered, calls them. */
  restsUntil: number
}

export class WaitingRoom {
  /** Those who wait, by agency, who called first at the front. */
  readonly #lines = new Map<string, Waiter[]>()
  readonly #sharing: (agency: string) => readonly string[]
  /** The lines that each call (or callback) rings or talks on, with their agencies. */
  readonly #inUse = new Map<string, Map<string, string>>()

  /** @param sharing the agencies that share a line with one: what is free for one is free for them */
  constructor(sharing: (agency: string) => readonly string[] = () => []) {
    this.#sharing = sharing
  }

  /**
   * @param rest how long they are not called because somebody else was not picked up: they have just been at the lines. Two who wait
   * would else send each other there for ever, and hear nothing of what they are told here.
   */
  enter(agency: string, callId: string, rest: Duration = milliseconds(0)): Place {
    const line = this.#lines.get(agency) ?? []
    this.#lines.set(agency, line)
    const one = { callId, turn: new AbortController(), restsUntil: performance.now() + rest }
    line.push(one)
    line.sort((a, b) => inOrder(a.callId, b.callId))
    return {
      turn: one.turn.signal,
      get first() { return line[0] === one },
      [Symbol.dispose]: () => {
        line.splice(line.indexOf(one), 1)
        if (line.length === 0 && this.#lines.get(agency) === line) this.#lines.delete(agency)
      }
    }
  }

  /** Whether anybody waits for the agency: who comes now waits behind them. */
  isWaitedFor(agency: string) { return this.#lines.has(agency) }

  /** How many wait, by agency. */
  get figures(): { agency: string, callers: number }[] {
    return [...this.#lines].map(([agency, line]) => ({ agency, callers: line.length }))
  }

  /** A call that rings or talks on a line; of those that did before we began to listen, somebody must tell. */
  holds(callId: string, { agency, line }: { agency: string, line: string }) {
    const lines = this.#inUse.get(callId) ?? new Map<string, string>()
    this.#inUse.set(callId, lines.set(line, agency))
  }

  /** A step of any call or callback, as the ledger tells of it. */
  heard({ callId, kind, facts }: Step) {
    switch (kind) {
      case 'line': this.holds(callId, facts); break
      case 'line-outcome':
        if (facts.outcome !== 'answered' && facts.outcome !== 'cancelled') this.#inUse.get(callId)?.delete(facts.line)
        if (letsGo.has(facts.outcome)) for (const agency of this.#withPartners(facts.agency)) this.#perhapsFree(agency, callId)
        break
      case 'connected': for (const agency of this.#withPartners(facts.agency)) this.#free(agency, callId); break          // one has a line; there may be another
      case 'ended': {
        const agencies = new Set([...this.#inUse.get(callId)?.values() ?? []].flatMap(agency => this.#withPartners(agency)))
        this.#inUse.delete(callId)
        for (const agency of agencies) this.#free(agency, callId)
        break
      }
    }
  }

  /** Whoever's turn it was does not take a line of the agency after all: the next one may. */
  passes(agency: string, callId: string) {
    for (const one of this.#withPartners(agency)) this.#free(one, callId)
  }

  /** The agency, and those that share a line with it; whose caller has waited longest stands first. */
  #withPartners(agency: string): string[] {
    const first = (name: string) => this.#lines.get(name)?.[0]?.callId ?? ''
    return [agency, ...this.#sharing(agency)].sort((one, other) => inOrder(first(one), first(other)))
  }

  /** Calls the first who is not on the way already. */
  #free(agency: string, by: string) {
    this.#lines.get(agency)?.find(({ callId, turn }) => callId !== by && !turn.signal.aborted)?.turn.abort('a line may be free')
  }

  /** As above, but not who rests, nor who has rung there themselves; and nobody out of turn instead of them. */
  #perhapsFree(agency: string, by: string) {
    const first = this.#lines.get(agency)?.find(({ turn }) => !turn.signal.aborted)
    if (first && first.callId !== by && first.restsUntil <= performance.now()) first.turn.abort('a line may be free')
  }
}

/** By Asterisk's id of the call, which counts calls in the order in which they came: `satunomor-<second>.<number>`. */
const { compare: inOrder } = new Intl.Collator('en', { numeric: true })
