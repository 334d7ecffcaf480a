/** Which trunks answer: Asterisk asks each as the plan's `qualify` says (SIP OPTIONS), and this asks Asterisk. */
import type { Logger } from 'pino'
import { Rounds } from '../calls/rounds.ts'
import { seconds } from '../plan/duration.ts'
import type { Plan, Trunk } from '../plan/plan.ts'
import { AmiRefused, type AmiLink, type AmiMessage } from './ami-link.ts'
import { AsteriskAway } from './ari-errors.ts'

export interface TrunkState {
  name: string
  role: Trunk['role']
  /** Address and port. */
  address: string
  /** null: Asterisk does not ask it, or has no answer yet, or is away itself. */
  up: boolean | null
  /** Since when it is up or down, as far as this service has seen. Unix ms. */
  since: number | null
  /** How long the last answer took, ms. */
  delay: number | null
}

/** What Asterisk said at the last look. */
interface Seen { up: boolean | null, delay: number | null }

export class Trunks {
  readonly #ami: Pick<AmiLink, 'list' | 'up'>
  readonly #plan: () => Plan
  readonly #log: Logger
  readonly #rounds: Rounds
  #seen = new Map<string, Seen>()
  /** What was known last of each: a trunk that Asterisk has not asked yet, after a start of its own, is as it was. */
  readonly #known = new Map<string, { address: string, up: boolean, since: number }>()

  constructor({ ami, plan, log }: { ami: Pick<AmiLink, 'list' | 'up'>, plan: () => Plan, log: Logger }) {
    this.#ami = ami
    this.#plan = plan
    this.#log = log
    this.#rounds = new Rounds({ look: () => this.look(), every: () => seconds(5), what: 'the look after trunks', log })
  }

  start() { this.#rounds.start() }
  async close() { await this.#rounds.close() }

  /** Asterisk says at once when a trunk stops or begins to answer, and to each new link that it is there. The rounds find what was said while nobody listened. */
  hear({ event }: AmiMessage) {
    if (event === 'ContactStatus' || event === 'FullyBooted') this.#rounds.nudge()
  }

  /** Those of the plan, in its order. */
  get states(): TrunkState[] {
    return [...this.#plan().trunks].map(([name, trunk]) => {
      const { up, delay } = this.#seen.get(name) ?? { up: null, delay: null }
      const address = addressOf(trunk)
      const known = this.#known.get(name)
      return { name, role: trunk.role, address, up, since: up !== null && known?.address === address ? known.since : null, delay: up ? delay : null }
    })
  }

  async look(now = Date.now()): Promise<void> {
    const { trunks } = this.#plan()
    const seen = new Map<string, Seen>()
    try {
      if (this.#ami.up) for (const name of trunks.keys()) seen.set(name, await this.#ask(name))
    } catch (error) {
      if (!(error instanceof AsteriskAway)) throw error
      seen.clear()
    } finally {
      this.#seen = seen
    }
    for (const name of this.#known.keys()) if (!trunks.has(name)) this.#known.delete(name)
    for (const [name, { up }] of seen) if (up !== null) this.#tell(name, trunks.get(name)!, up, now)
  }

  /** A trunk without any contact (its template names no AOR that there is) cannot be dialled: it is down. */
  async #ask(name: string): Promise<Seen> {
    const facts = await this.#ami.list('PJSIPShowEndpoint', { Endpoint: name }).catch(error => {
      if (error instanceof AmiRefused) return undefined          // it has not loaded this trunk: `Health` tells of that
      throw error
    })
    if (!facts) return { up: null, delay: null }
    const contacts = facts.filter(({ event }) => event === 'ContactStatusDetail')
    const answering = contacts.find(({ status }) => status === 'Reachable')
    if (answering) return { up: true, delay: Math.round(Number(answering['roundtripusec']) / 100) / 10 }
    return { up: contacts.some(({ status }) => status !== 'Unreachable') ? null : false, delay: null }
  }

  #tell(name: string, trunk: Trunk, up: boolean, now: number) {
    const address = addressOf(trunk)
    const before = this.#known.get(name)
    if (before?.up === up && before.address === address) return
    this.#known.set(name, { address, up, since: now })
    const facts = { trunk: name, role: trunk.role, address }
    if (!up) this.#log.error({ ...facts, hint: 'Check that it runs, that the network leads there, and that it answers OPTIONS: docs/operations.md, "A trunk that is down".' }, 'trunk is down')
    else if (before?.up === false) this.#log.warn({ ...facts, downForSeconds: Math.round((now - before.since) / 1000) }, 'trunk is up again')
  }
}

const addressOf = ({ address, port }: Trunk) => `${address}:${port}`
