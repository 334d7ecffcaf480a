/** What a caller says, for SIPp: voice and one key (RFC 4733) in one pcap, since SIPp has one media thread a call. */
import { keyPayloadType, script, voicePayloadType } from './places.ts'

const frame = 20                     // ms
const samples = 160                  // in a frame, 8 kHz

/** The first bytes of a frame that can be known again wherever it passes; two more say which frame it is. */
export const stamp = 'held'

/** A pcap of `script`, for a call that ends after `leaves` ms: PCMA frames, the key 1 in between, PCMA again; every `stampEvery`th frame is stamped. */
export function spokenWithKey(leaves: number, stampEvery = Infinity): Buffer {
  const packets: { at: number, rtp: Buffer }[] = []
  const voice = Buffer.alloc(samples, 0xd5)      // silence in A-law, with a tone laid over it, so that it is sound
  for (let n = 0; n < samples; n++) voice[n] = 0xd5 ^ (n % 8 < 4 ? 0x30 : 0xb0)
  let sequence = 0
  const add = (at: number, type: number, timestamp: number, payload: Buffer, marker = false) => packets.push({ at, rtp: rtp({ type, sequence: ++sequence, timestamp, payload, marker }) })
  for (let at = 0; at < leaves - 100; at += frame) {
    const frames = at / frame
    const timestamp = frames * samples
    const pressed = at - script.keyAt
    if (pressed < 0 || pressed >= script.keyFor + 3 * frame) add(at, voicePayloadType, timestamp, frames % stampEvery === 0 ? stamped(voice, frames) : voice)
    else {
      const over = pressed >= script.keyFor
      const length = Math.min(pressed + frame, script.keyFor) / frame * samples
      add(at, keyPayloadType, script.keyAt / frame * samples, Buffer.from([1, (over ? 0x80 : 0) | 10, length >> 8, length & 0xff]), pressed === 0)
    }
  }
  return Buffer.concat([header(), ...packets.map(({ at, rtp }) => record(at, ethernet(rtp)))])
}

function stamped(voice: Buffer, index: number) {
  const marked = Buffer.from(voice)
  marked.write(stamp)
  marked.writeUInt16BE(index, stamp.length)
  return marked
}

function rtp({ type, sequence, timestamp, payload, marker }: { type: number, sequence: number, timestamp: number, payload: Buffer, marker: boolean }) {
  const head = Buffer.alloc(12)
  head.writeUInt8(0x80, 0)
  head.writeUInt8((marker ? 0x80 : 0) | type, 1)
  head.writeUInt16BE(sequence, 2)
  head.writeUInt32BE(timestamp, 4)
  head.writeUInt32BE(0x0112_0112, 8)
  return Buffer.concat([head, payload])
}

/** Ethernet, IPv4 and UDP around it, as SIPp looks for; it puts its own addresses in. */
function ethernet(payload: Buffer) {
  const head = Buffer.alloc(42)
  head.writeUInt16BE(0x0800, 12)
  head.writeUInt8(0x45, 14)
  head.writeUInt16BE(28 + payload.length, 16)
  head.writeUInt8(64, 22)
  head.writeUInt8(17, 23)
  head.set([127, 0, 0, 1], 26)
  head.set([127, 0, 0, 1], 30)
  head.writeUInt16BE(6000, 34)
  head.writeUInt16BE(6000, 36)
  head.writeUInt16BE(8 + payload.length, 38)
  return Buffer.concat([head, payload])
}

function header() {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(65535, 16)
  head.writeUInt32LE(1, 20)
  return head
}

function record(at: number, packet: Buffer) {
  const head = Buffer.alloc(16)
  head.writeUInt32LE(Math.floor(at / 1000), 0)
  head.writeUInt32LE(at % 1000 * 1000, 4)
  head.writeUInt32LE(packet.length, 8)
  head.writeUInt32LE(packet.length, 12)
  return Buffer.concat([head, packet])
}
