/** `npx satunomor diff [FROM [TO]]`: the admin's folder against what is live, or two versions. Ends with 1 where they differ. */
import { desk, versionNumber } from './desk.ts'
import { read, type Usage } from './usage.ts'

export const usage = {
  lines: [['diff', 'what is live against the edited folder'], ['diff FROM', 'version FROM against the edited folder'], ['diff FROM TO', 'two versions']], words: 2, options: {}, example: 'diff 33 34'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const [from, to] = read(usage, args).words.map(word => versionNumber('diff', word))
  const difference = await desk().changes.diff(from, to)
  process.stdout.write(difference === '' ? 'Nothing differs.\n' : difference)
  return difference === '' ? 0 : 1
}
