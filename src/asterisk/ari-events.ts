import { EventEmitter } from 'node:events'
import type * as Ari from 'ari-client'

/** The ARI events this service listens to, and the id each of them is about. */
export interface Heard {
  StasisStart: Ari.StasisStart
  StasisEnd: Ari.StasisEnd
  ChannelHangupRequest: Ari.ChannelHangupRequest
  ChannelDestroyed: Ari.ChannelDestroyed
  ChannelDtmfReceived: Ari.ChannelDtmfReceived
  PlaybackFinished: Ari.PlaybackFinished
}

type Event = { type: string } & { channel?: { id: string }, playback?: { id: string } }

/** Asterisk is told to send no others (`eventFilter`). */
export const heard: (keyof Heard)[] =
  ['StasisStart', 'StasisEnd', 'ChannelHangupRequest', 'ChannelDestroyed', 'ChannelDtmfReceived', 'PlaybackFinished']

/**
 * Routes each event to whoever waits for that channel or playback; there are no listeners on the client but one,
 * and none anywhere for a call that has ended.
 */
export class AriEvents {
  readonly #about = new EventEmitter().setMaxListeners(0)

  /** An event from Asterisk; one of a kind that nobody here knows is passed over. */
  tell(event: unknown) {
    const { type, channel, playback } = event as Event
    const id = playback?.id ?? channel?.id
    if (type === 'StasisStart') this.#about.emit('StasisStart', event)
    if (id !== undefined) this.#about.emit(`${type} ${id}`, event)
  }

  /** Every call that enters our application, for as long as the process lives. */
  onStasisStart(listener: (event: Ari.StasisStart) => void) {
    this.#about.on('StasisStart', listener)
  }

  /** Listens from now on, before the request whose answer it is; what it returns ends the listening. */
  on<Type extends keyof Heard>(type: Type, id: string, listener: (event: Heard[Type]) => void): () => void {
    const name = `${type} ${id}`
    this.#about.on(name, listener)
    return () => { this.#about.off(name, listener) }
  }

  /** What is listened for, apart from new calls: empty when no call is in our hands. */
  get listening() { return this.#about.eventNames().filter(name => name !== 'StasisStart') }
}
