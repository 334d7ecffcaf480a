/**
 * Ugly SIP, and ugly sound: after each of it Asterisk is as it was, an ordinary call is served, nothing reached a line
 * that should not, and every call that got in has one record.
 */
import { randomBytes, createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Rtp, readSdp, type Side } from '../../demo/rtp.ts'
import { header, isRequest, parse, type Request, type Response } from '../../demo/sip.ts'
import { Softphone, type IncomingCall, type OutgoingCall, type Refused } from '../../demo/softphone.ts'
import { parseCel } from '../../src/asterisk/cel.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { Gun, Sender } from '../parts/ugly-sender.ts'
import { sdp, torture, type Torture } from '../parts/ugly-torture.ts'

const number = 40
const at = (last: number) => `127.77.${number}.${last}`
const exchange = { address: at(1), port: 5060 }
const city112 = `sip:112@${at(1)}:5060`
const FRAME = 160
const QUIET = Buffer.alloc(FRAME, 0xd5)

let city: City
/** Asterisk's process as it was at first. */
let process1 = ''
let carrier: Sender, stranger: Sender
/** What reached the carrier's telephone: nothing may. */
const atCarrier: IncomingCall[] = []
/** By the caller's number: the line that is to be rung, if any may. */
const mayRing = new Map<string, string>()
/** What becomes of a call's INVITE before it leaves, and of the ACK of its answer. */
const edits = new Map<string, (request: Request, response?: Response) => void>()
/** Where Asterisk listens for a call's sound. */
const sides = new Map<string, Side>()
let dialled = 0
/** When this test began. */
let since = 0

beforeAll(async () => {
  city = await openCity({ number, plan: text => text.replace(/capacity: \d+/g, 'capacity: 200').replaceAll('patience: 3 s', 'patience: 1 s') })
  carrier = await Sender.open(at(2), exchange)
  stranger = await Sender.open(at(9), exchange)
  city.carrier.onCall(call => {
    atCarrier.push(call)
    return call.answer()
  })
  editsInvites(city.carrier)
  city.carrier.onDatagram(datagram => {
    const message = parse(datagram)
    const side = message && readSdp(message.body)
    if (side) sides.set(header(message, 'call-id')!, side)
  })
  process1 = await processOfAsterisk()
})
beforeEach(() => { since = Date.now() })
afterEach(() => asEver())
afterAll(async () => {
  await carrier[Symbol.asyncDispose]()
  await stranger[Symbol.asyncDispose]()
  await city[Symbol.asyncDispose]()
})

function editsInvites({ wire }: Softphone) {
  const request = wire.request.bind(wire)
  wire.request = (outgoing, listener, branch) => {
    const edit = outgoing.request.method === 'INVITE' && edits.get(header(outgoing.request, 'call-id')!)
    if (!edit) return request(outgoing, listener, branch)
    edit(outgoing.request)
    return request(outgoing, response => {
      const ack = listener(response)
      if (ack && response.status >= 200) edit(ack.request, response)
      return ack
    }, branch)
  }
}

/** A command on Asterisk's own console, and what it answers; '' asks for its greeting (host/process/version). */
function cli(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(city.state, 'asterisk', 'run', 'asterisk.ctl'))
    let told = ''
    socket.on('error', reject)
    socket.setTimeout(5_000, () => socket.destroy(new Error('the console says nothing')))
    socket.on('data', data => {
      told += data.toString('latin1')
      const [greeting, ...rest] = told.split('\n')
      if (command === '' && rest.length > 0) { socket.destroy(); resolve(greeting!) }
      // What comes after the command's answer is the answer to this one.
      if (told.includes('System uptime:')) { socket.destroy(); resolve(rest.join('\n')) }
    })
    socket.write(`${command ? `${command}\0core show uptime seconds\0` : ''}`)
  })
}
const processOfAsterisk = () => cli('')

const log = () => readFile(join(city.state, 'asterisk', 'log', 'messages.log'), 'utf8')

type End = OutgoingCall | IncomingCall
const newNumber = () => `+62721555${String(++dialled).padStart(4, '0')}`
const linesOfThePlan = ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']

/** The calls that the ledger has seen come in during this test. */
const arrivals = async () => (await readFile(join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), 'utf8')).split('\n')
  .filter(Boolean).map(parseCel)
  .filter(({ type, at, channelId, linkedId }) => type === 'CHAN_START' && at >= since && channelId === linkedId)
  .map(({ linkedId }) => linkedId)

/** What must hold after each ugliness: the same process, nothing left, no line rung that should not, one record for each call. */
async function asEver() {
  await city.quiet()
  expect(await processOfAsterisk()).toBe(process1)
  const there = await eventually('every call that got in has a record with a disposition', async () => {
    await city.service.scribe.flush()
    const { calls } = await city.service.records.list({ from: since, limit: 500 })
    const seen = await arrivals()
    const ended = new Set(calls.filter(({ disposition }) => disposition !== null).map(({ callId }) => callId))
    return seen.every(id => ended.has(id)) && { seen, recorded: calls.map(({ callId }) => callId) }
  })
  expect(there.recorded.toSorted()).toEqual(there.seen.toSorted())
  expect(city.calls.filter(({ from, line }) => mayRing.get(from) !== line && !(mayRing.get(from) === 'any' && linesOfThePlan.includes(line)))
    .map(({ from, line }) => `${from} reached ${line}`)).toEqual([])
  expect(atCarrier).toEqual([])
  expect([...city.carrier.faults, ...city.gateway.faults]).toEqual([])
}

/** Random noise said by one end arrives at the other: to the byte, or (`exact` false: two codecs) as something loud. */
async function hears(to: End, from: End, exact = true) {
  const said = randomBytes(FRAME)
  const before = to.heard.length
  await eventually('one hears the other', async () => {
    if (from.media.toSay === 0) void from.say(said)
    return to.heard.slice(before).some(({ alaw }) => exact ? alaw.equals(said) : loud(alaw))
  })
}
const loud = (alaw: Buffer) => alaw.filter(byte => ((byte ^ 0x55) & 0x7f) > 40).length > alaw.length / 4

/** The leg of that caller to the line. */
async function legOf(from: string, line = mayRing.get(from)!) {
  const leg = await eventually(`${line} is rung for ${from}`, async () =>
    city.calls.find(call => call.from === from && (line === 'any' || call.line === line)))
  await leg.answered
  return leg
}

interface Ugly {
  codecs?: ('alaw' | 'ulaw')[]
  headers?: Record<string, string>
  /** What becomes of the INVITE, and of the ACK (then with the response) before they leave. */
  edit?: (request: Request, response?: Response) => void
}

/** Dials 112 and is answered; nothing is pressed yet. */
async function answered({ edit, ...options }: Ugly = {}) {
  const from = newNumber()
  mayRing.set(from, 'bpbd-1')
  const call = city.dial({ from, ...options })
  if (edit) edits.set(call.id, edit)
  await call.answered
  return { call, from }
}

/** Dials, presses the key of BPBD, and is connected with sound both ways. */
async function connected(ugly: Ugly = {}) {
  const { call, from } = await answered(ugly)
  await call.press('2')
  const leg = await legOf(from)
  await hears(call, leg)
  await hears(leg, call)
  return { call, leg, from }
}

/** A citizen's call as always: served, connected, heard, ended, recorded. */
async function ordinary(ugly: Ugly = {}) {
  const { call, leg, from } = await connected(ugly)
  await call.hangUp()
  await leg.ended
  const record = await eventually('its record', async () => {
    await city.service.scribe.flush()
    return (await city.service.records.list({ from: since, limit: 500 })).calls.find(({ cliRaw, disposition }) => cliRaw === from && disposition)
  })
  expect(record).toMatchObject({ disposition: 'answered', line: 'bpbd-1' })
}

/** A request in a call's dialog; resolves with its final response. An SDP is acknowledged as it should be. */
function inside(call: End, method: string, body = '', type = 'application/sdp'): Promise<Response> {
  const { request, to } = call['inDialog'](method, ++call['cseq'])
  const number = call['cseq']
  request.headers.push(...call['phone'].contact, ...body ? [['content-type', type] as [string, string]] : [])
  request.body = body
  return new Promise(resolve => call['phone'].wire.request({ request, to }, response => {
    if (response.status < 200) return
    resolve(response)
    if (method === 'INVITE' && response.status < 300) return call['inDialog']('ACK', number)
  }))
}
const offerOf = (call: End, edit: (sdp: string) => string = it => it) => edit(call.media.describe())
const directed = (direction: string) => (sdp: string) => sdp.replace('a=sendrecv', `a=${direction}`)
const answerOf = (response: Response) => readSdp(response.body)!

/** Does something every 20 ms, so many times. */
function paced(times: number, what: (i: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let i = 0
    const timer = setInterval(() => {
      try { if (i < times) return what(i++) } catch (error) { reject(error) }
      clearInterval(timer)
      resolve()
    }, 20)
  })
}

describe('RFC 4475\'s torture messages', () => {
  /** What the carrier gets. Nothing: it was dropped, and the log says so (or it was a response to nothing). */
  const toCarrier: Record<string, number> = {
    wsinv: 481, 'wsinv, outside of a call': 200, intmeth: 501, esc01: 404, escnull: 501, esc02: 501, lwsdisp: 200, dblreq: 501, semiuri: 404, transports: 200, mpart01: 501,
    clerr: 200, lwsstart: 200, trws: 200, escruri: 200, baddate: 200, badaspec: 200, baddn: 200, mismatch02: 501, badbranch: 200, unksm2: 416, bext01: 200, invut: 415, multi01: 200,
    mcl01: 200, zeromf: 200, cparam01: 501, cparam02: 501, regescrt: 501, sdp01: 200, inv2543: 200
  }
  const dropped = ['badinv01', 'ncl', 'scalar02', 'scalarlg', 'quotbal', 'ltgtruri', 'lwsruri', 'regbadct', 'badvers', 'bigcode', 'insuf', 'unkscm', 'novelsc', 'regaut01']

  test('from the carrier and from a stranger: what is 112 is served, nothing else is; a stranger is refused everything', async () => {
    const all = [carrier, stranger].map(({ here }) => torture({ here, there: `${at(1)}:5060`, nobody: at(7) }))
    const [fromCarrier, fromStranger] = all as [Torture[], Torture[]]
    const batch = 8
    for (let i = 0; i < fromCarrier.length; i += batch) {
      await Promise.all(fromCarrier.slice(i, i + batch).map(async ({ name, id, datagram }, j) => {
        const strange = fromStranger[i + j]!
        carrier.send(datagram)
        stranger.send(strange.datagram)
        const status = toCarrier[name]
        if (status !== undefined) expect([name, await carrier.final(id)]).toEqual([name, status])
        await ordinary()
      }))
    }
    const final = (sender: Sender, { id }: Torture) => sender.statuses(id).findLast(it => it >= 200)
    expect(Object.fromEntries(fromCarrier.map(it => [it.name, final(carrier, it)]).filter(([, status]) => status !== undefined))).toEqual(toCarrier)
    globalThis.console.log((await log()).split('\n').filter(l => /longreq|SECURITY/.test(l) || (/Dropping|Error proc/.test(l))).slice(0, 60).join('\n'))
    for (const it of fromStranger) expect([it.name, final(stranger, it) ?? 'dropped']).toEqual([it.name, expect.toBeOneOf(['dropped', 401, 416, 481])])
    // A second message in the same datagram is none.
    for (const [sender, messages] of [[carrier, fromCarrier], [stranger, fromStranger]] as const) {
      expect(sender.statuses(`${messages.find(({ name }) => name === 'dblreq')!.id}-second`)).toEqual([])
    }
    const written = await log()
    for (const { here } of [carrier, stranger]) {
      const lines = written.split('\n').filter(line => line.includes(here) && /Dropping \d+ bytes packet|Error processing packet/.test(line))
      expect(lines.length, `dropped from ${here}:\n${lines.join('\n')}`).toBeGreaterThanOrEqual(dropped.length)
    }
  })
})

describe('SDP', () => {
  const good = () => sdp(at(7))
  const broken: [string, () => string, string][] = [
    ['60 kB of attributes', () => good() + 'a=x-ugly:0123456789\r\n'.repeat(2800), ''],
    ['60 kB in one attribute', () => `${good()}a=x-ugly:${'x'.repeat(60_000)}\r\n`, ''],
    ['200 media', () => good() + 'm=audio 9 RTP/AVP 8\r\n'.repeat(200), ''],
    ['no SDP at all, in words', () => 'hello', ''],
    ['bytes', () => randomBytes(1000).toString('latin1'), ''],
    ['no media', () => good().split('m=')[0]!, ''],
    ['a port that is none', () => good().replace('m=audio 9', 'm=audio 99999'), ''],
    ['port 0', () => good().replace('m=audio 9', 'm=audio 0'), ''],
    ['a payload type that is none', () => good().replace('AVP 8 101', 'AVP -1 99999999999999999999'), ''],
    ['no connection', () => good().replace(/c=.*\r\n/, ''), ''],
    ['a connection that is none', () => good().replace(/c=.*\r\n/, 'c=IN IP4\r\n'), ''],
    ['half a line', () => good().slice(0, 70), ''],
    ['NULs', () => good().replace('s=-', 's=\0\0\0'), ''],
    ['a clock rate of 0', () => good().replace('PCMA/8000', 'PCMA/0'), ''],
    ['keys without end', () => good().replace('0-15', '0-99999999999999999999'), ''],
    ['frames of 0 ms', () => `${good()}a=ptime:0\r\na=maxptime:0\r\n`, ''],
    ['frames of -1 ms', () => `${good()}a=ptime:-1\r\n`, ''],
    ['a fax', () => good().replace('m=audio 9 RTP/AVP 8 101', 'm=image 9 udptl t38'), ''],
    ['encrypted sound', () => good().replace('RTP/AVP', 'RTP/SAVP'), ''],
    ['no codec in common', () => good().replace('AVP 8 101', 'AVP 9 96').replace('8 PCMA/8000', '96 opus/48000/2'), '']
  ]
  test('explore', async () => {
    for (const [name, body] of broken) {
      const id = carrier.request('INVITE', city112, { body: body() })
      globalThis.console.log(name, await carrier.final(id, 1000).catch(() => 'silence'))
    }
  })

  test('no SDP in the INVITE: the call is served with the offer of our own', async () => {
    const { call, from } = await (async () => {
      const from = newNumber()
      mayRing.set(from, 'bpbd-1')
      const call = city.dial({ from })
      edits.set(call.id, delayed(call))
      await call.answered
      return { call, from }
    })()
    await call.press('2')
    const leg = await legOf(from)
    await hears(call, leg)
    await hears(leg, call)
    await call.hangUp()
    await ordinary()
  })

  const delayed = (call: OutgoingCall) => (request: Request, response?: Response) => {
    if (!response) {
      request.body = ''
      request.headers = request.headers.filter(([name]) => name !== 'content-type')
    } else {
      request.body = call.media.describe(readSdp(response.body)!)
      request.headers.push(['content-type', 'application/sdp'])
    }
  }

  test('in a multipart body beside something else', async () => {
    await ordinary({ edit: (request, response) => {
      if (response) return
      request.headers = request.headers.map(([name, value]) => [name, name === 'content-type' ? 'multipart/mixed;boundary=ugly' : value])
      request.body = ['--ugly', 'Content-Type: application/pidf+xml', '', '<presence/>', '--ugly', 'Content-Type: application/sdp', '', `${request.body}--ugly--`, ''].join('\r\n')
    } })
    await ordinary()
  })

  test('a hundred codecs', async () => {
    await ordinary({ edit: (request, response) => {
      if (response) return
      const types = Array.from({ length: 100 }, (_, i) => i + 20).filter(type => type !== 101)
      request.body = request.body.replace('AVP 8 101', `AVP ${types.join(' ')} 8 101`)
        .replace('a=ptime', `${types.map(type => `a=rtpmap:${type} X-UGLY-${type}/8000`).join('\r\n')}\r\na=ptime`)
    } })
    await ordinary()
  })
})
