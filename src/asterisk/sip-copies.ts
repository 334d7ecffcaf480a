/**
 * What Asterisk answers on the trunks, as copies by UDP (HEP 3, asterisk-config/hep.conf): a call that is refused before it has a channel (no codec in
 * common, an extension that is not known here) is in no ledger and no log. Of all copies only such refusals are read, and whether a call that we picked up is acknowledged (acknowledgements.ts).
 *
 * Each copy has a password, so that nobody else on this machine is believed. Of the calls' own INVITEs the last few are kept, unread, until one is refused.
 */
import { createHash } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Logger } from 'pino'
import type { Step } from '../calls/story.ts'
import type { Secrets } from '../dialplan/lay-out.ts'
import { plainly } from '../records/faults.ts'
import type { Why } from './refusals.ts'

/** A call that Asterisk has refused without a channel. The texts are filtered and bounded. */
export interface TurnedAway {
  trunk: string
  /** That of the trunk. */
  address: string
  status: number
  why: Why
  /** A hash of the Call-ID: the same for the same INVITE. */
  id: string
  dialled: string
  /** As the carrier asserts it, or as the caller's From says; empty where it cannot be known any more. */
  cli: string
}

export interface SipCopiesOptions {
  /** Where Asterisk sends them (src/dialplan/lay-out.ts). */
  address: string
  port: number
  password: string
  trunkAt: (address: string) => string | undefined
  take: (refused: TurnedAway) => void
  /** Hears of our 200 to a call's INVITE, each time that it goes out, and of the ACK that comes for it. `channel` is Asterisk's name of it. */
  calls?: { answered(channel: string): void, acknowledged(channel: string): void }
  log: Logger
}

export const copiesPassword = ({ ami }: Pick<Secrets, 'ami'>) => createHash('sha256').update(`copies ${ami}`).digest('hex')

/** An INVITE is refused within milliseconds. */
const invitesKept = 128
/** Asterisk repeats an answer until it is acknowledged. */
const answersKept = 1_000
/** A password was asked for; the caller has left; the other side's question came at the same time; it came in twice. */
const noRefusals = [401, 407, 487, 491, 482]

export class SipCopies {
  readonly #options: SipCopiesOptions
  readonly #invites: Buffer[] = []
  #next = 0
  readonly #told = new Set<string>()
  #socket: Socket | undefined
  #again: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: SipCopiesOptions) {
    this.#options = options
  }

  /** Without its address the service goes on, and tries again. */
  start() {
    const { address, port, log } = this.#options
    const socket = this.#socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
    socket.on('message', copy => this.hear(copy))
    socket.on('error', error => {
      log.error({ ...plainly(error), address, port }, 'calls that Asterisk refuses before they have a channel are not counted: again in 5 s')
      socket.close()
      if (!this.#closed) this.#again = setTimeout(() => this.start(), 5_000).unref()
    })
    socket.bind(port, address)
  }

  async close() {
    this.#closed = true
    clearTimeout(this.#again)
    const socket = this.#socket
    if (!socket) return
    const closed = once(socket, 'close')
    try {
      socket.close()
    } catch {
      return                                          // an error has closed it
    }
    await closed
  }

  /** Takes one copy. Never throws: what is no such copy is nothing. */
  hear(datagram: Buffer) {
    const copy = copyIn(datagram)
    if (!copy || copy.password !== this.#options.password) return
    const { sip } = copy
    if (sip[0] === 0x49 && sip.toString('latin1', 0, 7) === 'INVITE ') {
      if (this.#options.trunkAt(copy.from) === undefined) return
      this.#invites[this.#next] = sip
      this.#next = (this.#next + 1) % invitesKept
    } else if (sip[0] === 0x41 && sip.toString('latin1', 0, 4) === 'ACK ') {
      if (this.#options.trunkAt(copy.from) !== undefined) this.#options.calls?.acknowledged(copy.id)
    } else if (sip[0] === 0x53 && sip.toString('latin1', 0, 12) === 'SIP/2.0 200 ') {
      if (this.#options.trunkAt(copy.to) !== undefined && /^\d+\s+INVITE$/.test(header(sip.toString('latin1'), 'cseq') ?? '')) this.#options.calls?.answered(copy.id)
    } else if (sip[0] === 0x53 && sip[8]! >= 0x34 && sip[8]! <= 0x36 && sip.toString('latin1', 0, 8) === 'SIP/2.0 ') {
      const trunk = this.#options.trunkAt(copy.to)
      if (trunk !== undefined) this.#refused(sip, trunk, copy)
    }
  }

  #refused(sip: Buffer, trunk: string, { to, id }: Copy) {
    const answer = sip.toString('latin1')
    const status = Number(answer.slice(8, 11))
    const callId = header(answer, 'call-id', 'i')
    const [sequence, method] = header(answer, 'cseq')?.split(/\s+/) ?? []
    if (!callId || method !== 'INVITE' || noRefusals.includes(status)) return
    const key = `${callId}\n${sequence}`
    if (this.#told.has(key)) return
    this.#told.add(key)
    if (this.#told.size > answersKept) this.#told.delete(this.#told.values().next().value!)
    // A copy has the name of the channel, where there is one: the ledger tells of that call. Repeated when the channel is gone, it has the Call-ID.
    if (id !== callId) return

    const invite = this.#invites.find(one => one.includes(callId, 0, 'latin1') && header(one.toString('latin1'), 'call-id', 'i') === callId)?.toString('latin1')
    if (invite && /;\s*tag\s*=/i.test(header(invite, 'to', 't') ?? '')) return             // a question inside a call
    const callers = invite ?? answer
    this.#options.take({
      trunk, address: to, status, why: whyOf(status, invite),
      id: createHash('sha256').update(key).digest('hex').slice(0, 24),
      dialled: plain(userIn(invite ? /^INVITE (\S+)/.exec(invite)![1] : header(answer, 'to', 't'))),
      cli: plain(userIn(header(callers, 'p-asserted-identity')) || userIn(header(callers, 'from', 'f')))
    })
  }
}

/** Such a call in the records: it came, was refused, and is over. `numberOf`: the plan's number that is meant by what was dialled. */
export function turnedAway({ id, trunk, status, why, dialled, cli }: TurnedAway, at: number, numberOf: (dialled: string) => string | undefined): Step[] {
  const step = { callId: `refused-${id}`, at, witness: 'service' as const }
  return [
    { ...step, key: 'arrived', kind: 'arrived', facts: { did: numberOf(dialled) ?? dialled, trunk, cli } },
    { ...step, key: 'refused', kind: 'refused', facts: { status, trunk, why } },
    { ...step, key: 'hangup', kind: 'hangup', facts: { by: 'us', q850: null } },
    { ...step, key: 'ended', kind: 'ended', facts: {} }
  ]
}

function whyOf(status: number, invite = ''): Why {
  if (status === 404 || status === 484) return 'no-such-number'
  if (status === 420 || status === 421) return 'unsupported-extension'
  if (status === 488 || status === 606) return /^m=audio \d+ RTP\/AVPF? /m.test(invite) ? 'no-common-codec' : 'no-common-media'
  if (status === 415) return 'no-common-media'
  return status === 422 ? 'session-timer' : 'not-taken'
}

interface Copy { from: string, to: string, password: string, /** The channel's name, or the Call-ID. */ id: string, sip: Buffer }

/** The chunks of a HEP 3 packet that we use; undefined where it is none, or not whole. */
export function copyIn(packet: Buffer): Copy | undefined {
  if (packet.length < 6 || packet.readUInt32BE(0) !== 0x48455033) return undefined          // HEP3
  const copy: Partial<Copy> = {}
  for (let at = 6; at + 6 <= packet.length;) {
    const end = at + packet.readUInt16BE(at + 4)
    if (end < at + 6 || end > packet.length) return undefined
    switch (packet.readUInt32BE(at)) {                 // vendor 0, and the type
      case 3: copy.from = packet.subarray(at + 6, end).join('.'); break
      case 4: copy.to = packet.subarray(at + 6, end).join('.'); break
      case 14: copy.password = packet.toString('latin1', at + 6, end); break
      case 15: copy.sip = packet.subarray(at + 6, end); break
      case 17: copy.id = packet.toString('latin1', at + 6, end); break
    }
    at = end
  }
  const { from, to, password, id, sip } = copy
  return from === undefined || to === undefined || password === undefined || id === undefined || !sip || sip.length < 12 ? undefined : { from, to, password, id, sip }
}

/** A header's first value. */
function header(message: string, ...names: string[]): string | undefined {
  const head = message.slice(0, Math.max(0, message.indexOf('\r\n\r\n')) || message.length)
  return new RegExp(`^(?:${names.join('|')})[ \\t]*:(.*)$`, 'im').exec(head)?.[1]?.trim()
}

/** The user of a SIP or tel URI, in or out of a header. */
const userIn = (text = '') => /(?:sips?|tel):([^@;>?,\s]*)(?:[;@>?,\s]|$)/i.exec(text)?.[1] ?? ''
/** What may stand in a record. */
const plain = (text: string) => text.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))).replace(/[^\w.+*#-]/g, '').slice(0, 40)
