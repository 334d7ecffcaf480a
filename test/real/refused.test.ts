/** A call that Asterisk refuses before it has a channel is counted, and on record with who called: a refused citizen is never invisible. */
import { createSocket } from 'node:dgram'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LastHour } from '../../src/asterisk/refusals.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { Sender } from '../parts/ugly-sender.ts'
import { sdp } from '../parts/ugly-torture.ts'

const at = (last: number) => `127.77.155.${last}`
let city: City
let carrier: Sender
beforeAll(async () => {
  city = await openCity({ number: 155 })
  carrier = await Sender.open(at(2), { address: at(1), port: 5060 })
})
afterAll(async () => {
  await carrier?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

const ask = (path: string) => fetch(`${city.service.url}${path}`, { headers: { authorization: `Bearer ${city.service.token}` } })
const counted = async (why: string) => Number(new RegExp(`^satunomor_refused_total\\{why="${why}"\\} (\\d+)$`, 'm').exec(await (await ask('/metrics')).text())![1])
const recordsOf = async (from: string) => {
  await city.service.scribe.flush()
  return (await city.service.records.list({ limit: 200 })).calls.filter(({ cliRaw }) => cliRaw === from)
}
let callers = 0
const caller = () => `+62812345${String(++callers).padStart(5, '0')}`
const withCodecs = (codecs: string) => `${sdp(at(2)).replace(/m=audio.*\r\n(?:a=.*\r\n)*/, '')}m=audio 4000 RTP/AVP ${codecs}\r\na=rtpmap:18 G729/8000\r\n`

test.each<[string, number, string, { headers?: Record<string, string>, body?: string }]>([
  ['with G.729 alone', 488, 'no-common-codec', { body: withCodecs('18') }],
  ['with SRTP alone', 488, 'no-common-media', { body: sdp(at(2)).replace('RTP/AVP', 'RTP/SAVP') }],
  ['that requires an unknown extension', 420, 'unsupported-extension', { headers: { require: '100foo' } }],
  ['with a session timer that is too short', 422, 'session-timer', { headers: { supported: 'timer', 'session-expires': '20' } }],
  ['with a body that is no SDP', 415, 'no-common-media', { headers: { 'content-type': 'application/isup' } }]
])('a call %s is refused with %d, and seen', async (_, status, why, { headers = {}, body = sdp(at(2)) }) => {
  const from = caller()
  const before = await counted(why)
  const ours = { from: `<sip:anonymous@${at(2)}>;tag=a1`, 'p-asserted-identity': `<sip:${from}@${at(2)}>`, ...headers }
  expect(await carrier.final(carrier.request('INVITE', `sip:112@${at(1)}`, { headers: ours, body }))).toBe(status)
  await eventually('it is on record', async () => (await recordsOf(from)).length > 0)
  expect(await recordsOf(from)).toMatchObject([{ did: '112', trunk: 'carrier', cli: from, disposition: 'refused', detail: why }])
  expect(await counted(why)).toBe(before + 1)
  const { sources } = await (await ask('/api/refusals')).json() as LastHour
  expect(sources.find(({ address }) => address === at(2))?.why[why as 'other']).toBe(before + 1)
})

test('who offers G.729 beside A-law is served; a question inside a call that is refused is no refused call', async () => {
  const before = await counted('no-common-codec')
  carrier.keeps = true
  const id = carrier.request('INVITE', `sip:112@${at(1)}`, { body: withCodecs('18 8') })
  expect(await carrier.final(id)).toBe(200)
  const [ok] = carrier.responses(id).filter(({ status }) => status === 200)
  expect(ok!.body).toMatch(/m=audio \d+ RTP\/AVP 8\b/)
  carrier.hangUp()
  const call = city.dial({})
  await call.answered
  expect(await call.asks('INVITE', { headers: { 'content-type': 'application/sdp' }, body: withCodecs('18') })).toMatchObject({ status: 488 })
  await call.hangUp()
  await city.quiet()
  expect(await counted('no-common-codec')).toBe(before)
})

test('who wants to replace a call that we do not have is refused, and that is one call on record', async () => {
  const from = caller()
  await expect(city.dial({ from, headers: { Replaces: 'a;to-tag=b;from-tag=c' } }).answered).rejects.toMatchObject({ status: 481 })
  await city.quiet()
  await eventually('it is told to its end', async () => (await recordsOf(from))[0]?.disposition)
  expect(await recordsOf(from)).toMatchObject([{ disposition: 'failed' }])
})

test('a copy that is not Asterisk\'s counts nothing, and the sums are the same', async () => {
  const before = await (await ask('/metrics')).text()
  const socket = createSocket('udp4')
  await new Promise<unknown>(sent => socket.send(Buffer.from('HEP3\0\x06SIP/2.0 488 x'), 5038, at(1), sent))
  socket.close()
  await city.quiet()
  const refused = (text: string) => text.split('\n').filter(line => line.startsWith('satunomor_refused_total'))
  expect(refused(await (await ask('/metrics')).text())).toEqual(refused(before))
  expect(await (await ask('/api/audit')).json()).toMatchObject({ balanced: true, turnedAway: 5, untold: [], orphans: [], dispositions: { refused: 5 } })
})
