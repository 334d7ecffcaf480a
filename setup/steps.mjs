// The set-up as a person sees it: one line a step, what takes long, and what to do when one fails.
// Runs on the machine's own Node (18 or later) before any package is there: it imports nothing but Node.
import { spawn } from 'node:child_process'
import { endingWithUs } from './children.mjs'

/** A step that failed. `what` went wrong, `advice` is what the reader can do. */
export class StepFailed extends Error {
  /** @param {string} what @param {string} advice @param {string} [output] the last lines that the failing tool printed */
  constructor(what, advice, output = '') {
    super(what)
    this.name = 'StepFailed'
    this.advice = advice
    this.output = output
  }
}

/**
 * Announces a step, does it, and says how long it took.
 * `work` returns what it found where nothing had to be done (a string), or nothing.
 * @template T
 * @param {string} title @param {string} length how long it takes the first time, e.g. "about 2 minutes"
 * @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function step(title, length, work) {
  const began = Date.now()
  process.stderr.write(`  ${title} … `)
  const slow = setTimeout(() => process.stderr.write(`(${length}) `), 1500)
  try {
    const found = await work()
    const took = Date.now() - began
    process.stderr.write(typeof found === 'string' ? `${found}\n` : took < 1000 ? 'done\n' : `done in ${Math.round(took / 1000)} s\n`)
    return found
  } catch (error) {
    process.stderr.write('FAILED\n')
    const failed = error instanceof StepFailed ? error : new StepFailed(String(error instanceof Error ? error.message : error), 'This is a fault of ours: please report it with the lines above.')
    if (failed.output) process.stderr.write(failed.output.split('\n').slice(-15).map(line => `    | ${line}`).join('\n') + '\n')
    throw new StepFailed(`${title}: ${failed.message}`, failed.advice)
  } finally {
    clearTimeout(slow)
  }
}

/**
 * Runs a program to its end and returns what it printed. Throws with the tail of its output and `advice`.
 * @param {string} command @param {string[]} args @param {{ advice: string, env?: NodeJS.ProcessEnv, cwd?: string }} options
 * @returns {Promise<string>}
 */
export function run(command, args, { advice, env, cwd }) {
  return new Promise((resolve, reject) => {
    const child = spawn(...endingWithUs([command, args]), { env: { ...process.env, ...env }, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = (/** @type {Buffer} */ chunk) => { output = (output + chunk).slice(-200_000) }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', error => reject(new StepFailed(`${command} could not be started (${error.message})`, advice)))
    child.on('close', (code, signal) => code === 0
      ? resolve(output)
      : reject(new StepFailed(`${command} ended with ${signal ?? `code ${code}`}`, advice, output.trim())))
  })
}

/** Runs `main`; a failed step ends the process with its sentence and advice. @param {() => Promise<void>} main */
export async function steps(main) {
  try {
    await main()
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    process.stderr.write(`\nIt did not work: ${error.message}\nWhat to do: ${error.advice}\n`)
    process.exit(1)
  }
}
