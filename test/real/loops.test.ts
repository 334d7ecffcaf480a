/** A call that is with us already is no second one: a line that is forwarded to us, or one INVITE that comes by two ways. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Refused, type IncomingCall, type Softphone } from '../../demo/softphone.ts'
import { token } from '../../demo/sip.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { Sender } from '../parts/ugly-sender.ts'
import { sdp } from '../parts/ugly-torture.ts'

const at = (last: number) => `127.77.153.${last}`
let city: City
let carrier: Sender
beforeAll(async () => {
  city = await openCity({ number: 153 })
  carrier = await Sender.open(at(2), { address: at(1), port: 5060 })
})
afterAll(async () => {
  await carrier?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

const records = async () => {
  await city.service.scribe.flush()
  return (await city.service.records.list({ limit: 200 })).calls
}
/** The line's telephone is forwarded to 112: it dials there by `phone`, and passes on what becomes of that. */
const forwardedBy = (phone: () => Softphone, headers: Record<string, string>, from = (call: IncomingCall) => call.from) => async (call: IncomingCall) => {
  const again = phone().dial({ to: `sip:112@${at(1)}:5060`, from: from(call), headers })
  await again.answered.then(() => call.answer(), error => call.refuse((error as Refused).status))
}
const diversion = { diversion: `<sip:bpbd-1@${at(3)}>;reason=unconditional`, 'history-info': `<sip:bpbd-1@${at(3)}>;index=1, <sip:112@${at(1)}>;index=1.1` }

test.each<[string, string, (call: IncomingCall) => unknown]>([
  ['by the gateway', '+6281288800001', forwardedBy(() => city.gateway, diversion)],
  ['by the gateway, that says nothing of it', '+6281288800002', forwardedBy(() => city.gateway, {})],
  ['by the gateway, a caller without a number', '', forwardedBy(() => city.gateway, diversion)],
  ['back through the carrier, in another notation', '+6281288800003', forwardedBy(() => city.carrier, { diversion: diversion.diversion }, call => call.from.replace('+62', '0'))]
])('a line that is forwarded to us is not picked up, and the next one rings: %s', async (_, from, forwards) => {
  city.line('bpbd-1', forwards)
  city.line('bpbd-2', call => call.answer())
  const before = (await records()).length
  const call = city.dial({ from })
  await call.answered
  await call.press('2')
  const human = await city.rung('bpbd-2').catch(async error => {
    await call.hangUp()
    throw new Error(`${error.message}: ${JSON.stringify(await Promise.all((await records()).map(async ({ callId }) => (await city.service.records.get(callId))!.steps.map(({ kind, facts }) => [kind, facts]))))}`)
  })
  await human.answered
  await human.hangUp()
  await call.ended
  await city.quiet()
  await eventually('one record, as the ledger tells it', async () => {
    const [record, ...others] = (await records()).slice(0, -before || undefined)
    expect(others).toEqual([])
    expect(record).toMatchObject({ disposition: 'answered', line: 'bpbd-2' })
    const { lines } = (await city.service.records.get(record!.callId))!
    expect(lines).toMatchObject([{ line: 'bpbd-1', outcome: 'busy' }, { line: 'bpbd-2', outcome: 'answered' }])
    return true
  })
})

test('others are not taken for a loop: another caller who is forwarded, and two people behind one number', async () => {
  city.line('bpbd-1', call => call.ring())
  const first = city.dial({ from: '+6281288800010' })
  await first.answered
  await first.press('2')
  await city.rung('bpbd-1', '+6281288800010')
  const diverted = city.gateway.dial({ to: `sip:112@${at(1)}:5060`, from: '+6281288800011', headers: diversion })
  const byCarrier = city.carrier.dial({ to: `sip:112@${at(1)}:5060`, from: '+6281288800012', headers: diversion })
  const sameNumber = city.dial({ from: '+6281288800010' })
  for (const call of [diverted, byCarrier, sameNumber]) await call.answered
  for (const call of [diverted, byCarrier, sameNumber, first]) await call.hangUp()
  await city.quiet()
})

test('a caller who talks may call again: whatever their network says of the way, it is no loop', async () => {
  city.line('bpbd-1', call => call.answer())
  const from = '+6281288800020'
  const first = city.dial({ from })
  await first.answered
  await first.press('2')
  await (await city.rung('bpbd-1', from)).answered
  const again = city.carrier.dial({ to: `sip:112@${at(1)}:5060`, from, headers: diversion })
  await again.answered
  await again.hangUp()

  // While a line rings, a History-Info that tells of no forward is none.
  city.line('bpbd-2', call => call.ring())
  const second = city.dial({ from: '+6281288800021' })
  await second.answered
  await second.press('2')
  await city.rung('bpbd-2', '+6281288800021')
  const retargeted = city.carrier.dial({ to: `sip:112@${at(1)}:5060`, from: '+6281288800021', headers: { 'history-info': `<sip:112@${at(1)}>;index=1` } })
  await retargeted.answered
  for (const call of [retargeted, second, first]) await call.hangUp()
  await city.quiet()
})

test('one INVITE that comes by two ways is one call: the second is told so (482)', async () => {
  const before = (await records()).length
  carrier.keeps = true
  const id = token()
  const headers = { from: `<sip:+6281277700001@${at(2)}>;tag=${token()}`, cseq: '7 INVITE' }
  const invite = () => carrier.request('INVITE', `sip:112@${at(1)}`, { id, headers, body: sdp(at(2)) })
  invite()
  await eventually('the first is answered', async () => carrier.statuses(id).includes(200))
  invite()
  await eventually('the second is not', async () => carrier.statuses(id).includes(482))
  carrier.hangUp()
  await city.quiet()
  expect(carrier.statuses(id).filter(status => status >= 200 && status !== 482).every(status => status === 200)).toBe(true)
  await eventually('the first is on record', async () => (await records()).length - before > 0)
  expect((await records()).length - before).toBe(1)
  // Another Call-ID is a call of its own.
  expect(await carrier.final(carrier.request('INVITE', `sip:112@${at(1)}`, { id: `${id}b`, headers, body: sdp(at(2)) }))).toBe(200)
})

test('two copies of one INVITE in the same instant are one call', async () => {
  const ours = async () => (await records()).filter(({ cliRaw }) => cliRaw?.startsWith('+62812777001')).length
  carrier.keeps = true
  const ids = Array.from({ length: 12 }, () => token())
  for (const [nth, id] of ids.entries()) {
    const headers = { from: `<sip:+62812777001${String(nth).padStart(2, '0')}@${at(2)}>;tag=${token()}`, cseq: '7 INVITE' }
    for (let copy = 0; copy < 2; copy++) carrier.request('INVITE', `sip:112@${at(1)}`, { id, headers, body: sdp(at(2)) })
    await eventually('one copy is answered, and the other is refused', async () => [200, 482].every(status => carrier.statuses(id).includes(status)))
  }
  carrier.hangUp()
  await city.quiet()
  await eventually('the calls are on record', async () => await ours() >= ids.length)
  expect(await ours()).toBe(ids.length)
})

test('the sums are the same', async () => {
  await city.quiet()
  await eventually('the sums are the same', async () => {
    const report = await (await fetch(`${city.service.url}/api/audit`, { headers: { authorization: `Bearer ${city.service.token}` } })).json() as { balanced: boolean }
    if (!report.balanced) throw new Error(JSON.stringify(report))
    return true
  })
})
