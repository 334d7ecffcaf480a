/** A trunk whose gateway is not there, and then comes, and goes: in the log, the metrics, the API and the readiness, from a real Asterisk. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Softphone } from '../../demo/softphone.ts'
import type { TrunkState } from '../../src/asterisk/trunks.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { aLog } from '../records/stories.ts'

const number = 196
const at = (last: number) => `127.77.${number}.${last}`
const { log, said } = aLog()
let city: City
beforeAll(async () => {
  city = await openCity({ number, log, plan: text => text.replace('\nnumbers:', `\n  gateway-2: { role: agencies, address: ${at(5)}, qualify: 5 s }\n  gateway-3: { role: agencies, address: ${at(6)}, qualify: off }\n\nnumbers:`) })
})
afterAll(() => city?.[Symbol.asyncDispose]())

const ask = (path: string) => fetch(`${city.service.url}${path}`, { headers: { authorization: `Bearer ${city.service.token}` } })
const trunks = async () => (await (await ask('/api/trunks')).json() as { trunks: TrunkState[] }).trunks
const trunk = async (name: string) => (await trunks()).find(one => one.name === name)!
const readiness = async () => await (await ask('/readyz')).json() as { ready: boolean, warnings: string[] }
const figures = async () => Object.fromEntries([...(await (await ask('/metrics')).text()).matchAll(/^satunomor_trunk_up\{trunk="(.*?)"\} (\d)$/gm)].map(([, name, up]) => [name, up]))
const lines = () => said.filter(({ trunk }) => trunk === 'gateway-2').map(({ msg }) => msg)
const seconds = (count: number) => count * 1000

test('a trunk is down until its gateway comes, and again when that has gone', async () => {
  await eventually('gateway-2 is down', async () => (await trunk('gateway-2')).up === false, seconds(60))
  const down = await trunk('gateway-2')
  expect(down).toEqual({ name: 'gateway-2', role: 'agencies', address: `${at(5)}:5060`, up: false, since: expect.any(Number), delay: null })
  expect(Math.abs(Date.now() - down.since!)).toBeLessThan(seconds(60))
  expect(await readiness()).toEqual({ ready: true, missing: [], warnings: [expect.stringContaining('gateway-2')] })
  expect(said.find(({ msg }) => msg === 'trunk is down')).toMatchObject({ level: 50, trunk: 'gateway-2', role: 'agencies', address: `${at(5)}:5060`, hint: expect.stringContaining('OPTIONS') })
  expect(lines()).toEqual(['trunk is down'])

  // Those that are there, and those that Asterisk does not ask.
  await eventually('the gateway is up', async () => (await trunk('gateway')).up === true, seconds(60))
  expect(await trunks()).toMatchObject([{ name: 'carrier', role: 'carrier', up: null, since: null, delay: null }, { name: 'gateway', up: true, delay: expect.any(Number) }, { name: 'gateway-2' }, { name: 'gateway-3', up: null, since: null }])
  expect(await figures()).toEqual({ gateway: '1', 'gateway-2': '0' })

  const phone = await Softphone.open({ address: at(5), port: 5060 })
  try {
    await eventually('gateway-2 is up', async () => (await trunk('gateway-2')).up === true, seconds(60))
    expect(await trunk('gateway-2')).toMatchObject({ since: expect.any(Number), delay: expect.any(Number) })
    expect((await trunk('gateway-2')).since).toBeGreaterThan(down.since!)
    expect(await readiness()).toMatchObject({ ready: true, warnings: [] })
    expect(await figures()).toEqual({ gateway: '1', 'gateway-2': '1' })
    expect(lines()).toEqual(['trunk is down', 'trunk is up again'])
  } finally {
    await phone[Symbol.asyncDispose]()
  }
  await eventually('gateway-2 is down again', async () => (await trunk('gateway-2')).up === false, seconds(60))
  expect(lines()).toEqual(['trunk is down', 'trunk is up again', 'trunk is down'])
}, 240_000)

test('whoever has no token does not see addresses', async () => {
  expect((await fetch(`${city.service.url}/api/trunks`)).status).toBe(401)
  for (const path of ['/readyz', '/metrics']) expect(await (await fetch(`${city.service.url}${path}`)).text()).not.toContain(at(5))
})
