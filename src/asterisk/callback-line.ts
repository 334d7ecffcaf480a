/** Begins callbacks: a channel of two ends that rings an agency's lines and a citizen, and joins them, in the dialplan. */
import { needless, preempted } from '../calls/story.ts'
import { pause } from '../calls/time.ts'
import type { CallbackLine, Ringing } from '../followups/attempt.ts'
import { milliseconds } from '../plan/duration.ts'
import { Gone, Refused } from './ari-errors.ts'
import type { AriLink } from './ari-link.ts'
import type { ListChannels, Seen } from './channels.ts'

/** `[callback-agency]` and `[callback-citizen]` of the templates, one of them first. */
export class AriCallbackLine implements CallbackLine {
  readonly #link: Pick<AriLink, 'request'>
  readonly #list: ListChannels
  /** Those that may be there; undefined: not known yet. Where there is none, no caller waits for a look at all channels. */
  #there: Set<string> | undefined
  /** Those that are being withdrawn. */
  readonly #giving = new Set<string>()

  constructor(link: Pick<AriLink, 'request'>, list: ListChannels = () => link.request<Seen[]>('channels', 'list')) {
    this.#link = link
    this.#list = list
  }

  async ring({ id, agency, citizen, cli, language, first, ringTime }: Ringing) {
    const [begins, follows] = first === 'agency'
      ? [{ exten: agency, context: 'callback-agency' }, { exten: 's', context: 'callback-citizen' }]
      : [{ exten: 's', context: 'callback-citizen' }, { exten: agency, context: 'callback-agency' }]
    await this.#link.request('channels', 'originateWithId', {
      channelId: id, otherChannelId: `${id}-other`, endpoint: `Local/${begins.exten}@${begins.context}/n`,
      extension: follows.exten, context: follows.context, priority: 1, timeout: -1, formats: 'alaw,ulaw',
      variables: { variables: { SN_CITIZEN: citizen, SN_CLI: cli, SN_LANGUAGE: language, SN_RING: String(Math.ceil(ringTime / 1000)) } }
    }).catch(error => { if (!isTaken(error)) throw error }).finally(() => this.#there?.add(id))
  }

  async ringing() {
    return new Set((await this.#channels()).map(({ id }) => id.replace(/-other$/, '')))
  }

  /** Both ends of each. */
  async #channels() {
    const known = [...this.#there ?? []]
    const channels = (await this.#list()).filter(({ id }) => id.startsWith('followup-'))
    this.#there ??= new Set()
    for (const id of known) this.#there.delete(id)
    for (const { id } of channels) this.#there.add(id)
    return channels
  }

  async hangUp(id: string, why: 'needless' | 'preempted') {
    await this.#link.request('channels', 'hangup', { channelId: id, reason_code: String(why === 'needless' ? needless : preempted) }).catch(passOver)
  }

  async giveWay(agency?: string) {
    // Its first end is not up before somebody at the agency has accepted; where the citizen is first, it has another name.
    const rings = new RegExp(`^Local/${agency ?? '[^@]+'}@callback-agency-.*;1$`)
    if (this.#there?.size === 0) return undefined
    const last = (await this.#channels()).filter(({ id, name, state }) => rings.test(name) && state !== 'Up' && !this.#giving.has(id))
      .sort((a, b) => Date.parse(b.creationtime) - Date.parse(a.creationtime))[0]
    if (!last) return undefined
    this.#giving.add(last.id)
    try {
      await this.#link.request('channels', 'hangup', { channelId: last.id, reason_code: String(preempted) }).catch(passOver)
      await this.#gone(`${last.id}-other`)
      return last.id
    } finally {
      this.#giving.delete(last.id)
    }
  }

  /** The end that holds the line is gone; it is not waited for longer than a caller would bear. */
  async #gone(channelId: string) {
    for (let looks = 0; looks < 50; looks++) {
      try {
        await this.#link.request('channels', 'get', { channelId })
      } catch (error) {
        return passOver(error)
      }
      await pause(milliseconds(20), new AbortController().signal)
    }
  }
}

const passOver = (error: unknown) => { if (!(error instanceof Gone)) throw error }

/** The channel is there already: somebody has asked before us. */
const isTaken = (error: unknown) => error instanceof Error && error.cause instanceof Refused && error.cause.status === 409
