/** The published JSON Schema: the file is what the code makes of schema.ts, and it says of plan.yaml what an editor should. */
import { readFileSync } from 'node:fs'
import { Check } from 'typebox/schema'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { publishedSchema } from '../../src/plan/publish.ts'

const schema = publishedSchema()
const text = readFileSync('dialplan/plan.yaml', 'utf8')
const accepts = (text: string) => Check(schema, parse(text))

test('dialplan/plan.schema.json is what the code generates (npx satunomor schema > dialplan/plan.schema.json)', () => {
  expect(JSON.parse(readFileSync('dialplan/plan.schema.json', 'utf8'))).toEqual(JSON.parse(JSON.stringify(schema)))
})

test('plan.yaml names it, and conforms', () => {
  expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=plan.schema.json')
  expect(accepts(text)).toBe(true)
})

test.each([
  ['a misspelt key', 'greeting:', 'greting:'], ['a time without a unit', 'patience: 3 s', 'patience: 3'], ['a role that is none', 'role: carrier', 'role: carier'],
  ['a key that no telephone has', '1: ambulans', '12: ambulans'], ['something left out', '    name: BPBD\n', ''], ['a port in words', 'port: 5060', 'port: many']
])('an editor marks %s', (_, from, to) => {
  expect(text).toContain(from)
  expect(accepts(text.replace(from, to))).toBe(false)
})

test('a key is a node, or a language and perhaps a node', () => {
  const withKey = (choice: string) => accepts(text.replace('      0: posko\n', `      0: posko\n      9: ${choice}\n`))
  expect(['bpbd', '{ language: en }', '{ language: en, to: bpbd }'].map(withKey)).toEqual([true, true, true])
  expect(['{ languge: en }', '[bpbd]'].map(withKey)).toEqual([false, false])
})

test('what has a default may be left out, and its description says what it is then', () => {
  expect(accepts(text.replaceAll(/, ringTime: \d+ s, capacity: 1/g, '').replace(/    patience: .*\n/, ''))).toBe(true)
  const look = (rule: Record<string, unknown>, path: string): string[] => [
    ...rule['description'] || rule['type'] === 'object' ? [] : [`${path} has no description`],
    ...'default' in rule && !String(rule['description']).includes('if left out') ? [`${path} does not say its default`] : [],
    ...Object.entries({ ...rule['properties'] as object, ...rule['patternProperties'] as object, ...rule['items'] ? { items: rule['items'] } : {} })
      .flatMap(([key, part]) => look(part as Record<string, unknown>, `${path}.${key}`))
  ]
  expect(look(schema, '')).toEqual([])
})
