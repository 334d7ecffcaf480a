import { createSocket } from 'node:dgram'
import { expect, test, vi } from 'vitest'
import { readSdp, Rtp } from '../../demo/rtp.ts'

/** An A-law packet whose 160 bytes are all `fill`. */
function packet(sequence: number, fill: number, { ssrc = 1, type = 8, first = 0x80 } = {}): Buffer {
  const head = Buffer.from([first, type, sequence >> 8, sequence & 0xff, 0, 0, 0, 0, 0, 0, 0, ssrc])
  head.writeUInt32BE(sequence * 160, 4)
  return Buffer.concat([head, Buffer.alloc(160, fill)])
}

/** What an open ear makes of these packets: the first byte of each frame, and its place in the sequence. */
async function hears(...packets: Buffer[]): Promise<[number, number][]> {
  const rtp = new Rtp()
  await rtp.open('127.0.77.11')
  const from = createSocket('udp4')
  const { port } = readSdp(rtp.describe())!
  for (const it of [...packets, packet(60_000, 0xee, { ssrc: 9 })]) from.send(it, port, '127.0.77.11')
  await vi.waitFor(() => expect(rtp.heard.at(-1)?.alaw[0]).toBe(0xee), { interval: 5 })
  await rtp.close()
  await new Promise<void>(resolve => from.close(resolve))
  return rtp.heard.slice(0, -1).map(({ alaw, sequence }) => [alaw[0]!, sequence])
}

test('frames that come late or twice are put in their place', async () => {
  expect(await hears(packet(65_535, 1), packet(1, 3), packet(0, 2), packet(0, 2), packet(1, 3), packet(4, 4)))
    .toEqual([[1, 0], [2, 1], [3, 2], [4, 5]])
})

test('a new stream goes on after the old one', async () => {
  expect(await hears(packet(10, 1), packet(11, 2), packet(5, 3, { ssrc: 2 }), packet(9_000, 4, { ssrc: 2 })))
    .toEqual([[1, 0], [2, 1], [3, 2], [4, 3]])
})

test('packets that are malformed, or no sound, are ignored', async () => {
  expect(await hears(
    Buffer.alloc(0), Buffer.alloc(11), packet(1, 1).subarray(0, 12), packet(1, 1, { first: 0x00 }), packet(1, 1, { first: 0x8f }).subarray(0, 40),
    packet(1, 1, { first: 0x90 }).subarray(0, 14), packet(1, 255, { first: 0xa0 }), packet(1, 1, { type: 13 }), packet(1, 200, { type: 101 }), packet(2, 7)
  )).toEqual([[7, 0]])
})

test('an SDP without usable sound is none', () => {
  for (const body of ['', 'v=0', 'm=', 'm=audio', 'm=audio 0 RTP/AVP 8', 'm=video 9 RTP/AVP 8', 'm=audio 9 RTP/SAVP 8']) expect(readSdp(body)).toBeNull()
  const g729 = readSdp('v=0\r\nc=IN IP4 127.0.0.9\r\nm=audio 9 RTP/AVP 18\r\n')
  expect(g729).toMatchObject({ codecs: [], events: null, address: '127.0.0.9', port: 9 })
  expect(new Rtp().understands(g729)).toBe(false)
})

test('a named payload type is read, and A-law is taken where there is a choice', () => {
  const side = readSdp('v=0\nc=IN IP4 127.0.0.8\nm=audio 9 RTP/AVP 0 8 96\na=rtpmap:96 telephone-event/8000\na=sendonly\nc=IN IP4 127.0.0.9\n')!
  expect(side).toMatchObject({ codecs: ['ulaw', 'alaw'], events: 96, direction: 'sendonly', address: '127.0.0.9' })
  expect(new Rtp(['alaw', 'ulaw']).describe(side)).toMatch(/m=audio 0 RTP\/AVP 8 96\r\na=rtpmap:8 PCMA\/8000\r\n[^]*a=recvonly/)
})
