import type { Logger } from 'pino'
import type * as Ari from 'ari-client'
import { Hangup, type Returned } from '../calls/channel.ts'
import type { Beginning } from '../calls/city-line.ts'
import { Rounds } from '../calls/rounds.ts'
import type { Switchboard } from '../calls/switchboard.ts'
import { pause } from '../calls/time.ts'
import { milliseconds, seconds } from '../plan/duration.ts'
import { AriChannel, nextPlayback, playbacks, type Acknowledged } from './ari-channel.ts'
import type { AriEvents } from './ari-events.ts'
import { AsteriskAway, Gone } from './ari-errors.ts'
import type { AriLink } from './ari-link.ts'
import type { ListChannels } from './channels.ts'

/** What Asterisk says of a caller's channel. */
type Caller = { id: string, name?: string, caller?: { number?: string } }

/** Brings the calls that the dialplan hands over (`Stasis(satunomor,…)`) to the switchboard, and those that it gives back. */
export class TrunkLine {
  readonly #link: AriLink
  readonly #channels: ListChannels
  readonly #events: AriEvents
  readonly #switchboard: Switchboard
  readonly #app: string
  readonly #log: Logger
  readonly #rounds: Rounds
  readonly #acknowledged: Acknowledged | undefined

  /** @param parts `acknowledged`: see `AriChannel` */
  constructor(parts: { link: AriLink, channels: ListChannels, events: AriEvents, switchboard: Switchboard, app: string, log: Logger, acknowledged?: Acknowledged }) {
    this.#link = parts.link
    this.#channels = parts.channels
    this.#events = parts.events
    this.#switchboard = parts.switchboard
    this.#app = parts.app
    this.#log = parts.log
    this.#acknowledged = parts.acknowledged
    this.#rounds = new Rounds({ look: () => this.look(), every: () => seconds(3), what: 'the look after calls that hang in Asterisk', log: parts.log })
    this.#events.onStasisStart(event => this.#starts(event))
  }

  /** From now on it is looked, while the link is up, whether a call hangs in our application that nobody has. */
  start() {
    this.#rounds.start()
  }

  async close() {
    await this.#rounds.close()
  }

  /** `inbound,<node>` is a new call, beginning at that node; `returned,<agency>,<status>` one that nobody answered. */
  #starts({ args, channel }: Ari.StasisStart) {
    const [what, ...facts] = args
    if (what === 'inbound') return this.#arrives(channel, { entry: facts[0]! })
    if (what === 'returned') return this.#comesBack(channel, { agency: facts[0]!, status: facts[1]! })
    this.#log.error({ call: channel.id, args }, 'the dialplan handed over a call in words that are not known here')
  }

  #arrives(channel: Caller, at: Beginning, played = 0) {
    if (this.#switchboard.has(channel.id)) return
    this.#switchboard.arrives({ channel: new AriChannel(this.#link, this.#events, channel, played, this.#acknowledged), at })
  }

  #comesBack(channel: Caller, returned: Returned) {
    if (this.#switchboard.comesBack(channel.id, returned)) this.#switchboard.channel<AriChannel>(channel.id)!.taken()
    else this.#arrives(channel, { returned })
  }

  /** Resolves when no call is in our hands: those that ring and talk are Asterisk's, and may go on without us. */
  async settled() {
    while (this.#events.listening.length > 0 && this.#link.up) await pause(milliseconds(50), new AbortController().signal)
  }

  /** The ledger says that a call is over: the flow that waits for it ends. */
  ended(callId: string, q850: number | null) {
    this.#switchboard.channel<AriChannel>(callId)?.ended(q850)
  }

  /**
   * After the link was away: lets go the calls that are gone from Asterisk, tells the others what they did not hear, and
   * takes up those that hang in our application and are not in our hands (a service before us had them, or they came back unheard).
   * What goes wrong with one of them is no other's matter.
   * @throws AsteriskAway where the link is to be made anew
   */
  async reconcile() {
    // In this order: a call that arrives while we ask is not taken for one that is gone.
    const known = this.#switchboard.callIds()
    const app = await this.#link.request<{ channel_ids: string[] }>('applications', 'get', { applicationName: this.#app })
    const there = new Set((await this.#channels()).map(({ id }) => id))
    let away = 0
    /** What went wrong with the call, if anything did. Where nothing is heard of three of them, it is Asterisk that is away. */
    const each = async (callId: string, work: Promise<void> | undefined): Promise<unknown> => {
      try {
        await work
      } catch (error) {
        if (error instanceof AsteriskAway && ++away === 3) throw error
        this.#log.error({ call: callId, err: error }, 'what a call has missed while the link was away is not known')
        return error
      }
    }
    let missed = false
    for (const callId of known) {
      if (!there.has(callId)) this.ended(callId, null)
      else if (await each(callId, this.#switchboard.channel<AriChannel>(callId)?.catchUp()) instanceof AsteriskAway) missed = true
    }
    for (const callId of app.channel_ids) if (there.has(callId) && !this.#switchboard.channel<AriChannel>(callId)?.inHand) await each(callId, this.#resume(callId))
    if (missed) throw new AsteriskAway('whether the prompts of all calls have ended is not known')
  }

  /** Calls in our application that no flow had at the last look: they may have been on their way in, or out. */
  #strays = new Set<string>()

  /**
   * Takes up the calls that hang in our application and that no flow has, at two looks, one after the other: they hear nothing. They could
   * not be given to the fallback, or something of ours went wrong when they came in.
   */
  async look() {
    if (!this.#link.up) return
    const { channel_ids: there } = await this.#link.request<{ channel_ids: string[] }>('applications', 'get', { applicationName: this.#app })
    const before = this.#strays
    this.#strays = new Set(there.filter(callId => !this.#switchboard.has(callId)))
    for (const callId of this.#strays) {
      if (!before.has(callId)) continue
      this.#strays.delete(callId)
      try {
        await this.#resume(callId)
      } catch (error) {
        if (!(error instanceof Gone)) this.#log.error({ call: callId, err: error }, 'a call that hangs in Asterisk could not be asked about')
      }
    }
  }

  /** Those that are being taken up. */
  readonly #resuming = new Set<string>()

  /** @throws AsteriskAway */
  async #resume(callId: string) {
    if (this.#resuming.has(callId)) return
    this.#resuming.add(callId)
    try {
      const channel = await this.#link.request<Caller | null | undefined>('channels', 'get', { channelId: callId })
      // Nor can Asterisk tell us of its keys: the dialplan keeps it, as with an old beat it takes the service for dead.
      if (!channel) {
        await this.#link.request('channels', 'setChannelVar', { channelId: callId, variable: 'SN_BEAT', value: '1' })
        throw new Error('Asterisk cannot say what it is')
      }
      const place = await this.#variable(callId, 'SN_STATE')
      const [kind, node = '', status = ''] = place.split(':')
      const returned = kind === 'returned' ? { agency: node, status } : undefined
      if (this.#switchboard.has(callId) && (!returned || this.#switchboard.channel<AriChannel>(callId)!.inHand)) return              // on its way into the dialplan, or heard of meanwhile
      this.#log.warn({ call: callId, place }, 'a call that waits in Asterisk goes on')
      const played = nextPlayback(await Promise.all(playbacks(callId).map(playbackId => this.#stop(playbackId))))
      if (returned) this.#comesBack(channel, returned)
      else this.#arrives(channel, kind === 'entry' ? { entry: node } : kind === 'waiting' ? { waiting: node } : { node }, played)     // at its beginning: where it begins now
    } catch (error) {
      if (error instanceof AsteriskAway) throw error
      if (!(error instanceof Gone)) await this.#fallBack(callId, error)
    } finally {
      this.#resuming.delete(callId)
    }
  }

  /** A call that cannot be taken up is not let fall. */
  async #fallBack(callId: string, why: unknown) {
    this.#log.error({ call: callId, err: why }, 'a call that waits in Asterisk could not be taken up: it goes on in the fallback')
    await new AriChannel(this.#link, this.#events, { id: callId }).fallBack().catch(error => {
      if (!(error instanceof Hangup)) this.#log.error({ call: callId, err: error }, 'the call could not be given to the fallback either')
    })
  }

  /** What a service before us began to play would hold up every request about the channel until it ends. False where there is no such thing. */
  async #stop(playbackId: string): Promise<boolean> {
    return await this.#link.request('playbacks', 'stop', { playbackId }).then(() => true, error => {
      if (error instanceof Gone) return false
      throw error
    })
  }

  /** Empty where it is not set: such a call fails in the walk, and is given to the fallback. */
  async #variable(channelId: string, variable: string) {
    try {
      return (await this.#link.request<{ value: string }>('channels', 'getChannelVar', { channelId, variable })).value
    } catch (error) {
      if (error instanceof Gone || error instanceof AsteriskAway) throw error
      return ''
    }
  }
}
