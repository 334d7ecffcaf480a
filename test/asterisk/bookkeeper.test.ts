/** The books are closed on calls that Asterisk has no more, whatever the ledger could still be told of them. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { AriLink } from '../../src/asterisk/ari-link.ts'
import { Bookkeeper } from '../../src/asterisk/bookkeeper.ts'
import { Records } from '../../src/records/records.ts'
import { Scribe } from '../../src/records/scribe.ts'
import { eventually } from '../parts/city.ts'

const line = (call: string, type: string) =>
  ['2', type, '1700000000.000001', call, call, 'PJSIP/carrier-00000001', '', 'trunk-in', '112', '+627215550101', '', '', ''].map(field => `"${field}"`).join(',') + '\n'

/** Books over a ledger that begins so, and an Asterisk with these channels. */
async function books(ledger: string, channels: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-books-'))
  const log = pino({ level: 'silent' })
  const file = join(folder, 'calls.csv')
  await writeFile(file, ledger)
  const records = await Records.open({ file: join(folder, 'records.sqlite') }, log)
  const scribe = new Scribe(records, log)
  const ended: string[] = []
  const ari = { up: true, request: async () => channels.map(id => ({ id })) } as unknown as AriLink
  const bookkeeper = new Bookkeeper({ file, records, scribe, ari, ended: callId => { ended.push(callId) }, log })
  onTestFinished(async () => {
    await bookkeeper.close()
    await scribe.close()
    await records[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })
  await bookkeeper.open()
  return { file, records, ended, bookkeeper }
}

test.concurrent('a line that the disk was too full for keeps no lost call open', { timeout: 40_000 }, async () => {
  const { file, records, ended } = await books(line('lost', 'CHAN_START') + line('talks', 'CHAN_START') + line('lost', 'ANSWER').slice(0, 60), ['talks'])
  await eventually('the lost call is closed', async () => ended.length > 0, 30_000)
  expect(ended).toEqual(['lost'])
  await eventually('its record', async () => (await records.get('lost'))?.call.disposition === 'failed')
  expect((await records.get('lost'))!.call).toMatchObject({ detail: 'asterisk-lost-the-call', endedBy: 'us' })
  expect((await records.live()).map(({ callId }) => callId)).toEqual(['talks'])
  await appendFile(file, line('talks', 'LINKEDID_END'))
  await eventually('the other ends as ever', async () => ended.length === 2)
})
