/** The caller's number is the one that the carrier asserts, in each legal notation; what it says of the place is kept with the record. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, openCity, type City } from '../parts/city.ts'
import { Sender } from '../parts/ugly-sender.ts'
import { sdp } from '../parts/ugly-torture.ts'

const at = (last: number) => `127.77.152.${last}`
let city: City
let carrier: Sender
beforeAll(async () => {
  city = await openCity({ number: 152 })
  carrier = await Sender.open(at(2), { address: at(1), port: 5060 })
})
afterAll(async () => {
  await carrier?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

const anonymous = '"Anonymous" <sip:anonymous@anonymous.invalid>'
let calls = 0
/** Calls and hangs up; the record of that call, and its steps. */
async function call(from: string, headers: Record<string, string> = {}) {
  const before = new Set((await city.service.records.list({ limit: 200 })).calls.map(({ callId }) => callId))
  const id = carrier.request('INVITE', `sip:112@${at(1)}`, { body: sdp(at(2)), headers: { from: `${from};tag=t${++calls}`, ...headers } })
  expect(await carrier.final(id)).toBe(200)
  const record = await eventually('a record', async () => {
    await city.service.scribe.flush()
    const record = (await city.service.records.list({ limit: 200 })).calls.find(({ callId, disposition }) => !before.has(callId) && disposition)
    const told = record && await city.service.records.get(record.callId)
    return told?.steps.some(({ kind }) => kind === 'ended') && { ...record, steps: told.steps }          // the ledger has been read to its end
  })
  return record
}

const number = '+628123456789'
const sip = `<sip:${number}@${at(2)}>`
const tel = `<tel:${number}>`
test.each([
  ['sip alone', sip], ['tel alone', tel], ['sip and tel', `${sip}, ${tel}`], ['tel and sip', `${tel},${sip}`], ['with parameters', `<sip:${number};cpc=ordinary@${at(2)};user=phone>,<tel:${number};phone-context=+62>`],
  ['with names', `"Ibu, X" ${sip}, "Y" ${tel}`], ['a name like an address', `"<sip:+628111111111@x>" ${sip}, "<tel:+628111111112>" ${tel}`], ['folded', `${sip},\r\n\t${tel}`],
  ['two header lines', `${sip}\r\nP-Asserted-Identity: ${tel}`], ['without brackets', `sip:${number}@${at(2)}`], ['capitals', `<SIP:${number}@${at(2)}>, <TEL:${number}>`]
])('an asserted identity counts, whatever stands in From: %s', async (_, asserted) => {
  for (const from of [anonymous, `<sip:+628199999999@${at(2)}>`]) {
    expect(await call(from, { 'p-asserted-identity': asserted, privacy: 'id' })).toMatchObject({ cli: number, did: '112' })
  }
})

test.each([
  ['no number', '<sip:alice@example.net>, <sip:bob42@example.net>'], ['a host alone', '<sip:127.0.0.2>, <sip:127.0.0.3>'], ['a long one', `<tel:${'1'.repeat(60)}>, <tel:${'2'.repeat(60)}>`],
  ['Asterisk\'s own words', '<tel:${CALLERID(num)}>, <tel:${EXTEN}>'], ['too long for Asterisk', `${sip}, <tel:${'9'.repeat(5_000)}>`]
])('an asserted identity that is no number leaves From\'s: %s', async (_, asserted) => {
  expect(await call(`<sip:${number}@${at(2)}>`, { 'p-asserted-identity': asserted })).toMatchObject({ cli: number, cliRaw: number })
})

test.each([['5550312', '+627215550312'], ['00628123456789', '+628123456789'], ['08123456789', '+628123456789'], ['628123456789', '+628123456789'], ['112', null], ['anonymous', null]])('a caller %s is %s', async (user, cli) => {
  expect(await call(`<sip:${user}@${at(2)}>`)).toMatchObject({ cli, cliRaw: user })
})

test('an agency sees the number with its area code, and it may be rung back', async () => {
  const heard = city.dial({ from: '5550313' })
  await heard.answered
  await heard.press('2')
  expect((await city.rung('bpbd-1')).from).toBe('07215550313')
  await heard.hangUp()
})

test('where the caller is, and how the call came, is kept with the record, filtered and bounded', async () => {
  const { steps } = await call(`<sip:${number}@${at(2)}>`, {
    geolocation: '<cid:alice@example.net>;inserted-by="x|y,$(rm)"', 'p-access-network-info': '3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=5100100010019B60A',
    diversion: `<sip:+62721555099@${at(2)}>;reason=unconditional`, 'history-info': `<sip:+62721555099@${at(2)}>;index=1,<sip:112@${at(1)}>;index=1.1${'x'.repeat(400)}`
  })
  const kept = steps.find(({ kind }) => kind === 'headers')!.facts as { headers: Record<string, string> }
  expect(kept.headers).toMatchObject({
    Geolocation: '<cid:alice@example.net>;inserted-by=xy,rm', 'P-Access-Network-Info': '3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=5100100010019B60A', Diversion: `<sip:+62721555099@${at(2)}>;reason=unconditional`
  })
  expect(kept.headers['History-Info']).toHaveLength(200)
})

test('a call without such headers has no step of them', async () => {
  const { steps } = await call(`<sip:${number}@${at(2)}>`)
  expect(steps.map(({ kind }) => kind)).not.toContain('headers')
  expect(steps.map(({ kind }) => kind)).not.toContain('caller')
})
