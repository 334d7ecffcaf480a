/** A PBX admin's folder with what changes it, without Asterisk: for tests, and for a process that a test kills. */
import { pino } from 'pino'
import { Changes, type ChangesOptions } from '../../src/dialplan/changes.ts'
import type { Run } from '../../src/dialplan/run.ts'
import { Versions } from '../../src/dialplan/versions.ts'

/** Stands in for espeak-ng and sox: two seconds of silence. */
const speaks: Run = async () => Buffer.alloc(16_000)

export const changesIn = (folder: string, more: Partial<ChangesOptions> = {}) => new Changes({
  versions: new Versions(`${folder}/versions`),
  desk: { plan: `${folder}/plan.yaml`, templates: `${folder}/templates`, prompts: `${folder}/prompts` },
  workshop: { site: {}, run: speaks }, live: { etc: `${folder}/etc/plan`, sounds: `${folder}/sounds` },
  log: pino({ level: 'silent' }), ...more
})

if (import.meta.main) {
  // Says each step; at the one that it was given it stands still until it is killed.
  const [folder = '', at] = process.argv.slice(2)
  await changesIn(folder).apply({ who: 'Ani', why: 'to be killed', tell: step => {
    process.stdout.write(`${step}\n`)
    if (step === at) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  } })
}
