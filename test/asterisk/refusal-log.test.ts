/** What Asterisk's log tells of refusals, as it writes it. */
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { refusalIn, RefusalLog } from '../../src/asterisk/refusal-log.ts'

const dropped = '[2026-11-30 15:14:09.580] WARNING[16066] pjproject: \t       sip_transport.c Dropping 518 bytes packet from UDP 127.0.0.9:53884 : PJSIP syntax error exception when parsing \'Request Line\' header on line 1 col 23'

test.each([
  [dropped, { address: '127.0.0.9', why: 'unreadable' }],
  ['[2026-11-30 15:14:09.471] NOTICE[16056] res_pjsip_session.c:  carrier: Call (UDP:127.0.0.2:53884) to extension \'999\' rejected because extension not found in context \'trunk-in\'.', undefined],
  ['', undefined]
])('%s', (line, refusal) => {
  expect(refusalIn(line)).toEqual(refusal)
})

test('the log is read as it is written, over a torn line and a rotation; what was there before is not counted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-'))
  try {
    const file = join(folder, 'messages.log')
    const found: string[] = []
    const reader = new RefusalLog({ file, take: ({ why }) => { found.push(why) }, log: pino({ level: 'silent' }) })
    await reader.look()
    await writeFile(file, `${dropped}\n`)
    await reader.look()
    await appendFile(file, `${dropped}\n${dropped.slice(0, 40)}`)
    await reader.look()
    expect(found).toHaveLength(1)
    await appendFile(file, `${dropped.slice(40)}\n`)
    await reader.look()
    expect(found).toHaveLength(2)
    await rename(file, `${file}.1`)
    await writeFile(file, `${dropped}\n`)
    await reader.look()
    await reader.look()
    expect(found).toHaveLength(3)
  } finally {
    await rm(folder, { recursive: true })
  }
})
