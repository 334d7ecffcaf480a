/**
 * Templates and the service plan make what Asterisk loads. The language is Liquid without what reaches outside of
 * the template: no includes, no `raw`, and nothing that is written unchecked.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Liquid, LiquidError } from 'liquidjs'
import { byPlace, formatFault, orMeant, quote, type Fault } from '../plan/faults.ts'
import type { Plan } from '../plan/plan.ts'
import { view, type Site } from './view.ts'

const tags = ['assign', 'capture', 'case', 'comment', '#', 'for', 'break', 'continue', 'if', 'unless']
const filters = [
  'append', 'prepend', 'concat', 'default', 'divided_by', 'downcase', 'first', 'join', 'last', 'map', 'minus', 'modulo',
  'plus', 'replace', 'reverse', 'size', 'slice', 'sort', 'split', 'strip', 'times', 'uniq', 'upcase', 'where'
]

/** What may stand anywhere in Asterisk's configuration without meaning anything there; a telephone's * and # only alone. */
const harmless = /^(?:[A-Za-z0-9 _.:/@+-]*|[*#])$/

/** The templates are refused; `faults` are the faults of all of them. */
export class TemplateFaults extends Error {
  override name = 'TemplateFaults'
  readonly faults: Fault[]

  constructor(faults: Fault[]) {
    super(faults.map(formatFault).join('\n'))
    this.faults = faults
  }
}

/**
 * Renders every `<name>.liquid` in the folder, to a Map from `<name>` to its text. `site` is what the machine adds
 * to the plan; templates see it as `site` (view.ts lists all they see). `change` is done to each template's text first
 * (trace.ts). Throws `TemplateFaults`.
 */
export async function render(folder: string, plan: Plan, site: Site, change = (text: string) => text): Promise<Map<string, string>> {
  const engine = await liquid()
  const scope = view(plan, site)
  const rendered = new Map<string, string>()
  const faults: Fault[] = []
  for (const file of (await readdir(folder)).filter(name => name.endsWith('.liquid')).sort()) {
    const path = join(folder, file)
    try {
      const body: string = engine.renderSync(engine.parse(change(await readFile(path, 'utf8')), path), scope)
      const heading = `; rendered from templates/${file} and plan ${plan.version}; do not edit`
      rendered.set(file.slice(0, -'.liquid'.length), `${heading}\n${body.trimEnd()}\n`)
    } catch (error) {
      faults.push(...explain(error as LiquidError, path, wordsOf(scope)))
    }
  }
  if (rendered.size === 0 && faults.length === 0) {
    faults.push({ severity: 'error', file: folder, line: 1, column: 1, path: '', sentence: 'has no template', suggestion: 'templates end in .liquid' })
  }
  if (faults.length > 0) throw new TemplateFaults(faults.sort(byPlace))
  return rendered
}

/** Loaded where it is used: the service renders only when the plan changes. */
async function liquid(): Promise<Liquid> {
  const { Liquid } = await import('liquidjs')
  const engine = new Liquid({
    strictVariables: true, strictFilters: true, ownPropertyOnly: true, catchAllErrors: true, outputEscape: checked,
    templates: {}, renderLimit: 5000, memoryLimit: 1e7
  })
  for (const tag of Object.keys(engine.tags)) if (!tags.includes(tag)) delete engine.tags[tag]
  for (const filter of Object.keys(engine.filters)) if (!filters.includes(filter)) engine.unregisterFilter(filter)
  engine.registerFilter('comment', { handler: comment, raw: true })
  engine.registerFilter('seconds', wholeSeconds)
  engine.registerFilter('list', { handler: list, raw: true })
  return engine
}

/** What every `{{ value }}` goes through: harmless text, or a refusal. Nothing is changed on the quiet. */
function checked(value: unknown): string {
  if (value === null || value === undefined) throw new Refusal('has no value', 'ask {% if … %} whether it is there')
  if (typeof value === 'object') throw new Refusal('is a list or has parts', 'go through it with {% for … %}, or name the part')
  const text = String(value)
  if (!harmless.test(text)) {
    const bad = [...text].filter(letter => !harmless.test(letter))
    throw new Refusal(`is ${quote(text)}, and ${quote(bad[0]!)} may mean something to Asterisk`, 'change it in the plan; in a comment, write it with "| comment"')
  }
  return text
}

/** `; {{ agency.name | comment }}`: any text, on the rest of a line that is a comment already. */
function comment(this: { token: { input: string, begin: number } }, value: unknown): string {
  const { input, begin } = this.token
  const before = input.slice(input.lastIndexOf('\n', begin) + 1, begin)
  if (!/(^|[^\\]);/.test(before)) throw new Refusal('is written with "| comment" outside of a comment', 'it may stand only after a ;')
  return String(value ?? '').replace(/[\p{C}\u2028\u2029]+/gu, ' ').replaceAll(';', ',').replace(/^-+/, '').replace(/-(?=-)/g, '- ')
}

/** `{{ line.ringTime | seconds }}`: whole seconds, rounded up. */
function wholeSeconds(value: unknown): number {
  if (typeof value !== 'number') throw new Refusal('is no time', '"| seconds" takes a time of the plan')
  return Math.ceil(value / 1000)
}

/** `{{ trunk.codecs | list }}`: each checked, with commas between. */
function list(value: unknown): string {
  if (!Array.isArray(value)) throw new Refusal('is no list', 'write it without "| list"')
  return value.map(checked).join(',')
}

class Refusal extends Error {
  readonly suggestion: string

  constructor(sentence: string, suggestion: string) {
    super(sentence)
    this.suggestion = suggestion
  }
}

function explain(error: LiquidError & { errors?: LiquidError[] }, file: string, words: Set<string>): Fault[] {
  if (error.errors) return error.errors.flatMap(each => explain(each, file, words))
  const [line = 1, column = 1] = error.token?.getPosition() ?? []
  const cause = error.originalError
  const sentence = (cause?.message ?? error.message).replace(/, (file|line):.*$/s, '')
  const unknown = /^undefined variable: (?:.*\.)?([^.]+)$/.exec(sentence)?.[1]
  const suggestion = cause instanceof Refusal ? cause.suggestion
    : unknown ? orMeant('src/dialplan/view.ts lists what a template sees', unknown, words)
    : undefined
  const text = error.token?.getText().replace(/\s+/g, ' ').slice(0, 80) ?? ''
  return [{ severity: 'error', file, line, column, path: text, sentence, suggestion }]
}

function wordsOf(value: unknown, words = new Set<string>()): Set<string> {
  if (typeof value !== 'object' || value === null) return words
  for (const [word, part] of Object.entries(value)) {
    if (!Array.isArray(value)) words.add(word)
    wordsOf(part, words)
  }
  return words
}
