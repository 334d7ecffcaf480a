/**
 * The service plan as the templates see it. This is the list of what may be written between `{{` and `}}`:
 *
 *   city, version, languages[]                     version: the plan's, 12 hex digits
 *   trunks[]    name, role, address, port, codecs[], qualify, channels, maxCalls, nat ('no' or 'yes'), areaCode     areaCode: the city's where the trunk has none, null without any
 *   callLimits                                      whether any trunk has maxCalls
 *   areaCodes                                       whether any trunk has an area code
 *   numbers[]   did, others[], language, entry, entryKind   others: its other spellings (src/plan/spellings.ts);    entryKind, kind, silenceKind: 'menu', 'agency' or 'mailbox'
 *               human                               the agency, open at all times, that silence leads to
 *   menus[]     name, greeting, prompt, patience, tries, keys[] { digit, to, kind, language }, silence, silenceKind, wrongKey
 *   agencies[]  id, name, connecting, sorry, order ('in-turn', 'all-at-once' or 'longest-idle')
 *               sameNumber                          the most calls of one number here at once, null: any number
 *               lines[] { id, number, trunk, trunks[] { name, channels }, ringTime, ringsWithin, capacity, acceptKey, priority, among, context, hours, restsUntil }
 *                                                   trunk: the first of them; among: it rings together with others; context: the name of its context here,
 *                                                   its id, or `<id>_<agency>` where it is another agency's line; hours: its timetable; restsUntil: Unix time in s
 *               anonymous                           whether its lines do not see the caller's number
 *               rests                               whether a line of it has hours, or is out of service
 *               groups[] { priority, order, lines[] }   the same lines, those first that are tried first; a line alone is in turn
 *                                                   opening hours and overflow are not here: the service alone knows them
 *   duties      timezone, timetables[] { name, windows[] { from, to, after, before } }   the hours of lines, in `%u%H%M` of the clock (Monday 07:30 is 10730);
 *                                                   after, before: they hold on the days between, `%Y%m%d`
 *   mailboxes[] name, agency, prompt, longest       agency: null where the messages are for the agency that the caller chose
 *   prompts     wrongKey, nextLine, connecting, sorry, hold, accept, callerLeft, callback, speak, acceptCallback, unreached, agencyLeft,
 *               callbackOver, confirmTalk, noted, offer, promised, closed, offerOpening, promisedOpening, offerMessage, messageLeft, noMessage
 *   spoken      the shortest talk that counts
 *   callbacks   trunk, channels                     null where citizens are not rung
 *   soundless   for how long no sound may come from a caller: longer than the longest way to a human, waiting rooms and all
 *   desk        the agency that the first number's silence leads to
 *   manyBehind[]  the last nine digits of the numbers that sameNumber does not count
 *   held        the same while a call is on hold: an hour, and never under soundless
 *   site        what this machine adds (addresses, ports, folders), as the caller of `render` gives it
 *
 * Names of prompts are bare (`menu-utama`). Times are milliseconds: write them with `| seconds`. `greeting`,
 * `acceptKey`, `qualify`, `channels`, `maxCalls` and a key's `language` are null where the plan has none: ask `{% if menu.greeting %}` first. An agency's `name` is for people
 * and stands in comments only: `; {{ agency.name | comment }}`.
 */
import { qualifyOf } from '../plan/check-lines.ts'
import { seconds } from '../plan/duration.ts'
import { outboundTrunk, whoAnswersSilence } from '../plan/follow-up-policy.ts'
import { groups } from '../plan/hunt.ts'
import { endsAt, mayAllRest } from '../plan/duty.ts'
import { longestWay } from '../plan/longest-way.ts'
import { areaCodes, spellings } from '../plan/spellings.ts'
import { callsOfOneNumber } from '../plan/walk.ts'
import { agencies, mailboxes, menus, onward, type AgencyNode, type Line, type Plan } from '../plan/plan.ts'
import { windowsOf } from '../plan/windows.ts'

export type Site = Record<string, unknown>

export function view(plan: Plan, site: Site) {
  const { city, version, languages, prompts, spoken } = plan
  const kind = (node: string) => plan.nodes.get(node)!.kind
  return {
    city, version, languages: [...languages], prompts: { ...prompts }, spoken, site, callbacks: callbacks(plan),
    desk: whoAnswersSilence(plan), manyBehind: plan.sameNumber.except.map(number => number.replace('+', '').slice(-9)),
    soundless: soundless(plan), held: Math.max(soundless(plan), seconds(3600)),
    trunks: [...plan.trunks].map(([name, trunk]) => ({ name, channels: null, maxCalls: null, areaCode: plan.areaCode ?? null, ...trunk, qualify: qualifyOf(trunk) || null })),
    callLimits: [...plan.trunks.values()].some(({ maxCalls }) => maxCalls !== undefined),
    areaCodes: plan.areaCode !== undefined || [...plan.trunks.values()].some(({ areaCode }) => areaCode !== undefined),
    numbers: [...plan.numbers].map(([did, number]) => (
      { did, others: spellings(did, areaCodes(plan)).slice(1), ...number, entryKind: kind(number.entry), human: humanBehind(plan, number.entry) })),
    menus: menus(plan).map(({ id, greeting = null, keys, ...menu }) => ({
      name: id, greeting, ...menu, silenceKind: kind(menu.silence),
      keys: [...keys].map(([digit, { to, language = null }]) => ({ digit, to, kind: kind(to), language }))
    })),
    agencies: agencies(plan).map(agency => agencyView(plan, agency)),
    duties: duties(plan),
    mailboxes: mailboxes(plan).map(({ id, agency = null, ...mailbox }) => ({ name: id, agency, ...mailbox }))
  }
}

function agencyView(plan: Plan, { id, name, connecting, sorry, order, lines, callers }: AgencyNode) {
  const ringing = groups({ lines }).map(group => {
    const together = group.lines.length > 1 ? order : 'in-turn'
    const seen = group.lines.map(({ trunks, acceptKey = null, hours = null, outOfService, ringsWithin, ...line }) => ({
      ...line, acceptKey, hours, context: contextOf(id, line), restsUntil: outOfService ? endsAt(outOfService, plan.timezone) / 1000 : null, ringsWithin: Math.min(ringsWithin, line.ringTime), trunk: trunks[0]!, trunks: trunks.map(trunk => ({ name: trunk, channels: plan.trunks.get(trunk)!.channels ?? null })),
      among: together === 'all-at-once'
    }))
    return { priority: group.priority, order: together, lines: seen }
  })
  const seen = new Map(ringing.flatMap(({ lines }) => lines.map(line => [line.id, line])))
  const limit = callsOfOneNumber(plan, id)
  return { id, name, connecting, sorry, order, anonymous: callers === 'anonymous', sameNumber: limit === Infinity ? null : limit, rests: lines.some(({ hours, outOfService }) => hours !== undefined || outOfService), lines: lines.map(({ id }) => seen.get(id)!), groups: ringing }
}

/** The context in which an agency's line is tried, without `line-`. */
export const contextOf = (agency: string, { id, of }: Pick<Line, 'id' | 'of'>) => of === agency ? id : `${id}_${agency}`

/** The hours of lines as comparisons of what the clock shows, so that the dialplan goes by the same without the service. */
function duties(plan: Plan) {
  const names = new Set(agencies(plan).flatMap(({ lines }) => lines.flatMap(({ hours }) => hours ?? [])))
  return { timezone: plan.timezone, timetables: [...names].map(name => ({ name, windows: windowsOf(plan, name) })) }
}

/** Two minutes for all that is heard on the way; and never under five. */
const soundless = (plan: Plan) => Math.max(seconds(300), longestWay(plan) + seconds(120))

function callbacks(plan: Plan) {
  const trunk = outboundTrunk(plan)
  return trunk === undefined ? null : { trunk, channels: plan.followups.outbound.channels }
}

/** The agency that a caller comes to who presses nothing, at any hour; the check has seen to it that there is one. */
export function humanBehind(plan: Plan, entry: string): string {
  const node = plan.nodes.get(entry)!
  const next = onward(node) ?? (node.kind === 'agency' && mayAllRest(node.lines, plan.hours, plan.seasons.map(({ hours }) => hours)) ? node.overflow?.dead : undefined)
  return next === undefined ? node.id : humanBehind(plan, next)
}
