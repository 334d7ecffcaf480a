/** What citizens answer by SIP MESSAGE: Asterisk keeps it (asterisk-config/messages.conf) until it is written down here. */
import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import { masked } from '../calls/masked.ts'
import { Rounds } from '../calls/rounds.ts'
import { e164 } from '../calls/tell.ts'
import type { Reply } from '../followups/replies.ts'
import { seconds } from '../plan/duration.ts'
import { AsteriskAway, Refused } from './ari-errors.ts'
import type { AriLink } from './ari-link.ts'

export interface SipRepliesOptions {
  link: Pick<AriLink, 'request' | 'up'>
  /** Writes an answer down; undefined: nobody knows this number, and nothing was kept. Rejects while the store takes nothing. */
  take: (reply: Reply) => Promise<object | undefined>
  log: Logger
}

/**
 * taken · not-owed: of a number that never called, or that asks for nothing and has no follow-up · no-number: of nobody who could have one · too-many: of one number in
 * an hour · not-stored: given up after ten minutes · lost: came while Asterisk could keep no more (since its start) ·
 * unreadable, besides: without a text that can be read, for it was longer than 1,023 bytes, no UTF-8, or empty
 */
export const becomes = ['taken', 'not-owed', 'no-number', 'too-many', 'not-stored', 'lost', 'unreadable'] as const
export type Became = (typeof becomes)[number]

/** As messages.conf has it. */
const places = 500
/** The most answers of one number within an hour that are taken, and how many numbers that is kept of. */
const hourly = 20
const numbers = 10_000
const hour = 3_600_000
/** So often is an answer tried that the store does not take, a second apart. */
const tries = 600

export class SipReplies {
  readonly counts = Object.fromEntries(becomes.map(what => [what, 0])) as Record<Became, number>
  readonly #options: SipRepliesOptions
  readonly #rounds: Rounds
  readonly #recent = new Map<string, number[]>()
  #failed = 0

  constructor(options: SipRepliesOptions) {
    this.#options = options
    this.#rounds = new Rounds({ look: () => this.look(Date.now()), every: () => seconds(1), what: 'answers by SIP', log: options.log })
  }

  start() {
    this.#rounds.start()
  }

  async close() {
    await this.#rounds.close()
  }

  /** One look, at a time (Unix ms): takes what Asterisk keeps. Rejects where the store does not take it: it stays where it is. */
  async look(now: number): Promise<void> {
    if (!this.#options.link.up) return
    try {
      const [came, seen] = await Promise.all([this.#count('IN'), this.#count('OUT')])
      // More seen than came: Asterisk was started anew between a reading and a writing of ours.
      for (let next = seen > came ? 0 : seen; next < came && !this.#rounds.closing.aborted; next++) {
        await this.#empty(`SN_MESSAGE_${next % places}`, now)
        await this.#set('SN_MESSAGES_OUT', String(next + 1))
      }
      if (came !== seen) this.#tellLost(await this.#count('LOST'))
    } catch (error) {
      if (!(error instanceof AsteriskAway)) throw error
    }
  }

  /** Whose id is gone has been taken: a second reading of a place changes nothing. */
  async #empty(place: string, now: number) {
    const id = await this.#read(`${place}_ID`)
    if (id !== '') {
      const { became, ...facts } = await this.#become(place, id, now)
      await this.#set(`${place}_ID`)
      this.counts[became]++
      // Neither the words nor the whole number.
      this.#options.log[became === 'too-many' ? 'debug' : 'info']({ became, ...facts }, 'an answer came by SIP')
    }
    for (const part of ['TEXT', 'FROM', 'ASSERTED']) await this.#set(`${place}_${part}`)
  }

  async #become(place: string, id: string | undefined, now: number): Promise<{ became: Became }> {
    const [asserted, from] = await Promise.all([this.#read(`${place}_ASSERTED`), this.#read(`${place}_FROM`)])
    // As for calls: where the carrier says who it is, what stands in From counts for nothing.
    const number = numberIn(asserted === '' ? from : asserted)
    if (id === undefined || number === null) return { became: 'no-number' }
    const about = { reply: `sip-${createHash('sha256').update(`${number} ${id}`).digest('hex').slice(0, 32)}`, from: masked(number) }
    if (this.#tooMany(number, now)) return { became: 'too-many', ...about }
    const text = await this.#read(`${place}_TEXT`) ?? ''
    const taken = await this.#take({ id: about.reply, from: number, text })
    if (taken === 'not-stored') return { became: taken, ...about }
    this.#recent.get(number)!.push(now)
    if (text === '') this.counts.unreadable++
    return taken ? { became: 'taken', ...about, ...taken } : { became: 'not-owed', ...about }
  }

  /** One that the store never takes does not hold up the others for ever. */
  async #take(reply: Reply) {
    try {
      const taken = await this.#options.take(reply)
      this.#failed = 0
      return taken
    } catch (error) {
      if (++this.#failed < tries) throw error
      this.#failed = 0
      this.#options.log.error({ err: error }, 'an answer by SIP was not stored for ten minutes: it is given up')
      return 'not-stored'
    }
  }

  #tooMany(number: string, now: number): boolean {
    const recent = (this.#recent.get(number) ?? []).filter(at => at > now - hour)
    this.#recent.delete(number)
    this.#recent.set(number, recent)
    if (this.#recent.size > numbers) this.#recent.delete(this.#recent.keys().next().value!)
    return recent.length >= hourly
  }

  #tellLost(lost: number) {
    if (lost > this.counts.lost) this.#options.log.error({ lost }, 'answers by SIP were lost: they came faster than they were taken')
    this.counts.lost = lost
  }

  async #count(what: 'IN' | 'OUT' | 'LOST') {
    return Number(await this.#read(`SN_MESSAGES_${what}`)) || 0
  }

  /** Empty where it is not set, undefined where it is no UTF-8: ARI cannot say it. */
  async #read(variable: string): Promise<string | undefined> {
    try {
      return (await this.#options.link.request<{ value: string }>('asterisk', 'getGlobalVar', { variable })).value
    } catch (error) {
      if (error instanceof Error && error.cause instanceof Refused && error.cause.status === 500) return undefined
      throw error
    }
  }

  /** Without a value Asterisk forgets it. */
  async #set(variable: string, value?: string) {
    await this.#options.link.request('asterisk', 'setGlobalVar', { variable, ...value === undefined ? {} : { value } })
  }
}

/** The number in a From or a P-Asserted-Identity, as E.164: the user of its first URI. */
export function numberIn(header = ''): string | null {
  const [, user = ''] = /^(?:(?:"(?:[^"\\]|\\.)*"|[^"<]*)\s*<)?(?:sips?|tel):([^@;>:?,]+)/i.exec(header) ?? []
  return e164(user)
}
