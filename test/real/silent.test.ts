/**
 * Sound that stops for good: the call is ended, said so in its record, and leaves nothing behind. Asterisk waits for five
 * minutes in the city's files (a caller may be silent for long, or have a telephone that sends nothing while nobody speaks);
 * here it waits for three seconds.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 82 }) })
afterEach(() => city.quiet())
afterAll(() => city?.[Symbol.asyncDispose]())

const nowhere = { address: '127.0.0.1', port: 9, codecs: ['alaw' as const], events: null, media: [], audio: 0 }
/** From now on nothing of its sound leaves that telephone. */
const fallsSilent = (call: OutgoingCall | IncomingCall) => call.media.talkTo({ ...nowhere, direction: 'inactive' })
/** A telephone that never sends any: it only listens. */
function listens(call: OutgoingCall) {
  call.media.talkTo = () => {}
  return call
}
const minutes5 = /^rtp_timeout = 300$/gm

async function talking(from: string) {
  const call = city.dial({ from })
  await call.answered
  await call.press('3')
  const leg = await city.rung('hallo-1', from)
  await leg.answered
  await eventually('they talk', async () => call.heard.length > 20 && leg.heard.length > 20)
  return { call, leg }
}

test('a telephone that sends nothing at all is led to a human, and hears them for as long as they talk', async () => {
  const call = listens(city.dial({ from: '+627215550141' }))
  await call.answered
  await city.ear.hears(call, 'menu-utama')
  const leg = await city.rung('posko-1', '+627215550141')
  await leg.answered
  const before = call.heard.length
  await eventually('it hears them for five seconds', async () => call.heard.length > before + 250)
  expect(call.ending).toBeNull()
  await call.hangUp()
  expect(await city.record('+627215550141')).toMatchObject({ disposition: 'answered', line: 'posko-1', endedBy: 'caller' })
})

describe('after three seconds without any', () => {
  beforeAll(async () => {
    const etc = join(city.state, 'asterisk', 'etc')
    const file = join(etc, 'plan', 'current', 'pjsip.conf')
    const rendered = await readFile(file, 'utf8')
    expect(rendered.match(minutes5)).toHaveLength(2)
    expect((await readFile(join(etc, 'pjsip.conf'), 'utf8')).match(minutes5)).toHaveLength(1)       // the last resort's
    await rm(file)                 // the version that it is linked to stays as it is
    await writeFile(file, rendered.replaceAll(minutes5, 'rtp_timeout = 3'))
    await city.restartAsterisk()
    await eventually('the service is ready again', async () => (await city.service.health.ready()).ready)
  })

  test.each([['caller', 'call', '+627215550142', { endedBy: 'carrier', q850: 44 }], ['agency', 'leg', '+627215550143', { endedBy: 'us', q850: 16 }]] as const)(
    'of the %s, while they talk: both are hung up, and the record says by whom', async (_, who, from, ended) => {
      const talk = await talking(from)
      fallsSilent(talk[who])
      expect(await talk.call.ended).toMatchObject({ by: 'there' })
      expect(await talk.leg.ended).toMatchObject({ by: 'there' })
      const { callId, ...record } = await city.record(from)
      expect(record).toMatchObject({ disposition: 'answered', line: 'hallo-1', ...ended })
      // Whoever was cut off is owed a call.
      await eventually('a follow-up', () => city.service.records.db.selectFrom('followupCalls').selectAll().where('callId', '=', callId).executeTakeFirst())
    })

  test('of a caller in the menu: they are gone, and that is where', async () => {
    const call = city.dial({ from: '+627215550144' })
    await call.answered
    await city.ear.hears(call, 'sambutan')
    fallsSilent(call)
    expect(await call.ended).toMatchObject({ by: 'there' })
    expect(await city.record('+627215550144')).toMatchObject({ disposition: 'abandoned', detail: 'menu:utama', endedBy: 'carrier', q850: 44 })
  })

  test('that were never any: Asterisk makes no difference, which is why the city\'s files have five minutes', async () => {
    const call = listens(city.dial({ from: '+627215550145' }))
    await call.answered
    expect(await call.ended).toMatchObject({ by: 'there', reason: 'Q.850;cause=44' })
  })
})
