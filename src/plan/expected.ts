/**
 * Expected calls (dialplan/calls.yaml): what must remain true of the city's telephone, whatever is changed in the plan.
 * "At this time, with these keys, these lines busy, the call gets there." They are checked before every apply.
 */
import { DateTime } from 'luxon'
import { Type, type Static } from 'typebox'
import { conform, type Rule } from './conform.ts'
import type { Partly } from './draft.ts'
import { byPlace, didYouMean, listed, quote, thereAre, type Fault } from './faults.ts'
import { agencies, mailboxes, type Plan } from './plan.ts'
import { oneOf, reference, text } from './schema-words.ts'
import { doubts, simulate, supposedSwitches, type Simulation } from './simulate.ts'
import { openSource } from './source.ts'

export const CallsFile = Type.Object({
  calls: Type.Array(Type.Object({
    name: text('What is expected, as a sentence'),
    number: reference('What the caller dials'),
    at: Type.String({
      pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]$', expects: 'a date and a time of the plan’s zone, as in "2027-03-20 02:30"',
      description: 'When'
    }),
    press: Type.Array(Type.String({ pattern: '^[0-9*#]$', expects: 'a key of a telephone: 0 to 9, "*" or "#"' }), {
      default: [], description: 'A key for each question; after the last the caller is silent. None if left out'
    }),
    busy: Type.Array(reference('A line'), { default: [], uniqueItems: true, description: 'Lines that work and are not picked up; none if left out' }),
    dead: Type.Array(reference('A line'), { default: [], uniqueItems: true, description: 'Lines, and trunks, that are out of order; none if left out' }),
    closed: Type.Array(reference('An agency'), { default: [], uniqueItems: true, description: 'Agencies closed by hand (npx satunomor switch); none if left out' }),
    mode: Type.Optional(oneOf(['normal', 'siaga'], 'Whether surge mode is on; normal if left out')),
    caller: Type.Optional(oneOf(['known', 'withheld'], 'Whether the caller has a number that can be rung back; known if left out')),
    reaches: reference('The agency whose human picks up, a mailbox, "callback" (promised for when it is open), or "nobody"'),
    line: Type.Optional(reference('The line that is picked up; any of the agency’s if left out')),
    language: Type.Optional(reference('What the caller hears by then; any if left out'))
  }), { minItems: 1, description: 'In any order' })
})
type ExpectedCall = Partly<Static<typeof CallsFile>['calls'][number]>

/** Unix time in ms of a clock's `2027-03-20 02:30` in a time zone; undefined where there is no such day. */
export function timeIn(zone: string, text: string): number | undefined {
  const time = DateTime.fromFormat(text, 'yyyy-MM-dd HH:mm', { zone })
  return time.isValid ? time.toMillis() : undefined
}

/** What of the calls in this file is not so, in the order of the file; empty when all of them get where they are expected. `file` is for the faults' places. */
export function checkExpectedCalls(text: string, file: string, plan: Plan): Fault[] {
  const source = openSource(text, file)
  if (source.faults.length > 0) return source.faults.sort(byPlace)
  const { calls = [] } = (conform(source.root, CallsFile as Rule, [], source) ?? {}) as { calls?: ExpectedCall[] }
  const names = ['nobody', 'callback', ...[...agencies(plan), ...mailboxes(plan)].map(({ id }) => id)]
  calls.forEach((call, index) => {
    const at = call?.at === undefined ? undefined : timeIn(plan.timezone, call.at)
    if (call?.at !== undefined && at === undefined) source.report(['calls', index, 'at'], `is ${quote(call.at)}, a day that does not exist`)
    const { number, press = [], busy = [], dead = [], closed = [], mode = 'normal', caller = 'known', reaches } = call ?? {}
    const siaga = mode === 'siaga'
    const withheld = caller === 'withheld'
    if (number === undefined || reaches === undefined || at === undefined || [...press, ...busy, ...dead, ...closed].includes(undefined as never)) return
    const unknown = doubts(plan, { number, press, busy, dead, closed, siaga })
    for (const { part, index: item, sentence, suggestion } of unknown) source.report(['calls', index, part === 'siaga' ? 'mode' : part, ...item === undefined ? [] : [item]], sentence, suggestion)
    if (!names.includes(reaches)) return source.report(['calls', index, 'reaches'], `${quote(reaches)} is no agency of the plan`, didYouMean(reaches, names) ?? thereAre(names))
    if (unknown.length > 0) return
    const way = simulate(plan, { number, at, press, busy, dead, withheld, switches: supposedSwitches({ closed, siaga }, at) })
    const look = `${quote(call?.name ?? '')} is expected; look at it: npx satunomor simulate --number ${number} --at "${call?.at}"${option('press', press)}${option('busy', busy)}${option('dead', dead)}${option('closed', closed)}${siaga ? ' --siaga' : ''}${withheld ? ' --withheld' : ''}`
    const got = way.reaches?.agency ?? way.mailbox ?? (way.callback === undefined ? 'nobody' : 'callback')
    if (got !== reaches) source.report(['calls', index, 'reaches'], `gets to ${got}, not to ${reaches} (${wayInWords(way)})`, look)
    else if (call?.language !== undefined && call.language !== way.language) source.report(['calls', index, 'language'], `is heard in ${quote(way.language)}, not in ${quote(call.language)} (${wayInWords(way)})`, look)
    else if (call?.line !== undefined && way.reaches?.or) {
      source.report(['calls', index, 'line'], `may be ${[way.reaches.line, ...way.reaches.or].join(' or ')}: the plan does not say which rings first, or is picked up first`, 'leave `line` out, or suppose the others busy')
    } else if (call?.line !== undefined && call.line !== way.reaches?.line) source.report(['calls', index, 'line'], `gets to ${reaches} by ${way.reaches?.line ?? 'no line'}, not by ${call.line}`, look)
  })
  return source.faults.sort(byPlace)
}

const option = (name: string, values: readonly unknown[]) => values.length > 0 ? ` --${name} "${values.join(',')}"` : ''

/** `utama, key 3, wali-kota closed, posko`: the forks alone. */
function wayInWords({ steps }: Simulation): string {
  return listed(steps.flatMap(step => {
    switch (step.kind) {
      case 'menu': return [step.node]
      case 'key': return [`key ${step.digit}${step.language ? ` (${step.language})` : ''}`]
      case 'silence': return ['silence']
      case 'closed': case 'offer': return [`${step.agency} closed`]
      case 'agency': return [step.agency]
      case 'mailbox': return [step.mailbox]
      case 'waits': return ['waits']
      case 'line': return step.outcome === 'answered' || step.outcome === 'cancelled' ? [] : [`${step.line} ${step.outcome}`]
      default: return []
    }
  }), { most: 16 })
}
