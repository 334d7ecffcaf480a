/** What the log has of requests. Strangers, who have no token that holds, get only so many lines a minute and then a sum: they cannot fill the disk. */
import type { Logger } from 'pino'

export interface Answered {
  log: Pick<Logger, 'debug' | 'info' | 'warn'>
  method: string
  /** The route, not the address: addresses carry what was searched for. */
  route: string | null
  status: number
  ms: number
  /** Of the client, as far as declared proxies tell it. */
  address: string
  /** Whether it had a token that holds, or the gateway's signature. */
  known: boolean
  /** By name, or `city-token`. */
  person: string | null
  /** The call or the follow-up that it is about. */
  about?: { call?: string, followUp?: string }
  /** Why it was refused, where the status alone does not tell. */
  why?: string
}

/** Lines a minute of one stranger, and of all together. */
const most = { address: 20, all: 200 }
/** Strangers whose requests are counted apart. */
const apart = 1_000
/** Asked every second by machines. */
const quiet = ['/healthz', '/readyz', '/metrics']

export class RequestLog {
  readonly #log: Pick<Logger, 'warn'>
  readonly #counts = new Map<string, { requests: number, statuses: Record<number, number> }>()
  #lines = 0
  #silent = 0
  #timer: NodeJS.Timeout | undefined

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log
  }

  start() { this.#timer = setInterval(() => this.sum(), 60_000).unref() }

  close() {
    clearInterval(this.#timer)
    this.sum()
  }

  note({ log, known, person, address, why, about = {}, ...facts }: Answered) {
    const refused = facts.status === 401 || facts.status === 403
    if (quiet.includes(facts.route ?? '') && !refused && facts.status !== 421) return log.debug(facts, 'http request')
    if (!known && !this.#room(address, facts.status)) return
    if (refused) log.warn({ ...facts, ...about, address, person, ...why === undefined ? {} : { why } }, 'refused at the API')
    else log.info({ ...facts, ...about, address, person }, 'http request')
  }

  /** Ends the minute: one line for all that had none of their own. */
  sum() {
    if (this.#silent > 0) {
      const busiest = [...this.#counts].sort(([, one], [, other]) => other.requests - one.requests).slice(0, 10)
      this.#log.warn({ requests: this.#silent, addresses: this.#counts.size, busiest: busiest.map(([address, counts]) => ({ address, ...counts })) }, 'more requests without a token than are logged')
    }
    this.#counts.clear()
    this.#lines = this.#silent = 0
  }

  /** Whether a stranger's request gets a line. */
  #room(address: string, status: number): boolean {
    const counts = this.#counts.get(address) ?? { requests: 0, statuses: {} }
    if (this.#counts.size < apart || this.#counts.has(address)) this.#counts.set(address, counts)
    counts.requests++
    counts.statuses[status] = (counts.statuses[status] ?? 0) + 1
    if (counts.requests <= most.address && this.#lines < most.all) {
      this.#lines++
      return true
    }
    this.#silent++
    return false
  }
}
