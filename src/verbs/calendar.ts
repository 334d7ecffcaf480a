/** `npx satunomor calendar`: when agencies open and close in the next days, and why. */
import { DateTime } from 'luxon'
import { project } from '../../setup/project.mjs'
import { changes, type Change } from '../plan/calendar.ts'
import { openingInWords } from '../plan/hours.ts'
import { momentIn } from '../plan/moment.ts'
import { agencies, type Plan } from '../plan/plan.ts'
import { readSwitches } from '../plan/switches.ts'
import { places, readSettings } from '../settings.ts'
import { editedPlan } from './plan-file.ts'
import { read, type Usage } from './usage.ts'

export const usage = {
  lines: ['calendar [--days 30] [--from 2027-03-01] [--live] [--plan FILE]'],
  options: {
    days: { type: 'string', value: 'N', does: 'how many, 1 to 400; 30 if left out' }, from: { type: 'string', value: '2027-03-01', does: 'the first day; today if left out' },
    live: { type: 'boolean', does: 'by the plan that is live; by what is edited if left out' }, plan: { type: 'string', value: 'FILE', does: 'another plan' }
  },
  example: 'calendar --days 30 --from 2027-03-01'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values } = read(usage, args)
  const { plan } = await editedPlan('calendar', values)
  const from = values.from === undefined ? DateTime.now().setZone(plan.timezone) : DateTime.fromMillis(momentIn(plan.timezone, values.from) ?? NaN, { zone: plan.timezone })
  const days = Number(values.days ?? 30)
  if (!from.isValid || !Number.isInteger(days) || days < 1 || days > 400) {
    process.stderr.write('--from is a date, as in 2027-03-01; --days are from 1 to 400\n')
    return 2
  }
  const switches = await readSwitches(places(readSettings(process.env, project).state).switches)
  process.stdout.write(`${calendarInWords(plan, changes(plan, from.toMillis() - 1, from.plus({ days }).toMillis(), switches))}\n`)
  return 0
}

/** A line for each change; agencies that are always open are named at the end. */
export function calendarInWords(plan: Plan, changes: Change[]): string {
  const width = Math.max(...agencies(plan).map(({ id }) => id.length))
  const still = agencies(plan).filter(({ id }) => !changes.some(({ agency }) => agency === id))
  return [
    ...changes.map(({ at, agency, now, before }) => {
      const time = DateTime.fromMillis(at, { zone: plan.timezone, locale: 'en-GB' }).toFormat('ccc yyyy-MM-dd HH:mm')
      const over = ['season', 'holiday', 'exception', 'switch'].includes(before.because) && before.what !== now.what ? `; the ${before.because} is over: ${before.what}` : ''
      return `${time}  ${agency.padEnd(width)}  ${now.open === before.open ? 'stays' : 'is'} ${openingInWords(now)}${over}`
    }),
    ...still.length > 0 ? [`No change: ${still.map(({ id }) => id).join(', ')}`] : []
  ].join('\n')
}
