/** `npx satunomor root`: which Asterisk the root has, how old it is, and its known holes; `root renew` makes a new one beside it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ageOf, renewRoot, root, rootsIn, warningsOf } from '../../setup/root.mjs'
import { cache } from '../../setup/project.mjs'
import { steps } from '../../setup/steps.mjs'
import { read, type Usage } from './usage.ts'

export const usage = {
  lines: [['root', 'says which Asterisk the root has, how old it is, and which holes are known'], ['root renew', 'makes a new root beside it, for the next start']],
  options: {}, ways: { renew: { words: 0, options: [] } }, example: 'root renew'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { words: [way] } = read(usage, args)
  const print = (...lines: string[]) => process.stdout.write(`${lines.join('\n')}\n`)
  if (way === 'renew') {
    await steps(async () => {
      const made = await renewRoot()
      print(`${made} has Asterisk ${ageOf(made).version}.`, ...warningsOf(ageOf(made)).map(warning => `! ${warning}`),
        'It counts from the next start on: stop Satunomor and start it again, in a calm hour (calls that talk end with Asterisk).',
        `To go back, stop, remove ${made}, and start. Once the new one has served calls, remove the older ones:`, ...rootsIn(cache).filter(folder => folder !== made).map(folder => `  rm -rf ${folder}`))
    })
    return 0
  }
  if (!existsSync(join(root, '.complete'))) {
    print('There is no root on this machine: npm start makes it. In containers Asterisk is in the image: docker compose build --pull --no-cache renews it.')
    return 0
  }
  const made = ageOf(root)
  print(`${root}: Asterisk ${made.version}, ${made.days} days old.`, ...warningsOf(made).map(warning => `! ${warning}`))
  return warningsOf(made).length > 0 ? 1 : 0
}
