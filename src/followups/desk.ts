/** What people do with a follow-up: each makes an `Act` of it, or throws `NotNow` with a sentence for them. */
import { NotNow, type Act } from './book.ts'
import { isOurs } from '../plan/own-numbers.ts'
import type { Plan } from '../plan/plan.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import type { FollowUp } from '../records/follow-up.ts'

/** After this long without an end, a claim is shown as stale, ms. */
export const staleAfter = 15 * 60_000

/** A person takes it in hand; whoever else has it must be asked, or taken over from. */
export const claim = (who: string, now: number) => (followUp: FollowUp): Act => {
  ongoing(followUp)
  const { claimedBy, claimedAt } = followUp
  if (claimedBy !== null && claimedBy !== who) throw new NotNow(`${claimedBy} has it since ${new Date(claimedAt!).toISOString()}: take it over, with a reason`)
  return { what: 'claimed', set: { claimedBy: who, claimedAt: now } }
}

export const takeOver = (who: string, reason: string, now: number) => (followUp: FollowUp): Act => {
  ongoing(followUp)
  if (followUp.claimedBy === null) throw new NotNow('nobody has it: claim it')
  return { what: 'taken-over', set: { claimedBy: who, claimedAt: now }, facts: { from: followUp.claimedBy, reason } }
}

export const release = (who: string) => (followUp: FollowUp): Act => {
  mine(followUp, who)
  return { what: 'released', set: { claimedBy: null, claimedAt: null } }
}

export const note = (text: string) => (): Act => ({ what: 'note', facts: { text } })

/** An attempt now, before all others, whatever the policy's hours say. `agency`: whose lines to ring, if not the agency's own. */
export const callNow = (plan: Plan, who: string, agency: string | undefined, now: number) => (followUp: FollowUp): Act => {
  ongoing(followUp)
  if (followUp.state === 'calling') throw new NotNow('an attempt is under way')
  if (followUp.claimedBy !== null && followUp.claimedBy !== who) throw new NotNow(`${followUp.claimedBy} has it: take it over first, with a reason`)
  if (followUp.cli === null || !mayBeRungBack(followUp.cli)) throw new NotNow('there is no number that can be rung back')
  if (isOurs(plan, followUp.cli)) throw new NotNow('the number is one of our own: nobody would answer but ourselves')
  if (plan.followups.outbound.channels === 0) throw new NotNow('the plan has nobody rung back (followups.outbound.channels is 0)')
  if (agency !== undefined && plan.nodes.get(agency)?.kind !== 'agency') throw new NotNow(`the plan has no agency "${agency}"`)
  return { happening: 'call-now', what: 'call-now', set: { dueAt: now, priority: 0, claimedBy: who, claimedAt: now, why: 'call-now', ...agency === undefined ? {} : { rings: agency } }, facts: agency === undefined ? {} : { agency } }
}

/** The person has spoken with the citizen, by whatever telephone. */
export const spoken = (who: string, how: string) => (followUp: FollowUp): Act => {
  others(followUp, who)
  return { happening: 'spoke', what: 'spoke', set: { why: 'spoken' }, facts: { how } }
}

export const close = (who: string, reason: string) => (followUp: FollowUp): Act => {
  others(followUp, who)
  return { happening: 'closed', what: 'closed', set: { why: reason }, facts: { reason } }
}

export const reopen = (desk: string, reason: string) => (): Act =>
  ({ happening: 'reopened', what: 'reopened', set: { why: reason, list: desk, endedAt: null, endedBy: null, claimedBy: null, claimedAt: null }, facts: { reason } })

/** To another agency's list. */
export const hand = (plan: Plan, who: string, to: string, reason: string) => (followUp: FollowUp): Act => {
  others(followUp, who)
  if (plan.nodes.get(to)?.kind !== 'agency') throw new NotNow(`the plan has no agency "${to}"`)
  return { happening: 'handed', what: 'handed', set: { why: reason, list: to, claimedBy: null, claimedAt: null }, facts: { to, reason } }
}

function ongoing({ state, endedBy }: FollowUp) {
  if (state === 'done' || state === 'closed') throw new NotNow(`it is ${state}, by ${endedBy}: reopen it, with a reason`)
}

function mine({ claimedBy }: FollowUp, who: string) {
  if (claimedBy !== who) throw new NotNow(claimedBy === null ? 'nobody has it' : `${claimedBy} has it`)
}

function others({ claimedBy }: FollowUp, who: string) {
  if (claimedBy !== null && claimedBy !== who) throw new NotNow(`${claimedBy} has it: take it over first, with a reason`)
}
