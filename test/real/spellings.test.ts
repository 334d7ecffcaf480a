/** However a network writes the city's number, its callers reach the menu; what is refused on a carrier's trunk is seen. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LastHour } from '../../src/asterisk/refusals.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { Sender } from '../parts/ugly-sender.ts'
import { sdp } from '../parts/ugly-torture.ts'

const at = (last: number) => `127.77.151.${last}`
let city: City
let carrier: Sender
beforeAll(async () => {
  city = await openCity({ number: 151, plan: text => text.replace('numbers:', 'numbers:\n  "+62721555010": { entry: utama }') })
  carrier = await Sender.open(at(2), { address: at(1), port: 5060 })
})
afterAll(async () => {
  await carrier?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

const ask = (path: string) => fetch(`${city.service.url}${path}`, { headers: { authorization: `Bearer ${city.service.token}` } })
const counted = async (why: string) => Number(new RegExp(`^satunomor_refused_total\\{why="${why}"\\} (\\d+)$`, 'm').exec(await (await ask('/metrics')).text())![1])
const recordOf = (from: string) => eventually(`a record of ${from}`, async () => {
  await city.service.scribe.flush()
  const { calls } = await city.service.records.list({ limit: 200 })
  return calls.find(({ cliRaw, disposition }) => cliRaw === from && disposition)
})
let callers = 0
const caller = () => `+62812345${String(++callers).padStart(5, '0')}`

const short = ['112', '+112', '0112', '62112', '+62112', '0062112', '0721112', '+62721112', '62721112', '721112', '1-1-2', '%31%31%32', '112;phone-context=+62', '112;phone-context=ims.mnc001.mcc510.3gppnetwork.org', '112;rn=+6272199;npdi', '112;npdi;rn=+6272199', '112;cpc=emergency']
const local = ['+62721555010', '62721555010', '0721555010', '721555010', '555010', '+62-721-555010', '%2B62721555010', '0062721555010', '555010;phone-context=+62721']

test.each([['112', short], ['+62721555010', local]])('%s is reached in each of its spellings, and stands in the record as in the plan', async (did, users) => {
  const uris = [...users.map(user => `sip:${user}@${at(1)}:5060`), `sip:${users[0]}@${at(1)}:5060;user=phone`, `tel:${users[0]}`, `tel:${users[0]};phone-context=+62`]
  for (const requestUri of uris) {
    const from = caller()
    const call = city.dial({ from, requestUri })
    await call.answered.catch(error => { throw new Error(`${requestUri}: ${error.message}`) })
    await call.hangUp()
    expect([requestUri, (await recordOf(from)).did]).toEqual([requestUri, did])
  }
})

test('another number on the carrier\'s trunk is refused with 404, counted, and on record without a follow-up', async () => {
  const from = caller()
  await expect(city.dial({ from, requestUri: `sip:1120@${at(1)}:5060` }).answered).rejects.toMatchObject({ status: 404 })
  expect(await recordOf(from)).toMatchObject({ did: '1120', trunk: 'carrier', disposition: 'refused', detail: 'no-such-number' })
  await eventually('it is counted', async () => await counted('no-such-number') === 1)
  expect((await (await ask('/api/refusals')).json() as LastHour).sources).toMatchObject([{ address: at(2), count: 1, why: { 'no-such-number': 1 } }])
  const { callId } = await recordOf(from)
  expect(await city.service.records.db.selectFrom('outbox').selectAll().where('callId', '=', callId).execute()).toEqual([])
})

test('what is no number, has no sound that we take, or cannot be read, is counted as well', async () => {
  await expect(city.dial({ requestUri: `sip:posko@${at(1)}:5060` }).answered).rejects.toMatchObject({ status: 404 })
  const body = sdp(at(2)).replace('RTP/AVP', 'RTP/SAVP')
  expect(await carrier.final(carrier.request('INVITE', `sip:112@${at(1)}`, { body }))).toBe(488)
  carrier.request('INVITE', 'urn:service:sos', { body: sdp(at(2)) })
  await eventually('all are counted', async () => await counted('no-such-number') === 2 && await counted('no-common-media') === 1 && await counted('unreadable') >= 1)
})

test('an agency\'s telephone reaches the numbers as the plan writes them, and no more', async () => {
  const dial = (user: string) => city.gateway.dial({ to: `sip:${user}@${at(1)}:5060`, from: 'bpbd-1' })
  const call = dial('112')
  await call.answered
  await call.hangUp()
  for (const user of ['62112', '0721112', '555010', '1120']) await expect(dial(user).answered).rejects.toMatchObject({ status: 404 })
  await eventually('they are counted', async () => await counted('no-such-number') === 6)
})

test('the sums are the same', async () => {
  await city.quiet()
  await eventually('all is on record', async () => (await city.service.records.list({ limit: 200 })).calls.filter(({ trunk }) => trunk === 'gateway').length === 1)
  const report = await (await ask('/api/audit')).json() as { balanced: boolean, dispositions: Record<string, number> }
  expect(report).toMatchObject({ balanced: true, turnedAway: 2, dispositions: { refused: 3 } })
})
