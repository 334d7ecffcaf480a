/** The books are closed on calls that Asterisk has no more, whatever the ledger could still be told of them. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { AriEvents } from '../../src/asterisk/ari-events.ts'
import { Bookkeeper } from '../../src/asterisk/bookkeeper.ts'
import { Seen } from '../../src/asterisk/seen.ts'
import { audit } from '../../src/audit.ts'
import type { Step } from '../../src/calls/story.ts'
import { Records } from '../../src/records/records.ts'
import { Scribe } from '../../src/records/scribe.ts'
import { eventually } from '../parts/city.ts'

const came = 1_700_000_000_000
const line = (call: string, type: string, number = '0721-555-0101') =>
  ['2', type, '1700000000.000001', call, call, 'PJSIP/carrier-00000001', '', 'trunk-in', '112', number, '', '', ''].map(field => `"${field}"`).join(',') + '\n'

/** Books over a ledger that begins so, and an Asterisk with these channels. */
async function books(ledger: string, channels: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-books-'))
  const log = pino({ level: 'silent' })
  const file = join(folder, 'calls.csv')
  await writeFile(file, ledger)
  const records = await Records.open({ file: join(folder, 'records.sqlite') }, log)
  const scribe = new Scribe(records, log)
  const ended: string[] = []
  const heard: Step[] = []
  const inCare = new Set<string>()
  const events = new AriEvents()
  const seen = new Seen()
  events.onStasisStart(event => seen.starts(event))
    const bookkeeper = new Bookkeeper({
    file, records, scribe, ari: { up: true }, channels: async () => channels.map(id => ({ id, name: '', state: 'Up', creationtime: '' })), seen, inCare: () => [...inCare], ended: callId => { ended.push(callId); inCare.delete(callId) }, heard: step => { heard.push(step) }, log
  })
  await bookkeeper.open()
  return {
    async [Symbol.asyncDispose]() {
      await bookkeeper.close()
      await scribe.close()
      await records[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
    file, records, ended, heard, inCare, audit: () => audit({ file, records, from: came - 60_000, to: came + 60_000 }),
    /** The dialplan hands a call over to the service. */
    starts: (id: string, what = 'inbound') => {
      inCare.add(id)
      events.tell({ type: 'StasisStart', args: [what, 'utama'], channel: {
        id, name: 'PJSIP/carrier-00000001', caller: { number: '07215550101' }, dialplan: { context: 'trunk-in', exten: '1-12' }, creationtime: '2023-11-14T22:13:20.000+0000'
      } })
    },
    disposition: async (id: string) => (await records.get(id))?.call.disposition
  }
}

test.concurrent('a line that the disk was too full for keeps no lost call open', { timeout: 40_000 }, async () => {
  await using it = await books(line('lost', 'CHAN_START') + line('talks', 'CHAN_START') + line('lost', 'ANSWER').slice(0, 60), ['talks'])
  await eventually('the lost call is closed', async () => it.ended.length > 0, 30_000)
  expect(it.ended).toEqual(['lost'])
  await eventually('its record', async () => await it.disposition('lost') === 'failed')
  expect((await it.records.get('lost'))!.call).toMatchObject({ detail: 'asterisk-lost-the-call', endedBy: 'us' })
  expect(it.heard.filter(({ kind }) => kind === 'ended').map(({ callId }) => callId)).toEqual(['lost'])          // its line is free again
  expect((await it.records.live()).map(({ callId }) => callId)).toEqual(['talks'])
  await appendFile(it.file, line('talks', 'LINKEDID_END'))
  await eventually('the other ends as ever', async () => it.ended.length === 2)
})

test.concurrent('a call that the ledger does not tell of is let go, is on record, and is followed up', { timeout: 60_000 }, async () => {
  const channels = ['goes-on']
  await using it = await books('', channels)
  for (const id of ['untold', 'goes-on', 'late']) it.starts(id)
  channels.push('late')
  await eventually('they are on record', async () => (await it.records.list({ limit: 10 })).calls.length === 3, 20_000)
  // What Asterisk writes after all is what counts: it has the number as it came.
  expect((await it.records.get('late'))!.call).toMatchObject({ did: '112', trunk: 'carrier', cliRaw: '07215550101', arrivedAt: came })
  await appendFile(it.file, ['CHAN_START', 'ANSWER', 'HANGUP', 'LINKEDID_END'].map(type => line('late', type)).join(''))
  await eventually('its own end', async () => await it.disposition('late') !== null)
  expect((await it.records.get('late'))!.call).toMatchObject({ cliRaw: '0721-555-0101', cli: '+627215550101' })

  await eventually('the call that is gone is closed', async () => await it.disposition('untold') === 'failed', 30_000)
  expect((await it.records.get('untold'))!.call).toMatchObject({ detail: 'not-in-the-ledger', did: '112', trunk: 'carrier', cli: '+627215550101', arrivedAt: came, endedBy: 'us' })
  expect([...it.inCare]).toEqual(['goes-on'])
  expect((await it.records.pendingOutbox(10)).map(({ callId }) => callId).sort()).toEqual(['late', 'untold'])
  expect(await it.audit()).toMatchObject({ arrived: 1, live: 1, missing: [], orphans: [], unfinished: [] })
  expect((await it.audit()).untold.sort()).toEqual(['goes-on', 'untold'])
})

test.concurrent('of a call that the ledger tells of, the service notes nothing', { timeout: 40_000 }, async () => {
  await using it = await books(line('before', 'CHAN_START'), ['before', 'after'])
  await eventually('it is read', async () => (await it.records.live()).length === 1)
  it.starts('before')
  it.starts('after')
  it.starts('back', 'returned')                                          // one that a service before us had
  await appendFile(it.file, line('after', 'CHAN_START'))
  await eventually('the third is let go', async () => it.ended.length > 0, 30_000)
  expect(it.ended).toEqual(['back'])
  for (const id of ['before', 'after']) expect((await it.records.steps(id)).map(({ kind, witness }) => ({ kind, witness }))).toEqual([{ kind: 'arrived', witness: 'ledger' }])
  expect(await it.records.steps('back')).toEqual([])
  expect(await it.audit()).toMatchObject({ arrived: 2, live: 2, untold: [], orphans: [], balanced: true })
})
