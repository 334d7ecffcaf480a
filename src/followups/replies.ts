/** What a citizen answers to a message, and what becomes of the follow-up: 1 need help, 2 mistake, 3 cannot speak. */
import type { Book } from './book.ts'
import { move } from './move.ts'
import { e164 } from '../calls/tell.ts'
import { deskOf, outboundTrunk } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import type { MessageState } from '../records/message.ts'
import { text as storable } from '../records/tables.ts'

export interface Reply {
  /** The gateway's: the same id is the same answer. */
  id: string
  /** The citizen's number, in any of its ways of writing. */
  from: string
  text: string
}

export type Meaning = 'need-help' | 'mistake' | 'cannot-speak' | 'words'

/** States of messages that the citizen may have got. */
const reached: readonly MessageState[] = ['sending', 'sent', 'recorded', 'delivered']

/** The most of an answer that is kept. */
const longest = 500

/** A digit alone, whatever else is around it that is no letter; everything else is words. */
export function meaningOf(text: string): Meaning {
  const alone = text.slice(0, longest).normalize('NFKC').replace(/[^\p{L}\p{N}]/gu, '')
  return alone === '1' ? 'need-help' : alone === '2' ? 'mistake' : alone === '3' ? 'cannot-speak' : 'words'
}

/** On one line, without control or invisible characters, of a bounded length: what is shown to people. It is still a stranger's. */
export const readable = (text: string) => storable(text).replace(/[\p{C}\p{Z}\s]+/gu, ' ').trim().slice(0, longest).toWellFormed()

/**
 * Does what the answer asks for, once. It is about the follow-up whose message this number got last; where that one has ended (or this number got none), it is about
 * the newest, but then closes nothing.
 * Undefined: no follow-up of this number is open, and nothing of the answer is kept.
 */
export async function takeReply(book: Book, plan: Plan, { id, from, text }: Reply, now: number): Promise<{ followUp: string, meaning: Meaning } | undefined> {
  const cli = e164(from)
  if (cli === null) return undefined
  return book.alter(async (db, tell) => {
    const known = await db.selectFrom('replies').select(['followupId', 'meaning']).where('id', '=', storable(id)).executeTakeFirst()
    if (known) return { followUp: known.followupId, meaning: known.meaning as Meaning }
    const open = await db.selectFrom('followups').selectAll().where('cli', '=', cli).where('endedAt', 'is', null).orderBy('arrivedAt', 'desc').execute()
    if (open.length === 0) return undefined
    const last = await db.selectFrom('messages').select('followupId').where('cli', '=', cli).where('state', 'in', reached).where('claimedAt', 'is not', null).orderBy('claimedAt', 'desc').limit(1).executeTakeFirst()
    const meant = open.find(one => one.id === last?.followupId)
    const followUp = meant ?? open[0]!
    const meaning = meaningOf(text)
    await db.insertInto('replies').values({ id: storable(id), followupId: followUp.id, at: now, meaning }).execute()
    await tell(followUp, 'citizen', 'replied', { meaning, ...meaning === 'words' ? { text: readable(text) } : {} })

    const first = { priority: 0 }
    const person = (why: string) => move(db, tell, followUp, 'handed', { ...first, why, list: deskOf(plan) }, 'citizen')
    switch (meaning) {
      case 'mistake':
        if (meant) await move(db, tell, followUp, 'closed', { why: 'mistake', endedAt: now, endedBy: 'citizen' }, 'citizen')
        break                                              // else it was said of another call: this one goes on
      case 'cannot-speak': await person('cannot-speak'); break
      case 'words': await person('replied'); break
      case 'need-help': {
        const soon = { ...first, why: 'need-help', dueAt: now }
        // A person who has taken it in hand sees it on top, as whoever looks at one that cannot be rung; where nobody has, it is rung at once.
        const mayRing = outboundTrunk(plan) !== undefined && mayBeRungBack(cli)
        if (mayRing && (followUp.state === 'open' || followUp.claimedBy === null) && await move(db, tell, followUp, 'call-now', soon, 'citizen')) break
        await db.updateTable('followups').set(mayRing ? soon : { ...first, why: 'need-help' }).where('id', '=', followUp.id).execute()
        await tell({ ...followUp, ...soon }, 'citizen', 'hurried', { why: soon.why })
      }
    }
    return { followUp: followUp.id, meaning }
  })
}
