// The settings file, `satunomor.env` in the project's folder (`SATUNOMOR_SETTINGS` names another): NAME=value, one a line. A program cannot
// read its own environment again, but it can read a file again: `npx satunomor restart` does. Programs that are started by hand import this first,
// since the other modules read the environment when they are loaded. What the environment has counts before the file.
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSettings } from './settings-lines.mjs'

const project = dirname(dirname(fileURLToPath(import.meta.url)))

/** As we were started. @type {NodeJS.ProcessEnv} */
export const ownEnvironment = { ...process.env }

export const settingsFile = resolve(project, process.env['SATUNOMOR_SETTINGS'] || join(project, 'satunomor.env'))

/** These hold for Asterisk or Redis, or for where everything is: they change when those are started anew, and not before. */
const ofAsterisk = ['SATUNOMOR_STATE', 'SATUNOMOR_CACHE', 'SATUNOMOR_IDS', 'SATUNOMOR_SOUNDS', 'SATUNOMOR_SIP_ADDRESS', 'SATUNOMOR_SIP_PORT', 'SATUNOMOR_RTP_FIRST', 'SATUNOMOR_RTP_LAST',
  'SATUNOMOR_ARI_PORT', 'SATUNOMOR_AMI_PORT', 'SATUNOMOR_REDIS_PORT', 'REDIS_URL', 'SATUNOMOR_PHONES', 'SATUNOMOR_CARRIER', 'SATUNOMOR_GATEWAY', 'SATUNOMOR_GATEWAY_2']
const ofMessages = ['SATUNOMOR_MESSAGES', 'SATUNOMOR_MESSAGES_URL', 'SATUNOMOR_MESSAGES_SECRET']

function read() {
  try {
    return parseSettings(readFileSync(settingsFile, 'utf8'), settingsFile)
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    if (code === 'ENOENT' && !ownEnvironment['SATUNOMOR_SETTINGS']) return { values: new Map(), faults: [] }
    return { values: new Map(), faults: [`${settingsFile}: cannot be read (${message}). Without it the settings are those of the environment.`] }
  }
}

/** What came of the file, as it was read last. @type {Map<string, string>} */
let current = new Map()
/** What was wrong with it when we were started. @type {string[]} */
export const faultsAtStart = []

/** @param {string} name @param {ReadonlyMap<string, string>} file */
const valueOf = (name, file) => ownEnvironment[name] || file.get(name) || undefined

/** @param {ReadonlyMap<string, string>} next */
function take(next) {
  for (const name of new Set([...current.keys(), ...next.keys()])) {
    const value = valueOf(name, next)
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  current = new Map(next)
}

/**
 * Reads the file again, while Asterisk runs on: our environment has what changed, but for what Asterisk must be started anew for.
 * Throws what is wrong with the file; then nothing has changed.
 * @returns {{ changed: string[], waiting: string[], masked: string[], undo: () => void }} names. `waiting`: they change when Asterisk is started anew.
 *   `masked`: the file has them otherwise than the environment, which counts.
 */
export function readAgain() {
  const { values, faults } = read()
  if (faults.length > 0) throw new Error(faults.join('\n'))
  const differing = [...new Set([...current.keys(), ...values.keys()])].filter(name => valueOf(name, current) !== valueOf(name, values))
  const bySip = (/** @type {ReadonlyMap<string, string>} */ file) => valueOf('SATUNOMOR_MESSAGES', file) === 'sip'
  const waits = (/** @type {string} */ name) => ofAsterisk.includes(name) || (ofMessages.includes(name) && bySip(current) !== bySip(values))
  const waiting = differing.filter(waits)
  const masked = [...values.keys()].filter(name => ownEnvironment[name] && ownEnvironment[name] !== values.get(name))
  const [before, next] = [current, new Map(values)]
  for (const name of waiting) {
    const value = current.get(name)
    if (value === undefined) next.delete(name)
    else next.set(name, value)
  }
  take(next)
  return { changed: differing.filter(name => !waiting.includes(name)).sort(), waiting: waiting.sort(), masked: masked.sort(), undo: () => take(before) }
}

const first = read()
faultsAtStart.push(...first.faults)
take(first.values)
