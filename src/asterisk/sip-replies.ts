/** What citizens answer by SIP MESSAGE: Asterisk keeps each in a file (asterisk-config/messages.conf) until it is stored here. */
import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { masked } from '../calls/masked.ts'
import { Rounds } from '../calls/rounds.ts'
import { e164 } from '../calls/tell.ts'
import type { Reply } from '../followups/replies.ts'
import { seconds } from '../plan/duration.ts'
import { AsteriskAway } from './ari-errors.ts'
import type { AriLink } from './ari-link.ts'

export interface SipRepliesOptions {
  link: Pick<AriLink, 'request' | 'up'>
  /** Where Asterisk writes the answers. */
  folder: string
  /** Writes an answer down; undefined: nobody knows this number, and nothing was kept. Rejects while the store takes nothing. */
  take: (reply: Reply) => Promise<object | undefined>
  log: Logger
}

/**
 * taken · not-owed: of a number that never called, or that asks for nothing and has no follow-up · no-number: of nobody who could have one · too-many: of one number in
 * an hour, or while 20 of it waited · not-stored: given up after ten minutes · lost: Asterisk could not write it (since its start) ·
 * unreadable, besides: without a text that can be read, for it was longer than 1,023 bytes, no UTF-8, or empty
 */
export const becomes = ['taken', 'not-owed', 'no-number', 'too-many', 'not-stored', 'lost', 'unreadable'] as const
export type Became = (typeof becomes)[number]

/** As messages.conf has it: while so many wait, Asterisk refuses the next one (404). */
const places = 2_000
/** The most answers of one number within an hour that are taken, and how many numbers that is kept of. */
const hourly = 20
const numbers = 10_000
const hour = 3_600_000
/** So often is an answer tried that the store does not take, a second apart. */
const tries = 600
/** Asterisk writes a file at once. One that is torn for as long (ms) was cut off, by a full disk or by its end. */
const cutOff = 10_000

/** An answer as Asterisk has written it. */
interface Kept { file: string, at: number, nth: number, asserted: string, from: string, id: string, /** undefined: no UTF-8 */ text: string | undefined }

export class SipReplies {
  readonly counts = Object.fromEntries(becomes.map(what => [what, 0])) as Record<Became, number>
  readonly #options: SipRepliesOptions
  readonly #rounds: Rounds
  readonly #recent = new Map<string, number[]>()
  /** Asterisk's counts, as last seen. */
  #seen = { in: 0, many: 0 }
  #shut = false
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
    const came = await this.#count('IN')
    try {
      for (const kept of await this.#waiting(now)) {
        if (this.#rounds.closing.aborted) break
        await this.#empty(kept, now)
      }
    } finally {
      await this.#tellAsterisk(came)
    }
  }

  /** The answers that wait, oldest first. */
  async #waiting(now: number): Promise<Kept[]> {
    const { folder, log } = this.#options
    const found: Kept[] = []
    for (const name of await filesIn(folder)) {
      const file = join(folder, name)
      const kept = await keptIn(file)
      if (kept) found.push(kept)
      else if (now - (await stat(file)).mtimeMs > cutOff) {
        log.error({ name: name.replace(/\d+(?=\d{4}-)/, '•') }, 'torn answer by SIP removed')          // Asterisk has counted it as lost
        await rm(file)
      }
    }
    return found.sort((one, other) => one.at - other.at || one.nth - other.nth)
  }

  /** What is stored twice, since its file was not removed the first time, is the same answer by its id. */
  async #empty(kept: Kept, now: number) {
    const { became, ...facts } = await this.#become(kept, now)
    await rm(kept.file, { force: true })
    this.counts[became]++
    // Neither the words nor the whole number.
    this.#options.log[became === 'too-many' ? 'debug' : 'info']({ became, ...facts }, 'an answer came by SIP')
  }

  async #become({ asserted, from, id, text }: Kept, now: number): Promise<{ became: Became }> {
    // As for calls: where the carrier says who it is, what stands in From counts for nothing.
    const number = numberIn(asserted === '' ? from : asserted)
    if (number === null) return { became: 'no-number' }
    const about = { reply: `sip-${createHash('sha256').update(`${number} ${id}`).digest('hex').slice(0, 32)}`, from: masked(number) }
    if (this.#tooMany(number, now)) return { became: 'too-many', ...about }
    const taken = await this.#take({ id: about.reply, from: number, text: text ?? '' })
    if (taken === 'not-stored') return { became: taken, ...about }
    this.#recent.get(number)!.push(now)
    if (!text) this.counts.unreadable++
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

  /** How many still wait, as its door needs to know (SN_MESSAGES_OUT); and what it could not keep. `came`: as it was before our look. */
  async #tellAsterisk(came: number | undefined) {
    if (came === undefined || came === this.#seen.in) return
    const waiting = (await filesIn(this.#options.folder)).length
    const [lost, many] = [await this.#count('LOST'), await this.#count('MANY')]
    if (lost === undefined || many === undefined || !await this.#set('SN_MESSAGES_OUT', String(Math.max(0, came - waiting)))) return
    if (waiting >= places && !this.#shut) this.#options.log.error({ waiting }, 'answers by SIP are refused: too many wait')
    this.#shut = waiting >= places
    if (lost > this.counts.lost) this.#options.log.error({ lost }, 'answers by SIP were lost: Asterisk could not write them')
    this.counts.lost = lost
    // Less than before: Asterisk was started anew.
    this.counts['too-many'] += many < this.#seen.many ? many : many - this.#seen.many
    this.#seen = { in: waiting > 0 ? -1 : came, many }
  }

  /** undefined: Asterisk is away. What it has written can be read all the same. */
  async #count(what: 'IN' | 'LOST' | 'MANY') {
    const answer = await this.#ask<{ value: string }>('getGlobalVar', { variable: `SN_MESSAGES_${what}` })
    return answer && (Number(answer.value) || 0)
  }

  async #set(variable: string, value: string) {
    return await this.#ask('setGlobalVar', { variable, value }) !== undefined
  }

  async #ask<T extends object>(operation: string, values: Record<string, string>): Promise<T | undefined> {
    if (!this.#options.link.up) return undefined
    try {
      return await this.#options.link.request<T>('asterisk', operation, values) ?? {} as T
    } catch (error) {
      if (error instanceof AsteriskAway) return undefined
      throw error
    }
  }
}

/** None where there is no such folder yet. */
async function filesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

/** As messages.conf writes it; only the text has lines of its own. undefined: not, or not wholly, written. */
const written = /^(\d+) (\d+)\nasserted=(.*?)\nfrom=(.*?)\nid=(.*?)\ntext=(.*)\n\.\n$/s

async function keptIn(file: string): Promise<Kept | undefined> {
  const [whole, at, nth, asserted, from, id, text] = written.exec(await readFile(file, 'latin1')) ?? []
  if (whole === undefined) return undefined
  const bytes = Buffer.from(text!, 'latin1')
  return { file, at: Number(at), nth: Number(nth), asserted: asserted!, from: from!, id: id!, text: isUtf8(bytes) ? bytes.toString('utf8') : undefined }
}

/** The number in a From or a P-Asserted-Identity, as E.164: the user of its first URI. */
export function numberIn(header = ''): string | null {
  const [, user = ''] = /^(?:(?:"(?:[^"\\]|\\.)*"|[^"<]*)\s*<)?(?:sips?|tel):([^@;>:?,]+)/i.exec(header) ?? []
  return e164(user)
}
