/** A person, or the service itself, ends a call from outside: an admin's way out of a call that blocks a line. */
import type { Records } from '../records/records.ts'
import type { SignedBy } from '../records/tables.ts'
import type { Step } from './story.ts'

/** `unknown`: there is no such call. `over`: it has ended. `away`: Asterisk cannot be asked. Nothing has happened. */
export class NotEnded extends Error {
  override name = 'NotEnded'
  readonly why: 'unknown' | 'over' | 'away'

  constructor(why: NotEnded['why'], message: string) {
    super(message)
    this.why = why
  }
}

export interface Ending {
  callId: string
  /** Who does it; `satunomor` is the service itself. */
  who: string
  reason: string
  signedBy?: SignedBy
}

export interface EndCallParts {
  records: Pick<Records, 'get' | 'audit'>
  /** Keeps a step of the call's story. */
  note: (step: Step) => Promise<void> | void
  /** Whether Asterisk has that channel. Throws where it cannot be asked. */
  there: (channelId: string) => Promise<boolean>
  hangUp: (channelId: string) => Promise<void>
}

/** Hangs up the caller, and so everybody. The audit and the record say by whom before it is done. Throws `NotEnded`. */
export async function endCall({ records, note, there, hangUp }: EndCallParts, { callId, who, reason, signedBy }: Ending): Promise<void> {
  const callback = callId.startsWith('followup-')
  const call = callback ? null : await records.get(callId)
  if (!callback && !call) throw new NotEnded('unknown', 'There is no such call.')
  const channel = await there(callId).catch(error => { throw new NotEnded('away', `Asterisk cannot be asked now (${(error as Error).message}).`) })
  if (!channel) throw new NotEnded(callback ? 'unknown' : 'over', callback ? 'There is no such callback, or it has ended.' : 'The call has ended.')
  await records.audit(who, `ended the call: ${reason}`, callId, signedBy ?? null)
  if (call) await note({ callId, key: 'cut', at: Date.now(), witness: 'service', kind: 'cut', facts: { by: who, why: reason } })
  await hangUp(callId)
}
