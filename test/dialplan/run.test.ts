import { expect, test } from 'vitest'
import { givesWay, run } from '../../src/dialplan/run.ts'

test('a tool gives way to calls, however far ahead the service goes', async () => {
  // It asks only when it has been given its input: by then its place is set.
  expect(String(await run('sh', ['-c', 'read -r _; nice'], { input: 'now\n' }))).toBe('10\n')
})

test('one that has ended already, or never began, is nobody\'s trouble', () => {
  givesWay(undefined)
  givesWay(2 ** 22 + 1)          // above the highest process id that Linux gives
})
