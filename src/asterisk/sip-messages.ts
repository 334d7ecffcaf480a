/** Messages by SIP MESSAGE (RFC 3428), through the trunk that citizens are rung by: for a carrier that takes them. */
import type { Gateway } from '../followups/gateways.ts'
import { NotSent } from '../followups/gateways.ts'
import { towardsCitizens } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import type { Message } from '../records/message.ts'
import type { AriLink } from './ari-link.ts'
import { Gone, Refused } from './ari-errors.ts'

/**
 * Asterisk's own modules for it, which asterisk-config/modules.conf does not have: the set-up adds them where messages go this way. The last
 * two are for messages.conf: files (FILE, STAT), and an extension that is there only while answers can be kept (Loopback).
 */
export const sipMessageModules = ['res_ari_endpoints.so', 'func_env.so', 'pbx_loopback.so']

/**
 * Asterisk says no more than that it has begun to send: `sent` is all that becomes of such a message. It knows no id that
 * it would take once, so a message of which nothing is known is not sent again.
 */
export class SipMessages implements Gateway {
  readonly name = 'sip'
  readonly repeatable = false
  readonly #link: Pick<AriLink, 'request' | 'up'>
  readonly #plan: () => Plan
  readonly #cliOf: (message: Message) => Promise<string>

  /** @param cliOf the number that the citizen sees */
  constructor({ link, plan, cliOf }: { link: Pick<AriLink, 'request' | 'up'>, plan: () => Plan, cliOf: (message: Message) => Promise<string> }) {
    this.#link = link
    this.#plan = plan
    this.#cliOf = cliOf
  }

  async send(message: Message) {
    const plan = this.#plan()
    const trunk = towardsCitizens(plan)
    const cli = await this.#cliOf(message)
    // Said again here, where it becomes SIP: a number of this country, a number of ours, one line of text.
    if (trunk === undefined) throw new NotSent('the plan has no trunk for it', { again: false })
    if (!mayBeRungBack(message.cli) || !/^\+?[0-9]{1,15}$/.test(cli)) throw new NotSent('the number may not be rung', { again: false })
    if (/\p{C}/u.test(message.text)) throw new NotSent('the text is not one line', { again: false })
    if (!this.#link.up) throw new NotSent('Asterisk is away', { again: true })
    try {
      await this.#link.request('endpoints', 'sendMessage', { to: `pjsip:PJSIP/${message.cli}@${trunk}`, from: `sip:${cli}@${plan.trunks.get(trunk)!.address}`, body: message.text })
    } catch (error) {
      if (error instanceof Gone || (error instanceof Error && error.cause instanceof Refused)) throw new NotSent(error.message.slice(0, 120), { again: false })
      throw error
    }
    return { id: null }
  }
}
