import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Keypad } from '../../src/calls/keypad.ts'
import { seconds } from '../../src/plan/duration.ts'

beforeEach(() => { vi.useFakeTimers({ toFake: ['performance'] }) })
afterEach(() => { vi.useRealTimers() })

function keypad() {
  const ignored: string[] = []
  const keys = new Keypad(seconds(1), (digit, why) => ignored.push(`${digit} ${why}`))
  return {
    keys, ignored,
    /** Presses these, each so many ms after the one before. */
    presses: (digits: string, gap: number) => {
      for (const digit of digits) {
        vi.advanceTimersByTime(gap)
        keys.press(digit)
      }
    },
    read: () => Array.from({ length: keys.unread }, () => keys.read()).join('')
  }
}

test('keys are read in the order in which they were pressed', () => {
  const it = keypad()
  it.presses('12*', 50)
  expect(it.read()).toBe('12*')
  expect(it.ignored).toEqual([])
})

test.each([20, 125, 500])('the same key again after %s ms is the same press', gap => {
  const it = keypad()
  it.presses('22', gap)
  expect(it.read()).toBe('2')
  expect(it.ignored).toEqual(['2 repeated'])
})

test('the same key again after a second is another press', () => {
  const it = keypad()
  it.presses('22', 1_000)
  expect(it.read()).toBe('22')
})

test('a key that is held down for long is one, though a faulty telephone repeats it all the while', () => {
  const it = keypad()
  it.presses('2'.repeat(40), 125)
  expect(it.read()).toBe('2')
})

test('who presses on and on, as people do, is heard once a second', () => {
  const it = keypad()
  it.keys.newQuestion()
  it.presses('8'.repeat(8), 400)
  expect(it.read()).toBe('88')
})

test('no question is answered by a key from before it, nor by one of its first second', () => {
  const it = keypad()
  it.presses('21', 300)
  it.keys.newQuestion()
  it.presses('345', 400)
  expect(it.read()).toBe('5')
  expect(it.ignored).toEqual(['2 early', '1 early', '3 early', '4 early'])
})

test('a key that is held down into a question does not answer it', () => {
  const it = keypad()
  it.presses('2', 100)
  expect(it.read()).toBe('2')
  it.keys.newQuestion()
  it.presses('2'.repeat(30), 125)
  expect(it.read()).toBe('')
  expect(new Set(it.ignored)).toEqual(new Set(['2 repeated']))
})

test('more than 32 unread keys are a flood: the rest is dropped', () => {
  const it = keypad()
  it.presses('12'.repeat(40), 10)
  expect(it.read()).toHaveLength(32)
})
