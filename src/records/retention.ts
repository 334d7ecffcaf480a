/**
 * Forgets what has been kept for long enough, as the plan's `retention` says: recordings of callers, messages to citizens and what these
 * have answered. Nothing of a follow-up that has not ended is touched, nor of a call that is still to become one.
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Retention } from '../plan/schema-retention.ts'
import { callOf } from './recordings.ts'
import type { Records } from './records.ts'

export interface Forgotten { recordings: number, messages: number, replies: number }

/** @param folder where recordings lie @param now Unix ms. How much it forgot; that stands in the audit, too. */
export async function forgetOld(records: Records, folder: string, keep: Retention, now: number): Promise<Forgotten> {
  const forgotten = { recordings: await forgetRecordings(records, folder, now - keep.recordings), ...await forgetMessages(records, now - keep.messages) }
  if (Object.values(forgotten).some(count => count > 0)) {
    await records.audit('retention', `deleted ${forgotten.recordings} recordings, ${forgotten.messages} messages, ${forgotten.replies} answers`, null)
  }
  return forgotten
}

/** By when they were last written to: that is when the caller had spoken. */
async function forgetRecordings({ db }: Records, folder: string, before: number): Promise<number> {
  const old: { callId: string, path: string }[] = []
  for (const name of await readdir(folder).catch(noneYet)) {
    const callId = callOf(name)
    const path = join(folder, name)
    if (callId !== undefined && (await stat(path)).mtimeMs < before) old.push({ callId, path })
  }
  if (old.length === 0) return 0
  const open = await db.selectFrom('followupCalls').innerJoin('followups', 'followups.id', 'followupCalls.followupId').select('callId').where('endedAt', 'is', null).execute()
  const owed = await db.selectFrom('outbox').select('callId').where('doneAt', 'is', null).execute()
  const needed = new Set([...open, ...owed].map(({ callId }) => callId))
  const gone = old.filter(({ callId }) => !needed.has(callId))
  for (const { path } of gone) await rm(path, { force: true })
  return gone.length
}

/** Asterisk makes the folder for the first message. */
function noneYet(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return []
  throw error
}

/** What a citizen has answered in words stands in the history, too: the line stays, without the words. */
async function forgetMessages({ db }: Records, before: number): Promise<{ messages: number, replies: number }> {
  return db.transaction().execute(async db => {
    const ended = db.selectFrom('followups').select('id').where('endedAt', '<', before)
    const messages = await db.deleteFrom('messages').where('followupId', 'in', ended).where('state', 'not in', ['waiting', 'sending']).executeTakeFirst()
    const replies = await db.deleteFrom('replies').where('followupId', 'in', ended).executeTakeFirst()
    const inWords = await db.selectFrom('followupEvents').select(['id', 'facts']).where('what', '=', 'replied').where('facts', 'like', '%"text":%').where('followupId', 'in', ended).execute()
    for (const { id, facts } of inWords) {
      const { text: _, ...rest } = JSON.parse(facts) as { text?: string }
      await db.updateTable('followupEvents').set({ facts: JSON.stringify(rest) }).where('id', '=', id).execute()
    }
    return { messages: Number(messages.numDeletedRows), replies: Number(replies.numDeletedRows) }
  })
}
