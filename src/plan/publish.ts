/**
 * The plan's schema as JSON Schema alone (dialplan/plan.schema.json), so that editors complete and check plan.yaml.
 * Our own words become standard ones, or go into the descriptions: units, bounds and defaults are read there.
 */
import type { Rule } from './conform.ts'
import { PlanFile } from './schema.ts'

type Json = { [key: string]: unknown }

export function publishedSchema(): Json {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#', title: 'Satunomor: the service plan (dialplan/plan.yaml)',
    ...published(PlanFile as Rule)
  }
}

function published({ short, instead, ...rule }: Rule & { description?: string, title?: string }): Json {
  if (short) return { description: rule.description, anyOf: [published(short), published(rule)] }
  if (instead) return { description: rule.description, anyOf: [published(instead.rule), published(rule)] }
  const { properties, patternProperties, items, required, keys, expects, atLeast, atMost, never, format, type, default: assumed, description, ...rest } = rule
  const words = [
    description, expects && upper(expects), keys && `The names are yours: each ${keys}`, atLeast && `From ${atLeast} to ${atMost}${never === undefined ? '' : `, or ${never}`}`
  ]
  const json: Json = { ...rest, type, description: sentences(words) }
  if (assumed !== undefined) json['default'] = assumed
  if (format === 'duration') json['pattern'] = `^${never === undefined ? '' : `${never}$|^`}[0-9]{1,6}(\\.[0-9]{1,3})? ?(ms|s|min|days?)$`
  if (format === 'day-or-time') json['pattern'] = '^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2})?$'
  if (format === 'date') json['pattern'] = '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
  // YAML reads `acceptKey: 1` as a number; the plan takes the digits as they are written.
  if (type === 'string' && rest.pattern && new RegExp(rest.pattern, 'u').test('1')) json['type'] = ['string', 'integer']
  if (properties) {
    json['properties'] = each(properties)
    json['required'] = required?.filter(key => properties[key]?.default === undefined) ?? []
    json['additionalProperties'] = false
  }
  if (patternProperties) {
    json['patternProperties'] = each(patternProperties)
    json['additionalProperties'] = false
  }
  if (items) json['items'] = published(items)
  return json
}

const each = (rules: Record<string, Rule>): Json => Object.fromEntries(Object.entries(rules).map(([key, rule]) => [key, published(rule)]))
const upper = (text: string) => text[0]!.toUpperCase() + text.slice(1)
const sentences = (words: unknown[]) => words.filter(Boolean).map(word => String(word).replace(/\.$/, '')).join('. ') || undefined
