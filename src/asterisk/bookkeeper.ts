import type { Logger } from 'pino'
import type { Step } from '../calls/story.ts'
import { pause } from '../calls/time.ts'
import { milliseconds, seconds } from '../plan/duration.ts'
import { plainly } from '../records/faults.ts'
import type { Keeper } from '../records/keeper.ts'
import type { Records } from '../records/records.ts'
import type { Scribe } from '../records/scribe.ts'
import type { AriLink } from './ari-link.ts'
import type { ListChannels } from './channels.ts'
import { Ledger, type Watermark } from './ledger.ts'
import type { Seen } from './seen.ts'

export interface BookkeeperOptions {
  /** Asterisk's CEL file. */
  file: string
  records: Records
  scribe: Scribe
  ari: Pick<AriLink, 'up'>
  channels: ListChannels
  /** The calls that came to the service. */
  seen: Seen
  /** The calls that are in its care, by id. */
  inCare(): string[]
  /** A call is over, says the ledger; or Asterisk has it no more. */
  ended(callId: string, q850: number | null): void
  /** Hears each step as it is read, and the end of a call that the ledger does not tell of. */
  heard?(step: Step): void
  /** The store may have been made anew: then the ledger waits for it, and is read from its beginning. */
  keeper?: Pick<Keeper, 'ready' | 'readsAgain' | 'ledgerIsRead'>
  log: Logger
}

/** How the store knows how far the ledger has been read. */
export const watermark = 'ledger'
/** Steps that may wait for the store before the ledger is read on. */
const enough = 5_000
/** How long after a call came the ledger may tell of it: where all of it is read, and where it cannot be. */
const untold = { whenRead: seconds(5), atMost: seconds(60) }

/** Carries the ledger into the records, begins the calls there whose arrival Asterisk could not write down, and closes those whose end it could not. */
export class Bookkeeper {
  readonly #options: BookkeeperOptions
  readonly #closing = new AbortController()
  #ledger: Ledger | undefined
  /** The store has all that the ledger told at some moment since the start, or since the store was made anew. */
  #whole = false
  #reading = new AbortController()
  #opening: Promise<void> | undefined
  #auditing: Promise<void> | undefined

  constructor(options: BookkeeperOptions) {
    this.#options = options
  }

  open() {
    this.#opening = this.#readOn()
    this.#auditing = this.#lookForLostCalls()
  }

  /** The store was made anew: all is read once more. */
  readAgain() {
    this.#whole = false
    this.#reading.abort()
    this.#reading = new AbortController()
    const { signal } = this.#reading
    this.#opening = this.#opening?.then(async () => {
      await this.#ledger?.close()
      this.#ledger = undefined
      if (!signal.aborted) await this.#readOn()
    })
  }

  get lag() { return this.#ledger?.lag ?? 0 }

  /** Follow-ups may be made, and citizens rung: what the ledger tells of those who were reached is in the store. */
  get whole() { return this.#whole }

  /** As soon as the store says from where; a store that cannot be opened yet is asked again. */
  async #readOn() {
    const { file, records, keeper, log } = this.#options
    const stop = AbortSignal.any([this.#closing.signal, this.#reading.signal])
    let failing = false
    while (!stop.aborted) {
      try {
        await Promise.race([keeper?.ready, new Promise(resolve => stop.addEventListener('abort', resolve, { once: true }))])
        if (stop.aborted) return
        const stored = keeper?.readsAgain ? null : await records.watermark(watermark)
        const from = stored ? JSON.parse(stored) as Watermark : undefined
        this.#ledger = new Ledger({ file, from, take: async (steps, upTo) => this.#take(steps, upTo), log })
        this.#ledger.open()
        void this.#untilWhole(stop)
        return
      } catch (error) {
        if (!failing) log.error({ ...plainly(error) }, 'ledger waits for the store')
        failing = true
        await pause(seconds(1), stop)
      }
    }
  }

  async #untilWhole(stop: AbortSignal) {
    const { keeper, log } = this.#options
    while (!stop.aborted) {
      try {
        if (this.caughtUp) {
          await keeper?.ledgerIsRead()
          this.#whole = true
          return
        }
      } catch (error) {
        log.warn({ ...plainly(error) }, 'end of the ledger cannot be noted')
      }
      await pause(milliseconds(100), stop)
    }
  }

  /** All that Asterisk has written is in the records, as far as anybody has looked. */
  get caughtUp() { return this.#ledger?.caughtUp === true && this.#ledger.lag === 0 && this.#options.scribe.pending === 0 }

  async close() {
    this.#closing.abort()
    await this.#opening
    await this.#ledger?.close()
    await this.#auditing
  }

  async #take(steps: Step[], upTo: Watermark) {
    const { scribe, seen, ended, heard } = this.#options
    // A whole ledger read again goes no faster than the store takes it; a store that takes nothing holds up nobody's end.
    if (scribe.pending > enough && scribe.failingSince === null) await scribe.flush().catch(() => {})     // the scribe has said so, and tries again
    for (const step of steps) scribe.note(step)
    for (const step of steps) heard?.(step)
    for (const step of steps) if (step.kind === 'arrived') seen.told(step.callId)
    scribe.mark({ name: watermark, value: JSON.stringify(upTo) })
    for (const step of steps) if (step.kind === 'ended') ended(step.callId, null)
  }

  async #lookForLostCalls() {
    const { ari, log } = this.#options
    while (!this.#closing.signal.aborted) {
      await pause(seconds(5), this.#closing.signal)
      if (!ari.up) continue
      try {
        await this.#closeLostCalls()
        await this.#noteUntoldCalls()
      } catch (error) {
        if (!this.#closing.signal.aborted) log.warn({ err: error }, 'lost calls were not looked for')
      }
    }
  }

  readonly #suspects = new Set<string>()

  /**
   * Asterisk was killed, or its ledger torn or not written: a call that no channel belongs to any more is over, and that was our fault. One
   * that is in our care is let go, also where no record says that there is such a call.
   */
  async #closeLostCalls() {
    const { records, channels, scribe, inCare, ended, heard, log } = this.#options
    const suspects = this.#suspects
    // In this order: a call that arrives while we ask is not taken for one that is gone.
    const held = inCare()
    const live = new Set(this.caughtUp ? (await records.live()).map(({ callId }) => callId) : [])
    const open = new Set([...live, ...held])
    for (const callId of suspects) if (!open.has(callId)) suspects.delete(callId)
    if (open.size === 0) return
    const there = new Set((await channels()).map(({ id }) => id))
    for (const callId of open) {
      if (there.has(callId)) suspects.delete(callId)
      else if (!suspects.has(callId)) suspects.add(callId)     // its end may be on its way: look once more
      else {
        suspects.delete(callId)
        if (live.has(callId)) {
          const seen = new Set((await records.steps(callId)).filter(({ witness }) => witness === 'ledger').map(({ kind }) => kind))
          const what = seen.has('arrived') ? 'asterisk-lost-the-call' : notInTheLedger
          // A caller who has hung up is gone, and a line may still be asked whether it accepts: then nothing is lost.
          if (!seen.has('hangup')) log.error({ call: callId, what }, 'a call ended without an end in the ledger')
          for (const step of lostCall(callId, Date.now(), what)) {
            if (seen.has('hangup') && step.kind !== 'ended') continue
            scribe.note(step)
            heard?.(step)
          }
        }
        ended(callId, null)
      }
    }
  }

  /** Those that the ledger tells of by now are on record. */
  async #noteUntoldCalls() {
    const { records, scribe, seen, log } = this.#options
    const arrivals = seen.untold(this.caughtUp ? untold.whenRead : untold.atMost)
    if (arrivals.length === 0) return
    const known = await records.db.selectFrom('calls').select('callId').where('callId', 'in', arrivals.map(({ callId }) => callId)).execute()
    for (const { callId } of known) seen.told(callId)
    const onRecord = new Set(known.map(({ callId }) => callId))
    for (const arrived of arrivals.filter(({ callId }) => !onRecord.has(callId))) {
      log.error({ call: arrived.callId }, 'a call came in, and the ledger does not tell of it: that it came is noted by the service')
      scribe.note(arrived)
      seen.told(arrived.callId)
    }
  }
}

/** Why such a call is `failed`. What came of it, nobody has written down. */
export const notInTheLedger = 'not-in-the-ledger'

function lostCall(callId: string, at: number, what: string): Step[] {
  const step = { callId, at, witness: 'service' as const }
  return [
    { ...step, key: 'lost-fault', kind: 'fault', facts: { what } },
    { ...step, key: 'lost-hangup', kind: 'hangup', facts: { by: 'us', q850: null } },
    { ...step, key: 'lost-ended', kind: 'ended', facts: {} }
  ]
}
