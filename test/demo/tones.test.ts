import { expect, test } from 'vitest'
import { keysIn, tones } from '../../demo/tones.ts'
import { speech } from './sounds.ts'

test('every key is found again in its tone, and a key that is pressed twice is two', () => {
  expect(keysIn(tones('1234567890*#ABCD'))).toBe('1234567890*#ABCD')
  expect(keysIn(tones('2255', 80))).toBe('2255')
})

test('there is no key in silence, nor in what is said', () => {
  expect(keysIn(Buffer.alloc(8_000, 0xd5))).toBe('')
  expect(keysIn(speech(1, 4_000))).toBe('')
})

test('what is no key of a telephone has no tone', () => {
  expect(() => tones('x')).toThrow(RangeError)
})
