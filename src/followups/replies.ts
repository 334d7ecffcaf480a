/** What a citizen answers to a message, and what becomes of the follow-up: 1 need help, 2 mistake, 3 cannot speak. */
import type { Book } from './book.ts'
import { agencyIn, make } from './make.ts'
import { move, type Db, type Tell } from './move.ts'
import { e164 } from '../calls/tell.ts'
import { deskOf, outboundTrunk } from '../plan/follow-up-policy.ts'
import { isOurs } from '../plan/own-numbers.ts'
import type { Plan } from '../plan/plan.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import type { FollowUp } from '../records/follow-up.ts'
import type { MessageState } from '../records/message.ts'
import { text as storable } from '../records/tables.ts'

export interface Reply {
  /** The gateway's: the same id is the same answer. */
  id: string
  /** The citizen's number, in any of its ways of writing. */
  from: string
  text: string
}

export type Meaning = 'need-help' | 'mistake' | 'cannot-speak' | 'thanks' | 'words'

/** States of messages that the citizen may have got. */
const reached: readonly MessageState[] = ['sending', 'sent', 'recorded', 'delivered']

/** The most of an answer that is kept. */
const longest = 500

/** A digit alone, whatever else is around it that is no letter; a plain "ok, thanks"; everything else is words. */
export function meaningOf(text: string): Meaning {
  const short = text.slice(0, longest).normalize('NFKC')
  const alone = short.replace(/[^\p{L}\p{N}]/gu, '')
  if (alone === '1') return 'need-help'
  if (alone === '2') return 'mistake'
  if (alone === '3') return 'cannot-speak'
  return isThanks(text) ? 'thanks' : 'words'
}

const polite = 'ya|iya|pak|bapak|bu|ibu|mas|mbak|kak|bang|min|sir|madam'
const agreed = 'ok|oke|okay|okey|sip|siap|baik|baiklah'
const thanked = '(?:terima ?kasih|trima ?kasih|makasih|makasi|trims|thanks|thank ?you|thx|tq)(?: banyak| sekali| so much| very much| a lot)?(?: atas bantuannya| for your help)?'
const plainThanks = new RegExp(`^(?:(?:${polite}) )*(?:${agreed}|${thanked})(?: (?:${polite}|${agreed}|${thanked}))*$`)

/**
 * Whether a text says "ok" or "thanks" and nothing else. Every other text is for a person to read: an unknown word, a digit, a question mark or a picture
 * may be a cry for help.
 */
function isThanks(text: string): boolean {
  if (text.length > 80) return false
  const words = text.normalize('NFKC').toLowerCase().replace(/[👍🙏👌]\p{EMod}?\u{fe0f}?/gu, ' ok ').replace(/[\s.,!~-]+/gu, ' ').trim()
  return plainThanks.test(words)
}

/** On one line, without control or invisible characters, of a bounded length: what is shown to people. It is still a stranger's. */
export const readable = (text: string) => storable(text).replace(/[\p{C}\p{Z}\s]+/gu, ' ').trim().slice(0, longest).toWellFormed()

/**
 * Keeps the answer, and does what it asks for, once. It is about the follow-up whose message this number got last. Where that one has ended (or this number got
 * none), it is about the newest open one, but then closes nothing. Where none is open, a cry for help opens a new one.
 * Undefined: nobody knows this number, and nothing of the answer is kept.
 */
export async function takeReply(book: Book, plan: Plan, reply: Reply, now: number): Promise<{ followUp: string, meaning: Meaning } | undefined> {
  const cli = e164(reply.from)
  if (cli === null) return undefined
  const id = storable(reply.id)
  const meaning = meaningOf(reply.text)
  return book.alter(async (db, tell) => {
    const known = await db.selectFrom('replies').select(['followupId', 'meaning']).where('id', '=', id).executeTakeFirst()
    if (known) return { followUp: known.followupId, meaning: known.meaning as Meaning }
    const keep = async (followUp: FollowUp) => {
      await db.insertInto('replies').values({ id, followupId: followUp.id, at: now, meaning }).execute()
      tell(followUp, 'citizen', 'replied', { meaning, ...meaning === 'words' || meaning === 'thanks' ? { text: readable(reply.text) } : {} })
      return { followUp: followUp.id, meaning }
    }
    const about = await lastMessaged(db, cli)
    const open = await db.selectFrom('followups').selectAll().where('cli', '=', cli).where('endedAt', 'is', null).orderBy('arrivedAt', 'desc').execute()
    const meant = open.find(one => one.id === about)
    const followUp = meant ?? open[0]
    if (followUp) {
      const kept = await keep(followUp)
      await act({ db, tell, plan, now, cli }, followUp, meaning, meant !== undefined)
      return kept
    }
    const ended = await lastEnded(db, cli, about)
    if (meaning === 'mistake' || meaning === 'thanks') return ended && keep(ended)
    const from = ended ?? await lastCall(db, cli)
    if (!from) return undefined
    const next = opened(plan, { ...from, cli }, `reply ${id}`, meaning, now)
    await db.insertInto('followups').values(next).execute()
    tell(next, 'citizen', 'opened', { kind: next.kind, why: next.why, ...ended ? { after: ended.id } : {} })
    if (ended) tell(ended, 'citizen', 'replied-late', { followUp: next.id })
    return keep(next)
  })
}

/** The follow-up whose message this number got last. */
async function lastMessaged(db: Db, cli: string): Promise<string | undefined> {
  const last = await db.selectFrom('messages').select('followupId').where('cli', '=', cli).where('state', 'in', reached).where('claimedAt', 'is not', null).orderBy('claimedAt', 'desc').limit(1).executeTakeFirst()
  return last?.followupId
}

/** Of this number's follow-ups, which have all ended: the one whose message it got last, else the newest. */
async function lastEnded(db: Db, cli: string, about: string | undefined): Promise<FollowUp | undefined> {
  const theirs = await db.selectFrom('followups').selectAll().where('cli', '=', cli).orderBy('arrivedAt', 'desc').limit(50).execute()
  return theirs.find(one => one.id === about) ?? theirs[0]
}

const lastCall = (db: Db, cli: string) => db.selectFrom('calls').select(['agency', 'did']).where('cli', '=', cli).orderBy('arrivedAt', 'desc').limit(1).executeTakeFirst()

interface Asked { db: Db, tell: Tell, plan: Plan, now: number, cli: string }

const mayRing = (plan: Plan, cli: string) => outboundTrunk(plan) !== undefined && mayBeRungBack(cli) && !isOurs(plan, cli)

/** What the answer does with a follow-up that is open. @param meant whether the answer is about just this one */
async function act({ db, tell, plan, now, cli }: Asked, followUp: FollowUp, meaning: Meaning, meant: boolean) {
  const first = { priority: 0 }
  const person = (why: string) => move(db, tell, followUp, 'handed', { ...first, why, list: deskOf(plan) }, 'citizen')
  switch (meaning) {
    case 'mistake':
      if (meant) await move(db, tell, followUp, 'closed', { why: 'mistake', endedAt: now, endedBy: 'citizen' }, 'citizen')
      break                                              // else it was said of another call: this one goes on
    case 'thanks': break
    case 'cannot-speak': await person('cannot-speak'); break
    case 'words': await person('replied'); break
    case 'need-help': {
      const soon = { ...first, why: 'need-help', dueAt: now }
      // A person who has taken it in hand sees it on top, as whoever looks at one that cannot be rung; where nobody has, it is rung at once.
      const ring = mayRing(plan, cli)
      if (ring && (followUp.state === 'open' || followUp.claimedBy === null) && await move(db, tell, followUp, 'call-now', soon, 'citizen')) break
      await db.updateTable('followups').set(ring ? soon : { ...first, why: 'need-help' }).where('id', '=', followUp.id).execute()
      tell({ ...followUp, ...soon }, 'citizen', 'hurried', { why: soon.why })
    }
  }
}

/** What a cry for help opens where none is open any more: rung at once where the answer is `1`, else with a person at once. */
function opened(plan: Plan, { agency, did, language, cli }: Pick<FollowUp, 'agency' | 'did'> & { language?: string, cli: string }, key: string, meaning: Meaning, now: number): FollowUp {
  const followUp = make(plan, { key, kind: 'asked', agency: agencyIn(plan, agency), cli, did, ...language === undefined ? {} : { language }, arrivedAt: now, missedAt: now }, now)
  if (meaning === 'need-help' && mayRing(plan, cli)) return { ...followUp, state: 'open', why: 'need-help', priority: 0, dueAt: now, list: followUp.rings }
  const why = meaning === 'words' ? 'replied' : meaning
  return { ...followUp, state: 'person', why, priority: 0, list: deskOf(plan) }
}
