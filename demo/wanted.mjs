// Whether the demo's telephones run where nobody said so: only while every trunk of the live plan is an address of this machine's loopback. Beside
// real trunks they would be somebody else's agencies. The set-up writes it down beside the prompts, where the telephones may read.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const fileIn = (/** @type {string} */ sounds) => join(sounds, 'telephones.json')

/** @param {Iterable<[name: string, trunk: { address: string }]>} trunks of the live plan @returns {string | undefined} the first that is real, in words */
export function realTrunk(trunks) {
  for (const [name, { address }] of trunks) if (!address.startsWith('127.')) return `trunk ${name} is at ${address}`
  return undefined
}

/** @param {string} sounds @param {string | undefined} real what `realTrunk` says */
export function writeWanted(sounds, real) {
  writeFileSync(fileIn(sounds), `${JSON.stringify({ real: real ?? null })}\n`, { mode: 0o644 })
}

/**
 * @param {string | undefined} setting SATUNOMOR_PHONES @param {string} sounds
 * @returns {string | undefined} why they stay off; undefined: they run
 */
export function whyOff(setting, sounds) {
  if (setting === 'on') return undefined
  if (setting) return `SATUNOMOR_PHONES is ${setting}`
  try {
    const { real } = JSON.parse(readFileSync(fileIn(sounds), 'utf8'))
    return real ? `${real}; SATUNOMOR_PHONES=on starts them all the same` : undefined
  } catch {
    return undefined                                    // not written yet: the set-up failed before a plan was live
  }
}
