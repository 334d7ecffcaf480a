/** Agencies' own systems on the real parts: a call, as it happens; Redis killed, the service killed with -9, and nothing is lost. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IncomingCall } from '../../demo/softphone.ts'
import type { Child } from '../../setup/children.mjs'
import { receiver } from '../delivery/receiver.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

// Callbacks are made when a person says so, and not before.
const policy = 'followups: { policy: { attempts: 0 } }\n'

const open = new AsyncDisposableStack()
let there: Awaited<ReturnType<typeof receiver>>
let city: City
let service: Child

beforeAll(async () => {
  there = open.use(await receiver('127.77.121.9'))
  city = open.use(await openCity({ number: 121, withRedis: true, withService: false, callbacks: true, plan: text => policy + text.replace('    name: BPBD\n', `    name: BPBD\n    webhook: { url: "${there.url}" }\n`) }))
  service = await city.run('src/main.ts')
})
afterAll(() => open.disposeAsync())

const told = () => there.received.map(({ body }) => JSON.parse(body) as { type: string, sequence?: number, data: Record<string, unknown> }).filter(({ type }) => type !== 'heartbeat')
const types = (from: number) => told().slice(from).map(({ type }) => type)
/** Presses 2 and talks with BPBD, as far as `until` says. */
async function calls(number: string) {
  const call = city.dial({ from: number })
  await call.answered
  await call.press('2')
  return { call, line: await city.rung('bpbd-1', number) }
}

test('a call that is answered is told as it happens', async () => {
  const { call, line } = await calls('+627215550171')
  await line.answered
  await eventually('connected', async () => types(0).includes('call.connected'))
  expect(types(0)).toEqual(['call.ringing', 'call.claimed', 'call.connected'])
  await call.hangUp()
  await eventually('ended', async () => types(0).length === 4)
  expect(told().at(-1)).toMatchObject({ type: 'call.ended', sequence: 4, data: { number: '+627215550171', disposition: 'answered', talked: expect.any(Number) } })
})

test('of a caller who finds all lines talking nothing rings: the agency hears of them when they are owed a call', async () => {
  const before = told().length
  const talks = [await calls('+627215550174')]
  await talks[0]!.line.answered
  const second = city.dial({ from: '+627215550175' })
  await second.answered
  await second.press('2')
  await (await city.rung('bpbd-2', '+627215550175')).answered
  const third = city.dial({ from: '+627215550176' })
  await third.answered
  await third.press('2')
  await eventually('they have tried every line', async () => (await readFile(join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), 'utf8')).split('\n').filter(line => /LINE_END.*bpbd-[12] FULL/.test(line)).length >= 3)
  await third.hangUp()
  await eventually('they are owed a call', async () => types(before).includes('followup.opened'))
  expect(told().slice(before).filter(({ data }) => data['number'] === '+627215550176').map(({ type }) => type)).toEqual(['followup.opened'])
  for (const call of [talks[0]!.call, second]) await call.hangUp()
  await eventually('both have ended', async () => types(before).filter(type => type === 'call.ended').length === 2)
})

test('one that is abandoned while Redis is away and the service is killed is told when they are back, in order and once', async () => {
  const before = told().length
  city.line('bpbd-1', line => line.ring())
  await city.redis!.kill()
  const { call } = await calls('+627215550172')
  process.kill(-service.process.pid!, 'SIGKILL')
  await service.ended
  await call.hangUp()
  await city.startRedis()
  service = await city.run('src/main.ts')
  await eventually('the follow-up is told', async () => types(before).includes('followup.opened'), 30_000)
  expect(types(before)).toEqual(['call.ringing', 'call.abandoned', 'call.ended', 'followup.opened'])
  expect(told().map(({ sequence }) => sequence)).toEqual(told().map((_, n) => n + 1))
  expect(new Set(there.received.map(({ headers }) => headers['webhook-id'])).size).toBe(there.received.length)
}, 90_000)

test('a callback in the middle of which Asterisk is killed has an end, and one', async () => {
  const before = told().length
  city.line('bpbd-1', line => line.ring())
  const { call } = await calls('+627215550177')
  await call.hangUp()
  const opened = await eventually('the follow-up is told', async () => told().slice(before).find(({ type }) => type === 'followup.opened'))
  const { followUp } = opened.data as { followUp: string }
  const answers = (prompt: string) => async (leg: IncomingCall) => {
    await leg.answer()
    await city.ear.hears(leg, prompt)
    await leg.press('1')
  }
  city.line('bpbd-1', answers('konfirmasi-telepon-balik'))
  city.carrier.onCall(answers('telepon-balik'))
  const api = (init: object) => fetch(`http://${city.address}:8080/api/followups/${followUp}`, { headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...init })
  const token = (await readFile(join(city.state, 'token'), 'utf8')).trim()
  expect((await api({ method: 'PATCH', body: JSON.stringify({ action: 'call-now', who: 'Siti' }) })).status).toBe(200)
  const ofCallback = () => told().slice(before).filter(({ type, data }) => type.startsWith('call.') && data['followUp'] === followUp)
  await eventually('they talk', async () => ofCallback().length === 3, 30_000)
  await city.restartAsterisk()
  await eventually('its end is told', async () => ofCallback().length === 4, 40_000)
  expect(ofCallback().map(({ type }) => type)).toEqual(['call.ringing', 'call.claimed', 'call.connected', 'call.ended'])
  expect(ofCallback()[3]!.data).toMatchObject({ number: '+627215550177', disposition: null, talked: expect.any(Number) })
  expect(await (await api({})).json()).toMatchObject({ attempts: [{ outcome: 'cut-off' }] })
}, 120_000)

test('a receiver that never answers holds up no call, and no stop', async () => {
  const before = there.received.length
  there.answers(() => new Promise(() => {}))
  city.line('bpbd-1', line => line.answer())
  const { call, line } = await calls('+627215550173')
  await line.answered
  await eventually('it was asked', async () => there.received.length > before)
  await call.hangUp()
  await service.stop(20_000)
  expect(service.exit).toEqual({ code: 0, signal: null })
  there.answers(() => ({}))
  service = await city.run('src/main.ts')
  // What was on its way is told again, with the id that it had, behind the rest: the receiver takes it once.
  const ofCall = () => new Map(there.received.slice(before).map(({ headers, body }) => [headers['webhook-id'], JSON.parse(body) as { type: string, data: Record<string, unknown> }]))
  await eventually('all of it is told', async () => ofCall().size === 4 && there.received.length > before + 4, 30_000)
  expect([...ofCall().values()].map(({ type, data }) => `${type} ${data['number']}`).sort()).toEqual(['claimed', 'connected', 'ended', 'ringing'].map(what => `call.${what} +627215550173`))
}, 90_000)
