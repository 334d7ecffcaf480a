/** The way that a call would take over the plan, without a telephone: what is heard and rung, and why at each fork. */
import type { Duration } from './duration.ts'
import { didYouMean, quote, thereAre } from './faults.ts'
import { hunt, type HuntStep } from './hunt.ts'
import type { Opening } from './hours.ts'
import { outboundTrunk } from './follow-up-policy.ts'
import { agencies, type AgencyNode, type MailboxNode, type MenuNode, type Plan } from './plan.ts'
import { beginning, noSwitches, type Switches } from './switches.ts'
import { numberOf } from './spellings.ts'
import { arrive, callsOfOneNumber, elsewhere, overflow, waits } from './walk.ts'

export interface Supposition {
  /** What the caller dials. */
  number: string
  /** Unix time in ms, all along. */
  at: number
  /** Keys, one for each question; after the last the caller is silent. */
  press?: readonly string[]
  /** Lines that work and are not picked up; lines, and trunks, that are out of order. All others are picked up. */
  busy?: readonly string[]
  dead?: readonly string[]
  /** The caller withholds their number: they cannot be rung back. */
  withheld?: boolean
  /** So many other calls of the caller's number are at each agency that they come to. */
  others?: number
  /** What an admin has set by hand; nothing if left out. */
  switches?: Switches
}

export type Step =
  | { kind: 'dials', number: string, language: string, to: string, siaga: boolean }
  | { kind: 'menu', node: string }
  /** A key that leads nowhere has `to` null; `language` is there where the key chose it. */
  | { kind: 'key', node: string, digit: string, to: string | null, language?: string }
  | { kind: 'silence', node: string, to: string }
  | { kind: 'tries', node: string, to: string }
  | { kind: 'closed', agency: string, opening: Opening, to: string }
  | { kind: 'agency', agency: string, opening: Opening }
  /** The agency is closed, and a callback is offered for when it opens, Unix ms. */
  | { kind: 'offer', agency: string, opening: Opening, opens: number }
  /** All lines are in use: they wait for one, at most `longest` ms. */
  | { kind: 'waits', agency: string, longest: Duration }
  | { kind: 'mailbox', mailbox: string }
  | { kind: 'overflow', agency: string, ladder: 'busy' | 'dead', to: string }
  /** No line rings: so many calls of their number are there. `to` is missing where they hear an apology. */
  | { kind: 'same-number', agency: string, calls: number, to?: string }
  | { kind: 'hears', prompt: string, language: string }
  | Exclude<HuntStep, { kind: 'hears' }>

export interface Simulation {
  steps: Step[]
  /** What the caller hears at the end. */
  language: string
  /** The human who picks up; missing where the caller hears an apology. `or` are lines that may be picked up instead, where there are any. */
  reaches?: { agency: string, line: string, or?: string[] }
  /** Where they may leave a message instead. */
  mailbox?: string
  /** The agency that they have asked to call back: when it is open, or (`waited`) instead of waiting for one of its lines. */
  callback?: string
  waited?: true
}

/** What of a supposition the plan does not know: the part, its index in a list, and what to do. */
export interface Doubt { part: 'number' | 'press' | 'busy' | 'dead' | 'closed' | 'siaga', index?: number, sentence: string, suggestion?: string }

/** Switches as a person supposes them: agencies closed, surge mode on. */
export interface ByHand { closed?: readonly string[], siaga?: boolean }

/** What they are then, for a day from `at` (Unix ms). */
export function supposedSwitches({ closed = [], siaga = false }: ByHand, at: number): Switches {
  const on = { until: at + 86_400_000, reason: 'as supposed' }
  return { closed: new Map(closed.map(agency => [agency, on])), ...siaga ? { siaga: on } : {} }
}

export function doubts(plan: Plan, { number, press = [], busy = [], dead = [], closed = [], siaga }: Pick<Supposition, 'number' | 'press' | 'busy' | 'dead'> & ByHand): Doubt[] {
  const all = [...new Set(agencies(plan).flatMap(({ lines }) => lines.map(({ id }) => id)))]
  const found: Doubt[] = []
  const unlessKnown = (part: Doubt['part'], word: string, known: string[], what: string, index?: number) => {
    if (!known.includes(word)) found.push({ part, index, sentence: `${quote(word)} is no ${what}`, suggestion: didYouMean(word, known) ?? thereAre(known) })
  }
  if (numberOf(plan, number) === undefined) unlessKnown('number', number, [...plan.numbers.keys()], 'number of the plan')
  press.forEach((key, index) => {
    if (!/^[0-9*#]$/.test(key)) found.push({ part: 'press', index, sentence: `${quote(key)} is no key of a telephone`, suggestion: 'there are 0 to 9, "*" and "#"' })
  })
  busy.forEach((line, index) => unlessKnown('busy', line, all, 'line of the plan', index))
  dead.forEach((line, index) => unlessKnown('dead', line, [...all, ...plan.trunks.keys()], 'line or trunk of the plan', index))
  const closable = agencies(plan).filter(({ closed }) => closed !== undefined).map(({ id }) => id)
  closed.forEach((agency, index) => unlessKnown('closed', agency, closable, 'agency that can be closed', index))
  if (siaga && !plan.siaga) found.push({ part: 'siaga', sentence: 'the plan has no siaga', suggestion: 'say there at which node all calls begin while it is on' })
  return found
}

/** Throws where the plan has no such number; for everything else that is not known, ask `doubts` first. */
export function simulate(plan: Plan, { number, at, press = [], busy = [], dead = [], withheld = false, others = 0, switches = noSwitches }: Supposition): Simulation {
  const begins = plan.numbers.get(numberOf(plan, number) ?? number)
  if (!begins) throw new Error(`the service plan has no number ${quote(number)}`)
  const to = beginning(plan, begins.entry, at, switches)
  const steps: Step[] = [{ kind: 'dials', number, language: begins.language, to, siaga: to !== begins.entry }]
  const caller: Caller = { keys: [...press], language: begins.language, steps }

  const sentOn = new Set<string>()
  let here = to
  while (true) {
    const arrival = arrive(plan, here, at, switches, () => !withheld)
    for (const detour of arrival.detours) steps.push({ kind: 'closed', ...detour })
    if (arrival.node.kind === 'menu') {
      here = choose(arrival.node, caller)
      continue
    }
    if (arrival.node.kind === 'mailbox') return leaveMessage(arrival.node, caller)
    const { node, opening, opens } = arrival as { node: AgencyNode, opening: Opening, opens?: number }
    if (opens !== undefined) {
      steps.push({ kind: 'offer', agency: node.id, opening, opens })
      return takeOffer(plan, node, caller)
    }
    steps.push({ kind: 'agency', agency: node.id, opening })
    if (!withheld && others >= callsOfOneNumber(plan, node.id)) {
      const to = sentOn.has(node.id) ? undefined : elsewhere(plan, node)
      sentOn.add(node.id)
      steps.push({ kind: 'same-number', agency: node.id, calls: others, ...to === undefined ? {} : { to } })
      if (to !== undefined) {
        here = to
        continue
      }
      hears(caller, node.sorry)
      return { steps, language: caller.language }
    }
    const { line, or, status, steps: rung } = hunt(plan, node, at, { busy, dead })
    steps.push(...rung.map(step => step.kind === 'hears' ? { ...step, language: caller.language } : step))
    if (line !== undefined) return { steps, language: caller.language, reaches: { agency: node.id, line, ...or.length > 0 ? { or } : {} } }
    if (waits(node, status)) {
      steps.push({ kind: 'waits', agency: node.id, longest: node.wait!.longest })
      const end = whileWaiting(plan, node, caller, !withheld)
      if (end) return end
    }
    const { ladder, to: helper } = overflow(node, status)
    if (helper === undefined) {
      hears(caller, node.sorry)
      return { steps, language: caller.language }
    }
    steps.push({ kind: 'overflow', agency: node.id, ladder, to: helper })
    here = helper
  }
}

/** The caller on the way: keys not pressed yet, what they hear, and all that happened. */
interface Caller { keys: string[], language: string, steps: Step[] }

const hears = ({ steps, language }: Caller, prompt: string) => steps.push({ kind: 'hears', prompt, language })

function leaveMessage({ id, prompt }: MailboxNode, caller: Caller): Simulation {
  caller.steps.push({ kind: 'mailbox', mailbox: id })
  hears(caller, prompt)
  return { steps: caller.steps, language: caller.language, mailbox: id }
}

/** A callback, where they can be rung, or the mailbox, if there is one, by their keys (`offerKeys`); who presses neither waits in vain here. */
function whileWaiting(plan: Plan, { id }: AgencyNode, caller: Caller, canBeRung: boolean): Simulation | undefined {
  const { prompts, followups, nodes, offerKeys } = plan
  const rungBack = canBeRung && outboundTrunk(plan) !== undefined
  const mailbox = followups.mailbox === undefined ? undefined : nodes.get(followups.mailbox) as MailboxNode
  const digit = takes([prompts.waiting, ...rungBack ? [prompts.offerWaiting] : [], ...mailbox ? [prompts.offerMessage] : []], [...rungBack ? [offerKeys.callback] : [], ...mailbox ? [offerKeys.message] : []], caller)
  if (digit === undefined) return undefined
  if (mailbox && digit === offerKeys.message) return leaveMessage(mailbox, caller)
  hears(caller, prompts.promised)
  return { steps: caller.steps, language: caller.language, callback: id, waited: true }
}

/** A callback, or the mailbox, if there is one, by their keys (`offerKeys`). */
function takeOffer({ prompts, followups, nodes, offerKeys }: Plan, { id }: AgencyNode, caller: Caller): Simulation {
  const mailbox = followups.mailbox === undefined ? undefined : nodes.get(followups.mailbox) as MailboxNode
  const digit = takes([prompts.closed, prompts.offerOpening, ...mailbox ? [prompts.offerMessage] : []], [offerKeys.callback, ...mailbox ? [offerKeys.message] : []], caller)
  if (mailbox && digit === offerKeys.message) return leaveMessage(mailbox, caller)
  hears(caller, digit === undefined ? prompts.closed : prompts.promisedOpening)
  return { steps: caller.steps, language: caller.language, ...digit === undefined ? {} : { callback: id } }
}

/** The key by which they take an offer; where they press another, they hear it again, three times in all. */
function takes(offer: string[], keys: string[], caller: Caller): string | undefined {
  for (let heard = 0; heard < 3; heard++) {
    for (const prompt of offer) hears(caller, prompt)
    const digit = caller.keys.shift()
    if (digit === undefined || keys.includes(digit)) return digit
  }
  return undefined
}

function choose(menu: MenuNode, caller: Caller): string {
  const { keys, steps } = caller
  const node = menu.id
  steps.push({ kind: 'menu', node })
  let question = menu.greeting ? [menu.greeting, menu.prompt] : [menu.prompt]
  for (let wrong = 0; wrong < menu.tries; wrong++) {
    for (const prompt of question) hears(caller, prompt)
    const digit = keys.shift()
    if (digit === undefined) {
      steps.push({ kind: 'silence', node, to: menu.silence })
      return menu.silence
    }
    const choice = menu.keys.get(digit)
    steps.push({ kind: 'key', node, digit, to: null, ...choice })
    if (choice) {
      caller.language = choice.language ?? caller.language
      return choice.to
    }
    question = [menu.wrongKey, menu.prompt]
  }
  steps.push({ kind: 'tries', node, to: menu.silence })
  return menu.silence
}
