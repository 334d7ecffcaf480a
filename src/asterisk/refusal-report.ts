/**
 * Logs who was refused: a line for each address, every 10 s, for a person or for fail2ban. The log stays small, however many are refused, and
 * nothing that a stranger writes is in it.
 */
import type { Logger } from 'pino'
import { Rounds } from '../calls/rounds.ts'
import { seconds } from '../plan/duration.ts'
import type { Refusals } from './refusals.ts'

export interface RefusalReportOptions {
  refusals: Pick<Refusals, 'takeFresh'>
  /** The trunk at an address. */
  trunkAt: (address: string) => string | undefined
  log: Logger
}

/** Lines at a time; the other addresses are summed up in one. */
const most = 20

export class RefusalReport {
  readonly #options: RefusalReportOptions
  readonly #rounds: Rounds

  constructor(options: RefusalReportOptions) {
    this.#options = options
    this.#rounds = new Rounds({ look: async () => this.tell(), every: () => seconds(10), what: 'lines about refusals', log: options.log })
  }

  start() {
    this.#rounds.start()
  }

  async close() {
    await this.#rounds.close()
    this.tell()
  }

  /** Never writes a trunk's address: whoever reads this may block the addresses in it, and anybody can forge the carrier's. */
  tell() {
    const { refusals, trunkAt, log } = this.#options
    const { sources, elsewhere } = refusals.takeFresh()
    for (const { address, count, why } of sources.slice(0, most)) {
      const trunk = trunkAt(address)
      if (trunk === undefined) log.warn({ address, count, why }, 'requests refused')
      else log.warn({ trunk, count, why }, 'requests refused on a trunk')
    }
    const others = sources.slice(most)
    const count = others.reduce((sum, { count }) => sum + count, elsewhere)
    if (count > 0) log.warn({ addresses: others.length, count }, 'requests refused from other addresses')
  }
}
