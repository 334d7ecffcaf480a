import type { Logger } from 'pino'
import type { Step } from '../calls/story.ts'
import { pause } from '../calls/time.ts'
import { seconds } from '../plan/duration.ts'
import type { Records } from '../records/records.ts'
import type { Scribe } from '../records/scribe.ts'
import type { AriLink } from './ari-link.ts'
import { Ledger, type Watermark } from './ledger.ts'

export interface BookkeeperOptions {
  /** Asterisk's CEL file. */
  file: string
  records: Records
  scribe: Scribe
  ari: AriLink
  /** A call is over, says the ledger. */
  ended(callId: string, q850: number | null): void
  /** Hears each step as it is read. */
  heard?(step: Step): void
  log: Logger
}

/** How the store knows how far the ledger has been read. */
export const watermark = 'ledger'
/** Steps that may wait for the store before the ledger is read on. */
const enough = 5_000

/** Carries the ledger into the records, and closes the calls whose end Asterisk could not write down any more. */
export class Bookkeeper {
  readonly #options: BookkeeperOptions
  readonly #closing = new AbortController()
  #ledger: Ledger | undefined
  #auditing: Promise<void> | undefined

  constructor(options: BookkeeperOptions) {
    this.#options = options
  }

  async open() {
    const { file, records, log } = this.#options
    const stored = await records.watermark(watermark)
    const from = stored ? JSON.parse(stored) as Watermark : undefined
    this.#ledger = new Ledger({ file, from, take: async (steps, upTo) => this.#take(steps, upTo), log })
    this.#ledger.open()
    this.#auditing = this.#closeLostCalls()
  }

  get lag() { return this.#ledger?.lag ?? 0 }

  /** All that Asterisk has written is in the records, as far as anybody has looked. */
  get caughtUp() { return this.#ledger?.caughtUp === true && this.#ledger.lag === 0 && this.#options.scribe.pending === 0 }

  async close() {
    this.#closing.abort()
    await this.#ledger?.close()
    await this.#auditing
  }

  async #take(steps: Step[], upTo: Watermark) {
    const { scribe, ended, heard } = this.#options
    // A whole ledger read again goes no faster than the store takes it; a store that takes nothing holds up nobody's end.
    if (scribe.pending > enough && scribe.failingSince === null) await scribe.flush().catch(() => {})     // the scribe has said so, and tries again
    for (const step of steps) scribe.note(step)
    for (const step of steps) heard?.(step)
    scribe.mark({ name: watermark, value: JSON.stringify(upTo) })
    for (const step of steps) if (step.kind === 'ended') ended(step.callId, null)
  }

  /** Asterisk was killed, or the ledger torn: a call that no channel belongs to any more is over, and that was our fault. */
  async #closeLostCalls() {
    const { records, ari, scribe, ended, log } = this.#options
    const suspects = new Set<string>()
    while (!this.#closing.signal.aborted) {
      await pause(seconds(5), this.#closing.signal)
      if (!ari.up || !this.caughtUp) continue
      try {
        const live = await records.live()
        if (live.length === 0) { suspects.clear(); continue }
        const there = new Set((await ari.request<{ id: string }[]>('channels', 'list')).map(({ id }) => id))
        for (const { callId } of live) {
          if (there.has(callId)) suspects.delete(callId)
          else if (!suspects.has(callId)) suspects.add(callId)     // its end may be on its way: look once more
          else {
            suspects.delete(callId)
            log.error({ call: callId }, 'a call ended without an end in the ledger')
            for (const step of lostCall(callId, Date.now())) scribe.note(step)
            ended(callId, null)
          }
        }
      } catch (error) {
        if (!this.#closing.signal.aborted) log.warn({ err: error }, 'lost calls were not looked for')
      }
    }
  }
}

function lostCall(callId: string, at: number): Step[] {
  const step = { callId, at, witness: 'service' as const }
  return [
    { ...step, key: 'lost-fault', kind: 'fault', facts: { what: 'asterisk-lost-the-call' } },
    { ...step, key: 'lost-hangup', kind: 'hangup', facts: { by: 'us', q850: null } },
    { ...step, key: 'lost-ended', kind: 'ended', facts: {} }
  ]
}
