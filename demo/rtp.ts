/**
 * The sound of one call: a UDP socket that sends and receives 20 ms frames of A-law and the keys of a telephone
 * (RFC 3550, 3551, 4733), and the SDP that says where it is (RFC 3264).
 *
 * Speaks and keeps A-law whatever travels; µ-law is translated only if it is all that the other side takes. G.722 is kept and sent as it is.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { toAlaw, toUlaw, translate } from './g711.ts'
import { loopback } from './sip.ts'

export type Codec = 'alaw' | 'ulaw' | 'g722'
export type Stamps = 'once' | 'each' | 'ends'
export const FRAME_MS = 20
/** Samples, and bytes, in a frame at 8 kHz. */
export const FRAME = 160
const QUIET = Buffer.alloc(FRAME, 0xd5)

/** A frame that came in. `at` is monotonic ms (performance.now()); `sequence` counts on over 65535 and over new streams. `alaw` is A-law, except where `codec` is g722. */
export interface Frame { alaw: Buffer, at: number, sequence: number, codec?: Codec }
/** A key that the other side pressed: `at` its first packet came, held for `ms` as far as is known yet. */
export interface Key { digit: string, at: number, ms: number }

const keypad = '0123456789*#ABCD'
const payloads: Record<Codec, number> = { alaw: 8, ulaw: 0, g722: 9 }
const names: Record<Codec, string> = { alaw: 'PCMA', ulaw: 'PCMU', g722: 'G722' }
const codecNamed: Record<string, Codec | undefined> = { pcma: 'alaw', pcmu: 'ulaw', g722: 'g722' }
/** The first byte that G.722 makes of silence, again and again: as good as silence. */
const QUIET_G722 = Buffer.alloc(FRAME, 0xfa)
const EVENTS = 101
/** Between two keys, in frames; the first two of them repeat the end of the key before. */
const GAP = 5
/** More than this far behind (the process was frozen), frames are skipped instead of sent in a burst. */
const LATE_MS = 200

/** One side's SDP, read. `events` is its payload type for keys, null if it takes none; `media` are its m= lines. */
export interface Side {
  address: string, port: number, codecs: Codec[], events: number | null
  direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive'
  media: string[]
  /** Which of them is the sound. */
  audio: number
}

/** Reads an SDP body; null if there is no sound in it. */
export function readSdp(body: string): Side | null {
  const [session = '', ...sections] = body.split(/^(?=m=)/m)
  const media = sections.map(section => /^m=(.*?)\r?$/m.exec(section)![1]!)
  const audio = media.findIndex(line => /^audio [1-9]\d{0,4}(?:\/\d+)? RTP\/AVP /.test(line))
  if (audio < 0) return null
  const section = sections[audio]!
  const [, port, , ...formats] = media[audio]!.trim().split(/\s+/)
  const mapped = new Map(section.matchAll(/^a=rtpmap:(\d+) ([^\s/]+)\/8000/gm).map(([, type, name]) => [type!, name!.toLowerCase()]))
  const named = formats.map(format => mapped.get(format) ?? { 0: 'pcmu', 8: 'pcma', 9: 'g722' }[format])
  const connection = /^c=IN IP4 ([\d.]+)/m.exec(section) ?? /^c=IN IP4 ([\d.]+)/m.exec(session)
  const direction = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(section) ?? /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(session)
  const events = formats[named.indexOf('telephone-event')]
  return {
    address: connection?.[1] ?? '0.0.0.0',
    port: parseInt(port!, 10),
    codecs: named.flatMap(name => codecNamed[name ?? ''] ?? []),
    events: events === undefined ? null : Number(events),
    direction: (direction?.[1] ?? 'sendrecv') as Side['direction'],
    media, audio
  }
}

export class Rtp {
  readonly #socket = createSocket('udp4')
  readonly heard: Frame[] = []
  /** The frames that really left, in order. */
  readonly sent: Buffer[] = []
  readonly keys: Key[] = []
  readonly #listeners = new Set<(frame: Frame) => void>()
  readonly #codecs: Codec[]
  readonly #extra: readonly string[]
  /** Whether we take and send keys as events (RFC 4733); a telephone that does not has tones alone. Said before there is an SDP of ours. */
  events: boolean
  #address = ''
  #port = 0
  #version = 0
  #closed: Promise<void> | null = null
  #remote: { address: string, port: number, codec: Codec, events: number | null, wants: boolean } | null = null

  // what is to be said
  readonly #voice: Saying[] = []
  readonly #pressing: Pressing[] = []
  #timer: NodeJS.Timeout | undefined
  #next = 0
  #sequence = randomInt(0x10000)
  #timestamp = randomInt(0x100000000)
  #keyTimestamp = 0
  #marked = false
  readonly #ssrc = randomInt(0x100000000)

  // what is heard
  #stream = { ssrc: -1, sequence: 0, timestamp: -1 }
  #keyHeard = { ssrc: -1, timestamp: -1 }

  /** @param extra further media of our offers, each a line (`m=image 4002 udptl t38`) */
  constructor(codecs: Codec[] = ['alaw'], events = true, extra: readonly string[] = []) {
    this.#codecs = codecs
    this.events = events
    this.#extra = extra
  }

  async open(address: string) {
    this.#socket.bind({ address, exclusive: true })
    await Promise.race([once(this.#socket, 'listening'), once(this.#socket, 'close')])
    if (this.#closed) return
    this.#address = address
    this.#port = this.#socket.address().port
    this.#socket.on('error', () => {})
    this.#socket.on('message', packet => this.#receive(packet))
  }

  /** Our SDP: an offer, or the answer to `offer`, whose other media are refused one by one. */
  describe(offer?: Side, direction: Side['direction'] = 'sendrecv'): string {
    const codecs = offer ? [this.#common(offer)!] : this.#codecs
    const events = !this.events ? null : offer ? offer.events : EVENTS
    const types = [...codecs.map(codec => payloads[codec]), ...events === null ? [] : [events]]
    const reply = { sendrecv: 'sendrecv', sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive' } as const
    const sound = [
      `m=audio ${this.#port} RTP/AVP ${types.join(' ')}`,
      ...codecs.map(codec => `a=rtpmap:${payloads[codec]} ${names[codec]}/8000`),
      ...events === null ? [] : [`a=rtpmap:${events} telephone-event/8000`, `a=fmtp:${events} 0-15`],
      `a=ptime:${FRAME_MS}`, `a=${offer ? reply[offer.direction] : direction}`
    ]
    const media = offer?.media.flatMap((line, index) => index === offer.audio ? sound : [`m=${line.replace(/^(\S+) \S+/, '$1 0')}`])
    return [
      'v=0', `o=- ${this.#ssrc} ${++this.#version} IN IP4 ${this.#address}`, 's=-', `c=IN IP4 ${this.#address}`, 't=0 0',
      ...media ?? [...sound, ...this.#extra], ''
    ].join('\r\n')
  }

  #common = (side: Side, { theirs = false } = {}) => theirs ? side.codecs.find(codec => this.#codecs.includes(codec)) : this.#codecs.find(codec => side.codecs.includes(codec))

  understands(side: Side | null): side is Side {
    return side !== null && this.#common(side) !== undefined
  }

  /** Sends to that side from now on: what there is to say, else silence. A side that is not on this machine gets nothing. */
  talkTo(side: Side, order: { theirs?: boolean } = {}) {
    if (this.#closed) return
    const wants = side.direction === 'sendrecv' || side.direction === 'recvonly'
    this.#remote = loopback(side) && { address: side.address, port: side.port, codec: this.#common(side, order)!, events: this.events ? side.events : null, wants }
    if (this.#timer) return
    this.#next = performance.now()
    this.#tick()
  }

  /** Calls `listener` for every frame from now on, as it arrives; returns what ends that. */
  onFrame(listener: (frame: Frame) => void) {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Says A-law, after all that was to be said before; the last frame is filled up with silence. False if the call ended first. */
  say(alaw: Buffer): Promise<boolean> {
    if (this.#closed || alaw.length === 0) return Promise.resolve(!this.#closed)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    for (let at = 0; at < alaw.length; at += FRAME) {
      const frame = alaw.subarray(at, at + FRAME)
      this.#voice.push({
        frame: frame.length === FRAME ? frame : Buffer.concat([frame, QUIET.subarray(frame.length)]),
        said: at + FRAME >= alaw.length ? resolve : undefined
      })
    }
    return promise
  }

  /** How many frames wait to be said. */
  get toSay() { return this.#voice.length }

  /**
   * Presses keys, one after the other, each for `ms` (at most 8 s). False if the call ended first, or the other side takes no keys.
   * A faulty telephone `stamps` `each` packet of a key with a time of its own, or each of its three `ends`: RFC 4733 wants one for all of them.
   */
  press(digits: string, ms = 100, stamps: Stamps = 'once'): Promise<boolean> {
    const events = Array.from(digits.toUpperCase(), digit => keypad.indexOf(digit))
    if (events.includes(-1) || events.length === 0) return Promise.reject(new RangeError(`"${digits}" is not on a telephone's keys`))
    if (this.#closed) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const frames = Math.max(1, Math.ceil(Math.min(ms, 8_000) / FRAME_MS))
    for (const event of events) {
      for (let i = 1; i <= frames; i++) this.#pressing.push({ event, duration: i * FRAME, first: i === 1, end: i === frames, anew: stamps === 'each' || (stamps === 'ends' && i === frames) })
      for (let i = 0; i < 2; i++) this.#pressing.push({ event, duration: frames * FRAME, first: false, end: true, anew: stamps !== 'once' })
      for (let i = 2; i < GAP; i++) this.#pressing.push({ event: null })
    }
    this.#pressing.at(-1)!.said = resolve
    return promise
  }

  close(): Promise<void> {
    return this.#closed ??= new Promise(resolve => {
      clearTimeout(this.#timer)
      for (const { said } of [...this.#voice.splice(0), ...this.#pressing.splice(0)]) said?.(false)
      this.#listeners.clear()
      this.#socket.close(() => resolve())
    })
  }

  /** Each frame's time is counted from the first one's, so that a late timer delays one frame and not all after it. */
  #tick() {
    const now = performance.now()
    if (now - this.#next > LATE_MS) {
      const skipped = Math.floor((now - this.#next) / FRAME_MS)
      this.#next += skipped * FRAME_MS
      this.#timestamp += skipped * FRAME
    }
    for (; this.#next <= now; this.#next += FRAME_MS) this.#sendOne()
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, this.#next - performance.now()))
  }

  #sendOne() {
    const pressing = this.#pressing.shift()
    const saying = pressing ? undefined : this.#voice.shift()
    const events = this.#remote?.events ?? null
    if (pressing && pressing.event !== null && events !== null) {
      if (pressing.first || pressing.anew) this.#keyTimestamp = this.#timestamp
      const key = Buffer.from([pressing.event, (pressing.end ? 0x80 : 0) | 10, pressing.duration >> 8, pressing.duration & 0xff])
      this.#send(events, key, this.#keyTimestamp, pressing.first)
    } else {
      const codec = this.#remote?.codec ?? 'alaw'
      const frame = saying?.frame ?? (codec === 'g722' ? QUIET_G722 : QUIET)
      if (this.#send(payloads[codec], codec === 'ulaw' ? translate(frame, toUlaw) : frame, this.#timestamp, !this.#marked)) {
        this.sent.push(frame)
        this.#marked = true
      }
    }
    this.#timestamp += FRAME
    saying?.said?.(true)
    pressing?.said?.(events !== null)
  }

  #send(type: number, payload: Buffer, timestamp: number, marker: boolean): boolean {
    if (!this.#remote?.wants) return false
    const head = Buffer.alloc(12)
    head[0] = 0x80
    head[1] = type | (marker ? 0x80 : 0)
    head.writeUInt16BE(this.#sequence++ & 0xffff, 2)
    head.writeUInt32BE(timestamp % 0x100000000, 4)
    head.writeUInt32BE(this.#ssrc, 8)
    this.#socket.send([head, payload], this.#remote.port, this.#remote.address, () => {})
    return true
  }

  #receive(packet: Buffer) {
    if (packet.length < 12 || packet[0]! >> 6 !== 2) return
    let from = 12 + 4 * (packet[0]! & 0x0f)
    if (packet[0]! & 0x10) from += from + 4 <= packet.length ? 4 + 4 * packet.readUInt16BE(from + 2) : packet.length
    const to = packet.length - (packet[0]! & 0x20 ? packet.at(-1)! : 0)
    if (from >= to) return
    const type = packet[1]! & 0x7f
    const payload = packet.subarray(from, to)
    if (type === payloads.alaw) this.#hear(packet, payload)
    else if (type === payloads.ulaw) this.#hear(packet, translate(payload, toAlaw))
    else if (type === payloads.g722) this.#hear(packet, payload, 'g722')
    else if (type === (this.#remote?.events ?? EVENTS) || type === EVENTS) this.#hearKey(packet, payload)
  }

  #hear(packet: Buffer, alaw: Buffer, codec?: Codec) {
    const sequence = packet.readUInt16BE(2), timestamp = packet.readUInt32BE(4), ssrc = packet.readUInt32BE(8)
    const last = this.heard.at(-1)
    let step = ((sequence - this.#stream.sequence) << 16) >> 16
    // A new source, or a jump, is a new stream: it goes on after what was heard (Asterisk changes streams as it bridges).
    const fresh = ssrc !== this.#stream.ssrc || Math.abs(step) > 500 || (step === 0 && timestamp !== this.#stream.timestamp)
    if (fresh) step = 1
    const frame: Frame = { alaw, at: performance.now(), sequence: (last?.sequence ?? -1) + step, ...codec ? { codec } : {} }
    if (step > 0) {
      this.#stream = { ssrc, sequence, timestamp }
      this.heard.push(frame)
    } else {
      const before = this.heard.findLastIndex(it => it.sequence <= frame.sequence)
      if (this.heard[before]?.sequence === frame.sequence) return
      this.heard.splice(before + 1, 0, frame)
    }
    for (const listener of this.#listeners) listener(frame)
  }

  #hearKey(packet: Buffer, payload: Buffer) {
    const digit = keypad[payload[0]!]
    if (digit === undefined || payload.length < 4) return
    const timestamp = packet.readUInt32BE(4), ssrc = packet.readUInt32BE(8)
    const ms = payload.readUInt16BE(2) / 8
    if (timestamp !== this.#keyHeard.timestamp || ssrc !== this.#keyHeard.ssrc) {
      this.#keyHeard = { timestamp, ssrc }
      this.keys.push({ digit, at: performance.now(), ms })
    } else {
      const key = this.keys.at(-1)!
      key.ms = Math.max(key.ms, ms)
    }
  }
}

interface Saying { frame: Buffer, said?: ((all: boolean) => void) | undefined }
type Pressing = { said?: (all: boolean) => void } & (
  { event: number, duration: number, first: boolean, end: boolean, anew: boolean } | { event: null })
