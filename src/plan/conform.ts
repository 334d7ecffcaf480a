/** Holds a YAML node against the schema: reports every difference, fills in defaults, and hands back what conforms. */
import { DateTime } from 'luxon'
import { isMap, isScalar, isSeq, type ParsedNode } from 'yaml'
import { parseDuration } from './duration.ts'
import type { Path, Report } from './draft.ts'
import { didYouMean, quote } from './faults.ts'

/** The part of JSON Schema that schema.ts uses, and our own words there. */
export interface Rule {
  type?: 'object' | 'array' | 'string' | 'integer'
  properties?: Record<string, Rule>
  required?: string[]
  patternProperties?: Record<string, Rule>
  keys?: string
  items?: Rule
  /** What may stand here instead of the object: a single value. */
  short?: Rule
  /** What may stand here instead: an object that has this key. */
  instead?: { key: string, rule: Rule }
  minItems?: number
  uniqueItems?: boolean
  pattern?: string
  enum?: string[]
  format?: 'duration' | 'date' | 'day-or-time'
  minimum?: number
  maximum?: number
  atLeast?: string
  atMost?: string
  /** The word for 0, of a duration. */
  never?: string
  default?: unknown
  expects?: string
}

export interface Reporting {
  report: Report
  /** Remembers where a path stands in the file. */
  place(path: Path, node: ParsedNode): void
}

/** Returns the typed value, without the parts that do not conform; undefined when nothing of it does. */
export function conform(node: ParsedNode | null, rule: Rule, path: Path, to: Reporting): unknown {
  if (rule.short && !isMap(node)) return conform(node, rule.short, path, to)
  if (rule.instead && isMap(node) && node.has(rule.instead.key)) return conform(node, rule.instead.rule, path, to)
  if (rule.type === 'array') return list(node, rule, path, to)
  if (rule.patternProperties) return map(node, rule, path, to)
  if (rule.type === 'object') return record(node, rule, path, to)
  if (!isScalar(node)) return void to.report(path, `must be ${expected(rule)}, not ${kind(node)}`)
  return scalar(String(node.value), rule, path, to)
}

/** A map with the schema's own keys. */
function record(node: ParsedNode | null, rule: Rule, path: Path, to: Reporting) {
  if (!isMap(node)) return void to.report(path, `must have keys and values, not ${kind(node)}`)
  const properties = rule.properties ?? {}
  const written = new Map<string, unknown>()
  for (const [key, value] of pairs(node, path, to)) {
    const here = [...path, key]
    const property = Object.hasOwn(properties, key) && properties[key]
    if (property) written.set(key, conform(value, property, here, to))
    else to.report(here, 'is not a known key', didYouMean(key, Object.keys(properties)) ?? `known are ${Object.keys(properties).join(', ')}`)
  }
  for (const [key, property] of Object.entries(properties)) {
    if (written.has(key)) continue
    if (property.default !== undefined) written.set(key, defaultOf(property))
    else if (rule.required?.includes(key)) to.report([...path, key], 'is missing', `it must be ${expected(property)}`)
  }
  return Object.fromEntries(written)
}

/** A map with keys of the author's choice. An ill-named entry is kept, so that references to it are not faults too. */
function map(node: ParsedNode | null, rule: Rule, path: Path, to: Reporting) {
  if (!isMap(node)) return void to.report(path, `must have keys and values, not ${kind(node)}`)
  const [pattern, item] = Object.entries(rule.patternProperties!)[0]!
  const written = new Map<string, unknown>()
  for (const [key, value] of pairs(node, path, to)) {
    const here = [...path, key]
    if (!new RegExp(pattern, 'u').test(key)) to.report(here, `${quote(key)} must be ${rule.keys}`)
    written.set(key, conform(value, item, here, to))
  }
  return written
}

function list(node: ParsedNode | null, rule: Rule, path: Path, to: Reporting) {
  if (!isSeq(node)) return void to.report(path, `must be a list, not ${kind(node)}`)
  const items = node.items as ParsedNode[]
  if (items.length < (rule.minItems ?? 0)) to.report(path, 'is an empty list', 'it needs at least one entry')
  const values = items.map((item, index) => {
    const here = [...path, index]
    to.place(here, item)
    return conform(item, rule.items!, here, to)
  })
  if (rule.uniqueItems) values.forEach((value, index) => {
    if (values.indexOf(value) < index && value !== undefined) to.report([...path, index], `${quote(String(value))} is listed twice`, 'delete one of the two')
  })
  return values
}

function scalar(text: string, rule: Rule, path: Path, to: Reporting) {
  if (text === '') return void to.report(path, 'is empty', `it must be ${expected(rule)}`)
  if (rule.enum && !rule.enum.includes(text)) {
    return void to.report(path, `is ${quote(text)}; it must be ${expected(rule)}`, didYouMean(text, rule.enum))
  }
  if (rule.pattern && !new RegExp(rule.pattern, 'u').test(text)) {
    return void to.report(path, `is ${quote(text)}; it must be ${expected(rule)}`)
  }
  if (text === rule.never) return 0
  const value = rule.format === 'duration' ? parseDuration(text) : rule.format === 'date' ? existing(text) : rule.format === 'day-or-time' ? moment(text) : rule.type === 'integer' ? integer(text) : text
  if (value === undefined) return void to.report(path, `is ${quote(text)}; it must be ${expected(rule)}`)
  const [least, most] = bounds(rule)
  if (typeof value === 'number' && (value < least || value > most)) {
    return void to.report(path, `is ${text}; it must be between ${rule.atLeast ?? least} and ${rule.atMost ?? most}`)
  }
  return value
}

function pairs(node: ParsedNode, path: Path, to: Reporting): [string, ParsedNode | null][] {
  if (!isMap(node)) return []
  return node.items.map(pair => {
    const key = pair.key as ParsedNode
    const name = isScalar(key) ? String(key.value) : ''
    to.place([...path, name], key)
    return [name, pair.value as ParsedNode | null]
  })
}

function defaultOf(rule: Rule): unknown {
  return rule.format === 'duration' ? parseDuration(String(rule.default)) : structuredClone(rule.default)
}

function bounds(rule: Rule): [number, number] {
  return [
    rule.minimum ?? parseDuration(rule.atLeast ?? '') ?? -Infinity,
    rule.maximum ?? parseDuration(rule.atMost ?? '') ?? Infinity
  ]
}

/** The date as it is written, if the calendar has it. */
function existing(date: string): string | undefined {
  return /^\d{4}-\d{2}-\d{2}$/.test(date) && DateTime.fromISO(date, { zone: 'utc' }).isValid ? date : undefined
}

/** The date, or the date and time, as written, if the calendar has it. */
function moment(text: string): string | undefined {
  return /^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2})?$/.test(text) && DateTime.fromISO(text.replace(' ', 'T'), { zone: 'utc' }).isValid ? text : undefined
}

function integer(text: string): number | undefined {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined
}

function expected(rule: Rule): string {
  if (rule.expects) return rule.expects
  if (rule.enum) return rule.enum.length > 1 ? `one of ${rule.enum.join(', ')}` : String(rule.enum[0])
  if (rule.type === 'integer') return 'a whole number'
  if (rule.type === 'array') return 'a list'
  return rule.type === 'object' ? 'keys and values' : 'a text'
}

function kind(node: ParsedNode | null): string {
  if (isMap(node)) return 'keys and values'
  if (isSeq(node)) return 'a list'
  return node === null || (isScalar(node) && node.value === '') ? 'nothing' : 'a single value'
}
