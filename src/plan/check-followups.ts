/** The checks of the plan's follow-ups: check.ts has them in its list. */
import { offersCallback, type Draft, type Path, type Partly, type Report } from './draft.ts'
import { didYouMean, quote, thereAre } from './faults.ts'
import type { FollowUpRule, FollowUps } from './schema-followups.ts'

/** Every name that the follow-ups mention is there, messages speak every language, and callbacks have a way out. */
export function followUps({ followups, agencies, mailboxes, hours, trunks, languages }: Draft, report: Report) {
  if (!followups) return
  const look = (path: Path, name: string | undefined, known: Iterable<string> | undefined, what: string) => {
    const all = [...known ?? []]
    if (name !== undefined && !all.includes(name)) report(['followups', ...path], `${quote(name)} is no ${what}`, didYouMean(name, all) ?? thereAre(all))
  }
  look(['desk'], followups.desk, agencies?.keys(), 'agency')
  look(['mailbox'], followups.mailbox, mailboxes?.keys(), 'mailbox')
  followups.escalate?.forEach((step, index) => look(['escalate', index, 'to'], step?.to, agencies?.keys(), 'agency'))
  for (const id of followups.agencies?.keys() ?? []) look(['agencies', id], id, agencies?.keys(), 'agency')
  for (const { path, rule } of rules(followups)) {
    look([...path, 'hours'], rule.hours, hours?.keys(), 'timetable of hours')
    for (const key of ['message', 'unreached'] as const) look([...path, key], rule[key], followups.messages?.keys(), 'message')
  }
  for (const [name, texts] of followups.messages ?? []) {
    const missing = languages?.filter(language => language !== undefined && !texts?.has(language)) ?? []
    if (missing.length > 0) report(['followups', 'messages', name], `has no text in ${missing.join(', ')}`, 'every message has a text in every language')
    for (const language of texts?.keys() ?? []) if (languages && !languages.includes(language)) report(['followups', 'messages', name, language], `${quote(language)} is not among the languages`, didYouMean(language, languages.filter(it => it !== undefined)))
  }
  const { trunk, channels } = followups.outbound ?? {}
  const carriers = [...trunks ?? []].filter(([, one]) => one?.role === 'carrier').map(([name]) => name)
  if (trunk !== undefined && trunks && !carriers.includes(trunk)) {
    report(['followups', 'outbound', 'trunk'], trunks.has(trunk) ? `${quote(trunk)} leads to the agencies` : `${quote(trunk)} is no trunk`, `citizens are rung by a trunk with role carrier: ${carriers.join(', ')}`)
  }
  if (channels === 0 && rules(followups).every(({ rule }) => rule.attempts === undefined || rule.attempts > 0)) {
    report(['followups', 'outbound', 'channels'], 'is 0: every missed call goes to the people at the desk at once', 'if that is meant, say so with `attempts: 0`, too', 'warning')
  }
}

/** A callback is offered by an office, and where one is made. Who wants an emergency service wants a human, though it be closed by hand. */
export function offersOfCallbacks({ agencies, followups }: Draft, report: Report) {
  for (const [id, agency] of agencies ?? []) {
    if (!agency || !offersCallback(agency)) continue
    const path = ['agencies', id, 'closed', 'offer']
    if (!('hours' in agency)) report(path, 'is of an agency that is open at all times', 'only one that has `hours` offers callbacks; for all others write the node alone, one that ends at a human')
    const [city, its] = [followups?.policy, followups?.agencies?.get(id)]
    const attempts = its?.kinds?.get('asked')?.attempts ?? its?.attempts ?? city?.kinds?.get('asked')?.attempts ?? city?.attempts
    const why = followups?.outbound?.channels === 0 ? '`followups.outbound.channels` is 0' : attempts === 0 ? 'its policy makes no attempts' : undefined
    if (why) report(path, `is never made: ${why}`, 'all of its callers go to the node `to`', 'warning')
  }
}

/** Whether a policy names this timetable. */
export const ruledBy = (followups: Partly<FollowUps> | undefined, hours: string) => followups !== undefined && rules(followups).some(({ rule }) => rule.hours === hours)

/** Every policy: the city's, the agencies', and those of one kind. */
function rules(followups: Partly<FollowUps>): { path: Path, rule: Partly<FollowUpRule> }[] {
  type Ruled = Partly<FollowUpRule> & { kinds?: ReadonlyMap<string, Partly<FollowUpRule>> }
  const of = (path: Path, rule: Ruled | undefined) => rule === undefined ? [] : [
    { path, rule }, ...[...rule.kinds ?? []].map(([kind, one]) => ({ path: [...path, 'kinds', kind], rule: one ?? {} }))]
  return [...of(['policy'], followups.policy as Ruled | undefined), ...[...followups.agencies ?? []].flatMap(([id, rule]) => of(['agencies', id], rule as Ruled))]
}
