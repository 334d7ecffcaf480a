/**
 * A wire between the service and Asterisk that a test can cut, block or slow down.
 *
 *     await using wire = await Proxy.open({ at: { address, port: 18088 }, to: { address, port: 8088 } })
 *     wire.cut()
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Place { address: string, port: number }

export class Proxy implements AsyncDisposable {
  readonly #at: Place
  readonly #to: Place
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #stalled = false
  /** How long each piece is on its way, in ms. */
  delay = 0
  /** The piece that has this text in it, on its way to Asterisk, is lost; then it is none. */
  loses: string | undefined
  /** How many connections came in, and what was sent to Asterisk over all of them. */
  connections = 0
  sent = ''
  readonly #awaited = new Map<string, () => void>()
  #hold: { text: string, way: 'there' | 'back', come: () => void, piece?: { from: Socket, go: () => void } } | undefined

  private constructor(at: Place, to: Place) {
    this.#at = at
    this.#to = to
  }

  static async open({ at, to }: { at: Place, to: Place }): Promise<Proxy> {
    const proxy: Proxy = new Proxy(at, to)
    await proxy.pass()
    return proxy
  }

  /** How many sockets are open, both sides counted. */
  get open() { return this.#sockets.size }

  /** Resolves when the next piece that has this text in it has been sent on to Asterisk. */
  passes(text: string): Promise<void> {
    return new Promise(resolve => { this.#awaited.set(text, resolve) })
  }

  /** The next piece that has this text in it, on its way there or back, waits in here with all that follows it; resolves when it is here. */
  holds(text: string, way: 'there' | 'back'): Promise<void> {
    return new Promise(come => { this.#hold = { text, way, come } })
  }

  /** What is held goes on; or it is `lost`, as with a sender who died before it was on its way. */
  letGo({ lost = false } = {}) {
    const piece = this.#hold?.piece
    this.#hold = undefined
    if (lost) piece?.from.destroy()
    else piece?.go()
  }

  /** As if it were not there. */
  async pass() {
    this.#stalled = false
    for (const socket of this.#sockets) socket.resume()
    if (this.#server) return
    this.#server = createServer(socket => this.#join(socket))
    this.#server.listen(this.#at.port, this.#at.address)
    await once(this.#server, 'listening')
  }

  /** Everything that is open ends with a reset; what comes next passes. */
  cut() {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Connections stay, and are taken, but nothing comes through. */
  stall() {
    this.#stalled = true
    for (const socket of this.#sockets) socket.pause()
  }

  /** Nobody listens; what is open ends with a reset. */
  async refuse() {
    const closed = this.#server && once(this.#server, 'close')
    this.#server?.close()
    this.#server = undefined
    this.cut()
    await closed
  }

  #join(near: Socket) {
    this.connections++
    const far = connect({ host: this.#to.address, port: this.#to.port })
    this.#carry(near, far, 'there', chunk => {
      const text = readable(chunk)
      if (this.loses !== undefined && text.includes(this.loses)) {
        this.loses = undefined
        return
      }
      this.sent += text
      this.#write(far, chunk)
      for (const [awaited, resolve] of this.#awaited) if (text.includes(awaited) && this.#awaited.delete(awaited)) resolve()
    })
    this.#carry(far, near, 'back', chunk => this.#write(near, chunk))
  }

  #carry(from: Socket, to: Socket, way: 'there' | 'back', take: (chunk: Buffer) => void) {
    this.#sockets.add(from)
    from.setNoDelay()
    from.on('data', chunk => {
      if (this.#hold?.way !== way || this.#hold.piece || !chunk.includes(this.#hold.text)) return take(chunk)
      from.pause()
      this.#hold.piece = { from, go: () => { take(chunk); from.resume() } }
      this.#hold.come()
    })
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
    if (this.#stalled) from.pause()
  }

  #write(to: Socket, chunk: Buffer) {
    if (this.delay > 0) setTimeout(() => to.write(chunk), this.delay)
    else to.write(chunk)
  }

  async [Symbol.asyncDispose]() {
    await this.refuse()
  }
}

/** What is sent to Asterisk, as text: a websocket's client masks what it sends (RFC 6455, 5.3). Our frames are whole, and small. */
function readable(chunk: Buffer): string {
  let text = ''
  for (let at = 0; at < chunk.length;) {
    const [opcode = 0, second = 0] = chunk.subarray(at)
    if (opcode < 0x81 || opcode > 0x8a || second < 0x80) return text + chunk.toString('latin1', at)
    const long = second === 0xfe
    const length = long ? chunk.readUInt16BE(at + 2) : second & 0x7f
    const mask = chunk.subarray(at + (long ? 4 : 2), at + (long ? 8 : 6))
    at += (long ? 8 : 6) + length
    text += chunk.subarray(at - length, at).map((byte, index) => byte ^ mask[index % 4]!).toString()
  }
  return text
}
