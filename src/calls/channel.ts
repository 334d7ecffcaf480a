/** What a call needs from the exchange. `asterisk/` provides it; tests fake it, and keep the same contract. */
export interface Channel {
  /** Asterisk's linked id: the call's id. */
  readonly callId: string
  /** The caller's number as it came; empty where it is withheld. */
  readonly caller: string
  /** Aborts, with a `Hangup` as its reason, when the caller is gone: while we decide, and while they talk. */
  readonly hungUp: AbortSignal
  /** Resolves when the prompts have been played one after the other, or as soon as `stop` aborts. */
  play(prompts: readonly Prompt[], stop: AbortSignal): Promise<void>
  /** Calls `listener` for every key pressed, from now on, for as long as the service has the call. */
  onDigit(listener: (digit: string) => void): void
  /** Writes on the channel where the caller is, so that another process of ours can go on from there. */
  remember(place: string): Promise<void>
  /** What the caller hears from now on is in this language, here and in the dialplan: it travels with the channel. */
  speak(language: string): Promise<void>
  /** Gives the call to the dialplan, which rings the agency's lines. Resolves when it is given. */
  ring(agency: string): Promise<void>
  /** Gives the call to the dialplan for good: it records what the caller says in this mailbox, and ends the call. Resolves when it is given. */
  record(mailbox: string): Promise<void>
  /** Gives the call to the dialplan's fallback: what remains when we cannot go on. */
  fallBack(): Promise<void>
  hangUp(): Promise<void>
}

/** The name of a prompt, as in `prompts/<language>/<name>.txt`. */
export type Prompt = string

/** What the dialplan says when nobody answered: the last line's `DIALSTATUS`, or `FULL`, `DECLINED`, `SHORT`, or `SAME_NUMBER` where no line rang. */
export interface Returned {
  agency: string
  status: string
}

/** The caller is gone: the one exception that ends a call's story without being a fault. */
export class Hangup extends Error {
  override name = 'Hangup'
  readonly q850: number | null

  constructor(q850: number | null = null) {
    super(`hung up${q850 === null ? '' : ` (cause ${q850})`}`)
    this.q850 = q850
  }
}
