/** What a telephone or a PBX asks in the middle of a call: it gets an answer at once, and the talk goes on. And an offer of sound and fax has sound. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { openCity, type City } from '../parts/city.ts'
import { hearsBytes, voice } from './stage.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 131, plan: text => `spoken: 0 s\n${text}` }) })
afterEach(() => city.quiet())
afterAll(() => city?.[Symbol.asyncDispose]())

async function talking(from: string, options: Parameters<City['dial']>[0] = {}) {
  const call = city.dial({ from, ...options })
  await call.answered
  await city.ear.hears(call, 'sambutan')
  await call.press('3')
  const leg = await city.rung('hallo-1', from)
  await leg.answered
  await hearEachOther(call, leg)
  return { call, leg }
}

let times = 0
async function hearEachOther(call: OutgoingCall, leg: IncomingCall) {
  const [one, other] = [voice(`caller ${++times}`), voice(`agency ${times}`)]
  await Promise.all([hearsBytes(call, other), hearsBytes(leg, one), call.say(one), leg.say(other)])
}

/** Asks, and says how long the answer took. */
async function asks(side: OutgoingCall | IncomingCall, ...request: Parameters<OutgoingCall['asks']>) {
  const at = performance.now()
  const { status } = await side.asks(...request)
  return { status, ms: performance.now() - at }
}

const text = { headers: { 'content-type': 'text/plain' }, body: 'Tolong' }

test('an agency\'s PBX that transfers the call is refused at once, and the talk goes on', async () => {
  const { call, leg } = await talking('+627215550181')
  const transfers: Record<string, string>[] = [{ 'refer-to': `<sip:posko-1@${city.address}>` }, { 'refer-to': '<sip:ambulans-1@127.77.131.3>', 'referred-by': '<sip:hallo-1@127.77.131.3>' }]
  for (const headers of transfers) {
    const refused = await asks(leg, 'REFER', { headers })
    expect(refused.status).toBe(603)
    expect(refused.ms).toBeLessThan(1_000)
    await hearEachOther(call, leg)
  }
  expect((await asks(call, 'REFER', { headers: { 'refer-to': `<sip:posko-1@${city.address}>` } })).status).toBe(603)
  await hearEachOther(call, leg)
  await leg.hangUp()
  expect(await city.record('+627215550181')).toMatchObject({ disposition: 'answered', line: 'hallo-1', endedBy: 'agency' })
})

test('a text inside a call is answered at once, in the menu and in the talk', async () => {
  const call = city.dial({ from: '+627215550182' })
  await call.answered
  await city.ear.hears(call, 'sambutan')
  expect((await asks(call, 'MESSAGE', text)).status).toBe(202)
  await call.press('3')
  const leg = await city.rung('hallo-1', '+627215550182')
  await leg.answered
  await hearEachOther(call, leg)
  for (const side of [call, leg]) {
    const answer = await asks(side, 'MESSAGE', text)
    expect(answer.status).toBe(202)
    expect(answer.ms).toBeLessThan(1_000)
  }
  await hearEachOther(call, leg)
  await call.hangUp()
  expect(await city.record('+627215550182')).toMatchObject({ disposition: 'answered', endedBy: 'caller' })
})

test('a text outside a call is refused where messages do not go by SIP', async () => {
  const { promise, resolve } = Promise.withResolvers<number>()
  city.carrier.wire.request({
    to: { address: city.address, port: 5060 },
    request: {
      method: 'MESSAGE', uri: `sip:112@${city.address}:5060`, body: 'Tolong',
      headers: [['max-forwards', '70'], ['from', `<sip:+627215550183@${city.carrier.address}>;tag=m`], ['to', `<sip:112@${city.address}>`], ['call-id', 'm-1'], ['cseq', '1 MESSAGE'], ['content-type', 'text/plain']]
    }
  }, ({ status }) => { if (status >= 200) resolve(status) })
  expect(await promise).toBe(404)
})

test.each([
  ['fax after the sound', ['m=image 40002 udptl t38', 'a=T38FaxVersion:0']],
  ['a fax that is refused already', ['m=image 0 udptl t38']],
  ['fax and video', ['m=image 40002 udptl t38', 'a=T38FaxVersion:0', 'm=video 40004 RTP/AVP 96', 'a=rtpmap:96 H264/90000']]
])('an offer of %s: the caller hears, and is heard, and a key is understood', async (_, media) => {
  const { call, leg } = await talking('+627215550184', { media })
  await call.hangUp()
  await leg.ended
  expect(await city.record('+627215550184')).toMatchObject({ disposition: 'answered', line: 'hallo-1' })
})
