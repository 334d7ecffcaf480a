/** A Redis that is there and takes no writes: the alarm rings, nothing is lost, and all goes on by itself. */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, openCity, type City } from '../parts/city.ts'

const policy = `followups:
  outbound: { channels: 2 }
  policy: { delay: 1 s, first: citizen }
`
let city: City
let redis: Redis
beforeAll(async () => {
  city = await openCity({ number: 122, withRedis: true, callbacks: true, plan: text => policy + text })
  redis = new Redis(city.env['REDIS_URL']!)
})
afterAll(async () => {
  redis?.disconnect()
  await city?.[Symbol.asyncDispose]()
})

/** `satunomor_queue_up` of the three queues. */
const up = async () => [...(await (await fetch(`${city.service.url}/metrics`)).text()).matchAll(/^satunomor_queue_up\{queue="\w+"\} (\d)$/gm)].map(([, is]) => is).join('')

test.each<[string, string[], string[]]>([
  ['full memory (OOM)', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']],
  ['too few replicas (NOREPLICAS)', ['CONFIG', 'SET', 'min-replicas-to-write', '1'], ['CONFIG', 'SET', 'min-replicas-to-write', '0']],
  ['a replica (READONLY)', ['REPLICAOF', '127.77.122.1', '1'], ['REPLICAOF', 'NO', 'ONE']]
])('%s: satunomor_queue_up is 0 for as long, a call is missed meanwhile, and its citizen is rung after it', async (_, [command, ...args], [mended, ...how]) => {
  const from = `+6272155502${String(city.calls.length + 10).padStart(2, '0')}`
  const rung = new Promise<void>(resolve => city.carrier.onCall(call => {
    resolve()
    return call.refuse(486)
  }))
  await eventually('Redis takes jobs', async () => await up() === '111')
  await redis.call(command!, ...args)
  await eventually('the alarm', async () => await up() === '000')
  city.line('bpbd-1', call => call.ring())
  const call = city.dial({ from })
  await call.answered
  await call.press('2')
  await city.rung('bpbd-1', from)
  await call.hangUp()
  await eventually('the follow-up is open, and due', async () => {
    const followUp = await city.service.records.db.selectFrom('followups').selectAll().where('cli', '=', from).executeTakeFirst()
    return followUp !== undefined && followUp.state === 'open' && followUp.dueAt < Date.now()
  })
  expect(await up()).toBe('000')
  await redis.call(mended!, ...how)
  await eventually('Redis takes jobs again', async () => await up() === '111')
  await rung
}, 60_000)
