/**
 * Where callers wait while all lines of an agency are in use. Who called the city first is connected first. That a line is free is known
 * from the ledger, as for callers who talk without us: a call that rang or talked there is over.
 */
import type { Step } from './story.ts'

/** A caller's place in line; dispose it when they wait no more. */
export interface Place extends Disposable {
  /** Aborts when it is their turn: a line may be free. */
  turn: AbortSignal
  /** Whether nobody waits before them. */
  readonly first: boolean
}

/** A line that was full, or busy, has become no freer by having been tried. */
const stillInUse = new Set(['answered', 'full', 'busy'])

export class WaitingRoom {
  /** Those who wait, by agency, who called first at the front. */
  readonly #lines = new Map<string, { callId: string, turn: AbortController }[]>()
  /** The lines that each call (or callback) rings or talks on, with their agencies. */
  readonly #inUse = new Map<string, Map<string, string>>()

  enter(agency: string, callId: string): Place {
    const line = this.#lines.get(agency) ?? []
    this.#lines.set(agency, line)
    const one = { callId, turn: new AbortController() }
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
        if (facts.outcome !== 'answered') this.#inUse.get(callId)?.delete(facts.line)
        if (!stillInUse.has(facts.outcome)) this.#free(facts.agency)
        break
      case 'connected': this.#free(facts.agency); break                  // one has a line; there may be another
      case 'ended': {
        const agencies = new Set(this.#inUse.get(callId)?.values())
        this.#inUse.delete(callId)
        for (const agency of agencies) this.#free(agency)
        break
      }
    }
  }

  /** The first who is not on the way already. */
  #free(agency: string) {
    this.#lines.get(agency)?.find(({ turn }) => !turn.signal.aborted)?.turn.abort('a line may be free')
  }
}

/** By Asterisk's id of the call, which counts calls in the order in which they came: `satunomor-<second>.<number>`. */
const { compare: inOrder } = new Intl.Collator('en', { numeric: true })
