/** docs/followups.md: its diagram is the code's, and its examples are plans. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { transitions } from '../../src/followups/states.ts'
import { kinds } from '../../src/plan/schema-followups.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'

const page = readFileSync('docs/followups.md', 'utf8')

test('the diagram shows every way from state to state that the code knows, and no other', () => {
  const drawn = [.../^ {2}(\w+) --> (\w+): ([\w-]+)$/gm[Symbol.matchAll](page)].map(([, from, to, by]) => `${from} ${by} ${to}`)
  const known = Object.entries(transitions).flatMap(([from, ways]) => Object.entries(ways).map(([by, to]) => `${from} ${by} ${to}`))
  expect(drawn.sort()).toEqual(known.sort())
})

test('every kind is explained', () => {
  for (const kind of kinds) expect(page).toContain(`\`${kind}\``)
})

test.each([...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text]) => [text!]))('an example is a plan: %s', text => {
  const plan = { ...parse(readFileSync('dialplan/plan.yaml', 'utf8'), { schema: 'failsafe' }) as object, ...parse(text, { schema: 'failsafe' }) as object }
  // The example takes the section's place, and with it the way to the mailbox: that is all that may be warned of.
  expect(readPlan(stringify(plan), { file: 'plan.yaml' }).faults.map(formatFault).filter(fault => !fault.includes('mailboxes.pesan: (warning) is reached by no number'))).toEqual([])
})
