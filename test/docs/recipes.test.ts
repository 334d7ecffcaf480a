/** docs/recipes.md: each recipe is followed within the demo city, step by step, and what comes of it can be applied. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { lint } from '../../src/dialplan/lint.ts'
import { dialledBy } from '../../src/dialplan/prepare.ts'
import { catalogue } from '../../src/dialplan/prompts.ts'
import { render } from '../../src/dialplan/render.ts'
import { checkExpectedCalls } from '../../src/plan/expected.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { directoryTexts, holidayTexts } from '../../src/plan/load.ts'
import { readPlan } from '../../src/plan/read.ts'
import { asPart, over, type Part } from './parts.ts'

const demo = asPart(readFileSync('dialplan/plan.yaml', 'utf8'))
const recipes = readFileSync('docs/recipes.md', 'utf8').split(/^## /m).slice(1).map(text => {
  const blocks = [...text.matchAll(/^```yaml *(.*)\n([\s\S]*?)^```$/gm)].map(([, file, block]) => ({ file: file || 'plan.yaml', block: block! }))
  return { heading: text.slice(0, text.indexOf('\n')), text, edits: blocks.filter(({ file }) => file === 'plan.yaml'), calls: blocks.filter(({ file }) => file === 'calls.yaml') }
})
const { prompts } = await catalogue('dialplan/prompts')
const [holidays, directory] = [await holidayTexts('dialplan/holidays'), await directoryTexts('dialplan/directory')]

test('there is a recipe for what an admin does most', () => {
  expect(recipes.map(({ heading }) => heading)).toEqual(expect.arrayContaining([
    'Add an agency', 'Change a menu', 'Choose the language with a key', 'A holiday', 'Ramadan hours', 'One telephone for two agencies', 'A line that is broken', 'A new trunk', 'Callers who wait', 'A recording instead of the synthetic voice', 'A second city number', 'Surge']))
})

test.each(recipes.filter(({ edits }) => edits.length > 0).map(recipe => [recipe.heading, recipe] as const))('%s', async (_, { text, edits, calls }) => {
  // What is to be spoken, the recipe says so: the demo city has no other prompts.
  const written = [...text.matchAll(/dialplan\/prompts\/([a-z]{2})\/([a-z0-9-]+)\.txt/g)]
  const spoken = new Map([...prompts].map(([language, names]) => [language, new Map([...names, ...written.filter(([, of]) => of === language).map(([, , name]) => [name!, {}] as const)])]))
  const edited = edits.reduce<Part>((plan, { block }) => over(plan, asPart(block)), demo)
  expect(edited).not.toEqual(demo)
  const { plan, faults } = readPlan(stringify(edited), { file: 'plan.yaml', prompts: spoken, holidays: new Map([...holidays].filter(([name]) => stringify(edited).includes(name))), directory, now: Date.parse('2027-01-10') })
  expect(faults.map(formatFault)).toEqual([])

  const files = await render('dialplan/templates', plan, { sounds: '/sounds' })
  expect(lint(files, dialledBy(plan)).map(formatFault)).toEqual([])
  for (const text of [readFileSync('dialplan/calls.yaml', 'utf8'), ...calls.map(({ block }) => block)]) expect(checkExpectedCalls(text, 'calls.yaml', plan).map(formatFault)).toEqual([])
})

test('every command of the recipes is one', () => {
  const verbs = new Set([...readFileSync('src/satunomor.ts', 'utf8').matchAll(/^ {2}(\w+): \{ does:/gm)].map(([, verb]) => verb))
  const named = [...readFileSync('docs/recipes.md', 'utf8').matchAll(/(?:npx|src\/)[ ]?satunomor(?:\.ts)? (\w+)/g)].map(([, verb]) => verb!)
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter(verb => !verbs.has(verb))).toEqual([])
})
