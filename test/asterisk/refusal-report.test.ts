/** What the log says of refusals: bounded, without a trunk's address, without a stranger's words. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { RefusalReport } from '../../src/asterisk/refusal-report.ts'
import { Refusals } from '../../src/asterisk/refusals.ts'

function report() {
  const lines: Record<string, unknown>[] = []
  const refusals = new Refusals()
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => { lines.push(JSON.parse(line) as Record<string, unknown>) } })
  const it = new RefusalReport({ refusals, trunkAt: address => address === '127.0.0.2' ? 'carrier' : undefined, log })
  const refused = (address: string, times = 1) => {
    for (let n = 0; n < times; n++) refusals.add({ address, why: 'unknown-address', at: Date.now() })
  }
  return { lines, refused, refusals, tell: () => { it.tell(); return lines.splice(0).map(({ level, ...line }) => line) } }
}

test('an address has one line, with how often and why; what is told is not told again', () => {
  const it = report()
  it.refused('127.0.0.9', 3)
  expect(it.tell()).toEqual([{ address: '127.0.0.9', count: 3, why: { 'unknown-address': 3 }, msg: 'requests refused' }])
  expect(it.tell()).toEqual([])
  it.refused('127.0.0.9')
  expect(it.tell()).toMatchObject([{ address: '127.0.0.9', count: 1 }])
})

test('a trunk is named, and its address is not written: fail2ban cannot ban the carrier', () => {
  const it = report()
  it.refused('127.0.0.2', 5)
  expect(it.tell()).toEqual([{ trunk: 'carrier', count: 5, why: { 'unknown-address': 5 }, msg: 'requests refused on a trunk' }])
})

test('a flood from thousands of addresses makes 21 lines', () => {
  const it = report()
  for (let n = 0; n < 3_000; n++) it.refused(`127.1.${n >> 8}.${n & 255}`)
  it.refused('127.0.0.9', 7)
  const lines = it.tell()
  expect(lines).toHaveLength(21)
  expect(lines[20]).toEqual({ addresses: 980, count: 2_987, msg: 'requests refused from other addresses' })
  it.refused('127.0.0.9', 7)
  expect(it.tell()).toMatchObject([{ address: '127.0.0.9', count: 7 }])
})

test('an event with a forged address in its Call-ID counts for the address that it came from', () => {
  const it = report()
  it.refusals.note({ event: 'ChallengeSent', service: 'PJSIP', sessionid: 'x",RemoteAddress="IPV4/UDP/127.0.0.2/5060', remoteaddress: 'IPV4/UDP/127.0.0.9/5070' })
  expect(it.tell()).toMatchObject([{ address: '127.0.0.9' }])
})
