/** An agency holds the call: the caller hears something, in their own language, and is not cut off. A message is recorded: the carrier gets sound meanwhile. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { sounds } from '../parts/sounds.ts'
import { hearsBytes, voice } from './stage.ts'

let city: City
let english: Ear
/** So many seconds without sound end a call here, where it is not on hold. */
const soundless = 4

beforeAll(async () => {
  city = await openCity({
    number: 132,
    plan: text => 'mailboxes: { pesan: { agency: posko, longest: 30 s } }\n' + text.replace('"112": {', '"110": { language: en, entry: utama }\n  "112": {').replace('      0: posko\n', '      0: posko\n      5: pesan\n')
      .replace('    name: BPBD\n', '    name: BPBD\n    order: all-at-once\n')
  })
  english = new Ear(await loadPrompts(join(sounds, 'en')))
  const file = join(city.state, 'asterisk', 'etc', 'plan', 'current', 'pjsip.conf')
  const rendered = await readFile(file, 'utf8')
  expect(rendered.match(/^rtp_timeout = 300$/gm)).toHaveLength(2)
  expect(rendered.match(/^rtp_timeout_hold = 3600$/gm)).toHaveLength(2)
  await rm(file)                   // the version that it is linked to stays as it is
  await writeFile(file, rendered.replaceAll(/^rtp_timeout = 300$/gm, `rtp_timeout = ${soundless}`))
  await city.restartAsterisk()
  await eventually('the service is ready again', async () => (await city.service.health.ready()).ready)
})
afterAll(async () => {
  await city?.quiet()
  await city?.[Symbol.asyncDispose]()
})

async function talking({ key, line, did = '112', from }: { key: string, line: string, did?: string, from: string }) {
  const call = city.dial({ from, to: `sip:${did}@${city.address}:5060` })
  await call.answered
  await call.press(key)
  const leg = await city.rung(line, from)
  await leg.answered
  await hearEachOther(call, leg)
  return { call, leg }
}
let times = 0
async function hearEachOther(call: OutgoingCall, leg: IncomingCall) {
  const [one, other] = [voice(`caller ${++times}`), voice(`agency ${times}`)]
  await Promise.all([hearsBytes(call, other), hearsBytes(leg, one), call.say(one), leg.say(other)])
}

test.concurrent.each([
  ['on hold (sendonly)', 'sendonly', { key: '3', line: 'hallo-1', from: '+627215550191' }, 'id'],
  ['on hold (inactive), who chose English', 'inactive', { key: '0', line: 'posko-1', from: '+627215550192', did: '110' }, 'en'],
  ['on hold by one of several lines that rang together', 'sendonly', { key: '2', line: 'bpbd-1', from: '+627215550193' }, 'id']
] as const)('a caller %s hears so, for longer than silence may last, and talks on', async (_, direction, whom, language) => {
  if (whom.line === 'bpbd-1') city.line('bpbd-2', call => call.ring())
  const { call, leg } = await talking(whom)
  const held = performance.now()
  await leg.hold(direction)
  await (language === 'en' ? english : city.ear).hears(call, 'tetap-di-saluran', { after: held })
  await eventually('it has lasted longer than a telephone may be silent', async () => performance.now() - held > (soundless + 3) * 1000)
  expect(call.ending ?? leg.ending).toBeNull()
  const frames = call.heard.filter(({ at }) => at > held)
  expect(frames.length, 'sound without a gap').toBeGreaterThan((performance.now() - held) / 20 * 0.9)
  await leg.resume()
  await hearEachOther(call, leg)
  await call.hangUp()
  const record = await eventually('a record', async () => (await city.service.records.list({ limit: 20 })).calls.find(({ cliRaw, disposition }) => cliRaw === whom.from && disposition !== null))
  expect(record).toMatchObject({ disposition: 'answered', line: whom.line, endedBy: 'caller' })
})

test.concurrent('while a message is recorded, silence is sent to the caller', async () => {
  const call = city.dial({ from: '+627215550194' })
  await call.answered
  await call.press('5')
  await city.ear.hears(call, 'tinggalkan-pesan')
  const prompt = city.ear.heardOn(call).find(({ prompt }) => prompt === 'tinggalkan-pesan')!
  void call.say(Buffer.concat(Array.from({ length: 12 }, (_, i) => voice(`message ${i}`))))
  const begun = prompt.startedAt + prompt.length + 1_500
  await eventually('it is recorded for three seconds', async () => performance.now() > begun + 3_000)
  expect(call.heard.filter(({ at }) => at > begun).length, 'frames of them').toBeGreaterThan(130)
  await call.hangUp()
})
