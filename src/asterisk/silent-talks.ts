/**
 * Ends talks whose two ends have vanished: no sound comes from either side, and no telephone says that it has hung up. Asterisk itself waits
 * longer (`rtp_timeout`), as it makes no difference between such a call and a person who waits for a human and says nothing.
 *
 * A talk is what is joined over one or more bridges: caller and line, or with Local channels between them. One side that is heard is enough
 * to go on, and so is one telephone that holds the call. Who waits, or listens to a menu, is in no bridge with another.
 */
import type { Logger } from 'pino'
import { Rounds } from '../calls/rounds.ts'
import { milliseconds, seconds, type Duration } from '../plan/duration.ts'
import { AsteriskAway, Gone } from './ari-errors.ts'
import type { AriLink } from './ari-link.ts'
import type { ListChannels } from './channels.ts'

export interface SilentTalksOptions {
  link: Pick<AriLink, 'request' | 'up'>
  channels: ListChannels
  /** How long both sides may be silent. */
  limit: () => Duration
  /** Ends the talk of these channels, none of which has had sound for so many ms. Resolves with the call's id, where that is known. */
  end: (channels: readonly string[], silence: number) => Promise<string | undefined>
  log: Logger
}

interface Channel { id: string, name: string }
interface Bridge { channels: string[] }
/** How many packets have come from a telephone, and since when there were no more. */
interface Heard { packets: number, since: number }

/** So many talks are looked at in one round; the others in the next ones. */
const atMost = 200

export class SilentTalks {
  readonly #options: SilentTalksOptions
  readonly #rounds: Rounds
  #heard = new Map<string, Heard>()
  #turn = 0

  constructor(options: SilentTalksOptions) {
    this.#options = options
    this.#rounds = new Rounds({
      look: () => this.look(), every: () => milliseconds(Math.min(seconds(15), options.limit() / 4)), what: 'the look after talks without sound', log: options.log
    })
  }

  start() { this.#rounds.start() }
  async close() { await this.#rounds.close() }

  async look(now = performance.now()): Promise<void> {
    const { link, channels, limit, end, log } = this.#options
    if (!link.up) return
    const bridges = await link.request<Bridge[]>('bridges', 'list')
    if (!bridges.some(({ channels }) => channels.length > 1)) return void this.#heard.clear()
    const all = talks(bridges, await channels())
    const there = new Set(all.flat())
    for (const id of this.#heard.keys()) if (!there.has(id)) this.#heard.delete(id)
    const from = all.length > atMost ? this.#turn % all.length : 0
    this.#turn = from + atMost
    for (const talk of [...all.slice(from), ...all.slice(0, from)].slice(0, atMost)) {
      try {
        const silence = now - Math.max(...await Promise.all(talk.map(id => this.#lastHeard(id, now))))
        if (silence < limit() || await this.#held(talk)) continue
        const call = await end(talk, silence)
        log.warn({ call: call ?? null, channels: talk, seconds: Math.round(silence / 1000) }, 'call ended: no sound from either side')
      } catch (error) {
        if (error instanceof AsteriskAway) throw error
        // Of the other talks the next one is looked at all the same. `Gone`: one of them has just hung up.
        if (!(error instanceof Gone)) log.warn({ err: error, channels: talk }, 'whether a talk has sound could not be asked')
      }
    }
  }

  async #lastHeard(channelId: string, now: number): Promise<number> {
    const { rxcount: packets } = await this.#options.link.request<{ rxcount: number }>('channels', 'rtpstatistics', { channelId })
    const before = this.#heard.get(channelId)
    if (before?.packets === packets) return before.since
    this.#heard.set(channelId, { packets, since: now })
    return now
  }

  /** Whether one of the telephones has said that it holds the call. */
  async #held(talk: readonly string[]): Promise<boolean> {
    const holds = await Promise.all(talk.map(channelId => this.#options.link.request<{ value: string }>('channels', 'getChannelVar', { channelId, variable: 'CHANNEL(rtp,hold)' })))
    return holds.some(({ value }) => value === '1')
  }
}

/** The telephones of each talk: two or more that are joined by bridges, and by Local channels from one bridge to the next. */
function talks(bridges: readonly Bridge[], channels: readonly Channel[]): string[][] {
  const names = new Map(channels.map(({ id, name }) => [id, name]))
  const joined = bridges.filter(bridge => bridge.channels.length > 1).map(bridge => new Set(bridge.channels))
  const half = (name: string | undefined) => /^(Local\/.*);[12]$/.exec(name ?? '')?.[1]
  const groups: { local: Set<string>, telephones: string[] }[] = []
  for (const bridge of joined) {
    const local = new Set([...bridge].map(id => half(names.get(id))).filter(name => name !== undefined))
    const telephones = [...bridge].filter(id => names.get(id)?.startsWith('PJSIP/'))
    const others = groups.filter(group => [...local].some(name => group.local.has(name)))
    for (const other of others) {
      groups.splice(groups.indexOf(other), 1)
      for (const name of other.local) local.add(name)
      telephones.push(...other.telephones)
    }
    groups.push({ local, telephones })
  }
  return groups.filter(({ telephones }) => telephones.length > 1).map(({ telephones }) => telephones)
}
