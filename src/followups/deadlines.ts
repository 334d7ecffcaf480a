/** What automation cannot finish, or has not in time, is a person's: deadlines, and what a new plan takes away. */
import { burst } from './bursts.ts'
import { byId, move, type Change, type Db } from './move.ts'
import { deskOf } from '../plan/follow-up-policy.ts'
import { agencies, type Plan } from '../plan/plan.ts'
import { anyOf, endAttempts } from '../records/bulk-followups.ts'
import type { Attempt, FollowUp } from '../records/follow-up.ts'

/** What is to be rung now, and is not after so long, is a person's, ms. */
const atOnce = 10 * 60_000
/** A claim begins within some hundredths of a second; after this long it has not, ms. */
const soonBegun = 5_000

/**
 * Those whose deadline is over go to the next one of the plan's `escalate`; they are a person's then. So are those that somebody has asked to be rung now, and
 * that are not. How many.
 */
export async function escalate({ db, tell, kind }: Change, plan: Plan, now: number): Promise<number> {
  const desk = deskOf(plan)
  const steps = plan.followups.escalate ?? []
  const names = anyOf(kind, agencies(plan).map(({ id }) => id))
  const unrung = await db.selectFrom('followups').selectAll().where('state', '=', 'open').where('rings', 'in', names).where('priority', '=', 0).where('dueAt', '<=', now - atOnce).limit(200).execute()
  const unbegun = (await unbegunOf(db)).filter(({ madeAt, deadlineAt, escalated }) =>
    Math.abs(now - madeAt) >= atOnce || Math.abs(now - madeAt) >= soonBegun && escalated === 0 && deadlineAt <= now)
  for (const followUp of unrung) await move(db, tell, followUp, 'handed', { why: 'not-rung', list: desk }, 'policy', { waited: now - followUp.dueAt })
  let moved = unrung.length + await takeBack({ db, tell, kind }, plan, unbegun, 'not-rung', now)
  // 0: the deadline itself; then one step of the plan after the other. Those who wait for their next step hold up nobody's first.
  for (const gone of [0, ...steps.keys().map(index => index + 1)]) {
    const step = steps[gone - 1]
    const since = now - steps.slice(0, gone).reduce((sum, { after }) => sum + after, 0)
    // What is of a burst is with the desk already, all of it at once.
    const overdue = await db.selectFrom('followups').selectAll().where('endedAt', 'is', null).where('why', '<>', burst).where('escalated', '=', gone).where('deadlineAt', '<=', since)
      .where('state', '<>', 'calling').orderBy('deadlineAt').limit(200).execute()
    for (const followUp of overdue) {
      const list = step?.to ?? (followUp.state === 'open' ? desk : followUp.list)
      await move(db, tell, followUp, 'handed', { why: 'overdue', list, escalated: gone + 1 }, 'policy', { overdue: now - followUp.deadlineAt, to: list })
      moved++
    }
  }
  return moved
}

/** Attempts that are claimed and have not begun (as Redis is away, say) do not begin any more; their follow-ups are a person's. How many. */
async function takeBack({ db, tell, kind }: Change, plan: Plan, unbegun: readonly Unbegun[], why: string, now: number): Promise<number> {
  if (unbegun.length === 0) return 0
  await endAttempts(db, kind, unbegun.map(({ followupId, attempt }) => ({ followUp: followupId, attempt, outcome: 'void', rung: 0, line: null, joinedAt: null })), now)
  const followUps = await byId(db, kind, unbegun.map(({ followupId }) => followupId))
  for (const { followupId, attempt } of unbegun) {
    const followUp = followUps.get(followupId)!
    if (followUp.state === 'calling') await move(db, tell, followUp, 'handed', { why, list: deskOf(plan) }, 'policy', { attempt })
  }
  return unbegun.length
}

/** The plan has nobody rung: what waits for it is a person's, some hundreds at a time. How many. */
export async function handAll({ db, tell, kind }: Change, plan: Plan, now: number): Promise<number> {
  const open = await db.selectFrom('followups').selectAll().where('state', '=', 'open').orderBy('dueAt').limit(200).execute()
  for (const followUp of open) await move(db, tell, followUp, 'handed', { why: 'by-policy', list: deskOf(plan) }, 'policy')
  return open.length + await takeBack({ db, tell, kind }, plan, await unbegunOf(db), 'by-policy', now)
}

/** The plan has changed: whose agency it has no more is rung by the desk's lines, and stands on its list. How many. */
export async function followPlan({ db, tell, kind }: Change, plan: Plan): Promise<number> {
  const desk = deskOf(plan)
  const ids = agencies(plan).map(({ id }) => id)
  const names = anyOf(kind, ids)
  const is = (agency: string) => ids.includes(agency) ? agency : desk
  const lost = await db.selectFrom('followups').selectAll().where('endedAt', 'is', null).where(({ or, eb }) => or([eb('rings', 'not in', names), eb('list', 'not in', names)])).limit(500).execute()
  for (const followUp of lost) {
    const set = { rings: is(followUp.rings), list: is(followUp.list) }
    await db.updateTable('followups').set(set).where('id', '=', followUp.id).execute()
    tell({ ...followUp, ...set }, 'policy', 'agency-gone', { rings: followUp.rings, list: followUp.list, to: desk })
  }
  return lost.length
}

interface Unbegun extends Pick<Attempt, 'followupId' | 'attempt' | 'madeAt'>, Pick<FollowUp, 'deadlineAt' | 'escalated'> {}

/** Attempts that are claimed and have not begun. */
async function unbegunOf(db: Db): Promise<Unbegun[]> {
  return db.selectFrom('attempts').innerJoin('followups', 'followups.id', 'attempts.followupId').select(['followupId', 'attempts.attempt', 'attempts.madeAt', 'deadlineAt', 'escalated'])
    .where('attempts.state', '=', 'claimed').where('attempts.state', '<>', 'ended').limit(200).execute()
}
