/** When the demo's telephones run. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { realTrunk, whyOff, writeWanted } from '../../demo/wanted.mjs'

let sounds: string
beforeAll(async () => { sounds = await mkdtemp(join(tmpdir(), 'satunomor-wanted-')) })
afterAll(() => rm(sounds, { recursive: true, force: true }))

const demo: [string, { address: string }][] = [['carrier', { address: '127.0.0.2' }], ['gateway', { address: '127.77.9.3' }]]
const city: typeof demo = [['carrier', { address: '127.0.0.2' }], ['kantor', { address: '192.0.2.7' }]]

test('the telephones run beside trunks of the loopback, and not beside a real one', () => {
  expect(whyOff(undefined, sounds)).toBeUndefined()
  writeWanted(sounds, realTrunk(demo))
  expect(whyOff(undefined, sounds)).toBeUndefined()
  writeWanted(sounds, realTrunk(city))
  expect(whyOff('', sounds)).toBe('trunk kantor is at 192.0.2.7; SATUNOMOR_PHONES=on starts them all the same')
})

test('the setting overrides the plan, both ways', () => {
  writeWanted(sounds, realTrunk(city))
  expect(whyOff('on', sounds)).toBeUndefined()
  writeWanted(sounds, realTrunk(demo))
  expect(whyOff('off', sounds)).toBe('SATUNOMOR_PHONES is off')
})
