/** Begins callbacks: a channel of two ends that rings an agency's lines and a citizen, and joins them, in the dialplan. */
import type { CallbackLine, Ringing } from '../followups/attempt.ts'
import { Gone, Refused } from './ari-errors.ts'
import type { AriLink } from './ari-link.ts'

/** `[callback-agency]` and `[callback-citizen]` of the templates, one of them first. */
export class AriCallbackLine implements CallbackLine {
  readonly #link: Pick<AriLink, 'request'>

  constructor(link: Pick<AriLink, 'request'>) {
    this.#link = link
  }

  async ring({ id, agency, citizen, cli, language, first, ringTime }: Ringing) {
    const [begins, follows] = first === 'agency'
      ? [{ exten: agency, context: 'callback-agency' }, { exten: 's', context: 'callback-citizen' }]
      : [{ exten: 's', context: 'callback-citizen' }, { exten: agency, context: 'callback-agency' }]
    await this.#link.request('channels', 'originateWithId', {
      channelId: id, otherChannelId: `${id}-other`, endpoint: `Local/${begins.exten}@${begins.context}/n`,
      extension: follows.exten, context: follows.context, priority: 1, timeout: -1, formats: 'alaw,ulaw',
      variables: { variables: { SN_CITIZEN: citizen, SN_CLI: cli, SN_LANGUAGE: language, SN_RING: String(Math.ceil(ringTime / 1000)) } }
    }).catch(error => { if (!isTaken(error)) throw error })
  }

  async ringing() {
    const channels = await this.#link.request<{ id: string }[]>('channels', 'list')
    return new Set(channels.map(({ id }) => id.replace(/-other$/, '')).filter(id => id.startsWith('followup-')))
  }

  async hangUp(id: string) {
    await this.#link.request('channels', 'hangup', { channelId: id }).catch(error => { if (!(error instanceof Gone)) throw error })
  }
}

/** The channel is there already: somebody has asked before us. */
const isTaken = (error: unknown) => error instanceof Error && error.cause instanceof Refused && error.cause.status === 409
