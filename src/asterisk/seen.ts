import type * as Ari from 'ari-client'
import type { Step } from '../calls/story.ts'
import type { Duration } from '../plan/duration.ts'
import { dialled, trunkOf } from './cel.ts'

/**
 * The calls that came to us, each until the ledger has told that it arrived. What Asterisk could not write there (the disk was full) the
 * service can say itself: a call by its own witness ends, and is followed up, like any other.
 */
export class Seen {
  readonly #calls = new Map<string, { arrived: Step, since: number }>()

  /** A call comes in, fresh from its trunk. */
  starts({ args, channel: { id, name, caller, dialplan, creationtime } }: Ari.StasisStart) {
    if (args[0] !== 'inbound' || dialplan?.context !== 'trunk-in') return
    const at = Date.parse(String(creationtime)) || Date.now()
    this.#calls.set(id, {
      since: performance.now(),
      // The number as it was filtered: that is all that we are told. Where the ledger knows more, what it says counts (src/calls/tell.ts).
      arrived: { callId: id, key: 'seen-arrived', at, witness: 'service', kind: 'arrived', facts: { did: dialled(dialplan.exten), trunk: trunkOf(name), cli: caller?.number ?? '' } }
    })
  }

  /** It is told of. */
  told(callId: string) {
    this.#calls.delete(callId)
  }

  /** The arrivals that nothing has told of for so long: at most a thousand, oldest first. */
  untold(patience: Duration): Step[] {
    const now = performance.now()
    return this.#calls.values().filter(({ since }) => now - since >= patience).map(({ arrived }) => arrived).take(1_000).toArray()
  }
}
