/** As `diff -u` would write it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unified } from '../../src/dialplan/unified.ts'

const names = { before: 'a', after: 'b' }

test('a changed line stands between three of its neighbours', () => {
  const lines = Array.from({ length: 20 }, (_, at) => `${at + 1}`)
  expect(unified(`${lines.join('\n')}\n`, `${lines.toSpliced(9, 1, 'ten').join('\n')}\n`, names)).toBe(
    '--- a\n+++ b\n@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n')
  expect(unified('', 'x\n', names)).toBe('--- a\n+++ b\n@@ -0,0 +1,1 @@\n+x\n')
  expect(unified('x\n', 'x\n', names)).toBe('')
})

/** What `patch` would make of it: places are taken from the hunks' headings, and every line that stays must be there. */
function patched(before: string[], hunks: string): string[] {
  const after: string[] = []
  let at = 0
  for (const line of hunks.split('\n').slice(2, -1)) {
    const [, from, count] = /^@@ -(\d+),(\d+) /.exec(line) ?? []
    if (from !== undefined) while (at < Number(from) - (count === '0' ? 0 : 1)) after.push(before[at++]!)
    else if (line.startsWith('+')) after.push(line.slice(1))
    else {
      if (before[at] !== line.slice(1)) throw new Error(`line ${at + 1} is ${before[at]}, not ${line.slice(1)}`)
      if (line.startsWith(' ')) after.push(line.slice(1))
      at++
    }
  }
  return [...after, ...before.slice(at)]
}

test('whatever the two texts are, it makes the second out of the first', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 40 })
  fc.assert(fc.property(text, text, (before, after) => {
    const write = (lines: string[]) => lines.map(line => `${line}\n`).join('')
    expect(patched(before, unified(write(before), write(after), names))).toEqual(after)
  }))
})
