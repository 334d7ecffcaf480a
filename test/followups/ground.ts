/** A book of follow-ups on a store of its own, with a plan that sends messages. */
import { join } from 'node:path'
import { Book } from '../../src/followups/book.ts'
import { readPlan } from '../../src/plan/read.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { Records } from '../../src/records/records.ts'
import { aCall, aLog, tempFolder } from '../records/stories.ts'
import { townPrompts, townWith } from '../plan/town.ts'

const followups = `followups:
  policy: { message: dibuka, unreached: luput }
  agencies: { posko: { hours: siang } }
  messages:
    dibuka: { id: "Kami akan menelepon. Balas 1, 2 atau 3.", en: "We will call you. Reply 1, 2 or 3." }
    luput: { id: "Kami tidak dapat menghubungi Anda.", en: "We could not reach you." }
hours:
  siang: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: 07:00, to: 21:00 }]
`

export async function ground(...edits: [string, string][]) {
  const open = new AsyncDisposableStack()
  const { log, said, text } = aLog()
  const records = open.use(await Records.open({ file: join(open.use(await tempFolder()).path, 'records.sqlite') }, log))
  const { plan } = readPlan(edits.reduce((text, [from, to]) => text.replace(from, to), townWith() + followups), { file: 'plan.yaml', prompts: townPrompts })
  const book = new Book(records, () => plan)

  /** A call that nobody answered, which becomes a follow-up. @param at when it ended, and when we learned of it, Unix ms */
  const missed = async (callId: string, { at = Date.now(), learnedAt = at, cli = '+627215550112', agency = 'bpbd' }: { at?: number, learnedAt?: number, cli?: string, agency?: string } = {}): Promise<FollowUp> => {
    const steps = aCall(callId, { cli, agency, ends: 'unanswered' })
    const shift = at - steps[0]!.at - 10_000
    await records.append(steps.map(step => ({ ...step, at: step.at + shift })))
    while (await book.takeOutbox(learnedAt) > 0);
    return records.db.selectFrom('followups').innerJoin('followupCalls', 'followupCalls.followupId', 'followups.id').selectAll('followups').where('callId', '=', callId).executeTakeFirstOrThrow()
  }
  /** An attempt that rang, and came to this. */
  const attempt = async (outcome: 'no-answer' | 'spoken' | 'agency-unreached', rung = true) => {
    const [claim] = await book.claim(Date.now() + 3_600_000, { allowance: 9, free: new Map([['bpbd', 9], ['posko', 9]]), busy: new Set() })
    await book.begin({ followUp: claim!.followUp.id, attempt: claim!.attempt }, Date.now())
    await book.settle([{ followUp: claim!.followUp.id, attempt: claim!.attempt, result: { outcome, rung, line: null, joinedAt: null, endedAt: Date.now() } }], Date.now())
  }
  const history = async (id: string) => (await book.get(id))!.history
  return { records, plan, book, log, said, text, missed, attempt, history, [Symbol.asyncDispose]: () => open.disposeAsync() }
}
