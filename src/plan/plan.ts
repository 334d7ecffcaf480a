/** The service plan as the rest of the program walks it: every name resolves, every default is filled in, frozen. */
import { firstOfferKeys } from './check-keys.ts'
import type { DirectoryEntry } from './directory.ts'
import type { Duration } from './duration.ts'
import type { Calendar } from './holidays.ts'
import type { Mailbox } from './mailboxes.ts'
import type { Room } from './rooms.ts'
import type { Exception, Line as WrittenLine, Period, PlanFile, Prompts, SharedLine, Trunk } from './schema.ts'
import type { FollowUps } from './schema-followups.ts'
import type { SeasonDates } from './seasons.ts'
import type { Retention } from './schema-retention.ts'
import type { Webhook } from './schema-webhook.ts'

export type { Exception, Period, Prompts, Trunk } from './schema.ts'

export interface Plan {
  /** The first 12 hex digits of the SHA-256 of the plan's text, and of the files' of holidays and of the directory that it names. */
  version: string
  city: string
  timezone: string
  /** Of numbers that come in without one (`0721`); a trunk may have another. */
  areaCode?: string
  /** The first is the default. */
  languages: readonly string[]
  trunks: ReadonlyMap<string, Trunk>
  /** By DID: where a call begins, and in which language. */
  numbers: ReadonlyMap<string, Entry>
  /** Menus, agencies and mailboxes by their one name. */
  nodes: ReadonlyMap<string, Node>
  /** Timetables by name. */
  hours: ReadonlyMap<string, readonly Period[]>
  /** Dates on which other timetables hold, in the order of the calendar. */
  seasons: readonly SeasonDates[]
  /** Calendars by name. */
  holidays: ReadonlyMap<string, Calendar>
  exceptions: readonly Exception[]
  /** Surge mode: where calls begin while it is on. */
  siaga?: { entry: string }
  /** OPD, kecamatan and kelurahan. */
  directory: readonly DirectoryEntry[]
  /** Teleconferences by name. */
  rooms: ReadonlyMap<string, Room>
  /** For how long both sides of a talk may be without sound. */
  silentTalk: Duration
  /** The shortest talk that counts: what ends sooner is nobody's talk. */
  spoken: Duration
  /** How many calls of one number may be at one agency, or at the desk, at once (0: any number); numbers without a limit. */
  sameNumber: { calls: number, desk: number, except: readonly string[] }
  /** Another limit than `firstChoice`'s own (src/dialplan/length.ts), and why. */
  lastChoice?: { within: Duration, why: string }
  prompts: Prompts
  /** By which keys callers take what is offered in place of a line. */
  offerKeys: { callback: string, message: string }
  /** What becomes of missed calls; `policyOf` (follow-up-policy.ts) says what holds for whom. */
  followups: FollowUps
  /** How long things are kept that are about citizens. */
  retention: Retention
  /** How long calls are watched after an apply, how many may fail meanwhile, and how many versions are kept. */
  apply: { watch: Duration, failed: number, keep?: number }
}

export interface Entry { language: string, entry: string }

export type Node = MenuNode | AgencyNode | MailboxNode

export interface MenuNode {
  kind: 'menu'
  /** The node's name in the plan. */
  id: string
  greeting?: string
  prompt: string
  patience: Duration
  tries: number
  /** By key of the telephone (0-9, *, #). */
  keys: ReadonlyMap<string, Choice>
  silence: string
  wrongKey: string
}

/** What a key means: where it leads, perhaps to its own menu again, and what the caller hears from there on. */
export interface Choice { to: string, language?: string }

export interface AgencyNode {
  kind: 'agency'
  /** The node's name in the plan. */
  id: string
  /** For people to read. */
  name: string
  connecting: string
  sorry: string
  order: Order
  /** As they stand in the plan. */
  lines: readonly Line[]
  /** Of `plan.hours`; open at all times without. */
  hours?: string
  /** Of `plan.holidays`. */
  holidays?: string
  /** The node where callers go while it is closed; there is one if it ever is. */
  closed?: string
  /** What callers who can be rung are offered before that. */
  closedOffer?: 'callback'
  /** Its callers wait while all its lines are in use: at most so long, and told so often. */
  wait?: { longest: Duration, every: Duration }
  /** The agencies that take its callers after its last line. */
  overflow?: { busy?: string, dead?: string }
  /** Its lines, its own system and the desk do not see the callers' numbers. */
  callers?: 'shown' | 'anonymous'
  /** No message is sent to its callers. */
  messages?: 'sent' | 'none'
  /** Where its own system is told of its calls. */
  webhook?: Webhook
}

/** Where a caller leaves a message; `agency` is whom it is for, where the plan says so. */
export interface MailboxNode extends Mailbox {
  kind: 'mailbox'
  /** The node's name in the plan. */
  id: string
}

export type Order = PlanFile['agencies'] extends ReadonlyMap<string, infer Agency extends { order: string }> ? Agency['order'] : never

export interface Line extends Omit<WrittenLine, 'trunk' | 'trunks'> {
  /** At least one; the next is tried while those before it are out of order. */
  trunks: readonly string[]
  /** The agency that the line is of; another than the one whose `lines` it is among, where it is shared. */
  of: string
}

export const menus = (plan: Plan) => [...plan.nodes.values()].filter(node => node.kind === 'menu')
export const agencies = (plan: Plan) => [...plan.nodes.values()].filter(node => node.kind === 'agency')

export const mailboxes = (plan: Plan) => [...plan.nodes.values()].filter(node => node.kind === 'mailbox')

/** Where a caller goes on who presses nothing, or whose agency is closed; undefined at the end of the way. */
export const onward = (node: Node): string | undefined => node.kind === 'menu' ? node.silence : node.kind === 'agency' ? node.closed : undefined

/** Makes the plan out of a file that has passed every check. */
export function finish(file: PlanFile, calendars: ReadonlyMap<string, Calendar>, seasons: readonly SeasonDates[], directory: readonly DirectoryEntry[], version: string): Plan {
  const nodes = new Map<string, Node>()
  for (const [id, menu] of file.menus) {
    const keys = new Map([...menu.keys].map(([key, choice]) => [key, typeof choice === 'string' ? { to: choice } : { to: id, ...choice }] as const))
    nodes.set(id, { kind: 'menu', id, wrongKey: file.prompts.wrongKey, ...menu, keys })
  }
  const own = new Map([...file.agencies].flatMap(([agency, { lines }]) => lines.flatMap(one => 'line' in one ? [] : [[one.id, lineOf(agency, one)] as const])))
  const line = (one: WrittenLine | SharedLine): Line => 'line' in one ? { ...own.get(one.line)!, priority: one.priority } : own.get(one.id)!
  for (const [id, { closed, ...agency }] of file.agencies) nodes.set(id, { kind: 'agency', id, sorry: file.prompts.sorry, ...agency, ...whileClosed(closed), lines: agency.lines.map(line) })
  for (const [id, mailbox] of file.mailboxes ?? []) nodes.set(id, { kind: 'mailbox', id, ...mailbox })
  const numbers = new Map<string, Entry>()
  for (const [did, number] of file.numbers) numbers.set(did, { language: file.languages[0]!, ...number })
  const { city, timezone, areaCode, languages, trunks, hours = new Map(), exceptions = [], siaga, rooms = new Map(), silentTalk, spoken, sameNumber, lastChoice, prompts, offerKeys = firstOfferKeys, followups, retention, apply } = file
  return freeze({ version, city, timezone, languages, trunks, numbers, nodes, hours, seasons, holidays: calendars, exceptions, directory, rooms, silentTalk, spoken, sameNumber, prompts, offerKeys, followups, retention, apply, ...siaga ? { siaga } : {}, ...areaCode === undefined ? {} : { areaCode }, ...lastChoice ? { lastChoice } : {} })
}

function whileClosed(closed: string | { offer: 'callback', to: string } | undefined) {
  if (closed === undefined) return {}
  return typeof closed === 'string' ? { closed } : { closed: closed.to, closedOffer: closed.offer }
}

function lineOf(agency: string, { trunk, trunks = [trunk!], ...rest }: WrittenLine): Line {
  return { ...rest, trunks, of: agency }
}

/** Whether an agency's lines, its own system and the desk do not see its callers' numbers. */
export function isAnonymous(plan: Plan, agency: string | null): boolean {
  const node = agency === null ? undefined : plan.nodes.get(agency)
  return node?.kind === 'agency' && node.callers === 'anonymous'
}

/** The agency that a line is of, which rings for this one, too. */
export function ownerOf(plan: Plan, agency: string, line: string): string {
  const node = plan.nodes.get(agency)
  return (node?.kind === 'agency' ? node.lines.find(({ id }) => id === line)?.of : undefined) ?? agency
}

/** The agencies that share a line with this one. */
export function sharing(plan: Plan, agency: string): string[] {
  const node = plan.nodes.get(agency)
  if (node?.kind !== 'agency') return []
  const ids = new Set(node.lines.map(({ id }) => id))
  return agencies(plan).filter(({ id, lines }) => id !== agency && lines.some(line => ids.has(line.id))).map(({ id }) => id)
}

/** Freezes all the way down; a Map, which `Object.freeze` leaves open, refuses its writers. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Map) {
    const refuse = () => { throw new TypeError('the service plan is frozen: edit plan.yaml and apply it') }
    for (const writer of ['set', 'delete', 'clear']) Object.defineProperty(value, writer, { value: refuse })
    for (const item of value.values()) freeze(item)
  }
  for (const item of Object.values(value)) freeze(item)
  return Object.freeze(value)
}
