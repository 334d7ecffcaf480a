/** An Asterisk whose clock can be stepped while it runs: libfaketime, preloaded, asks a file at each look at the clock how far it is off. */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Program } from '../../setup/root.mjs'

/** In Asterisk's folder, and as Asterisk sees it. */
const outside = join('run', 'clock'), inside = '/run/asterisk/clock'

/** Its timers that are monotonic, and the times of its files, stay true. */
export const withItsOwnClock = (program: Program): Program => ({
  ...program,
  command: ['env', 'LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1', `FAKETIME_TIMESTAMP_FILE=${inside}`, 'FAKETIME_NO_CACHE=1',
    'FAKETIME_DONT_FAKE_MONOTONIC=1', 'FAKETIME_DISABLE_SHM=1', 'NO_FAKE_STAT=1', ...program.command]
})

/** Steps it to `ms` (whole seconds) from the true time; `folder` is that of the Asterisk. */
export async function stepAsterisk(folder: string, ms: number) {
  const clock = join(folder, outside)
  await writeFile(`${clock}.new`, `${ms < 0 ? '-' : '+'}${Math.abs(ms) / 1000}`)
  await rename(`${clock}.new`, clock)
}
