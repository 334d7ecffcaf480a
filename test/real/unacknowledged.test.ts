/** INVITEs that nobody acknowledges, as whoever forges the carrier's address sends them: they ring nobody, and hold no more places than the plan gives. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { format, header, isRequest, parse, token, type Header } from '../../demo/sip.ts'
import { Refused } from '../../demo/softphone.ts'
import type { LastHour } from '../../src/asterisk/refusals.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { sdp } from '../parts/ugly-torture.ts'

const at = (last: number) => `127.77.192.${last}`
let city: City
let socket: Socket
/** Whether this address answers Asterisk's BYE, as a carrier does that knows no such call. */
let answersBye = false
beforeAll(async () => {
  city = await openCity({ number: 192, callbacks: true, plan: text => text.replace('{ role: carrier,', '{ role: carrier, maxCalls: 2,').replace('"112": {', '"110": { entry: posko }\n  "112": {') })
  socket = createSocket('udp4')
  socket.bind({ address: at(2), exclusive: true })
  await once(socket, 'listening')
  socket.on('message', datagram => {
    const message = parse(datagram)
    if (!message || !isRequest(message) || message.method !== 'BYE' || !answersBye) return
    const headers = message.headers.filter(([name]) => ['via', 'from', 'to', 'call-id', 'cseq'].includes(name))
    socket.send(format({ status: 481, reason: 'Call Does Not Exist', headers, body: '' }), 5060, at(1))
  })
})
afterAll(async () => {
  socket?.close()
  await city?.[Symbol.asyncDispose]()
})

function invite(from: string, did = '112') {
  const here = `${at(2)}:${socket.address().port}`
  const headers: Header[] = [['via', `SIP/2.0/UDP ${here};branch=z9hG4bK${token()};rport`], ['from', `<sip:${from}@${at(2)}>;tag=${token()}`], ['to', `<sip:${did}@${at(1)}>`], ['call-id', token()],
    ['cseq', '1 INVITE'], ['contact', `<sip:x@${here}>`], ['max-forwards', '70'], ['content-type', 'application/sdp']]
  socket.send(format({ method: 'INVITE', uri: `sip:${did}@${at(1)}`, headers, body: sdp(at(2)) }), 5060, at(1))
}
const ask = (path: string) => fetch(`${city.service.url}${path}`, { headers: { authorization: `Bearer ${city.service.token}` } })
const figure = async (name: string) => Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(await (await ask('/metrics')).text())?.[1])
const record = (cli: string) => eventually(`the record of ${cli}`, async () => {
  await city.service.scribe.flush()
  return (await city.service.records.list({ limit: 50 })).calls.find(call => call.cliRaw === cli && call.disposition)
}, 40_000)

test.each([['nobody answers the BYE', '+6281277700041', false], ['somebody answers the BYE', '+6281277700042', true]])('a call that nobody acknowledges rings no line, and nobody is called back: %s', async (_, from, bye) => {
  answersBye = bye
  const before = await figure('satunomor_calls_unacknowledged_total')
  invite(from)
  const { callId, ...stored } = await record(from)
  expect(stored).toMatchObject({ disposition: 'abandoned', detail: 'never-acknowledged', connectedAt: null })
  expect(stored.endedAt! - stored.pickedAt!).toBeLessThan(20_000)
  expect(city.calls.filter(call => call.from === from)).toEqual([])
  const followUp = await eventually('its follow-up', async () => (await city.service.book.list({ order: 'newest', limit: 50 })).followUps.find(one => one.cli === from))
  expect(followUp).toMatchObject({ state: 'person', why: 'never-acknowledged', list: 'posko', attempt: 0 })
  expect(await figure('satunomor_calls_unacknowledged_total')).toBe(before + 1)
  expect((await (await ask(`/api/calls/${callId}`)).json() as { call: object }).call).toMatchObject({ detail: 'never-acknowledged' })
})

test('where a number leads to an agency at once, a line rings for who acknowledges, and for nobody else', async () => {
  answersBye = true
  const forged = '+6281277700043'
  const honest = city.dial({ from: '+6281277700044', to: `sip:110@${at(1)}:5060` })
  await honest.answered
  const leg = await city.rung('posko-1', '+6281277700044')
  await leg.answered
  invite(forged, '110')
  expect(await record(forged)).toMatchObject({ disposition: 'abandoned', detail: 'never-acknowledged' })
  expect(city.calls.filter(call => call.from === forged)).toEqual([])
  await honest.hangUp()
  await city.quiet()
})

test('a trunk has no more calls than the plan says: one more is refused with 503, counted, and on record', async () => {
  const from = '+6281277700051'
  const before = await figure('satunomor_refused_total{why="too-many-calls"}')
  const two = ['+6281277700052', '+6281277700053'].map(from => city.dial({ from }))
  for (const call of two) await call.answered
  const third = city.dial({ from })
  expect(await third.answered.then(() => 0, error => (error as Refused).status)).toBe(503)
  expect(await record(from)).toMatchObject({ disposition: 'refused', detail: 'too-many-calls', pickedAt: null })
  expect(await figure('satunomor_refused_total{why="too-many-calls"}')).toBe(before + 1)
  const { sources } = await (await ask('/api/refusals')).json() as LastHour
  expect(sources.find(({ address }) => address === at(2))?.why['too-many-calls']).toBe(before + 1)
  await two[0]!.hangUp()
  await city.ear.hears(two[1]!, 'menu-utama', { within: 30_000 })
  const again = city.dial({ from: '+6281277700054' })
  await again.answered
  for (const call of [again, two[1]!]) await call.hangUp()
  await city.quiet()
})
