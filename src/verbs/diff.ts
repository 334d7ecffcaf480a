/** `npx satunomor diff [FROM [TO]]`: the admin's folder against what is live, or two versions. Ends with 1 where they differ. */
import { parseArgs } from 'node:util'
import { desk, versionNumber } from './desk.ts'

export async function run(args: string[]): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} })
  const [from, to] = positionals.map(versionNumber)
  const difference = await desk().changes.diff(from, to)
  process.stdout.write(difference === '' ? 'Nothing differs.\n' : difference)
  return difference === '' ? 0 : 1
}
