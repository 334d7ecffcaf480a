/**
 * `npx satunomor access`: who has seen which caller's number or recording, and who did what by hand; newest first.
 *
 * It reads the store itself, service or none. `npm run audit` says whether an entry was changed or deleted.
 */
import { DateTime } from 'luxon'
import { pino } from 'pino'
import { project } from '../../setup/project.mjs'
import { masked } from '../calls/masked.ts'
import { momentExample, momentIn } from '../plan/moment.ts'
import { Records } from '../records/records.ts'
import { places, readSettings } from '../settings.ts'
import { livePlan } from './plan-file.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: ['access [--from TIME] [--to TIME] [--who NAME] [--call ID] [--limit N]'],
  options: {
    from: { type: 'string', value: 'TIME', does: 'since then; a time without a zone is the city\'s' }, to: { type: 'string', value: 'TIME', does: 'until then' },
    who: { type: 'string', value: 'NAME', does: 'what this person did' }, call: { type: 'string', value: 'ID', does: 'what was done with this call' },
    limit: { type: 'string', value: 'N', does: 'the newest N; 50 if left out' }
  },
  example: 'access --from 2026-11-24T00:00 --who "Ani"'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { from, to, who, call, limit: wanted = '50' } } = read(usage, args)
  if (!/^[1-9]\d{0,5}$/.test(wanted)) misused('access', `--limit ${wanted} is no number of entries`)
  const { plan: { timezone: zone } } = await livePlan()
  const limit = Number(wanted)
  const query = { ...moment('from', from, zone), ...moment('to', to, zone), ...who === undefined ? {} : { who }, ...call === undefined ? {} : { callId: call } }
  await using records = await Records.open({ file: places(readSettings(process.env, project).state).records }, pino({ level: 'silent' }))
  const { entries, next } = await records.audited({ ...query, limit })
  for (const { at, who, what, callId, cli, signedBy } of entries) {
    const time = DateTime.fromMillis(at, { zone }).toFormat('yyyy-MM-dd HH:mm:ss')
    process.stdout.write(`${[time, `${who}${signedBy === 'city-token' ? ' (city\'s token)' : ''}`, what, callId ?? '', masked(cli) ?? ''].join('  ').trimEnd()}\n`)
  }
  if (entries.length === 0) process.stdout.write('There is no such entry.\n')
  if (next !== null) process.stderr.write(`There are more: --limit ${limit * 2}, or an earlier --to.\n`)
  return 0
}

function moment(key: 'from' | 'to', text: string | undefined, zone: string): { from?: number, to?: number } {
  if (text === undefined) return {}
  const time = momentIn(zone, text)
  if (time === undefined) misused('access', `--${key}: "${text}" is no time: write ${momentExample}`)
  return { [key]: time }
}
