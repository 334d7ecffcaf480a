/** Where the steps of a dialplan lead: every jump resolved, and what is wrong with the ways (lint.ts tells it). */
import { call, splitArguments, steps, type Dialplan, type Step } from './dialplan.ts'

export interface Wrong {
  line: number
  context: string
  sentence: string
  suggestion: string
}

/** Steps at which time goes by, or the caller does something: a loop through one of them is no mad one. */
const waiting = new Set(['Answer', 'Background', 'Dial', 'MusicOnHold', 'Playback', 'PlayTones', 'Read', 'Record', 'Stasis', 'Wait', 'WaitExten'])
/** Steps that may bring the caller to somebody: a loop through one of them is a hunt. */
const human = new Set(['Dial', 'Stasis'])
const last = new Set(['Hangup', 'PJSIPHangup', 'Return', 'Busy', 'Congestion'])
const jumping = /^(Goto|Gosub|GotoIf|GosubIf|GotoIfTime)$/

/**
 * Jumps to what is not there, steps after which the caller falls, loops. `elsewhere` are contexts of other files, of
 * which nothing more is known. Jumps made from variables are not followed: lint.ts refuses them.
 */
export function wrongWays(dialplan: Dialplan, elsewhere: ReadonlySet<string>): Wrong[] {
  const found: Wrong[] = []
  const all = steps(dialplan)
  const map = new Places(all, dialplan)
  const ways = new Map<Step, Ways>()
  const edges = (step: Step) => ways.get(step)!.to
  const seen = new Map<string, Step>()
  for (const step of all) {
    const tell = (sentence: string, suggestion: string) => found.push({ line: step.line, context: step.context, sentence, suggestion })
    const place = `${step.context},${step.exten.replaceAll('-', '')},${step.priority}`         // Asterisk passes over hyphens there
    const first = seen.get(place)
    if (first) tell(`has the step ${step.exten},${step.priority} a second time`, `the first is in line ${first.line}${first.exten === step.exten ? '' : ` (${first.exten}: hyphens do not count)`}: Asterisk keeps only that`)
    seen.set(place, step)
    ways.set(step, leads(step, map, elsewhere, tell))
  }
  for (const round of circles(all, step => waiting.has(step.app) ? [] : edges(step))) {
    tellLoop(found, round, 'goes round and round without waiting for anybody', 'a way back needs a condition that changes, and a prompt or a wait')
  }
  const mad = new Set(found.map(({ line }) => line))
  for (const round of circles(all, edges)) {
    const inside = new Set(round)
    const ends = round.some(step => edges(step).some(next => !inside.has(next)) || human.has(step.app) || ways.get(step)!.away)
    if (!ends && !round.some(({ line }) => mad.has(line))) tellLoop(found, round, 'goes round for ever: who presses nothing reaches nobody', 'count the tries, then lead to an agency')
  }
  return found
}

interface Ways {
  /** The steps that may come after this one without a key being pressed. */
  to: Step[]
  /** There is a way out that is not followed here: to another file, or where a variable leads. */
  away: boolean
}

function leads(step: Step, map: Places, elsewhere: ReadonlySet<string>, tell: (sentence: string, suggestion: string) => void): Ways {
  const { app, args } = step
  const next = map.after(step)
  const ways: Ways = { to: [], away: false }
  const jump = (target: string, returns: boolean) => {
    const parts = splitArguments(target).map(part => part.trim())
    if (parts.length > 3 || parts.some(part => part === '')) return void tell('leads to an empty place', 'write where to: Goto(context,s,1), or a label')
    const [context = step.context, exten = step.exten, priority = ''] = [parts.at(-3), parts.at(-2), parts.at(-1)]
    if (target.includes('${') || elsewhere.has(context)) return void (ways.away = true)
    if (!map.knows(context)) return                                     // lint.ts tells it
    const place = map.find(context, exten, priority.replace(/\(.*$/s, ''))
    if (place === 'no exten') return void tell(`leads to ${exten} in [${context}], where there is no such extension`, 'write it out there, or lead elsewhere')
    if (place === 'no step') return void tell(`leads to ${priority} of ${exten} in [${context}], where there is no such step`, 'labels are written in brackets: same => n(label),App(…)')
    if (!returns) ways.to.push(place)
  }
  const branching = (does: { app: string, args: string }) => {
    const returns = does.app.startsWith('Gosub')
    if (does.app === 'Goto' || does.app === 'Gosub') jump(does.args, returns)
    else if (jumping.test(does.app)) {
      const { yes, no } = branchesOf(does.args)
      if (yes === '' && no === '') tell('leads to an empty place', 'write where to after the "?"')
      for (const target of [yes, no]) if (target !== '') jump(target, returns)
    }
  }
  branching(step)
  if (app === 'ExecIf') for (const inner of Object.values(branchesOf(args))) branching(call(inner) ?? { app: '', args: '' })

  const { yes, no } = /^GotoIf/.test(app) ? branchesOf(args) : { yes: '', no: '' }
  if (app === 'Goto' || last.has(app) || (yes !== '' && no !== '')) return ways
  const timeout = app === 'WaitExten' ? map.find(step.context, 't', '1') : undefined
  if (next) ways.to.push(next)
  else if (typeof timeout === 'object') ways.to.push(timeout)
  else if (app === 'WaitExten') tell('waits for a key, and has no "t" for who presses none', 'write exten => t,1,Goto(…)')
  else if (step.exten !== 'h') tell('is the last step here, and the caller falls', 'lead on with Goto, or end with Hangup or Return')
  return ways
}

/** `then` and `else` out of `condition?then:else`; empty where one is missing. */
function branchesOf(args: string): { yes: string, no: string } {
  const [, ...rest] = splitArguments(args, '?')
  const [yes = '', no = ''] = splitArguments(rest.join('?'), ':')
  return { yes: yes.trim(), no: no.trim() }
}

/** Every step by its place, as Asterisk would find it: by its extension, a pattern, or in a context that is included. */
class Places {
  readonly #steps = new Map<string, Map<string, Step[]>>()
  readonly #includes = new Map<string, string[]>()

  constructor(all: readonly Step[], { contexts, statements }: Dialplan) {
    for (const context of contexts) this.#steps.set(context, new Map())
    for (const step of all) {
      const here = this.#steps.get(step.context)!
      here.set(step.exten, [...here.get(step.exten) ?? [], step])
    }
    for (const { word, context, value } of statements) {
      if (word === 'include') this.#includes.set(context, [...this.#includes.get(context) ?? [], splitArguments(value)[0]!.trim()])
    }
  }

  knows(context: string) { return this.#steps.has(context) }

  after(step: Step): Step | undefined {
    return this.#steps.get(step.context)!.get(step.exten)!.find(({ priority }) => priority === step.priority + 1)
  }

  find(context: string, exten: string, priority: string): Step | 'no exten' | 'no step' {
    const there = this.#extension(context, exten, new Set())
    if (!there) return 'no exten'
    return there.find(step => /^\d+$/.test(priority) ? step.priority === Number(priority) : step.label === priority) ?? 'no step'
  }

  #extension(context: string, exten: string, visited: Set<string>): Step[] | undefined {
    if (visited.has(context)) return undefined
    visited.add(context)
    const here = this.#steps.get(context)
    const match = here?.get(exten) ?? [...here ?? []].find(([pattern]) => matches(pattern, exten))?.[1]
    if (match) return match
    for (const other of this.#includes.get(context) ?? []) {
      const found = this.#extension(other, exten, visited)
      if (found) return found
    }
    return undefined
  }
}

/** `_X.`: N is 2-9, Z 1-9, X 0-9, [..] one of, . one or more of anything, ! none or more. */
function matches(pattern: string, exten: string): boolean {
  if (!pattern.startsWith('_')) return false
  const source = [...pattern.slice(1).matchAll(/\[[^\]]*\]|./g)].map(([part]) => ({ N: '[2-9]', Z: '[1-9]', X: '[0-9]', '.': '.+', '!': '.*' })[part] ?? (part.startsWith('[') ? part : RegExp.escape(part)))
  return new RegExp(`^${source.join('')}$`).test(exten)
}

/** The circles of a graph: its strongly connected parts of more than one node, or with an edge to itself (Tarjan). */
function circles(nodes: readonly Step[], edges: (node: Step) => Step[]): Step[][] {
  const index = new Map<Step, number>(), low = new Map<Step, number>(), stack: Step[] = [], found: Step[][] = []
  const on = new Set<Step>()
  for (const root of nodes) {
    if (index.has(root)) continue
    const path: { node: Step, next: Iterator<Step> }[] = []
    const enter = (node: Step) => {
      index.set(node, index.size)
      low.set(node, index.get(node)!)
      stack.push(node)
      on.add(node)
      path.push({ node, next: edges(node).values() })
    }
    enter(root)
    while (path.length > 0) {
      const { node, next } = path.at(-1)!
      const { value, done } = next.next()
      if (!done) {
        if (!index.has(value)) enter(value)
        else if (on.has(value)) low.set(node, Math.min(low.get(node)!, index.get(value)!))
        continue
      }
      path.pop()
      const parent = path.at(-1)?.node
      if (parent) low.set(parent, Math.min(low.get(parent)!, low.get(node)!))
      if (low.get(node) !== index.get(node)) continue
      const part = stack.splice(stack.indexOf(node))
      for (const one of part) on.delete(one)
      if (part.length > 1 || edges(node).includes(node)) found.push(part)
    }
  }
  return found
}

function tellLoop(found: Wrong[], round: Step[], sentence: string, suggestion: string) {
  const first = round.toSorted((a, b) => a.line - b.line)[0]!
  found.push({ line: first.line, context: first.context, sentence, suggestion })
}
