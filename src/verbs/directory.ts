/** `npx satunomor directory [--search "tanjung karang"]`: the OPD, kecamatan and kelurahan, with the lines on which they are reached. */
import { search, type DirectoryEntry } from '../plan/directory.ts'
import { livePlan } from './plan-file.ts'
import { read, type Usage } from './usage.ts'

export const usage = {
  lines: ['directory [--search "…"] [--plan FILE]'],
  options: { search: { type: 'string', value: '"…"', does: 'a part of a name, or of a code; all if left out' }, plan: { type: 'string', value: 'FILE', does: 'another plan than the one that is live' } },
  example: 'directory --search "tanjung karang"'
} as const satisfies Usage

/** Ends with 1 where nothing is found. */
export async function run(args: string[]): Promise<number> {
  const { values: { plan, search: words = '' } } = read(usage, args)
  const { plan: { directory } } = await livePlan(plan)
  const found = search(directory, words)
  const names = new Map(directory.map(({ id, name }) => [id, name]))
  process.stdout.write(found.length > 0 ? `${found.map(entry => inWords(entry, names)).join('\n')}\n` : 'Nobody of that name or code is in the directory.\n')
  return found.length > 0 ? 0 : 1
}

/** `18.71.01.1003  kelurahan  Kedaton (Kedaton)  +627215550103 on carrier` */
function inWords({ kind, id, name, within, agencies, contact }: DirectoryEntry, names: ReadonlyMap<string, string>): string {
  const about = within === undefined ? agencies.join(', ') : names.get(within)!
  return [id.padEnd(13), kind.padEnd(9), about ? `${name} (${about})` : name, ...contact ? [`${contact.number} on ${contact.trunk}`] : []].join('  ')
}
