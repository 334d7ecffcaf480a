import type { Channel, Prompt } from '../calls/channel.ts'
import { Hangup } from '../calls/channel.ts'
import { pause } from '../calls/time.ts'
import { milliseconds } from '../plan/duration.ts'
import type { AriEvents } from './ari-events.ts'
import { AsteriskAway, Gone } from './ari-errors.ts'
import { untilAborted, type AriLink } from './ari-link.ts'

/** The names of a channel's playbacks: few and known, so that whoever comes after us can stop what we began. One plays at a time. */
export const playbacks = (callId: string) => [0, 1, 2, 3].map(n => `${callId}-prompt-${n}`)

/** Which of them is next, where some have just been stopped: their ends are still to be told, and are not the end of what is played next. */
export const nextPlayback = (stopped: readonly boolean[]) => Math.max(0, stopped.findIndex((was, n) => !was && stopped.at(n - 1)))

/** Resolves when a channel's call is acknowledged, as far as anybody knows. */
export type Acknowledged = (channel: string, stop: AbortSignal) => Promise<void>

/** A caller's channel, driven over ARI while the service decides, and followed by the ledger while they ring and talk. */
export class AriChannel implements Channel {
  readonly #link: Pick<AriLink, 'request'>
  readonly #events: AriEvents
  readonly #line = new AbortController()
  /** What is listened for while the call is in our hands; none when it is the dialplan's, or has ended. */
  #listening: (() => void)[] = []
  readonly callId: string
  readonly caller: string
  readonly hungUp = this.#line.signal

  /**
   * @param played which of its playbacks is the first of ours
   * @param acknowledged see `Acknowledgements.until`; left out, nothing is waited for
   */
  constructor(link: Pick<AriLink, 'request'>, events: AriEvents, { id, name = '', caller }: { id: string, name?: string, caller?: { number?: string } }, played = 0, acknowledged?: Acknowledged) {
    this.#acknowledged = async () => acknowledged?.(name, this.hungUp)
    this.#link = link
    this.#events = events
    this.callId = id
    this.caller = caller?.number ?? ''
    this.#played = played
    this.taken()
  }

  /** The dialplan gives the call to us: at first, and each time that it comes back. */
  taken() {
    this.#letGo()
    // A caller who came in through the dialplan says goodbye with StasisEnd; ChannelDestroyed may not come.
    let cause: number | null = null
    this.#listening = [
      this.#events.on('ChannelHangupRequest', this.callId, event => {
        cause = event.cause ?? null
        this.#leaving = true
      }),
      this.#events.on('StasisEnd', this.callId, () => this.ended(cause)),
      this.#events.on('ChannelDestroyed', this.callId, event => this.ended(event.cause)),
      this.#events.on('ChannelDtmfReceived', this.callId, event => this.#digits(event.digit))
    ]
  }

  /** Whether the call is with us, and not (on its way) into the dialplan. */
  get inHand() { return this.#listening.length > 0 }

  #letGo() {
    for (const off of this.#listening.splice(0)) off()
  }

  /** After the link was away: a prompt whose end we did not hear has ended all the same. */
  async catchUp() {
    const id = this.#playing
    if (id === undefined) return
    try {
      await this.#link.request('playbacks', 'get', { playbackId: id })
    } catch (error) {
      passOver(Gone)(error)
      this.#events.tell({ type: 'PlaybackFinished', playback: { id } })
    }
  }

  /** The call is over, as heard here or read in the ledger. */
  ended(q850: number | null) {
    this.#letGo()
    if (!this.#line.signal.aborted) this.#line.abort(new Hangup(q850))
  }

  /** Asterisk is about to hang up: a prompt that ends now has not been heard to its end. */
  #leaving = false
  #playing: string | undefined
  #played: number
  async play(prompts: readonly Prompt[], stop: AbortSignal) {
    if (stop.aborted) return
    const playbackId = playbacks(this.callId)[this.#played++ % 4]!
    const { promise: over, resolve } = Promise.withResolvers<'finished' | 'stopped'>()
    const off = this.#events.on('PlaybackFinished', playbackId, () => resolve('finished'))
    const stopped = () => resolve('stopped')
    stop.addEventListener('abort', stopped)
    try {
      await this.#ask('play', { playbackId, media: prompts.map(prompt => `sound:${prompt}`).join(',') })
      this.#playing = playbackId
      if (await over === 'stopped' && !this.hungUp.aborted) this.#stop(playbackId)
      if (this.#leaving) await pause(goodbye, this.hungUp)
    } finally {
      off()
      stop.removeEventListener('abort', stopped)
      this.#playing = undefined
    }
  }

  /** Not waited for: what is asked next goes its way meanwhile, and takes effect when the prompt has stopped. */
  #stop(playbackId: string) {
    this.#stopping = this.#link.request('playbacks', 'stop', { playbackId }).then(() => {}, passOver(Gone))
    this.#stopping.catch(() => {})           // whoever asks next hears of it
  }

  #stopping: Promise<void> | undefined
  #digits: (digit: string) => void = () => {}
  onDigit(listener: (digit: string) => void) { this.#digits = listener }

  async remember(place: string) {
    await this.#ask('setChannelVar', { variable: 'SN_STATE', value: place })
  }

  async speak(language: string) {
    await this.#ask('setChannelVar', { variable: 'CHANNEL(language)', value: language })
  }

  readonly #acknowledged: () => Promise<void>
  /** No line rings for a call that nobody acknowledges. */
  async ring(agency: string) {
    await this.#acknowledged()
    await this.#continueAt(`agency-${agency}`)
  }

  async record(mailbox: string) {
    await this.#continueAt(`mailbox-${mailbox}`)
  }

  async fallBack() {
    await this.#continueAt('fallback')
  }

  /** From the request on, a StasisEnd is the dialplan taking over, no longer a caller gone. */
  async #continueAt(context: string) {
    this.hungUp.throwIfAborted()
    this.#letGo()
    await this.#ask('continueInDialplan', { context, extension: 's', priority: 1 })
  }

  /** By way of the dialplan: a call that is no longer in our hands (the watchdog took it) is then not ours to end. */
  async hangUp() {
    await this.#link.request('channels', 'continueInDialplan', { channelId: this.callId, context: 'goodbye', extension: 's', priority: 1 }).catch(passOver(Gone))
  }

  /** A request about a channel that is gone is a hang-up, not a fault; and once the caller is gone, nobody waits for an answer. */
  async #ask(operation: string, params: Record<string, unknown> = {}) {
    this.hungUp.throwIfAborted()
    try {
      await untilAborted(Promise.all([this.#link.request('channels', operation, { channelId: this.callId, ...params }), this.#stopping]), this.hungUp)
      this.#stopping = undefined
    } catch (error) {
      if (error instanceof Gone) this.ended(null)
      // What is asked of a channel that is just being hung up is refused ("Failed to answer channel", 500): the news of it is on its way.
      else if (!(error instanceof AsteriskAway)) await pause(goodbye, this.hungUp)
      this.hungUp.throwIfAborted()
      throw error
    }
  }
}

/** How long the news of a hang-up may take. */
const goodbye = milliseconds(1000)

const passOver = (kind: typeof Gone) => (error: unknown) => {
  if (!(error instanceof kind)) throw error
}
