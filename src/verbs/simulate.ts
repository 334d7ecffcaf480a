/** `npx satunomor simulate`: prints the way that a call would take, prompts and lines and all, and why at each fork. */
import { DateTime } from 'luxon'
import { project } from '../../setup/project.mjs'
import { catalogue, type Catalogue } from '../dialplan/prompts.ts'
import { formatDuration } from '../plan/duration.ts'
import { openingInWords } from '../plan/hours.ts'
import { momentIn } from '../plan/moment.ts'
import type { Plan } from '../plan/plan.ts'
import { doubts, simulate, supposedSwitches, type Simulation, type Step, type Supposition } from '../plan/simulate.ts'
import { readSwitches } from '../plan/switches.ts'
import { places, readSettings } from '../settings.ts'
import { editedPlan } from './plan-file.ts'
import { read, type Usage } from './usage.ts'

export const usage = {
  lines: ['simulate [--number 112] [--at "2027-03-20 02:30"] [--press 1,2] …'],
  options: {
    number: { type: 'string', value: 'NUMBER', does: 'the number that is dialled; the first of the plan if left out' },
    at: { type: 'string', value: '"2027-03-20 02:30"', does: 'when, in the plan\'s zone; now if left out' },
    press: { type: 'string', value: 'KEYS', does: 'the keys that the caller presses, as in 1,2' },
    busy: { type: 'string', multiple: true, value: 'LINES', does: 'lines that are busy, as in bpbd-1,bpbd-2' },
    dead: { type: 'string', multiple: true, value: 'LINES', does: 'lines, or trunks, that are out of order' },
    closed: { type: 'string', multiple: true, value: 'AGENCIES', does: 'agencies that are closed by hand' },
    siaga: { type: 'boolean', does: 'in surge mode' }, withheld: { type: 'boolean', does: 'the caller withholds their number' },
    others: { type: 'string', value: 'N', does: 'other calls of the caller\'s number that are at each agency; 0 if left out' },
    live: { type: 'boolean', does: 'by the plan that is live; by what is edited if left out' }, plan: { type: 'string', value: 'FILE', does: 'another plan' }
  },
  example: 'simulate --number 112 --at "2027-03-20 02:30" --press 1 --busy ambulans-1'
} as const satisfies Usage

/** Ends with 0 when the call gets to a human, with 1 when it does not, with 2 when the question makes no sense. */
export async function run(args: string[]): Promise<number> {
  const { values } = read(usage, args)
  const { press = '', busy = [], dead = [], closed = [], siaga = false, withheld = false, others = '0' } = values
  const { plan, prompts: texts } = await editedPlan('simulate', values)
  const at = values.at === undefined ? Date.now() : momentIn(plan.timezone, values.at)
  const supposition = {
    number: values.number ?? [...plan.numbers.keys()][0]!, press: list(press), busy: busy.flatMap(list), dead: dead.flatMap(list), closed: closed.flatMap(list), siaga, withheld, others: Number(others)
  }
  const faults = doubts(plan, supposition).map(({ part, sentence, suggestion }) => `--${part}: ${sentence} — ${suggestion}`)
  if (at === undefined) faults.push(`--at: ${JSON.stringify(values.at)} is no time — as in "2027-03-20 02:30"`)
  if (!/^\d{1,3}$/.test(others)) faults.push(`--others: ${JSON.stringify(others)} is no number of calls — as in 1`)
  if (at === undefined || faults.length > 0) {
    process.stderr.write(`${faults.join('\n')}\n`)
    return 2
  }
  // What is set by hand now counts for a call made now; for any other time it is supposed.
  const byHand = values.at === undefined && !siaga && closed.length === 0
  const switches = byHand ? await readSwitches(places(readSettings(process.env, project).state).switches) : supposedSwitches(supposition, at)
  const simulation = simulate(plan, { ...supposition, at, switches })
  const { prompts } = await catalogue(texts, plan.languages)
  process.stdout.write(`${simulationInWords(plan, { ...supposition, at }, simulation, prompts)}\n`)
  return simulation.reaches ? 0 : 1
}

const list = (text: string) => text.split(',').map(item => item.trim()).filter(Boolean)

/** For a terminal: a line for each step, prompts with their texts in the language that is heard. */
export function simulationInWords(plan: Plan, { number, at }: Supposition, { steps, reaches, mailbox, callback, waited }: Simulation, prompts: Catalogue): string {
  const time = DateTime.fromMillis(at, { zone: plan.timezone, locale: 'en-GB' })
  return [
    `${number} on ${time.toFormat('ccc d LLLL yyyy, HH:mm')} (${plan.timezone}), plan ${plan.version}`,
    ...steps.map(step => {
      const [what, which, why] = stepInWords(plan, step, (language, prompt) => prompts.get(language)?.get(prompt)?.text)
      return `  ${what.padEnd(9)}${which.padEnd(22)} ${why}`.trimEnd()
    }),
    reaches ? `A human picks up: ${reaches.agency}, on the line ${[reaches.line, ...reaches.or ?? []].join(' or ')}.` : mailbox !== undefined ? `NOBODY picks up: the caller may leave a message in ${mailbox}.`
      : callback !== undefined ? `NOBODY picks up: the caller is called back by ${callback}${waited ? '' : ' when it is open'}.` : 'NOBODY picks up: the caller hears an apology.'
  ].join('\n')
}

const orders = {
  'in-turn': 'in turn', 'all-at-once': 'all at once: the first who picks up; here, the first in the plan',
  'longest-idle': 'longest idle: not known without the exchange; here, in the plan’s order'
}
const outcomes = { answered: 'is picked up', busy: 'busy, or not picked up', dead: 'out of order', cancelled: 'another was picked up' }

function stepInWords({ timezone }: Plan, step: Step, textOf: (language: string, prompt: string) => string | undefined): [what: string, which: string, why: string] {
  switch (step.kind) {
    case 'dials': return ['dials', step.number, `→ ${step.to}, in "${step.language}"${step.siaga ? ' (siaga)' : ''}`]
    case 'menu': return ['menu', step.node, '']
    case 'hears': return ['hears', `${step.language}/${step.prompt}`, textOf(step.language, step.prompt) ?? '(no text)']
    case 'key': return ['presses', step.digit, step.to ? `→ ${step.to}${step.language ? `, in "${step.language}"` : ''}` : 'means nothing here']
    case 'silence': return ['silence', '', `→ ${step.to}`]
    case 'tries': return ['gives up', '', `too many wrong keys → ${step.to}`]
    case 'closed': return ['passes', step.agency, `${openingInWords(step.opening)} → ${step.to}`]
    case 'agency': return ['agency', step.agency, openingInWords(step.opening)]
    case 'offer': return ['offers', step.agency, `${openingInWords(step.opening)}: a callback when it opens, ${DateTime.fromMillis(step.opens, { zone: timezone, locale: 'en-GB' }).toFormat('ccc d LLLL, HH:mm')}`]
    case 'waits': return ['waits', step.agency, `all lines in use: for one to be free, up to ${formatDuration(step.longest)}`]
    case 'mailbox': return ['mailbox', step.mailbox, 'a message may be left']
    case 'order': return ['order', step.priority === 1 ? '' : `priority ${step.priority}`, orders[step.order]]
    case 'trunk': return ['passes', step.trunk, `out of order → the next trunk of ${step.line}`]
    case 'rests': return ['passes', step.line, `not rung now (${step.rest.because}: ${step.rest.what})`]
    case 'line': return ['rings', step.line, outcomes[step.outcome]]
    case 'same-number': return ['passes', step.agency, `same number: ${step.calls} of its calls ${step.calls === 1 ? 'is' : 'are'} there ${step.to === undefined ? 'already' : `→ ${step.to}`}`]
    case 'overflow': return ['overflow', step.agency, `${step.ladder === 'busy' ? 'all lines busy' : 'no line could be rung'} → ${step.to}`]
  }
}
