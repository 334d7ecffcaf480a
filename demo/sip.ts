/**
 * SIP as one telephone needs it (RFC 3261, over UDP on this machine): messages, and the transactions that carry them.
 *
 * A message's text is kept as Latin-1, one character a byte, so that whatever somebody sent us goes back to them
 * byte for byte; `toWire` and `fromWire` translate what people read. Header names are lower case and in full.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'

export interface Address { address: string, port: number }
export type Header = [name: string, value: string]
export interface Request { method: string, uri: string, headers: Header[], body: string }
export interface Response { status: number, reason: string, headers: Header[], body: string }
export type Message = Request | Response

export const toWire = (text: string) => Buffer.from(text, 'utf8').toString('latin1')
export const fromWire = (text: string) => Buffer.from(text, 'latin1').toString('utf8')
export const token = () => randomBytes(8).toString('hex')
export const isRequest = (message: Message): message is Request => 'method' in message

const compact: Record<string, string> = {
  c: 'content-type', e: 'content-encoding', f: 'from', i: 'call-id', k: 'supported', l: 'content-length',
  m: 'contact', o: 'event', r: 'refer-to', s: 'subject', t: 'to', u: 'allow-events', v: 'via', x: 'session-expires'
}

/** Reads one datagram; null if it is not a whole SIP message with the headers that every message must have. */
export function parse(datagram: Uint8Array): Message | null {
  const text = Buffer.from(datagram).toString('latin1').replace(/^[\r\n]+/, '')
  const blank = /\r?\n\r?\n/.exec(text)
  if (!blank) return null
  const [start = '', ...lines] = text.slice(0, blank.index).replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)

  const headers: Header[] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim().toLowerCase()
    if (colon > 0 && name) headers.push([compact[name] ?? name, line.slice(colon + 1).trim()])
  }

  let body = text.slice(blank.index + blank[0].length)
  const length = headers.find(([name]) => name === 'content-length')?.[1]
  if (length !== undefined) {
    if (!/^\d{1,6}$/.test(length) || Number(length) > body.length) return null
    body = body.slice(0, Number(length))
  }

  const response = /^SIP\/2\.0 ([1-6]\d\d)(?: (.*))?$/i.exec(start)
  const request = /^([\w.!%*+`'~-]+) (\S+) SIP\/2\.0$/i.exec(start)
  const message: Message | null =
    response ? { status: Number(response[1]), reason: response[2] ?? '', headers, body }
      : request ? { method: request[1]!, uri: request[2]!, headers, body } : null
  if (!message || !['via', 'from', 'to', 'call-id'].every(name => header(message, name))) return null
  const { number, method } = cseq(message)
  if (number === null || (isRequest(message) && method !== message.method)) return null
  return message
}

const spelling: Record<string, string> = { 'Call-Id': 'Call-ID', 'Cseq': 'CSeq' }

export function format(message: Message): Buffer {
  const lines = [isRequest(message) ? `${message.method} ${message.uri} SIP/2.0` : `SIP/2.0 ${message.status} ${message.reason}`]
  for (const [name, value] of [...message.headers, ['content-length', String(message.body.length)] satisfies Header]) {
    const written = name.toLowerCase().replace(/(^|-)[a-z]/g, letter => letter.toUpperCase())
    lines.push(`${spelling[written] ?? written}: ${value}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${message.body}`, 'latin1')
}

/** The first header of that name (in lower case). */
export const header = (message: Message, name: string) => message.headers.find(([it]) => it === name)?.[1]

/** Every value of a header that may be repeated or hold a list: Via, Route, Record-Route, Contact, Require. */
export const values = (message: Message, name: string) =>
  message.headers.filter(([it]) => it === name).flatMap(([, value]) => list(value))

/** Splits at commas that stand neither in quotes nor in angle brackets. */
function list(value: string): string[] {
  const items = ['']
  let quoted = false, bracketed = false
  for (let i = 0; i < value.length; i++) {
    const char = value[i]!
    if (char === '\\' && quoted) { items[items.length - 1] += char + (value[++i] ?? ''); continue }
    if (char === '"') quoted = !quoted
    else if (!quoted && char === '<') bracketed = true
    else if (!quoted && char === '>') bracketed = false
    if (char === ',' && !quoted && !bracketed) items.push('')
    else items[items.length - 1] += char
  }
  return items.map(item => item.trim()).filter(Boolean)
}

export function cseq(message: Message): { number: number | null, method: string } {
  const [, number, method = ''] = /^(\d{1,10})\s+(\S+)$/.exec(header(message, 'cseq') ?? '') ?? []
  return { number: number === undefined || Number(number) >= 2 ** 31 ? null : Number(number), method }
}

/** `"A name" <sip:user@host>;tag=x` taken apart: its URI and what follows it. */
export function party(value: string): { uri: string, params: string } {
  const bracketed = /^(?:"(?:[^"\\]|\\.)*"\s*|[^<"]*)<([^>]*)>(.*)$/s.exec(value)
  const [, uri = '', params = ''] = bracketed ?? /^([^;\s]*)(.*)$/s.exec(value)!
  return { uri, params }
}

/** A parameter's value; '' if it stands without one; undefined if it is not there. `rest` begins at the first `;`. */
export function param(rest: string, name: string): string | undefined {
  const found = new RegExp(`;\\s*${name}(?:\\s*=\\s*"?([^;,"\\s]*)|\\s*(?=;|$))`, 'i').exec(rest)
  return found ? found[1] ?? '' : undefined
}

export const tagOf = (message: Message, name: 'from' | 'to') => param(party(header(message, name) ?? '').params, 'tag')

/** The user part of a sip: or tel: URI, unescaped; '' where there is none. */
export function userOf(uri: string): string {
  const user = /^sips?:([^@;?]*(?:;[^@?]*)?)@/i.exec(uri)?.[1] ?? /^tel:([^;?]*)/i.exec(uri)?.[1] ?? ''
  try { return decodeURIComponent(user.split(':')[0]!) } catch { return user }
}

/** Where a URI's host is; null unless that is an address of this machine (127.0.0.0/8): nothing of ours leaves it. */
export function addressOf(uri: string): Address | null {
  const [, host = '', port = '5060'] = /^sips?:(?:[^@]*@)?([^:;?>]+)(?::(\d{1,5}))?/i.exec(uri) ?? []
  return loopback({ address: host.toLowerCase() === 'localhost' ? '127.0.0.1' : host, port: Number(port) })
}

export function loopback(address: Address): Address | null {
  return isIPv4(address.address) && address.address.startsWith('127.') && address.port > 0 && address.port < 65536 ? address : null
}

const reasons: Record<number, string> = {
  100: 'Trying', 180: 'Ringing', 183: 'Session Progress', 200: 'OK', 404: 'Not Found', 405: 'Method Not Allowed',
  408: 'Request Timeout', 420: 'Bad Extension', 480: 'Temporarily Unavailable', 481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected', 486: 'Busy Here', 487: 'Request Terminated', 488: 'Not Acceptable Here',
  500: 'Server Internal Error', 503: 'Service Unavailable', 603: 'Decline'
}

// RFC 3261, 17.1.1.1, in ms: the round trip, the longest pause between retransmissions, and when all is given up.
const T1 = 500
const T2 = 4_000
const GIVE_UP = 64 * T1

/** A request of ours on its way, until its final response and (INVITE) through that one's retransmissions. */
interface Sent {
  request: Request
  to: Address
  /** Sees each provisional and the one final response; returns the ACK if that was a 2xx to an INVITE. */
  listener: (response: Response) => Outgoing | void
  stop: () => void
  final: boolean
  ack: Outgoing | null
  at: number
}
export interface Outgoing { request: Request, to: Address }
export interface Reply { reason?: string, headers?: Header[], body?: string }

/** A request that somebody made of us, once, however often it arrives. */
export interface Asked {
  request: Request
  from: Address
  /** Our tag of the dialog that a response to it makes. */
  tag: string
  /** The final status that we gave; null while there is none. */
  final: number | null
  respond(status: number, reply?: Reply): void
  /** INVITE: its ACK; null when none came in 32 s. */
  acknowledged: Promise<Request | null>
}
interface Kept extends Asked { last: Buffer | null, confirm: (ack: Request | null) => void, at: number }

/** One UDP socket with SIP on it: retransmits what goes out, absorbs what comes in twice. */
export class Wire {
  readonly #socket: Socket
  readonly #onRequest: (asked: Asked) => void
  readonly #sent = new Map<string, Sent>()
  readonly #asked = new Map<string, Kept>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #watchers = new Set<(datagram: Buffer, from: Address) => void>()
  /** What went wrong inside a handler or on the socket: empty, unless there is a bug. */
  readonly faults: unknown[] = []
  local: Address = { address: '', port: 0 }
  #closing: Promise<void> | null = null

  private constructor(onRequest: (asked: Asked) => void) {
    this.#onRequest = onRequest
    this.#socket = createSocket('udp4')
  }

  /** Binds (0 is any free port); throws what the socket throws, e.g. EADDRINUSE. */
  static async open(at: Address, onRequest: (asked: Asked) => void): Promise<Wire> {
    const wire = new Wire(onRequest)
    wire.#socket.bind({ address: at.address, port: at.port, exclusive: true })
    await once(wire.#socket, 'listening')
    wire.local = { address: at.address, port: wire.#socket.address().port }
    wire.#socket.on('error', error => wire.faults.push(error))
    wire.#socket.on('message', (datagram, from) => wire.#guard(() => wire.#receive(datagram, from)))
    return wire
  }

  watch(watcher: (datagram: Buffer, from: Address) => void) {
    this.#watchers.add(watcher)
    return () => { this.#watchers.delete(watcher) }
  }

  /** Runs `then` after so many ms, unless the wire is closed; returns what calls it off. */
  after(ms: number, then: () => void): () => void {
    if (this.#closing) return () => {}
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#guard(then)
    }, ms)
    this.#timers.add(timer)
    return () => { clearTimeout(timer); this.#timers.delete(timer) }
  }

  send(datagram: Buffer, to: Address) {
    if (this.#closing) return
    if (!loopback(to)) this.faults.push(new Error(`not sent to ${to.address}:${to.port}: it is not on this machine`))
    else this.#socket.send(datagram, to.port, to.address, error => { if (error) this.faults.push(error) })
  }

  /** Sends a request and retransmits it until it is responded to; after 32 s of nothing, the response is a 408 of our own. */
  request({ request, to }: Outgoing, listener: Sent['listener'], branch = `z9hG4bK${token()}`) {
    request.headers.unshift(this.via(branch))
    const datagram = format(request)
    const invite = request.method === 'INVITE'
    let again = () => {}, giveUp = () => {}
    const resend = (pause: number) => {
      this.send(datagram, to)
      again = this.after(pause, () => resend(invite ? pause * 2 : Math.min(pause * 2, T2)))
    }
    const sent: Sent = { request, to, listener, final: false, ack: null, at: performance.now(), stop: () => { again(); giveUp() } }
    giveUp = this.after(GIVE_UP, () => {
      sent.stop()
      sent.final = true
      listener({ status: 408, reason: reasons[408]!, headers: [], body: '' })
    })
    forgetOld(this.#sent)
    this.#sent.set(`${branch} ${request.method}`, sent)
    resend(T1)
    return branch
  }

  via(branch: string): Header {
    return ['via', `SIP/2.0/UDP ${this.local.address}:${this.local.port};branch=${branch};rport`]
  }

  /** Whether a CANCEL or other request in the same transaction has an INVITE to act on. */
  invitationOf({ request }: Asked): Asked | undefined {
    const invite = this.#asked.get(keyOf(request, 'INVITE'))
    return invite && branchOf(invite.request) === branchOf(request) ? invite : undefined
  }

  close(): Promise<void> {
    return this.#closing ??= new Promise(resolve => {
      for (const timer of this.#timers) clearTimeout(timer)
      this.#timers.clear()
      this.#socket.close(() => resolve())
      for (const asked of this.#asked.values()) asked.confirm(null)
    })
  }

  #guard(run: () => void) {
    try { run() } catch (error) { this.faults.push(error) }
  }

  #receive(datagram: Buffer, from: Address) {
    for (const watcher of this.#watchers) watcher(datagram, from)
    const message = parse(datagram)
    if (!message) return
    if (isRequest(message)) this.#receiveRequest(message, { address: from.address, port: from.port })
    else this.#receiveResponse(message)
  }

  #receiveResponse(response: Response) {
    const sent = this.#sent.get(`${branchOf(response)} ${cseq(response).method}`)
    if (!sent) return
    const invite = sent.request.method === 'INVITE'
    if (sent.final) {
      if (sent.ack && response.status >= 200) this.send(format(sent.ack.request), sent.ack.to)
      return
    }
    if (response.status < 200) {
      if (invite) sent.stop()
      sent.listener(response)
      return
    }
    sent.stop()
    sent.final = true
    sent.at = performance.now()
    if (invite && response.status >= 300) sent.ack = { to: sent.to, request: ackOfRefusal(sent.request, response) }
    const ack = sent.listener(response)
    if (ack) {
      ack.request.headers.unshift(this.via(`z9hG4bK${token()}`))
      sent.ack = ack
    }
    if (sent.ack) this.send(format(sent.ack.request), sent.ack.to)
  }

  #receiveRequest(request: Request, from: Address) {
    if (request.method === 'ACK') {
      const invite = this.#asked.get(keyOf(request, 'INVITE'))
      if (invite?.final) invite.confirm(request)
      return
    }
    const known = this.#asked.get(keyOf(request, request.method))
    if (known && branchOf(known.request) === branchOf(request)) {
      if (known.last) this.send(known.last, replyAddress(request, from))
      return
    }
    const asked = this.#keep(request, from)
    if (known) return asked.respond(482)
    forgetOld(this.#asked)
    this.#asked.set(keyOf(request, request.method), asked)
    this.#onRequest(asked)
  }

  #keep(request: Request, from: Address): Kept {
    const { promise: acknowledged, resolve } = Promise.withResolvers<Request | null>()
    const to = replyAddress(request, from)
    let again = () => {}, giveUp = () => {}
    const asked: Kept = {
      request, from, acknowledged, tag: token(), final: null, last: null, at: performance.now(),
      confirm: ack => { again(); giveUp(); resolve(ack) },
      respond: (status, reply = {}) => {
        if (asked.final) return
        const datagram = format(responseTo(asked, status, reply))
        asked.last = datagram
        asked.at = performance.now()
        this.send(datagram, to)
        if (status < 200) return
        asked.final = status
        if (request.method !== 'INVITE') return
        const resend = (pause: number) => { again = this.after(pause, () => { this.send(datagram, to); resend(Math.min(pause * 2, T2)) }) }
        resend(T1)
        giveUp = this.after(GIVE_UP, () => asked.confirm(null))
      }
    }
    return asked
  }
}

function responseTo({ request, from, tag }: Asked, status: number, { reason, headers = [], body = '' }: Reply): Response {
  const [top = '', ...below] = values(request, 'via')
  const seen = top.replace(/;\s*rport(?=\s*(;|$))/i, `;rport=${from.port}`) + `;received=${from.address}`
  const to = header(request, 'to')!
  const tagged = status > 100 && tagOf(request, 'to') === undefined ? `${to};tag=${tag}` : to
  return {
    status, reason: reason ?? reasons[status] ?? '', body,
    headers: [
      ...[seen, ...below].map((via): Header => ['via', via]),
      ...request.headers.filter(([name]) => name === 'record-route' || name === 'from'),
      ['to', tagged], ['call-id', header(request, 'call-id')!], ['cseq', header(request, 'cseq')!], ...headers
    ]
  }
}

/** RFC 3261, 17.1.1.3: the ACK of a refusal belongs to the INVITE's own transaction. */
function ackOfRefusal(invite: Request, refusal: Response): Request {
  return {
    method: 'ACK', uri: invite.uri, body: '',
    headers: [
      ['via', header(invite, 'via')!], ...invite.headers.filter(([name]) => name === 'route' || name === 'from'),
      ['to', header(refusal, 'to')!], ['call-id', header(invite, 'call-id')!],
      ['cseq', `${cseq(invite).number} ACK`], ['max-forwards', '70']
    ]
  }
}

/** RFC 3581: back to where it came from if it says `rport`, else to the port that its Via names. */
function replyAddress(request: Request, from: Address): Address {
  const top = values(request, 'via')[0] ?? ''
  if (param(top, 'rport') !== undefined) return from
  return { address: from.address, port: Number(/^\S+\s+[^:;\s]+:(\d{1,5})/.exec(top)?.[1] ?? 5060) }
}

const branchOf = (message: Message) => param(values(message, 'via')[0] ?? '', 'branch')
const keyOf = (request: Request, method: string) =>
  [method, cseq(request).number, tagOf(request, 'from'), header(request, 'call-id')].join(' ')

/** Transactions that have long been over are dropped as new ones come: no timer needs to live for them. */
function forgetOld<Entry extends { at: number, final: unknown }>(map: Map<string, Entry>) {
  const old = performance.now() - GIVE_UP
  for (const [key, entry] of map) if (entry.final && entry.at < old) map.delete(key)
}
