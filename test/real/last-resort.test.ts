/** Asterisk with no dialplan of what the templates render: a call still finds a human, by the plan's last resort, and below it by the shipped one. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 6, withService: false, plan: text => text.replaceAll('bpbd-1', 'bpbd-7') }) })
afterAll(() => city?.[Symbol.asyncDispose]())

const etc = (...names: string[]) => join(city.state, 'asterisk', 'etc', ...names)

test('with no rendered dialplan 112 rings the plan\'s lines, one after the other, until one stays', async () => {
  await rm(etc('plan', 'current', 'extensions.conf'))
  await city.restartAsterisk()
  city.line('posko-1', call => call.refuse(480))
  city.line('ambulans-1', async call => { await call.answer(); await call.hangUp() })
  const call = city.dial({ from: '+627215550170' })
  const leg = await city.rung('bpbd-7', '+627215550170')
  await leg.answered
  expect(city.calls.map(({ line }) => line)).toEqual(['posko-1', 'ambulans-1', 'bpbd-7'])
  await call.hangUp()

  const other = city.dial({ to: `sip:113@${city.address}:5060` })
  await expect(other.answered).rejects.toMatchObject({ status: 404 })
  expect(await readFile(join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), 'utf8')).toMatch(/,"LINE",/)
})

test('with that lost, too, the shipped last resort rings its own', async () => {
  await rm(etc('plan', 'last-resort'), { recursive: true })
  await writeFile(etc('pjsip.conf'), (await readFile(etc('pjsip.conf'), 'utf8')).replaceAll('127.0.0.3', city.address.replace(/1$/, '3')))
  await city.restartAsterisk()
  const call = city.dial({ from: '+627215550171' })
  await (await city.rung('bpbd-1', '+627215550171')).answered
  await call.hangUp()
})
