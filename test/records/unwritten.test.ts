/** The audit finds the times in which Asterisk could not write its ledger, by the numbers of its channels. */
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { audit, gapsIn, inWords } from '../../src/audit.ts'
import { Records } from '../../src/records/records.ts'
import { tempFolder } from './stories.ts'

const at = (numbers: number[], from = 0) => numbers.map((number, place) => ({ at: (from + place) * 1000, number }))

test.each([
  ['a whole ledger', at([0, 1, 2, 3]), []],
  ['channels that begin at once, in any order', at([0, 2, 1, 3]), []],
  ['an Asterisk that was started again', [...at([0, 1, 2]), ...at([0, 1], 10)], []],
  ['an Asterisk that was started again after many channels', [...at(Array.from({ length: 500 }, (_, number) => number)), ...at([0, 1, 2], 600)], []],
  ['a file that begins in the middle', at([70, 71]), []],
  ['missing channels', at([0, 1, 5, 6]), [{ from: 1000, to: 2000, channels: 3 }]],
  ['two such times, one in each life of Asterisk', [...at([0, 4]), ...at([0, 2], 10)], [{ from: 0, to: 1000, channels: 3 }, { from: 10_000, to: 11_000, channels: 1 }]]
])('%s', (_, channels, gaps) => {
  expect(gapsIn(channels)).toEqual(gaps)
})

test('the audit names such a time, and does not say that no call is lost', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'calls.csv')
  const line = (number: number, type: string) =>
    ['2', type, `${1_700_000_000 + number}.000001`, `call-${number}`, `call-${number}`, `PJSIP/carrier-${number.toString(16).padStart(8, '0')}`, '', 'trunk-in', '112', '+62', '', '', ''].map(field => `"${field}"`).join(',') + '\n'
  await using records = await Records.open({ file: join(folder.path, 'records.sqlite') }, pino({ level: 'silent' }))
  const report = () => audit({ file, records, from: 1_700_000_000_000, to: 1_700_000_100_000 })
  await writeFile(file, line(0, 'CHAN_START'))
  expect(await report()).toMatchObject({ unwritten: [] })
  await appendFile(file, line(4, 'CHAN_START'))
  const found = { ...await report(), balanced: true }
  expect(found).toMatchObject({ unwritten: [{ from: 1_700_000_000_000, to: 1_700_000_004_000, channels: 3 }] })
  expect(inWords(found)).toMatch(/UNRECORDED: from .* to .* Asterisk could not write its ledger\. 3 calls or rung lines stand in no record\.\nThe sums are the same as far as the ledger goes/)
})
