/** `npx satunomor go-live`: after a restore, has the service ring citizens back, send messages and tell agencies' systems again. It works, service or none. */
import { pino } from 'pino'
import { project } from '../../setup/project.mjs'
import { goLive, readHeld } from '../outbound-hold.ts'
import { Records } from '../records/records.ts'
import { places, readSettings } from '../settings.ts'
import { me } from './desk.ts'
import { read, type Usage } from './usage.ts'

export const usage = {
  lines: ['go-live [--who NAME]'],
  options: { who: { type: 'string', value: 'NAME', does: 'who does it; you at this machine if left out' } },
  example: 'go-live'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { who = me() } } = read(usage, args)
  const { held: file, records } = places(readSettings(process.env, project).state)
  const held = await readHeld(file)
  if (!held) {
    process.stdout.write('Nothing is held.\n')
    return 0
  }
  await goLive(file)
  process.stdout.write(`Callbacks, messages and webhooks go on. They were held since ${held.since}: ${held.why}.\n`)
  try {
    await using store = await Records.open({ file: records }, pino({ level: 'silent' }))
    await store.audit(who, 'goes live', null)
  } catch (error) {
    process.stderr.write(`It does not stand in the audit: ${(error as Error).message}\n`)
    return 1
  }
  return 0
}
