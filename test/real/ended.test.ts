/** Calls that nobody ends: both telephones are gone, or an admin must free a line. The lines are free again, the record is true, the citizen is owed a call. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { nodeEnv, program } from '../../setup/packages.mjs'
import { project } from '../../setup/project.mjs'
import { eventually, openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => {
  city = await openCity({ number: 133, plan: text => 'silentTalk: 4 s\nspoken: 0 s\n' + text.replace('    name: BPBD\n', '    name: BPBD\n    order: all-at-once\n') })
  city.line('bpbd-2', call => call.ring())
})
afterEach(() => city.quiet())
afterAll(() => city?.[Symbol.asyncDispose]())

async function talking(from: string, key = '3', line = 'hallo-1') {
  const call = city.dial({ from })
  await call.answered
  await call.press(key)
  const leg = await city.rung(line, from)
  await leg.answered
  await eventually('they talk', async () => call.heard.length > 20 && leg.heard.length > 20)
  return { call, leg }
}
const nowhere = { address: '127.0.0.1', port: 9, codecs: ['alaw' as const], events: null, media: [], audio: 0, direction: 'inactive' as const }
const fallsSilent = (...calls: (OutgoingCall | IncomingCall)[]) => { for (const call of calls) call.media.talkTo(nowhere) }
const owed = (callId: string) => eventually('a follow-up', () => city.service.records.db.selectFrom('followupCalls').selectAll().where('callId', '=', callId).executeTakeFirst())
const stepsOf = async (callId: string) => (await city.service.records.get(callId))!.steps
const live = (from: string) => eventually('the record knows them', async () => (await city.service.records.live()).find(({ cliRaw, connectedAt }) => cliRaw === from && connectedAt !== null))
const end = (callId: string, body: object) => fetch(`${city.service.url}/api/calls/${callId}/end`, { method: 'POST', headers: { authorization: `Bearer ${city.service.token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })

test.each([['3', 'hallo-1', '+627215550101'], ['2', 'bpbd-1', '+627215550102']])('a talk with no sound from either side is ended, and the citizen is owed a call (key %s)', async (key, line, from) => {
  const { call, leg } = await talking(from, key, line)
  const { callId } = await live(from)
  fallsSilent(call, leg)
  expect(await call.ended).toMatchObject({ by: 'there' })
  expect(await leg.ended).toMatchObject({ by: 'there' })
  expect(await city.record(from)).toMatchObject({ disposition: 'answered', line, endedBy: 'us' })
  expect((await stepsOf(callId)).find(({ kind }) => kind === 'cut')).toMatchObject({ facts: { by: 'satunomor' } })
  await owed(callId)
})

test('a talk goes on while one side is heard, and while one side holds it', async () => {
  const one = await talking('+627215550103')
  fallsSilent(one.call)
  const two = await talking('+627215550104', '0', 'posko-1')
  await two.leg.hold('inactive')
  fallsSilent(two.call)
  const since = performance.now()
  await eventually('twice the time has passed', async () => performance.now() - since > 9_000)
  expect([one.call.ending, two.call.ending]).toEqual([null, null])
  await Promise.all([one.call.hangUp(), two.call.hangUp()])
})

test('an admin ends a call over the API: the audit and the record say who, and the citizen is owed a call', async () => {
  const { call, leg } = await talking('+627215550105')
  const { callId } = await live('+627215550105')
  expect((await end(callId, { who: 'Citra' })).status).toBe(400)
  expect((await end('nobody.1', { who: 'Citra', reason: 'blocked' })).status).toBe(404)
  expect((await end(callId, { who: 'Citra', reason: 'the line is blocked' })).status).toBe(200)
  expect(await call.ended).toMatchObject({ by: 'there' })
  expect(await leg.ended).toMatchObject({ by: 'there' })
  expect(await city.record('+627215550105')).toMatchObject({ callId, disposition: 'answered', endedBy: 'us' })
  expect((await stepsOf(callId)).find(({ kind }) => kind === 'cut')).toMatchObject({ facts: { by: 'Citra', why: 'the line is blocked' } })
  expect(await city.service.records.db.selectFrom('audit').select(['who', 'what']).where('callId', '=', callId).execute()).toContainEqual({ who: 'Citra', what: 'ended the call: the line is blocked' })
  await owed(callId)
  expect((await end(callId, { who: 'Citra', reason: 'again' })).status).toBe(409)
})

test('an admin ends a call in the menu by command: with the service, and without it', async () => {
  const command = async (...args: string[]) => {
    const [file, words] = program('src/satunomor.ts')
    return (await promisify(execFile)(file, [...words, 'call', ...args], { cwd: project, env: { ...nodeEnv, ...city.env } })).stdout
  }
  const inMenu = async (from: string) => {
    const call = city.dial({ from })
    await call.answered
    await city.ear.hears(call, 'sambutan')
    const { callId } = await eventually('the record knows them', async () => (await city.service.records.live()).find(({ cliRaw }) => cliRaw === from))
    return { call, callId }
  }
  const first = await inMenu('+627215550106')
  expect(await command('list')).toContain(first.callId)
  await command('end', first.callId, '--reason', 'a test', '--who', 'Citra')
  expect(await first.call.ended).toMatchObject({ by: 'there' })
  expect(await city.record('+627215550106')).toMatchObject({ disposition: 'failed', detail: 'ended-by-hand', endedBy: 'us' })
  await owed(first.callId)

  const { call, leg } = await talking('+627215550107')
  const { callId } = await live('+627215550107')
  await city.restart(async () => {
    await command('end', callId, '--reason', 'a test', '--who', 'Citra')
    expect(await call.ended).toMatchObject({ by: 'there' })
    expect(await leg.ended).toMatchObject({ by: 'there' })
  })
  expect(await city.record('+627215550107')).toMatchObject({ callId, disposition: 'answered', endedBy: 'us' })
  expect((await stepsOf(callId)).find(({ kind }) => kind === 'cut')).toMatchObject({ facts: { by: 'Citra' } })
})
