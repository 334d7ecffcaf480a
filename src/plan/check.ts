/**
 * What the schema cannot see: names that lead nowhere, silence that reaches no human, prompts without a text.
 * Each check stands alone and takes what is there of the plan; add yours to the list.
 */
import { linesOnTrunks, linesThatFit, sharedTelephones, trunksOf, unnoticed } from './check-lines.ts'
import { anonymity, closable, exceptionDays, hoursReferences, overflowEnds, timetables } from './check-hours.ts'
import { keysOfOffers } from './check-keys.ts'
import { namesInAsterisk } from './check-names.ts'
import { followUps, offersOfCallbacks, ruledBy } from './check-followups.ts'
import { allLines, closedTo, offersCallback, type Draft, type Path, type Report } from './draft.ts'
import { mailboxAgencies, mailboxesAreNoHumans } from './mailboxes.ts'
import { spelledAlike } from './spellings.ts'
import { webhookUrls } from './schema-webhook.ts'
import { mayAllRestIn } from './duty.ts'
import { didYouMean, listed, orMeant, quote, thereAre } from './faults.ts'
import { dialable, dialRefusal, domestic, looksLikeTelephone } from './telephone.ts'

/** Which prompts exist: by language, then by name. */
export type PromptCatalogue = ReadonlyMap<string, ReadonlyMap<string, unknown>>

type Check = (plan: Draft, report: Report) => void

export const checks: Check[] = [
  places, trunks, references, nodeNames, lines, linesOnTrunks, linesThatFit, sharedTelephones, unnoticed, endsAtAHuman, mailboxAgencies, mailboxesAreNoHumans, hoursReferences, timetables, closable, offersOfCallbacks, exceptionDays,
  overflowEnds, anonymity, followUps, webhookUrls
]

/** Those that plans were made live without: they refuse an edit, and are only told of a version that is kept. A service does not stay away for them. */
export const laterChecks: Check[] = [namesInAsterisk, spelledAlike, keysOfOffers]

/** The time zone and the languages are known to the world. */
function places({ timezone, languages, numbers, menus }: Draft, report: Report) {
  if (timezone !== undefined && !isTimezone(timezone)) {
    report(['timezone'], `${quote(timezone)} is not a known time zone`, zoneNamed(timezone) ?? 'as in "Asia/Jakarta"')
  }
  const known = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' })
  languages?.forEach((code, index) => {
    if (code && !known.of(code)) report(['languages', index], `${quote(code)} is not a known language`, 'as in "id" or "en"')
  })
  const spoken = languages?.filter(code => code !== undefined)         // one that is refused already is undefined
  const look = (path: Path, language: string | undefined) => {
    if (!spoken || language === undefined || spoken.includes(language)) return
    report(path, `${quote(language)} is not among the languages`, didYouMean(language, spoken) ?? thereAre(spoken))
  }
  for (const [did, number] of numbers ?? []) look(['numbers', did, 'language'], number?.language)
  for (const [name, menu] of menus ?? []) {
    for (const [key, choice] of menu?.keys ?? []) {
      if (typeof choice !== 'object') continue
      look(['menus', name, 'keys', key, 'language'], choice.language)
      if (choice.to === undefined && choice.language === undefined) report(['menus', name, 'keys', key], 'says neither where the key leads nor in which language', 'write the node, or { language: en }')
    }
  }
}

/** Calls must come from somewhere, and be told apart by their address. */
function trunks({ trunks, numbers }: Draft, report: Report) {
  if (numbers?.size === 0) report(['numbers'], 'has no number', 'citizens need one to dial')
  if (!trunks) return
  const all = [...trunks.values()]
  if (all.every(trunk => trunk?.role !== undefined && trunk.role !== 'carrier')) {
    report(['trunks'], 'has no trunk with role carrier', 'without one no citizen can call')
  }
  const taken = new Map<string, string>()
  for (const [name, trunk] of trunks) {
    if (trunk?.role === 'agencies' && trunk.maxCalls !== undefined) {
      report(['trunks', name, 'maxCalls'], 'is of an agencies’ trunk, and counts only calls that come in from a carrier', 'for calls to lines, write `channels`')
    }
    if (trunk?.address === undefined) continue
    const other = taken.get(trunk.address)
    if (other) report(['trunks', name, 'address'], `${trunk.address} is the address of ${quote(other)} too`, 'trunks are told apart by their address alone')
    else taken.set(trunk.address, name)
  }
}

/** Every name of a node or a trunk leads to one. */
function references(plan: Draft, report: Report) {
  const nodes = new Set([...plan.menus?.keys() ?? [], ...plan.agencies?.keys() ?? [], ...plan.mailboxes?.keys() ?? []])
  for (const [path, node] of nodeReferences(plan)) {
    if (nodes.has(node)) continue
    report(path, `leads to ${quote(node)}, which is no menu or agency`, didYouMean(node, nodes) ?? thereAre(nodes))
  }
  for (const { path, line } of allLines(plan)) {
    for (const [below, trunk] of trunksOf(line)) {
      if (!plan.trunks || plan.trunks.has(trunk)) continue
      report([...path, ...below], `${quote(trunk)} is no trunk`, didYouMean(trunk, plan.trunks.keys()) ?? thereAre(plan.trunks.keys()))
    }
  }
}

function nodeNames({ menus, agencies, mailboxes }: Draft, report: Report) {
  for (const name of agencies?.keys() ?? []) {
    if (menus?.has(name)) report(['agencies', name], `is the name of a menu too`, 'a node has one name of its own; rename one of them')
  }
  for (const name of mailboxes?.keys() ?? []) {
    const other = menus?.has(name) ? 'a menu' : agencies?.has(name) ? 'an agency' : undefined
    if (other) report(['mailboxes', name], `is the name of ${other} too`, 'a node has one name of its own; rename one of them')
  }
}

/** Lines have names and numbers of their own, and only numbers that may be dialled. */
function lines(plan: Draft, report: Report) {
  const ids = new Map<string, string>()
  const numbers = new Map<string, { agency: string, id: string | undefined }>()
  const ours = new Map([...plan.numbers?.keys() ?? []].map(did => [domestic(did), did]))
  for (const { path, line, agency } of allLines(plan)) {
    if (line?.id !== undefined) {
      const other = ids.get(line.id)
      if (other) report([...path, 'id'], `${quote(line.id)} is the id of a line of ${other} too`, 'every line has an id of its own')
      else ids.set(line.id, agency)
    }
    if (line?.number === undefined) continue
    const telephone = looksLikeTelephone(line.number)
    const refusal = dialRefusal(line.number)
    if (refusal) report([...path, 'number'], `${quote(line.number)} may not be dialled: ${refusal}`, dialable)
    if (telephone && ours.has(domestic(line.number))) report([...path, 'number'], `${quote(line.number)} is our own number`, 'a call to it would come back to us')
    const targets = trunksOf(line).map(([, trunk]) => ({ trunk, target: `${trunk} ${telephone ? domestic(line.number!) : line.number}` }))
    const twice = targets.find(({ target }) => numbers.has(target))
    if (twice) {
      const other = numbers.get(twice.target)!
      report([...path, 'number'], `${quote(line.number)} on ${twice.trunk} is a line of ${other.agency} already`,
        other.agency === agency || other.id === undefined ? 'give the line once, with its capacity' : `for one telephone of two agencies, which share its capacity, write { line: ${other.id} } here`)
    }
    for (const { target } of targets) numbers.set(target, numbers.get(target) ?? { agency, id: line.id })
  }
}

/** Whoever cannot press a key (rotary dial, shaking hands) reaches a human by waiting, at night and on holidays, too. */
function endsAtAHuman(plan: Draft, report: Report) {
  const { menus = new Map(), agencies = new Map() } = plan
  const reported = new Set<string>()
  const onward = (node: string): string | undefined => menus.get(node)?.silence ?? closedTo(agencies.get(node)) ?? (mayAllRestIn(plan, node) ? agencies.get(node)?.overflow?.dead : undefined)
  for (const name of [...menus.keys(), ...agencies.keys()]) {
    const way = [name]
    let next = onward(name)
    while (next !== undefined && !way.includes(next)) {
      way.push(next)
      next = onward(next)
    }
    if (next === undefined || way.some(node => reported.has(node))) continue
    way.forEach(node => reported.add(node))
    const circle = listed([...way, next], { between: ' → ' })
    if (!way.some(node => agencies.has(node))) report(['menus', name, 'silence'], `never reaches an agency (${circle})`, 'who presses nothing must end at a human')
    else report(agencies.has(name) ? ['agencies', name, 'closed'] : ['menus', name, 'silence'], `may never end at a human (${circle})`, 'one of these agencies must be open at all times')
  }
}

/** Warns of nodes that no number leads to. Only worth saying of a plan that is otherwise whole. */
export function unreachable(plan: Draft, report: Report) {
  const reached = new Set<string>()
  const toVisit = [...[...plan.numbers?.values() ?? [], plan.siaga].map(begins => begins?.entry), plan.followups?.mailbox]
  for (let node = toVisit.pop(); toVisit.length > 0 || node !== undefined; node = toVisit.pop()) {
    if (node === undefined || reached.has(node)) continue
    reached.add(node)
    const menu = plan.menus?.get(node)
    if (menu) toVisit.push(menu.silence, ...[...menu.keys?.values() ?? []].map(choice => typeof choice === 'object' ? choice.to : choice))
    const agency = plan.agencies?.get(node)
    const overflow = agency?.overflow
    toVisit.push(closedTo(agency), overflow?.busy, overflow?.dead)
  }
  for (const kind of ['menus', 'agencies', 'mailboxes'] as const) {
    for (const name of plan[kind]?.keys() ?? []) {
      if (!reached.has(name)) report([kind, name], 'is reached by no number and no key', 'give it a key of a menu, or delete it', 'warning')
    }
  }
  for (const kind of ['hours', 'holidays'] as const) {
    for (const name of plan[kind]?.keys() ?? []) {
      if (![...plan.agencies?.values() ?? []].some(agency => agency?.[kind] === name) && !(kind === 'hours' && (ruledBy(plan.followups, name) || ofSeason(plan, name) || [...allLines(plan)].some(({ line }) => line?.hours === name)))) report([kind, name], 'is used by no agency', 'name it there, or delete it', 'warning')
    }
  }
}

/** Whether a season has this timetable hold instead of another. */
const ofSeason = ({ seasons }: Draft, hours: string) => [...seasons?.values() ?? []].some(season => season?.hours?.values().some(one => one === hours))

/** Every prompt that the plan names has a text in every language. */
export function missingPrompts(plan: Draft, catalogue: PromptCatalogue, report: Report) {
  const languages: string[] = []
  for (const [index, language] of plan.languages?.entries() ?? []) {
    if (language === undefined) continue
    if (catalogue.get(language)?.size) languages.push(language)
    else report(['languages', index], `has no prompts in ${quote(language)}`, `write them in prompts/${language}, or take the language out`)
  }
  for (const [path, prompt] of promptReferences(plan)) {
    const missing = languages.filter(language => !catalogue.get(language)?.has(prompt))
    if (missing.length === 0) continue
    const known = missing.flatMap(language => [...catalogue.get(language)?.keys() ?? []])
    report(path, `the prompt ${quote(prompt)} has no text in ${missing.join(', ')}`, orMeant(`write ${listed(missing.map(language => `prompts/${language}/${prompt}.txt`))}`, prompt, known))
  }
}

function* nodeReferences(plan: Draft): Generator<[Path, string]> {
  for (const [did, number] of plan.numbers ?? []) if (number?.entry !== undefined) yield [['numbers', did, 'entry'], number.entry]
  for (const [name, menu] of plan.menus ?? []) {
    for (const [key, choice] of menu?.keys ?? []) {
      if (typeof choice === 'string') yield [['menus', name, 'keys', key], choice]
      else if (choice?.to !== undefined) yield [['menus', name, 'keys', key, 'to'], choice.to]
    }
    if (menu?.silence !== undefined) yield [['menus', name, 'silence'], menu.silence]
  }
  if (plan.siaga?.entry !== undefined) yield [['siaga', 'entry'], plan.siaga.entry]
  for (const [name, agency] of plan.agencies ?? []) {
    const closed = closedTo(agency)
    if (closed !== undefined) yield [['agencies', name, 'closed', ...offersCallback(agency) ? ['to'] : []], closed]
  }
}

function* promptReferences(plan: Draft): Generator<[Path, string]> {
  const named: [Path, string | undefined][] = []
  for (const [name, menu] of plan.menus ?? []) {
    for (const key of ['greeting', 'prompt', 'wrongKey'] as const) named.push([['menus', name, key], menu?.[key]])
  }
  for (const [name, agency] of plan.agencies ?? []) {
    for (const key of ['connecting', 'sorry'] as const) named.push([['agencies', name, key], agency?.[key]])
  }
  for (const key of ['wrongKey', 'nextLine', 'connecting', 'sorry', 'hold', ...plan.followups?.outbound?.channels ? callbackPrompts : []] as const) named.push([['prompts', key], plan.prompts?.[key]])
  if ([...plan.agencies?.values() ?? []].some(offersCallback)) for (const key of ['closed', 'offerOpening', 'promisedOpening'] as const) named.push([['prompts', key], plan.prompts?.[key]])
  if ([...plan.agencies?.values() ?? []].some(agency => agency?.wait)) named.push([['prompts', 'waiting'], plan.prompts?.waiting], [['prompts', 'offerWaiting'], plan.prompts?.offerWaiting])
  for (const [name, mailbox] of plan.mailboxes ?? []) named.push([['mailboxes', name, 'prompt'], mailbox?.prompt])
  if (plan.mailboxes?.size) for (const key of ['messageLeft', 'noMessage'] as const) named.push([['prompts', key], plan.prompts?.[key]])
  if (plan.followups?.mailbox !== undefined) named.push([['prompts', 'offerMessage'], plan.prompts?.offerMessage])
  if ([...allLines(plan)].some(({ line }) => line?.acceptKey !== undefined)) named.push([['prompts', 'accept'], plan.prompts?.accept], [['prompts', 'callerLeft'], plan.prompts?.callerLeft])
  for (const [path, prompt] of named) if (prompt !== undefined) yield [path, prompt]
}

/** Heard only where citizens are rung back. */
const callbackPrompts = ['callback', 'speak', 'acceptCallback', 'unreached', 'agencyLeft', 'callbackOver', 'confirmTalk', 'noted', 'offer', 'promised'] as const

/** What people call Indonesia's zones, the city of a zone, or a name that is misspelt. */
function zoneNamed(text: string): string | undefined {
  const zones = Intl.supportedValuesOf('timeZone')
  const zone = { WIB: 'Asia/Jakarta', WITA: 'Asia/Makassar', WIT: 'Asia/Jayapura' }[text.toUpperCase()] ?? zones.find(zone => zone.toLowerCase().endsWith(`/${text.toLowerCase()}`))
  return zone === undefined ? didYouMean(text, zones) : `did you mean ${quote(zone)}?`
}

function isTimezone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name })) && /^[A-Z]/.test(name)
  } catch {
    return false
  }
}
