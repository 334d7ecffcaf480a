import { expect, test } from 'vitest'
import { describe, Ear } from '../../demo/ear.ts'
import type { Frame } from '../../demo/rtp.ts'
import { Softphone } from '../../demo/softphone.ts'
import { speech } from './sounds.ts'

const menu = speech(1, 3_000, { pause: true })
const bpbd = speech(2, 1_000)
const start = speech(3, 500)
const prompts = new Map([
  ['menu-utama', menu], ['bpbd-1', bpbd],
  ['sambung-a', Buffer.concat([start, speech(4, 500)])], ['sambung-b', Buffer.concat([start, speech(5, 500)])],
  ['sunyi', Buffer.alloc(8_000, 0xd5)]
])
const ear = new Ear(prompts)

/** As a telephone would hear it: cut into frames from a byte on, one every 20 ms. */
function frames(sound: Buffer, { size = 160, lose = (_: number): boolean => false } = {}): Frame[] {
  return Array.from({ length: Math.floor(sound.length / size) }, (_, index) => ({
    alaw: sound.subarray(index * size, (index + 1) * size), at: 1_000 + index * size / 8, sequence: index
  })).filter(({ sequence }) => !lose(sequence))
}
const silence = (ms: number) => Buffer.alloc(ms * 8, 0xd5)

test('prompts are recognised, in order, with how much of each and when', () => {
  const heard = ear.listen(frames(Buffer.concat([silence(200), menu, silence(100), bpbd])))
  expect(heard).toMatchObject([
    { prompt: 'menu-utama', from: 0, to: 3_000, length: 3_000, startedAt: 1_200, endedAt: 4_200 },
    { prompt: 'bpbd-1', from: 0, to: 1_000, startedAt: 4_300, endedAt: 5_300 }
  ])
})

test('a prompt that is interrupted by a key was heard up to there', () => {
  const heard = ear.listen(frames(Buffer.concat([menu.subarray(0, 1_200 * 8), bpbd])))
  expect(heard).toMatchObject([{ prompt: 'menu-utama', from: 0, to: 1_200 }, { prompt: 'bpbd-1' }])
  expect(describe(heard[0]!)).toBe('menu-utama, first 1.2 s of 3.0 s')
  expect(describe(heard[1]!)).toBe('bpbd-1, all 1.0 s')
})

test('lost frames leave one prompt one prompt', () => {
  const heard = ear.listen(frames(menu, { lose: index => index % 7 === 3 || (index > 50 && index < 60) }))
  expect(heard).toMatchObject([{ prompt: 'menu-utama', from: 0, to: 3_000 }])
})

test('frames may be cut at any byte, and be of any size', () => {
  expect(ear.listen(frames(Buffer.concat([silence(37).subarray(0, 293), menu])))).toMatchObject([{ prompt: 'menu-utama', from: 27 / 8 }])
  expect(ear.listen(frames(menu.subarray(1_003), { size: 240 }))).toMatchObject([{ prompt: 'menu-utama', from: 1_003 / 8 }])
})

test('a prompt that is played again is heard again', () => {
  expect(ear.listen(frames(Buffer.concat([menu, menu]))).map(({ prompt }) => prompt)).toEqual(['menu-utama', 'menu-utama'])
})

test('prompts that begin alike are told apart as soon as they differ, and not before', () => {
  expect(ear.listen(frames(prompts.get('sambung-b')!))).toMatchObject([{ prompt: 'sambung-b', from: 0, to: 1_000 }])
  expect(ear.listen(frames(start))).toEqual([])
})

test('silence, noise and a few frames are no prompt', () => {
  expect(ear.listen(frames(Buffer.concat([silence(500), speech(9, 1_000), bpbd.subarray(0, 4 * 160), silence(100)])))).toEqual([])
})

test('a listener hears live, as soon as it can be sure', async () => {
  await using caller = await Softphone.open({ address: '127.0.77.21' })
  await using city = await Softphone.open({ address: '127.0.77.22' })
  city.onCall(async call => {
    await call.answer()
    await call.say(menu.subarray(0, 8_000))
    await call.say(bpbd)
    await call.hangUp()
  })
  const call = caller.dial({ to: `sip:112@${city.address}:${city.port}`, from: '1' })
  const never = expect(ear.hears(call, 'sambung-a')).rejects.toThrow(
    'did not hear "sambung-a" before the call was ended from there; heard menu-utama, first 1.0 s of 3.0 s; bpbd-1, all 1.0 s')
  const heard = await ear.hears(call, 'menu-utama', { within: 2_000 })
  expect(heard.frames).toBeLessThan(10)
  await expect(ear.hears(call, 'menu-utama', { within: 50, after: heard.startedAt })).rejects.toThrow('within 0.05 s')
  await ear.hears(call, 'bpbd-1')
  await never
  await expect(ear.hears(call, 'tidak-ada')).rejects.toThrow('knows no prompt')
})
