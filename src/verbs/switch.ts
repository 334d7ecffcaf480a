/**
 * `npx satunomor switch`: what an admin sets by hand, until a time; the service follows within a second, and no plan is applied.
 *
 * It works, service or none: on the night when it is needed, half of the rest may be broken. The plan is the one that is live, whatever
 * is edited meanwhile (`--plan FILE` names another); what is set, and `open` and `normal` for it, need none at all.
 */
import { DateTime } from 'luxon'
import { pino } from 'pino'
import { project } from '../../setup/project.mjs'
import { NotAudited, setSwitches } from '../dialplan/switching.ts'
import type { Plan } from '../plan/plan.ts'
import { lasting, NotSwitched, type SwitchOrder } from '../plan/switching.ts'
import { readSwitches, type Switches } from '../plan/switches.ts'
import { Records } from '../records/records.ts'
import { places, readSettings } from '../settings.ts'
import { me } from './desk.ts'
import { livePlan } from './plan-file.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: [
    ['switch', 'shows what is set'], ['switch close AGENCY --until "2027-03-20 18:00" --reason "…"', 'its callers go to its `closed` node'], ['switch open AGENCY', 'the plan\'s hours hold again'],
    ['switch siaga --until "2027-03-20 18:00" --reason "…"', 'surge mode: all calls begin at the plan\'s siaga entry'], ['switch normal', 'ends surge mode']
  ],
  ways: {
    close: { words: 1, options: ['until', 'reason', 'who', 'plan'] }, open: { words: 1, options: ['reason', 'who', 'plan'] },
    siaga: { words: 0, options: ['until', 'reason', 'who', 'plan'] }, normal: { words: 0, options: ['reason', 'who', 'plan'] }
  },
  options: {
    until: { type: 'string', value: '"2027-03-20 18:00"', does: 'its end, in the plan\'s zone' }, reason: { type: 'string', value: '"…"', does: 'why: it stands in the records of the calls' },
    who: { type: 'string', value: 'NAME', does: 'who does it; you at this machine if left out' }, plan: { type: 'string', value: 'FILE', does: 'another plan than the one that is live' }
  },
  example: 'switch close wali-kota --until "2027-03-20 18:00" --reason "Banjir di kantor"'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { plan: planFile, until, reason, who = me() }, words: [what, agency] } = read(usage, args)
  if ((what === 'close' || what === 'open') && agency === undefined) misused('switch', `say which agency: switch ${what} AGENCY`)
  const plan = await livePlan(planFile).then(({ plan }) => plan, error => {
    if (what === 'close' || what === 'siaga') throw error
    process.stderr.write(`${(error as Error).message}\nThe plan cannot be read, and is not needed for this.\n`)
    return undefined
  })
  const { switches: file, records } = places(readSettings(process.env, project).state)
  try {
    if (what !== undefined) await set({ file, plan, records }, { what, who, ...agency === undefined ? {} : { agency }, ...until === undefined ? {} : { until }, ...reason === undefined ? {} : { reason } })
  } catch (error) {
    if (!(error instanceof NotSwitched) && !(error instanceof NotAudited)) throw error
    process.stderr.write(`${error.message}\n`)
    if (error instanceof NotSwitched) return 2
  }
  process.stdout.write(`${switchesInWords(plan, await readSwitches(file))}\n`)
  return 0
}

const set = ({ file, plan, records }: { file: string, plan: Plan | undefined, records: string }, order: SwitchOrder) => setSwitches({
  file, plan, audit: async (who, what) => {
    await using store = await Records.open({ file: records }, pino({ level: 'silent' }))
    await store.audit(who, what, null)
  }
}, order)

function switchesInWords(plan: Plan | undefined, switches: Switches): string {
  const { closed, siaga } = lasting(switches, Date.now())
  const time = (at: number) => plan ? DateTime.fromMillis(at, { zone: plan.timezone }).toFormat('yyyy-MM-dd HH:mm') : DateTime.fromMillis(at, { zone: 'utc' }).toFormat("yyyy-MM-dd HH:mm 'UTC'")
  const lines = [...closed].map(([id, { until, reason }]) => `${id} is closed until ${time(until)}: ${reason}`)
  if (siaga) lines.unshift(`SIAGA until ${time(siaga.until)}: ${siaga.reason}`)
  return lines.join('\n') || 'Nothing is set by hand.'
}
