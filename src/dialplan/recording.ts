/** Whether a recording can be heard: looked at before it is turned into what Asterisk plays. */

export interface RecordingFault {
  severity: 'error' | 'warning'
  sentence: string
  suggestion: string
}

const wav = 'export it as WAV: PCM, 16 bits, mono'
/** A program that writes into a pipe does not know the length when it begins, and says this or more. */
const unknownLength = 0x7fff0000
/** Of full scale (1): a telephone's noise is below the first; what stands at the second is cut off by the recorder. */
const silent = 0.002
const clipped = 0.9995

/**
 * What is wrong with a recording, the worst first; nothing where it is fit. Its head is looked at in each kind of WAV file, its sound
 * only where it is PCM of 16 bits: all else is left to sox.
 * @param file the whole file's bytes
 */
export function recordingFault(file: Buffer): RecordingFault | undefined {
  const error = (sentence: string, suggestion: string): RecordingFault => ({ severity: 'error', sentence, suggestion })
  if (file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE') return error(`is no WAV file${otherKind(file)}`, wav)
  const format = chunk(file, 'fmt ')
  const data = chunk(file, 'data')
  if (!format || format.bytes.length < 16 || !data) return error('is a WAV file without sound', wav)
  if (data.bytes.length < data.length && data.length < unknownLength) return error(`is cut: ${data.length} bytes of sound are said to be there, and ${data.bytes.length} are`, 'copy it again, or export it again')
  const [kind, channels, bits] = [format.bytes.readUInt16LE(0), format.bytes.readUInt16LE(2), format.bytes.readUInt16LE(14)]
  if (kind !== 1 || bits !== 16 || channels < 1) return undefined
  const { loudest, each, together, atFullScale } = levels(data.bytes, channels)
  if (each < silent) return error('is silent', 'record it again: nothing can be heard')
  if (together < each / 10) return error('has channels that cancel each other out: callers would hear nothing', 'export one channel alone, as mono')
  if (loudest >= clipped && atFullScale > 0.005) return { severity: 'warning', sentence: `is too loud: ${(atFullScale * 100).toFixed(1)} % of it is cut off at full scale, and sounds harsh`, suggestion: 'record it again with less gain' }
  return undefined
}

/** A word on what it is instead, where that is known. */
function otherKind(file: Buffer): string {
  const head = file.toString('latin1', 0, 4)
  if (head.startsWith('ID3') || (file[0] === 0xff && (file[1]! & 0xe0) === 0xe0)) return ' but an MP3'
  if (head === 'OggS') return ' but an Ogg file'
  if (head === 'fLaC') return ' but a FLAC file'
  return ''
}

/** A chunk's bytes, as many as there are, and how many it says to have. */
function chunk(file: Buffer, name: string): { bytes: Buffer, length: number } | undefined {
  for (let at = 12; at + 8 <= file.length;) {
    const length = file.readUInt32LE(at + 4)
    if (file.toString('latin1', at, at + 4) === name) return { bytes: file.subarray(at + 8, at + 8 + length), length }
    at += 8 + length + length % 2
  }
  return undefined
}

/** Of full scale (1): the loudest sample, the mean loudness of the channels, that of their sum as callers hear it; and the share of samples at full scale. */
function levels(bytes: Buffer, channels: number) {
  const frames = Math.floor(bytes.length / 2 / channels)
  let [loudest, each, together, full] = [0, 0, 0, 0]
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0
    for (let channel = 0; channel < channels; channel++) {
      const sample = bytes.readInt16LE((frame * channels + channel) * 2) / 32768
      loudest = Math.max(loudest, Math.abs(sample))
      if (Math.abs(sample) >= clipped) full++
      each += sample * sample
      sum += sample
    }
    together += (sum / channels) ** 2
  }
  const samples = Math.max(1, frames * channels)
  return { loudest, each: Math.sqrt(each / samples), together: Math.sqrt(together / Math.max(1, frames)), atFullScale: full / samples }
}
