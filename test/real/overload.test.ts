/** A service that keeps callers waiting: new calls take the dialplan's own menu, those that it has keep their place, and the record says which way each went. */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Child } from '../../setup/children.mjs'
import { audit } from '../../src/audit.ts'
import { Records } from '../../src/records/records.ts'
import { places } from '../../src/settings.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { hearsBytes, voice } from './stage.ts'

let city: City, service: Child, records: Records
const since = Date.now()
beforeAll(async () => {
  city = await openCity({ number: 171, withService: false, env: { SATUNOMOR_TOKEN: 'kota-kota-kota-kota', SATUNOMOR_SHED: 'on' } })
  service = await city.run('src/main.ts')
  await city.run('src/watchdog.ts')
  records = Records.at({ file: places(city.state).records }, pino({ level: 'silent' }))
})
afterAll(async () => {
  await records?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

const shedUntil = async () => Number(await city.variable('SN_SHED') ?? 0)
const sheds = async () => await shedUntil() > Date.now() / 1000
const metric = async (name: string) => {
  const page = await (await fetch(`http://${city.address}:8080/metrics`, { headers: { authorization: 'Bearer kota-kota-kota-kota' } })).text()
  return Number(new RegExp(`^satunomor_${name} (.+)$`, 'm').exec(page)?.[1])
}

/** The service's loop stands still for 1.5 s, from just after a beat: too short for the beat to be stale, and for the watchdog. */
async function standStill() {
  const beat = await city.variable('SN_BEAT')
  await eventually('the service beats', async () => await city.variable('SN_BEAT') !== beat)
  service.process.kill('SIGSTOP')
  await setTimeout(1_500)
  service.process.kill('SIGCONT')
  await eventually('the service says that it is overloaded', sheds)
}

async function choosesAndTalks(call: ReturnType<City['dial']>, from: string, { key, line }: { key: string, line: string }) {
  await call.press(key)
  const leg = await city.rung(line, from)
  await leg.answered
  await Promise.all([hearsBytes(call, voice(line)), hearsBytes(leg, voice(from)), leg.say(voice(line)), call.say(voice(from))])
  await call.hangUp()
}

/** What is on record of the newest call from there, once it has ended. */
const story = (from: string) => eventually(`the record of ${from}`, async () => {
  const { calls } = await records.list({ limit: 50 })
  const call = calls.find(({ cliRaw }) => cliRaw === from)
  return call?.disposition ? await records.get(call.callId) ?? undefined : undefined
})
const whoLed = async (from: string) => (await story(from)).steps.find(({ kind }) => kind === 'key')?.witness

test('an overloaded service sheds new calls to the dialplan and keeps those that it has', async () => {
  const [held, fresh, back, gone] = ['+627215550171', '+627215550172', '+627215550173', '+627215550174'] as const
  await eventually('the service takes new calls', async () => await city.variable('SN_SHED') === '0', 60_000)
  const first = city.dial({ from: held })
  await city.ear.hears(first, 'sambutan')
  await standStill()

  const second = city.dial({ from: fresh })
  await city.ear.hears(second, 'sambutan')
  await choosesAndTalks(first, held, { key: '2', line: 'bpbd-1' })
  await choosesAndTalks(second, fresh, { key: '1', line: 'ambulans-1' })

  // Nobody at the agency answers: the call comes to the service, which knows what the dialplan does not.
  city.line('hallo-1', call => call.refuse(486))
  const third = city.dial({ from: back })
  await city.ear.hears(third, 'sambutan')
  await third.press('3')
  await eventually('the service has it', async () => {
    const { calls } = await records.list({ limit: 50 })
    const call = calls.find(({ cliRaw }) => cliRaw === back)
    return call && (await records.steps(call.callId)).some(({ kind }) => kind === 'returned')
  })
  await third.hangUp()

  const fourth = city.dial({ from: gone })
  await city.ear.hears(fourth, 'sambutan')
  await fourth.hangUp()

  expect((await story(held)).call).toMatchObject({ way: 'service', disposition: 'answered', line: 'bpbd-1' })
  expect(await whoLed(held)).toBe('service')
  expect((await story(fresh)).call).toMatchObject({ way: 'shed', disposition: 'answered', line: 'ambulans-1' })
  expect(await whoLed(fresh)).toBe('ledger')
  expect((await story(back)).call).toMatchObject({ way: 'shed' })
  expect((await story(back)).steps.find(({ kind }) => kind === 'returned')).toMatchObject({ witness: 'service', facts: { agency: 'wali-kota' } })
  const abandoned = (await story(gone)).call
  expect(abandoned).toMatchObject({ way: 'shed', disposition: 'abandoned', detail: 'greeting' })

  // Nobody takes it for a call that came while no service was there.
  const owed = await eventually('a follow-up', async () =>
    await records.db.selectFrom('followups').innerJoin('followupCalls', 'followupCalls.followupId', 'followups.id').select('kind').where('followupCalls.callId', '=', abandoned.callId).executeTakeFirst())
  expect(owed.kind).not.toBe('late')
  const books = await eventually('the books', async () => {
    const report = await audit({ file: join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), records, from: since, to: Date.now() })
    return report.balanced && report
  })
  expect(books).toMatchObject({ shed: 3, backfilled: [] })
  expect(await metric('overloads_total')).toBeGreaterThan(0)
  expect(await metric('calls_shed_total')).toBe(3)
}, 120_000)

test('a service that is calm again takes new calls', async () => {
  const from = '+627215550175'
  await eventually('it is calm', async () => await shedUntil() === 0, 60_000)
  expect(await metric('overloaded')).toBe(0)
  const call = city.dial({ from })
  await city.ear.hears(call, 'sambutan')
  await choosesAndTalks(call, from, { key: '2', line: 'bpbd-1' })
  expect((await story(from)).call).toMatchObject({ way: 'service', disposition: 'answered' })
}, 120_000)

test('a service killed while overloaded leaves nothing behind', async () => {
  const from = '+627215550176'
  await standStill()
  service.process.kill('SIGKILL')
  await service.ended
  service = await city.run('src/main.ts')
  await eventually('the service takes new calls', async () => await shedUntil() === 0, 60_000)
  const call = city.dial({ from })
  await city.ear.hears(call, 'sambutan')
  await choosesAndTalks(call, from, { key: '2', line: 'bpbd-1' })
  expect((await story(from)).call).toMatchObject({ way: 'service', disposition: 'answered' })
}, 120_000)
