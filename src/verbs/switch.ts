/**
 * `npx satunomor switch`: what an admin sets by hand, until a time; the service follows within a second, and no plan is applied.
 *
 *   switch                                                              what is set
 *   switch close wali-kota --until "2027-03-20 18:00" --reason Banjir   its callers go to its `closed` node
 *   switch open wali-kota                                               the plan's hours hold again
 *   switch siaga --until "2027-03-20 18:00" --reason Banjir             all calls begin at the plan's siaga entry
 *   switch normal                                                       at their numbers' own again
 */
import { parseArgs } from 'node:util'
import { DateTime } from 'luxon'
import { project } from '../../setup/project.mjs'
import { timeIn } from '../plan/expected.ts'
import { didYouMean, quote } from '../plan/faults.ts'
import { agencies, type Plan } from '../plan/plan.ts'
import { readSwitches, writeSwitches, type Switch, type Switches } from '../plan/switches.ts'
import { places, readSettings } from '../settings.ts'
import { planOf } from './plan-file.ts'

export async function run(args: string[]): Promise<number> {
  const { values, positionals: [what, agency] } = parseArgs({ args, allowPositionals: true, options: { until: { type: 'string' }, reason: { type: 'string' }, plan: { type: 'string' } } })
  const plan = await planOf(values.plan)
  const file = places(readSettings(process.env, project).state).switches
  const before = await readSwitches(file)
  if (what !== undefined) {
    const after = switched(plan, before, { what, agency, ...values }, Date.now())
    if (typeof after === 'string') {
      process.stderr.write(`${after}\n`)
      return 2
    }
    await writeSwitches(file, after)
  }
  process.stdout.write(`${switchesInWords(plan, what === undefined ? before : await readSwitches(file), Date.now())}\n`)
  return 0
}

/** The switches after a command, without those that have ended; or why it makes no sense. */
export function switched(plan: Plan, { closed, siaga }: Switches, { what, agency, until, reason }: { what: string, agency?: string, until?: string, reason?: string }, now: number): Switches | string {
  const lasting = { closed: new Map([...closed].filter(([, { until }]) => now < until)), ...siaga && now < siaga.until ? { siaga } : {} }
  const one = (): Switch | string => {
    const end = until === undefined ? undefined : timeIn(plan.timezone, until)
    if (end === undefined) return `--until ${until === undefined ? 'is missing' : `is ${quote(until)}`}: a date and a time of ${plan.timezone}, as in "2027-03-20 18:00"; no switch lasts for ever`
    if (end <= now) return `--until is ${quote(until!)}, which is over`
    return reason?.trim() ? { until: end, reason: reason.trim() } : '--reason is missing: it stands in the records of the calls'
  }
  const known = agencies(plan).map(({ id }) => id)
  const node = agencies(plan).find(({ id }) => id === agency)
  if ((what === 'close' || what === 'open') && !node) return `${quote(agency ?? '')} is no agency of the plan — ${didYouMean(agency ?? '', known) ?? `there are ${known.join(', ')}`}`
  if (what === 'close') {
    if (node!.closed === undefined) return `${agency} cannot be closed: the plan does not say where its callers would go — give it a \`closed\` node`
    const set = one()
    return typeof set === 'string' ? set : { ...lasting, closed: new Map([...lasting.closed, [agency!, set]]) }
  }
  if (what === 'open') return { ...lasting, closed: new Map([...lasting.closed].filter(([id]) => id !== agency)) }
  if (what === 'normal') return { closed: lasting.closed }
  if (what !== 'siaga') return `${quote(what)} is none of close, open, siaga, normal`
  if (!plan.siaga) return 'the plan has no siaga: say there at which node all calls begin while it is on'
  const set = one()
  return typeof set === 'string' ? set : { ...lasting, siaga: set }
}

function switchesInWords(plan: Plan, { closed, siaga }: Switches, now: number): string {
  const time = (at: number) => DateTime.fromMillis(at, { zone: plan.timezone }).toFormat('yyyy-MM-dd HH:mm')
  const lines = [...closed].filter(([, { until }]) => now < until).map(([id, { until, reason }]) => `${id} is closed until ${time(until)}: ${reason}`)
  if (siaga && now < siaga.until) lines.unshift(`SIAGA until ${time(siaga.until)}: ${siaga.reason}`)
  return lines.join('\n') || 'Nothing is set by hand.'
}
