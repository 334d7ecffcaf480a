/** A change of the plan is live in seconds, and nobody who is on the telephone notices. */
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { hearsBytes, voice } from './stage.ts'

let city: City
let whole: string
const planFile = () => join(city.state, 'plan.yaml')
const who = 'Ani'

/** Replaces one thing of the plan as the admin has it. */
async function edit(from: string, to: string) {
  const text = await readFile(planFile(), 'utf8')
  if (!text.includes(from)) throw new Error(`the plan has no ${from}`)
  await writeFile(planFile(), text.replace(from, to))
}

beforeAll(async () => {
  city = await openCity({ number: 95, plan: text => text.replaceAll('patience: 3 s', 'patience: 1 s').replaceAll('ringTime: 20 s', 'ringTime: 5 s') })
  whole = await readFile(planFile(), 'utf8')
})
beforeEach(async () => {
  for (const id of ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']) city.line(id, leg => leg.answer())
  await writeFile(planFile(), whole)
  const { changes } = city.service
  const current = await changes.versions.current()
  if (current!.plan !== (await changes.versions.get(1)).plan) await changes.rollBack({ who: 'the test', why: 'as at the start', to: 1 })
  await writeFile(planFile(), whole)
})
afterEach(() => city.quiet())
afterAll(() => city[Symbol.asyncDispose]())

const apply = (why: string) => city.service.changes.versions.current()
  .then(current => city.service.changes.apply({ who, why, base: current!.version }))

async function dialAndPress(key: string, from = '+627215550112') {
  const call = city.dial({ from })
  await call.answered
  await call.press(key)
  return call
}

async function talk(call: OutgoingCall, leg: IncomingCall, words = randomBytes(8).toString('hex')) {
  await Promise.all([hearsBytes(call, voice(`agency ${words}`)), hearsBytes(leg, voice(`caller ${words}`)), leg.say(voice(`agency ${words}`)), call.say(voice(`caller ${words}`))])
}

describe('a change', () => {
  test('is live at once, for new calls; two who talk hear each other on, and the service was not started anew', async () => {
    const talking = await dialAndPress('2', '+627215550101')
    const leg = await city.rung('bpbd-1', '+627215550101')
    await talk(talking, leg)
    const { service } = city

    await edit('2: bpbd', '2: wali-kota')
    const began = performance.now()
    const version = await apply('two rings the mayor')
    expect(performance.now() - began).toBeLessThan(5000)
    expect(version).toMatchObject({ who, why: 'two rings the mayor', restores: null })

    const call = await dialAndPress('2')
    const mayor = await city.rung('hallo-1', '+627215550112')
    await talk(call, mayor)
    await talk(talking, leg)
    expect(city.service).toBe(service)
    expect((await service.health.ready()).missing).toEqual([])
    await call.hangUp()
    await talking.hangUp()
    expect(await city.record('+627215550112')).toMatchObject({ disposition: 'answered', line: 'hallo-1', plan: version.plan })
  })
})
