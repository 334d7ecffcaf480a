/**
 * The keys of a telephone as tones in the sound (ITU-T Q.23): made, and found again in what was heard. Equipment that knows no
 * telephone-event (RFC 4733) sends its keys so, and hears them so.
 */
import { fromAlaw, toAlawOf } from './g711.ts'

const low = [697, 770, 852, 941], high = [1209, 1336, 1477, 1633]
const rows = ['123A', '456B', '789C', '*0#D']

/** A-law: a tone of `ms` for each key, and as much silence after it, 50 ms at least. `level`: of each of its two parts, as a 16-bit sample. */
export function tones(digits: string, ms = 120, level = 6_000): Buffer {
  return Buffer.concat(Array.from(digits.toUpperCase(), digit => {
    const row = rows.findIndex(keys => keys.includes(digit))
    if (row < 0) throw new RangeError(`"${digit}" is not on a telephone's keys`)
    const [one, other] = [low[row]!, high[rows[row]!.indexOf(digit)]!]
    const sound = Array.from({ length: ms * 8 }, (_, at) => toAlawOf(level * (Math.sin(2 * Math.PI * one * at / 8_000) + Math.sin(2 * Math.PI * other * at / 8_000))))
    return Buffer.concat([Buffer.from(sound), Buffer.alloc(Math.max(ms, 50) * 8, 0xd5)])
  }))
}

/** Samples of a block, as ITU-T Q.24's receivers take them; and how strong the weaker part must be, as a 16-bit sample. */
const BLOCK = 205
const QUIET = 500

/** The keys that sound in the A-law, each once for as long as it lasts; a break of more than one block (26 ms) is the end of a press. */
export function keysIn(alaw: Buffer): string {
  let keys = '', last = '', gone = 0
  for (let from = 0; from + BLOCK <= alaw.length; from += BLOCK) {
    const samples = Array.from(alaw.subarray(from, from + BLOCK), fromAlaw)
    const key = keyOf(samples)
    if (key === last) gone = 0
    else if (key === '' && ++gone < 2) continue
    else {
      keys += key
      last = key
      gone = 0
    }
  }
  return keys
}

function keyOf(samples: readonly number[]): string {
  const [row, column] = [strongest(low, samples), strongest(high, samples)]
  const total = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
  const both = (row.level ** 2 + column.level ** 2) / 2
  if (row.level < QUIET || column.level < QUIET || both < total * 0.6) return ''
  return rows[row.at]![column.at]!
}

/** Goertzel: how strong each frequency is, as the amplitude of a sine. */
function strongest(frequencies: readonly number[], samples: readonly number[]): { at: number, level: number } {
  const levels = frequencies.map(frequency => {
    const turn = 2 * Math.cos(2 * Math.PI * frequency / 8_000)
    let [one, other] = [0, 0]
    for (const sample of samples) [one, other] = [sample + turn * one - other, one]
    return 2 * Math.sqrt(Math.max(0, one * one + other * other - turn * one * other)) / samples.length
  })
  const level = Math.max(...levels)
  return { at: levels.indexOf(level), level }
}
