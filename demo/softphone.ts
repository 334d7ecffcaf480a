/**
 * A telephone: dials, rings, answers, speaks, presses keys, listens and hangs up, over real SIP and RTP.
 *
 *     await using phone = await Softphone.open({ address: '127.0.0.2' })
 *     const call = phone.dial({ to: 'sip:112@127.0.0.1:5060', from: '+627215550112' })
 *     await call.answered
 *     await call.press('2')
 *     await call.hangUp()
 *
 * Times are monotonic ms (performance.now()).
 */
import { Rtp, readSdp, type Codec, type Stamps } from './rtp.ts'
import {
  addressOf, cseq, fromWire, header, party, tagOf, token, toWire, userOf, values, Wire,
  type Address, type Asked, type Header, type Outgoing, type Request, type Response
} from './sip.ts'
import { keysIn, tones } from './tones.ts'

export interface Ending { by: 'here' | 'there', status?: number, reason?: string, at: number }
export interface Progress { status: number, reason: string, at: number }

export interface DialOptions {
  /** Whom: the host must be an address of this machine, e.g. `sip:112@127.0.0.1:5060`. */
  to: string
  /** The caller's number; '' is a caller without one. */
  from: string
  /** Its Call-ID, byte by byte (Latin-1); one of its own if left out. */
  id?: string
  /** The From header as it shall stand, up to the tag, instead of one made of `from`. */
  fromHeader?: string
  /** The request URI as it shall stand, instead of `to`. */
  requestUri?: string
  /** More headers, sent as they are. */
  headers?: Record<string, string>
  /** Default: A-law. */
  codecs?: Codec[]
  /** false: it knows no telephone-event, and says so: its keys are `tones` alone. */
  events?: boolean
  /** Further media of the offer, line by line, e.g. `m=image 4002 udptl t38`. */
  media?: string[]
  /** Hears of each provisional response as it comes; `progress` keeps them. */
  onProgress?: (progress: Progress) => void
}

/** The other side did not take the call. 408: it never said anything; 487: cancelled before it was answered. */
export class Refused extends Error {
  override name = 'Refused'
  readonly status: number
  readonly reason: string

  constructor(status: number, reason: string) {
    super(`refused: ${status} ${reason}`)
    this.status = status
    this.reason = reason
  }
}

/** How long `hangUp` waits for the other side to confirm, in ms. */
const CONFIRM = 2_000
/** How long an ended call is still known, for what comes late, in ms: RFC 3261's 64 × T1. */
const LINGER = 32_000
const allow: Header = ['allow', 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE']
const sdpType: Header = ['content-type', 'application/sdp']

/** What both ends of a call share: the dialog (RFC 3261, 12) and its sound. */
export abstract class Call {
  readonly id: string
  readonly startedAt = performance.now()
  readonly progress: Progress[] = []
  readonly media: Rtp
  /** How it ended; null while it goes on. */
  ending: Ending | null = null
  protected readonly phone: Softphone
  protected readonly answering = Promise.withResolvers<void>()
  protected readonly confirmed = Promise.withResolvers<void>()
  readonly #ending = Promise.withResolvers<Ending>()
  #leaving: Promise<void> | null = null
  #cause: number | undefined

  // the dialog
  protected local = ''
  protected remote = ''
  protected target = ''
  protected routes: string[] = []
  protected cseq = 1
  #theirCseq = -1

  /** Resolves when they can talk; rejects with `Refused` if the call ended without that. */
  readonly answered: Promise<void> = this.answering.promise
  readonly ended: Promise<Ending> = this.#ending.promise

  constructor(phone: Softphone, id: string, media: Rtp) {
    this.phone = phone
    this.id = id
    this.media = media
    this.answered.catch(() => {})
  }

  /** The frames that came in, and those that went out, oldest first; the keys that the other side pressed. */
  get heard() { return this.media.heard }
  get sent() { return this.media.sent }
  get keys() { return this.media.keys }

  /** Presses keys, one after the other, each for `ms`. False if the call ended first, or the other side takes no keys. */
  press(digits: string, ms = 100, stamps: Stamps = 'once') { return this.media.press(digits, ms, stamps) }
  /** Presses keys that are nothing but tones in the sound, each for `ms`. False if the call ended first. */
  pressTones(digits: string, ms = 120) { return this.say(tones(digits, ms)) }
  /** Presses a key by SIP INFO (dtmf-relay, as most equipment writes it). */
  pressByInfo(digit: string, ms = 160) {
    const info = this.inDialog('INFO', ++this.cseq)
    info.request.headers.push(['content-type', 'application/dtmf-relay'])
    info.request.body = `Signal=${digit}\r\nDuration=${ms}\r\n`
    this.phone.wire.request(info, () => {})
  }
  /** The keys that sounded in what was heard, as tones. */
  get tones() { return keysIn(Buffer.concat(this.heard.map(({ alaw }) => alaw))) }
  /** Says A-law (8 kHz, a byte a sample); resolves when it is said: false if the call ended first. */
  say(alaw: Buffer) { return this.media.say(alaw) }
  onFrame(listener: Parameters<Rtp['onFrame']>[0]) { return this.media.onFrame(listener) }

  /** Sends a request inside of this call; resolves with its final response (408 after 32 s without any). */
  asks(method: string, { headers = {}, body = '' }: { headers?: Record<string, string>, body?: string } = {}): Promise<Response> {
    const { promise, resolve } = Promise.withResolvers<Response>()
    const outgoing = this.inDialog(method, ++this.cseq)
    const number = this.cseq
    outgoing.request.headers.push(...this.phone.contact, ...Object.entries(headers).map(([name, value]): Header => [name.toLowerCase(), toWire(value)]))
    outgoing.request.body = body
    this.phone.wire.request(outgoing, response => {
      if (response.status < 200) return
      resolve(response)
      if (method === 'INVITE' && response.status < 300) return this.inDialog('ACK', number)
    })
    return promise
  }

  /** Puts the other side on hold as telephones do, by a new offer; no sound of ours leaves any more. */
  hold(direction: 'sendonly' | 'inactive' = 'sendonly') { return this.#offerAnew(direction) }
  resume() { return this.#offerAnew('sendrecv') }

  async #offerAnew(direction: 'sendrecv' | 'sendonly' | 'inactive') {
    const response = await this.asks('INVITE', { headers: { 'content-type': 'application/sdp' }, body: this.media.describe(undefined, direction) })
    const side = readSdp(response.body)
    if (response.status >= 300 || !side) throw new Refused(response.status, response.reason)
    this.media.talkTo(direction === 'sendrecv' ? side : { ...side, direction: 'inactive' })
  }

  /** Cancels, hangs up or declines, as fits. Resolves when the other side has confirmed it, or after `within` ms. `cause`: Q.850, as the Reason of a BYE. */
  hangUp({ within = CONFIRM, cause }: { within?: number, cause?: number } = {}): Promise<void> {
    this.#cause ??= cause
    if (!this.ending) this.#leaving ??= this.#leave(within)
    return this.#leaving ?? this.media.close()
  }

  async #leave(within: number) {
    // The call must know that it is being left before it does anything about it.
    await Promise.resolve()
    const calledOff = this.phone.wire.after(within, this.confirmed.resolve)
    this.leave()
    await this.confirmed.promise
    calledOff()
    this.end({ by: 'here' })
    await this.media.close()
  }

  protected get leaving() { return this.#leaving !== null || this.ending !== null }

  /** Begins to end the call; `confirmed` is resolved when that is done. */
  protected abstract leave(): void

  protected end(how: Omit<Ending, 'at'>) {
    if (this.ending) return
    this.ending = { ...how, at: performance.now() }
    this.answering.reject(new Refused(how.status ?? 487, how.reason ?? 'Request Terminated'))
    this.#ending.resolve(this.ending)
    if (how.by === 'there') this.confirmed.resolve()
    void this.media.close()
    this.phone.wire.after(LINGER, () => this.phone.forget(this))
  }

  protected hangUpNow(how: { status?: number, reason?: string } = {}) {
    const bye = this.inDialog('BYE', ++this.cseq)
    if (this.#cause !== undefined) bye.request.headers.push(['reason', `Q.850;cause=${this.#cause}`])
    this.phone.wire.request(bye, response => {
      if (response.status >= 200) this.confirmed.resolve()
    })
    this.end({ by: 'here', ...how })
  }

  protected inDialog(method: string, number: number): Outgoing {
    const request: Request = {
      method, uri: this.target, body: '',
      headers: [
        ...this.routes.map((route): Header => ['route', route]), ['max-forwards', '70'],
        ['from', this.local], ['to', this.remote], ['call-id', this.id], ['cseq', `${number} ${method}`]
      ]
    }
    return { request, to: addressOf(this.routes[0] ? party(this.routes[0]).uri : this.target) ?? this.hop() }
  }

  /** Where to send what has no usable address. */
  protected abstract hop(): Address

  /** A request inside of this call. */
  handle(asked: Asked) {
    const { request } = asked
    if (this.ending && request.method !== 'BYE') return asked.respond(481)
    if (cseq(request).number! <= this.#theirCseq) return asked.respond(500)
    this.#theirCseq = cseq(request).number!
    if (request.method === 'BYE') {
      asked.respond(200)
      this.gone(header(request, 'reason'))
    } else if (request.method === 'INVITE' || request.method === 'UPDATE') this.#renegotiate(asked)
    else asked.respond(200)
  }

  protected gone(reason?: string) {
    this.end({ by: 'there', ...reason === undefined ? {} : { reason } })
  }

  #renegotiate(asked: Asked) {
    const { request } = asked
    const offer = readSdp(request.body)
    if (request.body && !this.media.understands(offer)) return asked.respond(488)
    this.target = contactOf(request) ?? this.target
    const invite = request.method === 'INVITE'
    const body = invite || offer ? this.media.describe(offer ?? undefined) : ''
    asked.respond(200, { body, headers: [...this.phone.contact, ...body ? [sdpType] : []] })
    if (offer) this.media.talkTo(offer)
    else if (invite) void asked.acknowledged.then(ack => this.listenTo(ack))
  }

  /** Takes the other side's SDP where there is a usable one. */
  protected listenTo(message: Request | Response | null): boolean {
    const side = message && readSdp(message.body)
    if (!side || !this.media.understands(side)) return false
    this.media.talkTo(side, { theirs: true })          // of what an answer takes, its first is meant
    return true
  }
}

export class OutgoingCall extends Call {
  /** Our end of the dialog, as of every call. */
  readonly tag = token()
  readonly #to: Address
  readonly #options: DialOptions
  #sent: { request: Request, branch: string } | null = null
  /** A response came: from then on the INVITE can be cancelled. */
  #reached = false
  #cancelled = false
  #talking = false

  constructor(phone: Softphone, to: Address, options: DialOptions) {
    super(phone, options.id ?? `${token()}@${phone.address}`, new Rtp(options.codecs, options.events, options.media))
    this.#to = to
    this.#options = options
    this.local = toWire(`${options.fromHeader ?? `<sip:${options.from && `${options.from}@`}${phone.address}>`};tag=${this.tag}`)
    this.remote = toWire(`<${options.to}>`)
    this.target = toWire(options.requestUri ?? options.to)
    this.#invite().catch(error => {
      phone.wire.faults.push(error)
      this.end({ by: 'here', status: 500, reason: String(error) })
    })
  }

  async #invite() {
    await this.media.open(this.phone.address)
    if (this.leaving) return
    const { request } = this.inDialog('INVITE', this.cseq)
    request.headers.push(...this.phone.contact, allow, ['user-agent', 'Satunomor demo'], sdpType)
    for (const [name, value] of Object.entries(this.#options.headers ?? {})) request.headers.push([name.toLowerCase(), toWire(value)])
    request.body = this.media.describe()
    const branch = this.phone.wire.request({ request, to: this.#to }, response => this.#hear(response))
    this.#sent = { request, branch }
  }

  #hear(response: Response): Outgoing | void {
    this.#reached = true
    if (response.status < 200) {
      const progress = { status: response.status, reason: response.reason, at: performance.now() }
      this.progress.push(progress)
      this.#options.onProgress?.(progress)
      if (this.leaving) this.#cancel()
      else this.listenTo(response)
    } else if (response.status < 300) return this.#connect(response)
    else {
      this.end({ by: this.leaving ? 'here' : 'there', status: response.status, reason: response.reason })
      this.confirmed.resolve()
    }
  }

  /** A 2xx is acknowledged whatever we want; a call that we no longer want is then hung up (200 and CANCEL may cross). */
  #connect(response: Response): Outgoing {
    this.remote = header(response, 'to')!
    this.target = contactOf(response) ?? this.target
    this.routes = values(response, 'record-route').reverse()
    const ack = this.inDialog('ACK', this.cseq)
    if (this.leaving) queueMicrotask(() => this.hangUpNow())
    else if (!this.listenTo(response)) queueMicrotask(() => this.hangUpNow({ status: 488, reason: 'no sound in common' }))
    else this.answering.resolve()
    this.#talking = true
    return ack
  }

  #cancel() {
    if (this.#cancelled || !this.#sent) return
    this.#cancelled = true
    const { request: { uri, headers }, branch } = this.#sent
    const kept = headers.filter(([name]) => ['from', 'to', 'call-id', 'max-forwards'].includes(name))
    this.phone.wire.request({
      to: this.#to, request: { method: 'CANCEL', uri, body: '', headers: [...kept, ['cseq', `${this.cseq} CANCEL`]] }
    }, () => {}, branch)
  }

  protected override leave() {
    if (this.#talking) return this.ending ? undefined : this.hangUpNow()
    if (!this.#sent) return this.confirmed.resolve()
    if (this.#reached) this.#cancel()
  }

  protected override hop() { return this.#to }
}

export class IncomingCall extends Call {
  readonly tag: string
  /** The number that was dialled: the user part of the request URI. */
  readonly line: string
  /** The caller's number: P-Asserted-Identity's user part where there is one, else From's. */
  readonly from: string
  readonly fromHeader: string
  readonly request: Request
  readonly #asked: Asked
  #answering: Promise<boolean> | null = null

  constructor(phone: Softphone, asked: Asked, codecs: Codec[]) {
    const { request } = asked
    super(phone, header(request, 'call-id')!, new Rtp(codecs))
    this.#asked = asked
    this.request = request
    this.tag = asked.tag
    this.line = userOf(request.uri)
    const identity = values(request, 'p-asserted-identity')[0] ?? header(request, 'from')!
    this.from = userOf(party(identity).uri)
    this.fromHeader = fromWire(header(request, 'from')!)
    this.local = `${header(request, 'to')};tag=${asked.tag}`
    this.remote = header(request, 'from')!
    this.target = contactOf(request) ?? party(this.remote).uri
    this.routes = values(request, 'record-route')
    asked.respond(100)
  }

  ring() {
    if (!this.leaving) this.#asked.respond(180, { headers: this.phone.contact })
  }

  /**
   * Takes the call: true once the caller knows, false if that came to nothing (the caller left, or has no sound in common).
   * `events` false: a telephone that knows no telephone-event. `sdp` makes another answer of the one that it would give; '' is none.
   */
  answer({ events = true, sdp = (own: string) => own } = {}): Promise<boolean> {
    this.media.events &&= events
    return this.#answering ??= this.#answer(sdp)
  }

  async #answer(sdp: (own: string) => string) {
    if (this.ending) return false
    const { body } = this.request
    const offer = readSdp(body)
    if (body && !this.media.understands(offer)) {
      await this.refuse(488)
      return false
    }
    await this.media.open(this.phone.address)
    if (this.leaving) return false
    const answer = sdp(this.media.describe(offer ?? undefined))
    this.#asked.respond(200, { body: answer, headers: [...this.phone.contact, allow, ...answer ? [sdpType] : []] })
    if (offer) this.media.talkTo(offer)
    const ack = await this.#asked.acknowledged
    if (this.ending) return false
    if (ack && (offer || this.listenTo(ack))) {
      this.answering.resolve()
      return true
    }
    this.hangUpNow({ reason: ack ? 'no sound in common' : 'never acknowledged' })
    return false
  }

  /** Refuses with that status; resolves when the caller has acknowledged it. */
  async refuse(status: number, reason?: string) {
    if (this.#asked.final) return
    this.#asked.respond(status, reason === undefined ? {} : { reason: toWire(reason) })
    this.end({ by: 'here', status, ...reason === undefined ? {} : { reason } })
    await this.#asked.acknowledged
    this.confirmed.resolve()
  }

  /** The caller sent CANCEL: too late once we have answered. */
  cancel() {
    if (this.#asked.final) return
    this.#asked.respond(487)
    this.end({ by: 'there', status: 487, reason: 'Request Terminated' })
  }

  protected override gone(reason?: string) {
    this.#asked.respond(487)
    super.gone(reason)
  }

  protected override leave() {
    if (!this.#asked.final) void this.refuse(603)
    else void this.#asked.acknowledged.then(() => { if (!this.ending) this.hangUpNow() })
  }

  protected override hop() { return this.#asked.from }
}

/** A text message (RFC 3428), as it came. */
export interface TextMessage { from: string, line: string, text: string, request: Request }

export class Softphone implements AsyncDisposable {
  readonly wire: Wire
  #reader: ((message: TextMessage) => unknown) | null = null
  readonly #calls = new Map<string, OutgoingCall | IncomingCall>()
  /** What calls that come in may be answered in, in its own order. */
  codecs: Codec[] = ['alaw', 'ulaw']
  #handler: ((call: IncomingCall) => unknown) | null = null
  #closing: Promise<void> | null = null

  private constructor(wire: Wire) {
    this.wire = wire
  }

  /** Binds a UDP socket, any free one where no port is given. Throws what the socket throws, e.g. EADDRINUSE. */
  static async open({ address, port = 0 }: { address: string, port?: number }): Promise<Softphone> {
    const phone: Softphone = new Softphone(await Wire.open({ address, port }, asked => phone.#hear(asked)))
    return phone
  }

  get address() { return this.wire.local.address }
  get port() { return this.wire.local.port }
  get contact(): Header[] { return [['contact', `<sip:${this.address}:${this.port}>`]] }

  /** Calls. Throws a RangeError if `to` is not on this machine. */
  dial(options: DialOptions): OutgoingCall {
    const to = addressOf(options.to)
    if (!to) throw new RangeError(`"${options.to}" is not a SIP URI with an address of this machine (127.0.0.0/8)`)
    if (this.#closing) throw new Error('this telephone is closed')
    const call = new OutgoingCall(this, to, options)
    this.#calls.set(`${call.id} ${call.tag}`, call)
    return call
  }

  /** Who answers this telephone; while nobody does, callers get a 480. What the handler throws becomes a 500. */
  onCall(handler: (call: IncomingCall) => unknown) {
    this.#handler = handler
  }

  /** Who reads this telephone's messages; while nobody does, they are refused with a 405. */
  onMessage(reader: (message: TextMessage) => unknown) {
    this.#reader = reader
  }

  /** Shows every datagram that comes in, before it is understood; returns what ends that. */
  onDatagram(watcher: (datagram: Buffer, from: Address) => void) { return this.wire.watch(watcher) }

  /** Sends bytes as they are. */
  raw(datagram: Buffer | string, to: Address) { this.wire.send(Buffer.from(datagram as string), to) }

  /** What went wrong inside: empty, unless there is a bug. */
  get faults(): readonly unknown[] { return this.wire.faults }

  forget(call: Call) {
    for (const [key, known] of this.#calls) if (known === call) this.#calls.delete(key)
  }

  #hear(asked: Asked) {
    const { request } = asked
    const required = values(request, 'require')
    const tag = tagOf(request, 'to')
    if (request.method === 'CANCEL') return this.#cancel(asked)
    if (request.method === 'MESSAGE' && tag === undefined && this.#reader) {
      asked.respond(200)
      return void this.#reader({ from: userOf(party(header(request, 'from')!).uri), line: userOf(request.uri), text: fromWire(request.body), request })
    }
    if (!allow[1].split(', ').includes(request.method)) return asked.respond(405, { headers: [allow] })
    if (required.length > 0) return asked.respond(420, { headers: [['unsupported', required.join(', ')]] })
    if (tag !== undefined) {
      const call = this.#calls.get(`${header(request, 'call-id')} ${tag}`)
      return call ? call.handle(asked) : asked.respond(481)
    }
    if (request.method === 'OPTIONS') return asked.respond(200, { headers: [allow, ['accept', 'application/sdp']] })
    if (request.method !== 'INVITE') return asked.respond(481)
    if (!this.#handler || this.#closing) return asked.respond(480)

    const call = new IncomingCall(this, asked, this.codecs)
    this.#calls.set(`${call.id} ${call.tag}`, call)
    Promise.resolve(call).then(this.#handler).catch(error => {
      this.wire.faults.push(error)
      return call.refuse(500)
    })
  }

  #cancel(asked: Asked) {
    const invite = this.wire.invitationOf(asked)
    if (!invite) return asked.respond(481)
    asked.tag = invite.tag
    asked.respond(200)
    const call = this.#calls.get(`${header(asked.request, 'call-id')} ${invite.tag}`)
    if (call instanceof IncomingCall) call.cancel()
  }

  [Symbol.asyncDispose]() {
    return this.#closing ??= this.#close()
  }

  async #close() {
    await Promise.all(this.#calls.values().map(call => call.hangUp({ within: 1_000 })))
    await this.wire.close()
  }
}

const contactOf = (message: Request | Response) => {
  const contact = values(message, 'contact')[0]
  return contact === undefined ? undefined : party(contact).uri
}
