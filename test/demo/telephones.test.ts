import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import { Softphone } from '../../demo/softphone.ts'
import { openTelephones, type Happening } from '../../demo/telephones.ts'
import { speech } from './sounds.ts'

const carrier = { address: '127.0.77.31', port: 0 }
const gateway = { address: '127.0.77.32', port: 0 }
const rings = { carrier: 60, gateway: 40 }
let sounds = ''

beforeAll(async () => {
  sounds = await mkdtemp(join(tmpdir(), 'telephones-'))
  await mkdir(join(sounds, 'telephones'))
  await writeFile(join(sounds, 'telephones/bpbd-1.alaw'), speech(1, 500))
  await writeFile(join(sounds, 'telephones/warga.alaw'), speech(2, 500))
})
afterAll(() => rm(sounds, { recursive: true }))

test('an agency\'s line rings, says who it is, and then repeats what it hears', async () => {
  const happened: Happening[] = []
  await using phones = await openTelephones({ carrier, gateway, sounds, rings, tell: it => happened.push(it) })
  await using caller = await Softphone.open({ address: '127.0.77.33' })
  const mine = speech(7, 300)
  const ear = new Ear(new Map([...await loadPrompts(join(sounds, 'telephones')), ['mine', mine]]))

  const call = caller.dial({ to: `sip:bpbd-1@127.0.77.32:${phones.gateway.port}`, from: '+627215550112' })
  await call.answered
  const sentence = await ear.hears(call, 'bpbd-1')
  await call.press('1')
  await call.say(Buffer.concat([Buffer.alloc(4_000, 0xd5), mine]))
  expect((await ear.hears(call, 'mine')).startedAt).toBeGreaterThan(sentence.startedAt)
  await call.hangUp()
  expect(call.progress.map(({ status }) => status)).toContain(180)
  expect(happened.map(({ event }) => event)).toEqual(['ringing', 'answered', 'key', 'ended'])
  expect(happened[0]).toMatchObject({ telephone: 'gateway', line: 'bpbd-1', from: '+627215550112' })
  expect(phones.lines).toEqual(['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1'])
})

test('a line without a recording answers with a tone; one that is not there does not exist', async () => {
  await using phones = await openTelephones({ carrier, gateway, sounds, rings })
  await using caller = await Softphone.open({ address: '127.0.77.33' })
  const call = caller.dial({ to: `sip:posko-1@127.0.77.32:${phones.gateway.port}`, from: '1' })
  await call.answered
  await expect(caller.dial({ to: `sip:../bpbd-1@127.0.77.32:${phones.gateway.port}`, from: '1' }).answered).rejects.toMatchObject({ status: 404 })
  await expect(caller.dial({ to: `sip:warga@127.0.77.32:${phones.gateway.port}`, from: '1' }).answered).rejects.toMatchObject({ status: 404 })
})

test('a citizen who is called back answers', async () => {
  await using phones = await openTelephones({ carrier, gateway, sounds, rings })
  await using city = await Softphone.open({ address: '127.0.77.33' })
  const call = city.dial({ to: `sip:07215550113@127.0.77.31:${phones.carrier.port}`, from: '112' })
  await new Ear(await loadPrompts(join(sounds, 'telephones'))).hears(call, 'warga')
})

test('an address that is taken says what, where and what to do, and leaves nothing open', async () => {
  const before = process.getActiveResourcesInfo().filter(it => it === 'UDPWrap').length
  {
    await using other = await Softphone.open(gateway)
    await expect(openTelephones({ carrier, gateway: other, sounds })).rejects.toThrow(/gateway.*127\.0\.77\.32:\d+.*SATUNOMOR_PHONES=off/)
  }
  expect(process.getActiveResourcesInfo().filter(it => it === 'UDPWrap').length).toBeLessThanOrEqual(before)
})
