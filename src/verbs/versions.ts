/** `npx satunomor versions`: every version of the plan, the newest last; `*` is live. */
import { DateTime } from 'luxon'
import { desk } from './desk.ts'
import { read, type Usage } from './usage.ts'

export const usage = { lines: ['versions'], options: {}, example: 'versions' } as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  read(usage, args)
  const { changes: { versions } } = desk()
  const [all, live] = [await versions.list(), await versions.look()]
  for (const { version, sentence } of await versions.lost()) process.stderr.write(`version ${version} is lost: ${sentence}\n`)
  if (all.length === 0) process.stdout.write('There is no version yet: npm start makes the first.\n')
  for (const { version, plan, at, who, why, base, restores } of all) {
    const time = DateTime.fromISO(at).toFormat('yyyy-MM-dd HH:mm:ss ZZ')
    const from = restores !== null ? `${restores} again, after ${base}` : base !== null ? `after ${base}` : 'the first'
    process.stdout.write(`${version === live?.version ? '*' : ' '}${String(version).padStart(4)}  ${plan}  ${time}  ${who}: ${why} (${from})\n`)
  }
  return 0
}
