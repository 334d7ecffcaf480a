/** ITU-T G.711: A-law and µ-law, a byte a sample, as 16-bit values and as each other. */

export function fromAlaw(byte: number): number {
  const code = byte ^ 0x55, segment = (code & 0x70) >> 4
  const size = ((code & 0x0f) << 4) + (segment === 0 ? 8 : 0x108) << Math.max(0, segment - 1)
  return code & 0x80 ? size : -size
}
function fromUlaw(byte: number): number {
  const code = ~byte & 0xff
  const size = (((code & 0x0f) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
  return code & 0x80 ? -size : size
}
const bytes = Array.from({ length: 256 }, (_, byte) => byte)
function nearest(from: (byte: number) => number, to: (byte: number) => number): Uint8Array {
  return Uint8Array.from(bytes, byte => bytes.reduce((best, other) =>
    Math.abs(to(other) - from(byte)) < Math.abs(to(best) - from(byte)) ? other : best))
}
export const toUlaw = nearest(fromAlaw, fromUlaw)
export const toAlaw = nearest(fromUlaw, fromAlaw)

export const translate = (sound: Buffer, table: Uint8Array) => Buffer.from(sound.map(byte => table[byte]!))

const byValue = bytes.map(byte => [fromAlaw(byte), byte] as const).sort(([one], [other]) => one - other)
/** The A-law byte of a 16-bit sample. */
export function toAlawOf(sample: number): number {
  let [from, to] = [0, byValue.length - 1]
  while (from < to) {
    const middle = from + to >> 1
    if (byValue[middle]![0] < sample) from = middle + 1
    else to = middle
  }
  const [value, byte] = byValue[from]!
  const [below, before] = byValue[Math.max(0, from - 1)]!
  return sample - below < value - sample ? before : byte
}
