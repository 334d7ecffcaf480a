/** What Asterisk's log tells of refusals, as it writes it. */
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { refusalIn, RefusalLog } from '../../src/asterisk/refusal-log.ts'

const addressOf = (trunk: string) => trunk === 'carrier' ? '127.0.0.2' : undefined
const noNumber = '[2026-11-30 15:14:09.471] NOTICE[16056] res_pjsip_session.c:  carrier: Call (UDP:127.0.0.2:53884) to extension \'999\' rejected because extension not found in context \'trunk-in\'.'

test.each([
  [noNumber, { address: '127.0.0.2', why: 'no-such-number' }],
  ['[2026-11-30 15:14:09.352] ERROR[16056] res_pjsip_session.c:  carrier: Couldn\'t negotiate stream 0:audio-0:audio:sendrecv (nothing)', { address: '127.0.0.2', why: 'no-common-media' }],
  ['[2026-11-30 15:14:09.352] ERROR[16056][C-0000001a] res_pjsip_session.c:  PJSIP/gateway-00000001: Couldn\'t negotiate stream 0:audio-0:audio:sendrecv (nothing)', undefined],
  ['[2026-11-30 15:14:09.580] WARNING[16066] pjproject: \t       sip_transport.c Dropping 518 bytes packet from UDP 127.0.0.9:53884 : PJSIP syntax error exception when parsing \'Request Line\' header on line 1 col 23', { address: '127.0.0.9', why: 'unreadable' }],
  ['[2026-11-30 15:14:09.580] NOTICE[16056] res_pjsip_session.c:  nobody: Call (UDP:127.0.0.2:1) to extension \'1\' rejected because extension not found in context \'x\'.', undefined],
  ['', undefined]
])('%s', (line, refusal) => {
  expect(refusalIn(line, addressOf)).toEqual(refusal)
})

test('the log is read as it is written, over a torn line and a rotation; what was there before is not counted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-'))
  try {
    const file = join(folder, 'messages.log')
    const found: string[] = []
    const reader = new RefusalLog({ file, addressOf, take: ({ why }) => { found.push(why) }, log: pino({ level: 'silent' }) })
    await reader.look()
    await writeFile(file, `${noNumber}\n`)
    await reader.look()
    await appendFile(file, `${noNumber}\n${noNumber.slice(0, 40)}`)
    await reader.look()
    expect(found).toHaveLength(1)
    await appendFile(file, `${noNumber.slice(40)}\n`)
    await reader.look()
    expect(found).toHaveLength(2)
    await rename(file, `${file}.1`)
    await writeFile(file, `${noNumber}\n`)
    await reader.look()
    await reader.look()
    expect(found).toHaveLength(3)
  } finally {
    await rm(folder, { recursive: true })
  }
})
