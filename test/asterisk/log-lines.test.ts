/** Each log line of a call has the call's id in `call`. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** Every statement that logs, in the folders in which calls and follow-ups are led, on one line each. */
const statements = ['src/calls', 'src/asterisk', 'src/followups', 'src/records'].flatMap(folder => readdirSync(folder).flatMap(name =>
  [...readFileSync(join(folder, name), 'utf8').matchAll(/\blog\.(?:info|warn|error)\(([^\n]*)/g)].map(([, words]) => ({ file: join(folder, name), words: words! }))))

test('a line that knows its call names it `call`, and no line has a number', () => {
  expect(statements.length).toBeGreaterThan(60)
  for (const { file, words } of statements) {
    expect([file, words]).not.toEqual([file, expect.stringMatching(/[{,] callId(?= *[,}])|\bcallId:|[{,] (cli|number)\b/)])
    if (/\bfollowUp, attempt\b/.test(words)) expect([file, words]).toEqual([file, expect.stringMatching(/\bcall: /)])
  }
})
