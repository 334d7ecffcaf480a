/**
 * Who sends what no telephone would: datagrams as they are, from one address. It knows only as much of SIP as leaves no
 * call open: whatever final response an INVITE gets is acknowledged, and a call that was answered is hung up.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { addressOf, cseq, format, header, isRequest, parse, party, token, values, type Address, type Header, type Response } from '../../demo/sip.ts'
import { eventually } from './city.ts'

export class Sender implements AsyncDisposable {
  readonly #socket: Socket
  readonly #to: Address
  /** The responses, in order, by Call-ID. */
  readonly #heard = new Map<string, Response[]>()
  readonly #ends = new Map<string, () => void>()
  /** Answered calls are kept until `hangUp`. */
  keeps = false

  private constructor(socket: Socket, to: Address) {
    this.#socket = socket
    this.#to = to
    socket.on('message', datagram => this.#hear(datagram))
    socket.on('error', () => {})
  }

  static async open(address: string, to: Address): Promise<Sender> {
    const socket = createSocket('udp4')
    socket.bind({ address, exclusive: true })
    await once(socket, 'listening')
    return new Sender(socket, to)
  }

  /** `address:port` of this end. */
  get here() {
    const { address, port } = this.#socket.address()
    return `${address}:${port}`
  }

  /** Characters are bytes (Latin-1). */
  send(datagram: string) {
    this.#socket.send(Buffer.from(datagram, 'latin1'), this.#to.port, this.#to.address)
  }

  /** A whole request, as it should be but for what `headers` add or replace. Returns its Call-ID. */
  request(method: string, uri: string, { headers = {}, body = '', id = token() }: { headers?: Record<string, string>, body?: string, id?: string } = {}): string {
    const all: Record<string, string> = {
      via: `SIP/2.0/UDP ${this.here};branch=z9hG4bK${token()};rport`, from: `<sip:+62721555@${this.here}>;tag=${token()}`, to: `<${uri}>`,
      'call-id': id, cseq: `1 ${method}`, contact: `<sip:ugly@${this.here}>`, 'max-forwards': '70', ...body ? { 'content-type': 'application/sdp' } : {}, ...headers
    }
    this.send(format({ method, uri, headers: Object.entries(all), body }).toString('latin1'))
    return id
  }

  /** The statuses that a Call-ID has been given so far. */
  statuses = (id: string) => (this.#heard.get(id) ?? []).map(({ status }) => status)
  responses = (id: string) => this.#heard.get(id) ?? []

  /** The final status of that Call-ID's (newest) request. */
  final = (id: string, within = 5_000) =>
    eventually(`a final response to ${id}`, async () => this.statuses(id).findLast(status => status >= 200), within)

  /** Hangs up all that is kept. */
  hangUp() {
    this.keeps = false
    for (const end of this.#ends.values()) end()
    this.#ends.clear()
  }

  #hear(datagram: Buffer) {
    const message = parse(datagram)
    if (!message) return
    const id = header(message, 'call-id')!
    if (isRequest(message)) {
      if (message.method === 'ACK') return
      const kept = message.headers.filter(([name]) => ['via', 'from', 'to', 'call-id', 'cseq'].includes(name))
      return this.send(format({ status: 200, reason: 'OK', headers: kept, body: '' }).toString('latin1'))
    }
    const before = this.#heard.get(id) ?? []
    this.#heard.set(id, [...before, message])
    if (message.status < 200 || cseq(message).method !== 'INVITE') return
    this.#acknowledge(message)
    if (message.status >= 300 || before.some(({ status }) => status >= 200)) return
    const end = () => this.#inDialog(message, 'BYE', cseq(message).number! + 1)
    if (this.keeps) this.#ends.set(id, end)
    else end()
  }

  #acknowledge(response: Response) {
    // A refusal's ACK belongs to the INVITE's transaction: the very same Via.
    this.#inDialog(response, 'ACK', cseq(response).number!, response.status >= 300 ? values(response, 'via')[0] : undefined)
  }

  #inDialog(response: Response, method: string, number: number, via = `SIP/2.0/UDP ${this.here};branch=z9hG4bK${token()};rport`) {
    const target = party(values(response, 'contact')[0] ?? '').uri
    const headers: Header[] = [
      ['via', via], ['from', header(response, 'from')!], ['to', header(response, 'to')!], ['call-id', header(response, 'call-id')!],
      ['cseq', `${number} ${method}`], ['max-forwards', '70']
    ]
    this.send(format({ method, uri: addressOf(target) ? target : `sip:${this.#to.address}:${this.#to.port}`, headers, body: '' }).toString('latin1'))
  }

  async [Symbol.asyncDispose]() {
    this.hangUp()
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }
}

/** One end of a call's sound that sends what it is told to, bytes as they are. */
export class Gun implements AsyncDisposable {
  readonly #socket: Socket
  /** The payloads that came in. */
  readonly heard: Buffer[] = []
  to: Address = { address: '', port: 0 }
  sequence = 1
  timestamp = 160

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', packet => { if (packet.length > 12) this.heard.push(packet.subarray(12)) })
    socket.on('error', () => {})
  }

  static async open(address: string): Promise<Gun> {
    const socket = createSocket('udp4')
    socket.bind({ address, exclusive: true })
    await once(socket, 'listening')
    return new Gun(socket)
  }

  get port() { return this.#socket.address().port }

  fire(packet: Buffer, port = this.to.port) { this.#socket.send(packet, port, this.to.address) }

  /** A packet of RTP; each one comes after the last unless told otherwise. */
  rtp(type: number, payload: Buffer, { sequence = this.sequence++, timestamp = this.timestamp, marker = false } = {}) {
    const head = Buffer.alloc(12)
    head[0] = 0x80
    head[1] = type | (marker ? 0x80 : 0)
    head.writeUInt16BE(sequence & 0xffff, 2)
    head.writeUInt32BE(timestamp >>> 0, 4)
    head.writeUInt32BE(0xbad, 8)
    this.fire(Buffer.concat([head, payload]))
  }

  frame(alaw: Buffer) {
    this.rtp(8, alaw)
    this.timestamp += 160
  }

  /** One packet of a key (RFC 4733). */
  event(key: string, duration: number, { end = false, ...how }: { end?: boolean } & Parameters<Gun['rtp']>[2] = {}) {
    this.rtp(101, Buffer.from([Math.max(0, '0123456789*#ABCD'.indexOf(key)), (end ? 0x80 : 0) | 10, duration >> 8 & 0xff, duration & 0xff]), how)
  }

  /** A key as it should be, at once. */
  key(key: string) {
    for (const part of [1, 2, 3]) this.event(key, part * 160, { marker: part === 1 })
    for (let i = 0; i < 3; i++) this.event(key, 800, { end: true })
    this.timestamp += 1600
  }

  async [Symbol.asyncDispose]() {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }
}
