import type { Logger } from 'pino'
import type { Duration } from '../plan/duration.ts'
import type { Plan } from '../plan/plan.ts'
import { noSwitches, type Switches } from '../plan/switches.ts'
import { Call, type Note } from './call.ts'
import { Hangup, type Channel, type Returned } from './channel.ts'
import { cityLine, type Beginning, type Circumstances } from './city-line.ts'
import { WaitingRoom } from './waiting-room.ts'

/** A call as it enters: on its number at first, or found in our application after a restart, at the place it had come to. */
export interface Arrival {
  channel: Channel
  at: Beginning
}

export interface SwitchboardOptions {
  /** The service plan for a call that arrives there. */
  plan(at: Beginning): Plan
  /** Writes down a step of a call; must neither throw nor wait. */
  noteFor(callId: string): Note
  log: Logger
  /** What admins have switched by hand; nothing if left out. */
  switches?(): Switches
  /** @see Circumstances.giveWay; no callback rings if left out */
  giveWay?: Circumstances['giveWay']
  /** Where callers wait for a line; one of its own if left out. */
  room?: WaitingRoom
  /** Unix time in ms, for the opening hours; the machine's if left out. */
  now?(): number
  /** See `guardTime`, which it is if left out. */
  guard?: Duration
}

/** All calls that are in our care: from their arrival until the ledger, or Asterisk, says that they are over. */
export class Switchboard {
  readonly #options: SwitchboardOptions
  readonly #circumstances: Circumstances
  readonly #calls = new Map<string, { call: Call, channel: Channel, done: Promise<void> }>()

  constructor(options: SwitchboardOptions) {
    this.#options = options
    this.#circumstances = { now: options.now ?? Date.now, switches: options.switches ?? (() => noSwitches), giveWay: options.giveWay ?? (async () => false), room: options.room ?? new WaitingRoom() }
  }

  /** Whether a flow has the call. One whose caller left it has not: it ends, and whoever takes them up (the watchdog, a desk) may give them back at once. */
  has(callId: string) { return this.#calls.get(callId)?.call.hungUp.aborted === false }

  get size() { return this.#calls.size }

  /** Takes a call over the service plan, to its end. The only place that catches a hang-up, and the one where a fault ends. */
  arrives({ channel, at }: Arrival) {
    const { callId } = channel
    const log = this.#options.log.child({ call: callId })
    const call = new Call(channel, this.#options.noteFor(callId), log, this.#options.guard)
    log.info('call taken')
    const done = this.#walk(call, at)
      .catch(error => error instanceof Hangup ? undefined : this.#failed(call, channel, error))
      .finally(() => { if (this.#calls.get(callId)?.call === call) this.#calls.delete(callId) })
    this.#calls.set(callId, { call, channel, done })
  }

  async #walk(call: Call, at: Beginning) {
    const plan = this.#options.plan(at)
    call.note('taken', {})
    await cityLine(call, plan, at, this.#circumstances)
  }

  /** The dialplan gives a call back, nobody having answered. False when no flow has it (we were restarted meanwhile, or it was taken from us). */
  comesBack(callId: string, from: Returned): boolean {
    const known = this.has(callId)
    if (known) this.#calls.get(callId)!.call.comesBack(from)
    return known
  }

  channel<C extends Channel>(callId: string): C | undefined {
    return this.#calls.get(callId)?.channel as C | undefined
  }

  /** The calls that we hold, by id. */
  callIds(): string[] { return [...this.#calls.keys()] }

  /** Waits until no call is left in our care. */
  async settled() {
    while (this.#calls.size > 0) await Promise.all([...this.#calls.values()].map(({ done }) => done))
  }

  /** Something of ours broke. The caller is not let fall: the dialplan's own menu takes them on. */
  async #failed(call: Call, channel: Channel, error: unknown) {
    call.log.error({ err: error }, 'the call goes on in the fallback')
    call.note('fault', { what: error instanceof Error ? error.message.slice(0, 200) : 'unknown' })
    try {
      await channel.fallBack()
    } catch (second) {
      if (!(second instanceof Hangup)) call.log.error({ err: second }, 'the call could not be given to the fallback either')
    }
  }
}
