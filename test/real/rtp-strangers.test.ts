/** Who sends sound to a caller's port from a foreign address gets none of the caller's: a silent telephone goes on hearing. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readSdp } from '../../demo/rtp.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { Gun, Sender } from '../parts/ugly-sender.ts'
import { sdp } from '../parts/ugly-torture.ts'

const at = (last: number) => `127.77.193.${last}`
const FRAME = Buffer.alloc(160, 0xd5)

/** Calls with a telephone that never sends any sound, and lets a stranger send some. What each of them has heard since. */
async function heard({ address }: City, from: string) {
  await using carrier = await Sender.open(from, { address, port: 5060 })
  await using telephone = await Gun.open(from)
  await using stranger = await Gun.open(at(9))
  carrier.keeps = true
  const id = carrier.request('INVITE', `sip:112@${address}`, { body: sdp(from, telephone.port) })
  await carrier.final(id)
  stranger.to = readSdp(carrier.responses(id).find(({ status }) => status === 200)!.body)!
  await eventually('the telephone hears us', async () => telephone.heard.length > 10)
  const [before, sent] = [telephone.heard.length, stranger.heard.length]
  await eventually('the stranger has sent a second of sound', async () => {
    stranger.frame(FRAME)
    return stranger.sequence > 50
  })
  await eventually('more sound of ours', async () => telephone.heard.length + stranger.heard.length > before + sent + 100)
  return { telephone: telephone.heard.length - before, stranger: stranger.heard.length }
}

let city: City
beforeAll(async () => { city = await openCity({ number: 193, plan: text => text.replace('\nnumbers:', `\n  behind-nat: { role: carrier, address: ${at(5)}, nat: yes }\n\nnumbers:`) }) })
afterAll(() => city?.[Symbol.asyncDispose]())

test('a silent caller goes on hearing, and the stranger hears nothing', async () => {
  const { telephone, stranger } = await heard(city, at(2))
  expect(stranger).toBe(0)
  expect(telephone).toBeGreaterThan(50)
})

test('on a trunk behind NAT our sound goes to where its sound comes from', async () => {
  expect((await heard(city, at(5))).stranger).toBeGreaterThan(0)
})
