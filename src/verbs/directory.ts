/** `npx satunomor directory [--search "tanjung karang"]`: the OPD, kecamatan and kelurahan, with the lines on which they are reached. */
import { parseArgs } from 'node:util'
import { search, type DirectoryEntry } from '../plan/directory.ts'
import { livePlan } from './plan-file.ts'

/** Ends with 1 where nothing is found. */
export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { search: { type: 'string', default: '' }, plan: { type: 'string' } } })
  const { plan: { directory } } = await livePlan(values.plan)
  const found = search(directory, values.search)
  const names = new Map(directory.map(({ id, name }) => [id, name]))
  process.stdout.write(found.length > 0 ? `${found.map(entry => inWords(entry, names)).join('\n')}\n` : 'Nobody of that name or code is in the directory.\n')
  return found.length > 0 ? 0 : 1
}

/** `18.71.01.1003  kelurahan  Kedaton (Kedaton)  +627215550103 on carrier` */
function inWords({ kind, id, name, within, agencies, contact }: DirectoryEntry, names: ReadonlyMap<string, string>): string {
  const about = within === undefined ? agencies.join(', ') : names.get(within)!
  return [id.padEnd(13), kind.padEnd(9), about ? `${name} (${about})` : name, ...contact ? [`${contact.number} on ${contact.trunk}`] : []].join('  ')
}
