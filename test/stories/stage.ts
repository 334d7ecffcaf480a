/** Where the stories of calls are played: on a fake exchange, fast, or on a real Asterisk with real SIP. */
import type { CallRecord } from '../../src/calls/story.ts'

export interface Stage extends AsyncDisposable {
  /** Somebody dials 112. */
  dials(number?: string): Caller
  /** An agency's line; it answers unless told otherwise. */
  line(id: string): Line
  /** The record of the caller's call, when it has ended. */
  record(caller: Caller): Promise<CallRecord>
  /** Resolves when nothing is left behind: no channel, no bridge, no timer, no listener, no call in our hands. */
  nothingIsLeft(): Promise<void>
}

export interface Caller {
  number: string
  /** Resolves when the prompt is heard, from its beginning or from where it was cut in. */
  hears(prompt: string): Promise<void>
  presses(digits: string): void
  /** Presses it once they have heard the question, whose prompt they have just begun to hear, for long enough that the key counts. */
  answers(digit: string): Promise<void>
  hangsUp(): void
  /** Resolves when caller and line hear each other. */
  talksWith(line: string): Promise<void>
  /** Resolves when the call has been ended by the other side. */
  isHungUp(): Promise<void>
}

export interface Line {
  /** Rings, and is not picked up. */
  rings(): void
  isBusy(): void
  doesNotExist(): void
  isOutOfOrder(): void
  /** The network says at once that nobody can be reached there (480). */
  isSwitchedOff(): void
  answers(): void
  /** Resolves when it is rung. */
  isRung(): Promise<void>
  /** What has just been rung, picks up. */
  picksUp(): void
  hangsUp(): void
  /** The caller's number, as it is shown there. */
  shows(): Promise<string>
}
