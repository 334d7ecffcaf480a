/** What holds for a follow-up: ours, unless the city says otherwise, unless the agency does; for all kinds, unless for one. */
import { edges } from './calendar.ts'
import { openAt, periodsOn } from './hours.ts'
import { agencies, onward, type Plan } from './plan.ts'
import { kinds, type FollowUpKind, type FollowUpRule } from './schema-followups.ts'
import { milliseconds, seconds } from './duration.ts'

export type FollowUpPolicy = Required<Omit<FollowUpRule, 'hours' | 'message' | 'unreached'>> & Pick<FollowUpRule, 'hours' | 'message' | 'unreached'>

const minutes = (n: number) => seconds(n * 60)

const ours: Omit<FollowUpPolicy, 'spoken'> = {
  delay: seconds(20), attempts: 3, spacing: [minutes(2), minutes(10)], first: 'agency', ringTime: seconds(30), agencyTries: 5,
  later: minutes(30), deadline: minutes(30), priority: 5
}

/** What our own policy says otherwise for some kinds; the city's words go before these, too. */
const oursByKind: Partial<Record<FollowUpKind, FollowUpRule>> = {
  'abandoned-greeting': { priority: 6 },           // who has waited, or pressed a key, needs us more than who hung up at once
  'abandoned-waiting': { priority: 4 },
  asked: { delay: milliseconds(0), priority: 4 },
  message: { priority: 4 }
}

/** The policy for one agency (null: none was chosen) and kind. Durations are ms. */
export function policyOf({ followups, spoken }: Plan, agency: string | null, kind: FollowUpKind): FollowUpPolicy {
  const { policy = {}, agencies } = followups
  const special = agency === null ? undefined : agencies?.get(agency)
  const { kinds: cityKinds, ...city } = policy
  const { kinds: agencyKinds, ...its } = special ?? {}
  return { spoken, ...ours, ...oursByKind[kind], ...city, ...cityKinds?.get(kind), ...its, ...agencyKinds?.get(kind) }
}

/** The agency whose people work off what automation cannot: the plan's desk, or the one that silence leads to. */
export function deskOf(plan: Plan): string {
  return plan.followups.desk ?? whoAnswersSilence(plan)
}

/** The agency that the first number's silence leads to: it is open at all times. */
export function whoAnswersSilence(plan: Plan): string {
  let node = plan.nodes.get([...plan.numbers.values()][0]!.entry)!
  for (let next = onward(node); next !== undefined; next = onward(node)) node = plan.nodes.get(next)!
  return node.id
}

/** The trunk that citizens are rung by, or undefined where nobody is rung. */
export const outboundTrunk = (plan: Plan) => plan.followups.outbound.channels === 0 ? undefined : towardsCitizens(plan)

/** The trunk that citizens are reached by, be it only by messages; undefined where the plan has none. */
export function towardsCitizens({ followups: { outbound }, trunks }: Plan): string | undefined {
  return outbound.trunk ?? [...trunks].find(([, { role }]) => role === 'carrier')?.[0]
}

/** Whether who asks this agency for a callback is rung, by itself. */
export const callsBack = (plan: Plan, agency: string) => outboundTrunk(plan) !== undefined && policyOf(plan, agency, 'asked').attempts > 0

/** The first moment from `at` on (Unix ms) at which the policy's hours let citizens be rung; `at` itself where it has none. */
export function nextHour(plan: Plan, hours: string | undefined, at: number): number {
  if (hours === undefined || !plan.hours.has(hours) || openAt(plan, hours, at)) return at
  const opens = (moment: number) => openAt(plan, hours, moment)
  return edges(plan.timezone, date => periodsOn(plan, hours, date), at, at + 15 * 86_400_000).find(opens) ?? at          // a week, and one more where a season begins
}

/** Whom nobody is rung for at this time: of an agency (null: none was chosen, or one that the plan does not have) these kinds, until then (Unix ms). */
export function asleep(plan: Plan, at: number): { agency: string | null, kinds: FollowUpKind[], until: number }[] {
  const opens = new Map([...plan.hours.keys()].map(hours => [hours, nextHour(plan, hours, at)]))
  const until = (agency: string | null, kind: FollowUpKind) => opens.get(policyOf(plan, agency, kind).hours ?? '') ?? at
  return [null, ...agencies(plan).map(({ id }) => id)].flatMap(agency =>
    [...Map.groupBy(kinds, kind => until(agency, kind))].filter(([until]) => until > at).map(([until, kinds]) => ({ agency, kinds, until })))
}
