// One `npm start` at a time in a state folder. A second one may have other settings, and would overwrite the files that the first one uses.
// It runs on the machine's own Node (18 or later), which has no file locks. The program `flock` of util-linux holds the lock for us.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { StepFailed } from './steps.mjs'

/** What `flock` ends with where somebody else holds the lock. */
const taken = 75

/**
 * Holds `folder` until this process ends, however it ends: the kernel releases the lock.
 * Throws where another process holds it, before anything in it was changed. Where it cannot be locked for another reason, e.g. on a full
 * disk, that is printed, and the start goes on: 112 comes first.
 * @param {string} folder @param {AbortSignal} stopping
 * @returns {Promise<() => Promise<void>>} releases it sooner
 */
export async function holdFolder(folder, stopping) {
  const file = join(folder, 'start.lock')
  try {
    closeSync(openSync(file, 'a', 0o600))
    return await lock(file, folder, stopping)
  } catch (error) {
    if (error instanceof StepFailed) throw error
    process.stderr.write(`    ! The state folder is not locked (${/** @type {Error} */ (error).message}): start no second Satunomor in ${folder}\n`)
    return async () => {}
  }
}

/** @param {string} file @param {string} folder @param {AbortSignal} stopping */
async function lock(file, folder, stopping) {
  // `cat` ends when our end of its standard input does.
  const holder = spawn('flock', ['--nonblock', '--no-fork', '--conflict-exit-code', String(taken), file, 'sh', '-c', 'echo held; exec cat'],
    { stdio: ['pipe', 'pipe', 'ignore'], detached: true })
  holder.stdin.on('error', () => {})
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', () => resolve(undefined))
    holder.once('error', reject)
    holder.once('exit', code => reject(code === taken
      ? new StepFailed(`another npm start runs in ${folder}`, 'Stop it first, or give this one a folder of its own with SATUNOMOR_STATE.')
      : new Error(`flock ended with code ${code}`)))
    stopping.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  for (const part of [holder, holder.stdin, holder.stdout]) /** @type {{ unref?: () => void }} */ (part).unref?.()
  return async () => {
    if (holder.exitCode !== null || holder.signalCode !== null) return
    holder.ref()
    const ended = new Promise(resolve => holder.once('exit', resolve))
    holder.stdin.end()
    await ended
  }
}
