/** Asterisk with nothing of the plan: a number that is not rendered any more still finds a human. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 6, withService: false }) })
afterAll(() => city?.[Symbol.asyncDispose]())

test('with an empty dialplan 112 rings the fixed lines, one after the other, until one stays', async () => {
  await writeFile(join(city.state, 'asterisk', 'etc', 'plan', 'current', 'extensions.conf'), '; nothing is left of it\n')
  await city.restartAsterisk()
  city.line('posko-1', call => call.refuse(480))
  city.line('ambulans-1', async call => { await call.answer(); await call.hangUp() })
  const call = city.dial({ from: '+627215550170' })
  const leg = await city.rung('bpbd-1', '+627215550170')
  await leg.answered
  expect(city.calls.map(({ line }) => line)).toEqual(['posko-1', 'ambulans-1', 'bpbd-1'])
  await call.hangUp()

  const other = city.dial({ to: `sip:113@${city.address}:5060` })
  await expect(other.answered).rejects.toMatchObject({ status: 404 })
  expect(await readFile(join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), 'utf8')).toMatch(/,"LINE",/)
})
