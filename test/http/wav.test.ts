/** A message as a WAV file. */
import { expect, test } from 'vitest'
import { wavOf } from '../../src/http/wav.ts'

test.each([[8000, 8000], [7, 8]])('%d bytes of A-law are a RIFF file of format 6, with its sizes, and padded to an even length', (length, padded) => {
  const sound = Buffer.alloc(length, 0x2a)
  const wav = wavOf(sound)
  expect(wav.length).toBe(58 + padded)
  expect(wav.toString('latin1', 0, 4) + wav.toString('latin1', 8, 16)).toBe('RIFFWAVEfmt ')
  expect(wav.readUInt32LE(4)).toBe(wav.length - 8)
  expect(wav.readUInt32LE(16)).toBe(18)
  // Format, channels, samples a second, bytes a second, bytes a sample, bits a sample, no more facts.
  expect([wav.readUInt16LE(20), wav.readUInt16LE(22), wav.readUInt32LE(24), wav.readUInt32LE(28), wav.readUInt16LE(32), wav.readUInt16LE(34), wav.readUInt16LE(36)]).toEqual([6, 1, 8000, 8000, 1, 8, 0])
  expect([wav.toString('latin1', 38, 42), wav.readUInt32LE(42), wav.readUInt32LE(46)]).toEqual(['fact', 4, length])
  expect([wav.toString('latin1', 50, 54), wav.readUInt32LE(54)]).toEqual(['data', length])
  expect(wav.subarray(58, 58 + length)).toEqual(sound)
})
