/** A key that chooses the language, on a real Asterisk: with the service, after it was started anew, and without it. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import type { OutgoingCall } from '../../demo/softphone.ts'
import { openCity, type City } from '../parts/city.ts'
import { sounds } from '../parts/sounds.ts'

let city: City
let ear: Ear
beforeAll(async () => {
  city = await openCity({ number: 103, plan: text => text.replace('      0: posko\n', '      0: posko\n      8: { language: en, to: posko }\n      9: { language: en }\n') })
  ear = new Ear(new Map([...await loadPrompts(join(sounds, 'id'), 'id/'), ...await loadPrompts(join(sounds, 'en'), 'en/')]))
})
afterAll(() => city?.[Symbol.asyncDispose]())

/** Hears these prompts one after the other, from a moment on. */
async function hears(call: OutgoingCall, ...prompts: string[]) {
  for (const prompt of prompts) since = (await ear.hears(call, prompt, { after: since })).startedAt
}
let since = -Infinity

const keysOf = async (callId: string) => (await city.service.records.get(callId))!.steps.filter(({ kind }) => kind === 'key').map(({ facts, witness }) => ({ witness, ...facts }))

test('the menu is heard again in English, and so is who is called; it stands in the record', async () => {
  since = -Infinity
  city.line('ambulans-1', leg => leg.ring())
  const call = city.dial({ from: '+627215550121' })
  await hears(call, 'id/sambutan')
  await call.press('9')
  await hears(call, 'en/sambutan', 'en/menu-utama')
  await call.press('1')
  await hears(call, 'en/sambung-ambulans')
  await call.hangUp()
  const { callId } = await city.record('+627215550121')
  expect(await keysOf(callId)).toEqual([
    { witness: 'service', digit: '9', node: 'utama', means: 'utama', language: 'en' }, { witness: 'service', digit: '1', node: 'utama', means: 'ambulans' }])
  await city.quiet()
})

test('a key can choose the language and lead on at once', async () => {
  since = -Infinity
  city.line('posko-1', leg => leg.ring())
  const call = city.dial({ from: '+627215550122' })
  await hears(call, 'id/sambutan')
  await call.press('8')
  await hears(call, 'en/ke-petugas')
  await call.hangUp()
  await city.record('+627215550122')
  await city.quiet()
})

test('whoever chose English hears English from the service that comes after, and without any, too', async () => {
  since = -Infinity
  city.line('ambulans-1', leg => leg.ring())
  const call = city.dial({ from: '+627215550123' })
  await hears(call, 'id/sambutan')
  await call.press('9')
  await hears(call, 'en/sambutan')
  let other: OutgoingCall | undefined
  await city.restart(async () => {
    other = city.dial({ from: '+627215550124' })
    since = -Infinity
    await hears(other, 'id/sambutan')
    await other.press('9')
    await hears(other, 'en/sambutan', 'en/menu-utama')
    await other.press('1')
    await hears(other, 'en/sambung-ambulans')
    await other.hangUp()
    since = performance.now()
  })
  await hears(call, 'en/sambutan', 'en/menu-utama')
  await call.press('2')
  await city.rung('bpbd-1', '+627215550123')
  await call.hangUp()
  await city.quiet()
  const { calls } = await city.service.records.list({ limit: 10 })
  expect(await keysOf(calls.find(({ cliRaw }) => cliRaw === '+627215550124')!.callId)).toEqual([
    { witness: 'ledger', digit: '9', node: 'utama', means: 'utama', language: 'en' }, { witness: 'ledger', digit: '1', node: 'utama', means: 'ambulans' }])
})

test('without the service, too, a machine that presses a key of a looping menu is led to a human in the end', async () => {
  const from = '+627215550125'
  city.line('posko-1', leg => leg.answer())
  await city.restart(async () => {
    const machine = city.dial({ from })
    await machine.answered
    // For a second after each choice none of its keys counts.
    while (!city.calls.some(leg => leg.line === 'posko-1' && leg.from === from)) await machine.press('9')
    await (await city.rung('posko-1', from)).answered
    await machine.hangUp()
  })
  const { callId } = await city.record(from)
  expect(await keysOf(callId)).toHaveLength(30)
  await city.quiet()
}, 120_000)
