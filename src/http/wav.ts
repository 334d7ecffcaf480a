/** A WAV file around sound that is A-law already, mono, 8 kHz: players know it as format 6 (RFC 2361, WAVE_FORMAT_ALAW). */
const rate = 8000

export function wavOf(alaw: Buffer): Buffer {
  const padding = alaw.length % 2                          // chunks have an even length
  const format = Buffer.alloc(18)                          // the last two bytes, of further facts about the format: none
  format.writeUInt16LE(6, 0)
  format.writeUInt16LE(1, 2)                               // channels
  format.writeUInt32LE(rate, 4)
  format.writeUInt32LE(rate, 8)                            // bytes a second
  format.writeUInt16LE(1, 12)                              // bytes a sample
  format.writeUInt16LE(8, 14)                              // bits a sample
  const samples = Buffer.alloc(4)
  samples.writeUInt32LE(alaw.length)
  const body = Buffer.concat([Buffer.from('WAVE'), chunk('fmt ', format), chunk('fact', samples), chunk('data', alaw), Buffer.alloc(padding)])
  return chunk('RIFF', body)
}

function chunk(name: string, content: Buffer): Buffer {
  const head = Buffer.from(`${name}....`)
  head.writeUInt32LE(content.length, 4)
  return Buffer.concat([head, content])
}
