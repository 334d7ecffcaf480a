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
import { header, parse, type Request, type Response } from '../../demo/sip.ts'
import type { IncomingCall, OutgoingCall, Softphone } from '../../demo/softphone.ts'
import { celEvents } from '../../src/asterisk/cel-lines.ts'
import type { LastHour } from '../../src/asterisk/refusals.ts'
import { eventually, leftBehind, openCity, type City } from '../parts/city.ts'
import { mutations } from '../parts/ugly-mutations.ts'
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
let atFirst = ''
let carrier: Sender, stranger: Sender
/** What reached the carrier's telephone: nothing may. */
const atCarrier: IncomingCall[] = []
/** By the caller's number: the line that is to be rung, if any may. */
const mayRing = new Map<string, string>()
/** What becomes of a call's INVITE before it leaves, and of the ACK of its answer. */
const edits = new Map<string, (request: Request, response?: Response) => void>()
const dialledCalls = new Map<string, OutgoingCall>()
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
  atFirst = await processOfAsterisk()
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

/** How often the stranger has been refused, as the service has counted it. */
const refusals = async () => {
  const response = await fetch(`${city.service.url}/api/refusals`, { headers: { authorization: `Bearer ${city.service.token}` } })
  return (await response.json() as LastHour).sources.find(({ address }) => address === at(9))?.count ?? 0
}
const log = () => readFile(join(city.state, 'asterisk', 'log', 'messages.log'), 'utf8')

type End = OutgoingCall | IncomingCall
const newNumber = () => `+62721555${String(++dialled).padStart(4, '0')}`
const linesOfThePlan = ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']

/** The calls that the ledger has seen come in during this test. */
const arrivals = async () => celEvents(await readFile(join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), 'latin1'))
  .filter(({ type, at, channelId, linkedId }) => type === 'CHAN_START' && at >= since && channelId === linkedId)
  .map(({ linkedId }) => linkedId)

/** What must hold after each ugliness: the same process, nothing left, no line rung that should not, one record for each call. */
async function asEver() {
  // Only a test that failed has left some.
  await Promise.all(dialledCalls.values().map(call => call.hangUp({ within: 500 })))
  dialledCalls.clear()
  await city.quiet()
  expect(await processOfAsterisk()).toBe(atFirst)
  const there = await eventually('every call that got in has a record with a disposition', async () => {
    await city.service.scribe.flush()
    const { calls } = await city.service.records.list({ from: since, limit: 500 })
    const seen = await arrivals()
    const ended = new Set(calls.filter(({ disposition }) => disposition !== null).map(({ callId }) => callId))
    // What Asterisk refused before it had a channel is on record, too, as `refused` (refused.test.ts).
    const recorded = calls.filter(({ callId, disposition }) => !(callId.startsWith('refused-') && disposition === 'refused')).map(({ callId }) => callId)
    return seen.every(id => ended.has(id)) && { seen, recorded }
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
  /** What becomes of the INVITE, and of the ACK (then with the response) before they leave. */
  edit?: (request: Request, response?: Response) => void
}

/** Dials 112 and is answered; nothing is pressed yet. */
async function answered({ edit, ...options }: Ugly = {}) {
  const from = newNumber()
  mayRing.set(from, 'bpbd-1')
  const call = city.dial({ from, ...options })
  dialledCalls.set(call.id, call)
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
    wsinv: 481, 'wsinv, outside of a call': 200, intmeth: 501, esc01: 404, escnull: 501, esc02: 501, lwsdisp: 200, longreq: 200, dblreq: 501, semiuri: 404, transports: 200, mpart01: 415,
    clerr: 200, lwsstart: 200, trws: 200, escruri: 200, baddate: 200, badaspec: 200, baddn: 200, mismatch02: 501, badbranch: 200, unksm2: 416, bext01: 200, invut: 415, multi01: 200,
    mcl01: 200, zeromf: 200, cparam01: 501, cparam02: 501, regescrt: 501, sdp01: 200, inv2543: 200
  }
  const dropped = ['badinv01', 'ncl', 'scalar02', 'scalarlg', 'quotbal', 'ltgtruri', 'lwsruri', 'regbadct', 'badvers', 'bigcode', 'insuf', 'unkscm', 'novelsc', 'regaut01']

  test('from the carrier and from a stranger: what is 112 is served, nothing else is; a stranger is refused everything', async () => {
    const all = [carrier, stranger].map(({ here }) => torture({ here, there: `${at(1)}:5060`, nobody: at(7) }))
    const [fromCarrier, fromStranger] = all as [Torture[], Torture[]]
    const before = await refusals()
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
    for (const it of fromStranger) expect([it.name, final(stranger, it) ?? 'dropped']).toEqual([it.name, expect.toBeOneOf(['dropped', 401, 416, 481])])
    // A second message in the same datagram is none.
    for (const [sender, messages] of [[carrier, fromCarrier], [stranger, fromStranger]] as const) {
      expect(sender.statuses(`${messages.find(({ name }) => name === 'dblreq')!.id}-second`)).toEqual([])
    }
    // Whatever was dropped or refused can be read in the log, with the address that it came from.
    const written = (await log()).split('\n')
    for (const { here } of [carrier, stranger]) {
      expect(written.filter(line => line.includes(here) && /Dropping \d+ bytes packet|Error processing packet/.test(line)).length).toBeGreaterThanOrEqual(dropped.length)
    }
    const challenged = fromStranger.filter(it => final(stranger, it) === 401).length
    await eventually('each refusal is counted', async () => await refusals() - before >= challenged)
    expect(written.join('\n')).not.toMatch(/SecurityEvent|No matching endpoint/)
  })
})

describe('SDP', () => {
  const good = () => sdp(at(7))
  const ugly: [string, number, () => string][] = [
    ['60 kB of attributes', 200, () => good() + 'a=x-ugly:0123456789\r\n'.repeat(2800)],
    ['60 kB in one attribute', 200, () => `${good()}a=x-ugly:${'x'.repeat(60_000)}\r\n`],
    ['200 media', 200, () => good() + 'm=audio 9 RTP/AVP 8\r\n'.repeat(200)],
    ['words', 400, () => 'hello'],
    ['random bytes', 400, () => randomBytes(1000).toString('latin1')],
    ['no media', 488, () => good().split('m=')[0]!],
    ['a port that is none', 400, () => good().replace('m=audio 9', 'm=audio 99999')],
    ['port 0', 488, () => good().replace('m=audio 9', 'm=audio 0')],
    ['payload types that are none', 400, () => good().replace('AVP 8 101', 'AVP -1 99999999999999999999')],
    ['no connection', 400, () => good().replace(/c=.*\r\n/, '')],
    ['a connection that is none', 400, () => good().replace(/c=.*\r\n/, 'c=IN IP4\r\n')],
    ['half a line', 488, () => good().slice(0, 70)],
    ['NULs', 200, () => good().replace('s=-', 's=\0\0\0')],
    ['a clock rate of 0', 200, () => good().replace('PCMA/8000', 'PCMA/0')],
    ['keys without end', 200, () => good().replace('0-15', '0-99999999999999999999')],
    ['frames of 0 ms', 200, () => `${good()}a=ptime:0\r\na=maxptime:0\r\n`],
    ['frames of -1 ms', 200, () => `${good()}a=ptime:-1\r\n`],
    ['a fax', 488, () => good().replace('m=audio 9 RTP/AVP 8 101', 'm=image 9 udptl t38')],
    ['encrypted sound', 488, () => good().replace('RTP/AVP', 'RTP/SAVP')],
    ['no codec in common', 488, () => good().replace('AVP 8 101', 'AVP 9 96').replace('8 PCMA/8000', '96 opus/48000/2')],
    ['one codec 150 times, before ours', 400, () => good().replace('AVP 8', `AVP ${'96 '.repeat(150)}8`)]
  ]
  test.each([0, 7, 14])('too big, broken, or nothing in common (from the %i. on): served or refused, and what comes after it is served', async first => {
    await Promise.all(ugly.slice(first, first + 7).map(async ([name, status, body]) => {
      expect([name, await carrier.final(carrier.request('INVITE', city112, { body: body() }))]).toEqual([name, status])
      await ordinary()
    }))
  })

  test('no SDP in the INVITE: the call is served on an offer of ours', async () => {
    await ordinary({ edit: (request, response) => {
      request.headers = request.headers.filter(([name]) => name !== 'content-type')
      request.body = ''
      if (!response) return
      const call = dialledCalls.get(header(request, 'call-id')!)!
      request.headers.push(['content-type', 'application/sdp'])
      request.body = call.media.describe(readSdp(response.body)!)
    } })
    await ordinary()
  })

  test('in a multipart body beside something else', async () => {
    await ordinary({ edit: (request, response) => {
      if (response) return
      request.headers = request.headers.map(([name, value]) => [name, name === 'content-type' ? 'multipart/mixed;boundary=ugly' : value])
      request.body = ['--ugly', 'Content-Type: application/pidf+xml', '', '<presence/>', '--ugly', 'Content-Type: application/sdp', '', `${request.body}--ugly--`, ''].join('\r\n')
    } })
    await ordinary()
  })

  test.each([['first', 100, true], ['last', 50, false]])('many codecs, ours %s of %i', async (_, count, first) => {
    await ordinary({ edit: (request, response) => {
      if (response) return
      const types = Array.from({ length: count }, (_, i) => i + 20).filter(type => type !== 101)
      request.body = request.body.replace('AVP 8 101', first ? `AVP 8 101 ${types.join(' ')}` : `AVP ${types.join(' ')} 8 101`)
        .replace('a=ptime', `${types.map(type => `a=rtpmap:${type} X-UGLY-${type}/8000`).join('\r\n')}\r\na=ptime`)
    } })
    await ordinary()
  })
})

describe('a call that changes in the middle', () => {
  test('of the menu: held, inactive, taken up again, by re-INVITE and UPDATE; its key then counts', async () => {
    const { call, from } = await answered()
    for (const method of ['INVITE', 'UPDATE']) {
      for (const [said, replied] of [['sendonly', 'recvonly'], ['inactive', 'inactive'], ['sendrecv', 'sendrecv']] as const) {
        const response = await inside(call, method, offerOf(call, directed(said)))
        expect([method, said, response.status, answerOf(response).direction]).toEqual([method, said, 200, replied])
      }
    }
    await call.press('2')
    const leg = await legOf(from)
    await hears(leg, call)
    await hears(call, leg)
    await call.hangUp()
    await ordinary()
  })

  test('of the talk: held by the citizen and by the agency, and they hear each other again', async () => {
    const { call, leg } = await connected()
    for (const end of [call, leg]) {
      for (const method of ['INVITE', 'UPDATE']) {
        for (const said of ['sendonly', 'inactive']) {
          expect((await inside(end, method, offerOf(end, directed(said)))).status).toBe(200)
          expect((await inside(end, method, offerOf(end))).status).toBe(200)
          await hears(call, leg)
          await hears(leg, call)
        }
      }
    }
    await call.hangUp()
    await ordinary()
  })

  test('of the talk: sound moves to another port, and the codecs change places', async () => {
    const { call, leg } = await connected({ codecs: ['alaw', 'ulaw'] })
    const moved = new Rtp(['alaw'])
    await moved.open(at(2))
    const response = await inside(call, 'INVITE', moved.describe())
    expect(response.status).toBe(200)
    moved.talkTo(answerOf(response))
    const [one, other] = [randomBytes(FRAME), randomBytes(FRAME)]
    await eventually('each hears the other at the new port', async () => {
      if (moved.toSay === 0) void moved.say(one)
      if (leg.media.toSay === 0) void leg.say(other)
      return leg.heard.some(({ alaw }) => alaw.equals(one)) && moved.heard.some(({ alaw }) => alaw.equals(other))
    })
    expect((await inside(call, 'INVITE', offerOf(call, sdp => sdp.replace('AVP 8 0', 'AVP 0 8')))).status).toBe(200)
    await hears(call, leg, false)
    await hears(leg, call, false)
    await moved.close()
    await call.hangUp()
    await ordinary()
  })

  test('that is asked whether it lives, by an empty INFO, UPDATE, OPTIONS: it does', async () => {
    const { call, leg } = await connected()
    for (const end of [call, leg]) {
      for (const method of ['INFO', 'UPDATE', 'OPTIONS']) expect([method, (await inside(end, method)).status]).toEqual([method, 200])
    }
    await hears(call, leg)
    await call.hangUp()
    await ordinary()
  })

  test('a re-INVITE that cannot be agreed on is refused, and the talk goes on', async () => {
    const { call, leg } = await connected()
    const refused = [offerOf(call, sdp => sdp.replace('AVP 8 101', 'AVP 9').replace(/a=(rtpmap|fmtp).*\r\n/g, '')), 'hello', offerOf(call, sdp => sdp.replace('RTP/AVP', 'RTP/SAVP'))]
    for (const body of refused) expect((await inside(call, 'INVITE', body)).status).toBeOneOf([400, 415, 488])
    // To what it has no use for in a call, Asterisk says nothing: nobody waits for it here.
    for (const method of ['REFER', 'MESSAGE', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'UGLY']) void inside(call, method)
    expect((await inside(call, 'PRACK')).status).toBe(400)
    expect((await inside(call, 'OPTIONS')).status).toBe(200)
    await hears(call, leg)
    await hears(leg, call)
    await call.hangUp()
    await ordinary()
  })
})

/** As `answered`, but the sound is the gun's; it is quiet until it is told to fire. */
async function armed(gun: Gun) {
  const from = newNumber()
  mayRing.set(from, 'any')
  const call = city.dial({ from })
  dialledCalls.set(call.id, call)
  call.media.talkTo = () => {}
  edits.set(call.id, (request, response) => {
    if (!response) request.body = request.body.replace(/m=audio \d+/, `m=audio ${gun.port}`)
  })
  await call.answered
  gun.to = sides.get(call.id)!
  return { call, from }
}
/** Sound between the gun's call and the leg, both ways. */
async function soundOf(gun: Gun, leg: IncomingCall) {
  const [one, other] = [randomBytes(FRAME), randomBytes(FRAME)]
  await eventually('each hears the other', async () => {
    gun.frame(one)
    if (leg.media.toSay === 0) void leg.say(other)
    return leg.heard.some(({ alaw }) => alaw.equals(one)) && gun.heard.some(heard => heard.equals(other))
  })
}

describe('sound', () => {
  test('from another source is not heard: neither another address nor another port of the same', async () => {
    const { call, leg } = await connected()
    const injected = randomBytes(FRAME)
    for (const address of [at(9), at(2)]) {
      await using gun = await Gun.open(address)
      gun.to = sides.get(call.id)!
      const firing = paced(50, () => { gun.frame(injected); gun.event('1', 160, { end: true }) })
      await hears(leg, call)
      await hears(call, leg)
      await firing
      await hears(leg, call)
      await hears(call, leg)
      expect(gun.heard).toEqual([])
    }
    expect(leg.heard.filter(({ alaw }) => alaw.equals(injected))).toEqual([])
    expect(leg.keys).toEqual([])
    await call.hangUp()
    await ordinary()
  })

  test('that is garbage, from the caller\'s own port and to RTCP\'s: the talk goes on', async () => {
    await using gun = await Gun.open(at(2))
    const { call, from } = await armed(gun)
    await paced(5, () => gun.frame(QUIET))
    gun.key('2')
    const leg = await legOf(from)
    await soundOf(gun, leg)
    const head = (first: number, second: number) => Buffer.concat([Buffer.from([first, second]), randomBytes(10)])
    const garbage = [
      () => Buffer.alloc(0), () => Buffer.from([0x80]), () => randomBytes(11), () => randomBytes(200), () => Buffer.alloc(1400, 0xff), () => head(0x80, 8),
      () => head(0x8f, 8), () => head(0x90, 8), () => Buffer.concat([head(0x90, 8), Buffer.from([0xbe, 0xde, 0xff, 0xff])]),
      () => Buffer.concat([head(0xa0, 8), Buffer.alloc(20, 0xff)]), () => Buffer.concat([head(0x80, 101), Buffer.from([5])]), () => Buffer.concat([head(0x80, 101), Buffer.from([255, 0x8a, 0xff, 0xff])]),
      () => Buffer.concat([head(0x80, 127), randomBytes(160)]), () => Buffer.concat([head(0x80, 13), randomBytes(3)]), () => Buffer.concat([head(0x80, 9), randomBytes(160)]),
      () => Buffer.concat([head(0x40, 8), randomBytes(160)]), () => Buffer.concat([Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), randomBytes(12)]), () => Buffer.concat([Buffer.from([22, 254, 255]), randomBytes(40)])
    ]
    const rtcp = [() => Buffer.from([0x80, 200]), () => Buffer.concat([Buffer.from([0x9f, 200, 0xff, 0xff]), randomBytes(24)]), () => Buffer.concat([Buffer.from([0x81, 203, 0, 1]), randomBytes(4)]),
      () => Buffer.concat([Buffer.from([0x81, 202, 0, 6]), randomBytes(24)]), () => Buffer.concat([Buffer.from([0x80, 206, 0, 0]), randomBytes(8)]), () => randomBytes(100), () => Buffer.alloc(0)]
    await paced(36, i => {
      gun.fire(garbage[i % garbage.length]!())
      gun.fire(rtcp[i % rtcp.length]!(), gun.to.port + 1)
      gun.fire(randomBytes(i * 10))
    })
    await soundOf(gun, leg)
    await call.hangUp()
    await ordinary()
  })

  test('that stops: Asterisk knows of it after five minutes (silent.test.ts has what it does then)', async () => {
    for (const endpoint of ['carrier', 'gateway']) {
      const told = await cli(`pjsip show endpoint ${endpoint}`)
      expect(told).toMatch(/rtp_timeout +: 300\b/)
      expect(told).toMatch(/rtp_timeout_hold +: 3600\b/)
    }
  })
})

describe('keys', () => {
  const fifty = (keys: string) => (gun: Gun) => paced(50, i => gun.key(keys[i % keys.length]!))
  const all = '0123456789*#ABCD'
  const floods: [string, (gun: Gun) => Promise<void>][] = [
    ['fifty a second, all sixteen', fifty(all)],
    ['fifty a second, A to D', fifty('ABCD')],
    ['fifty a second, 2', fifty('2')],
    ['events that no key has', gun => paced(25, i => gun.rtp(101, Buffer.from([16 + i * 4, 0x8a, 3, 0x20])))],
    ['ten seconds held, in one, and never let go', gun => paced(50, i => gun.event('9', Math.min(0xffff, (i + 1) * 1600), { marker: i === 0 }))],
    ['each held and never let go', gun => paced(32, i => { gun.event(all[i % 16]!, 160, { marker: true }); gun.timestamp += 160 })],
    ['ends without a beginning', gun => paced(32, i => { gun.event(all[i % 16]!, 800, { end: true }); gun.timestamp += 160 })]
  ]
  test('in floods, without an end, of no meaning: each caller is led to a human, and is heard', async () => {
    await Promise.all(floods.map(async ([name, flood]) => {
      await using gun = await Gun.open(at(2))
      const { call, from } = await armed(gun)
      await paced(5, () => gun.frame(QUIET))
      await flood(gun)
      // Where no key was one, those that follow are.
      await eventually('a line is rung', async () => {
        if (city.calls.some(leg => leg.from === from)) return true
        gun.frame(QUIET)
        if (gun.sequence % 25 === 0) gun.key('2')
        return false
      })
      const leg = await legOf(from)
      await soundOf(gun, leg)
      // Nothing that is pressed while they talk changes anything.
      await flood(gun)
      await soundOf(gun, leg)
      expect(city.calls.filter(it => it.from === from).length, name).toBe(1)
      await call.hangUp()
      await ordinary()
    }))
  })

  test.each<[string, (gun: Gun) => Promise<void>]>([
    ['each packet five times', async gun => {
      for (const [duration, end] of [[160, false], [320, false], [800, true]] as const) for (let i = 0; i < 5; i++) gun.event('9', duration, { end, sequence: gun.sequence + duration })
    }],
    ['its packets in the wrong order', async gun => {
      const first = gun.sequence
      for (const [after, duration, end] of [[1, 320, false], [0, 160, false], [4, 800, true], [2, 480, false], [5, 800, true], [3, 800, true]] as const) gun.event('9', duration, { end, sequence: first + after })
    }]
  ])('a wrong key, %s, is one wrong key: the right one after it counts', async (_, wrong) => {
    await using gun = await Gun.open(at(2))
    const { call, from } = await armed(gun)
    mayRing.set(from, 'bpbd-1')
    await paced(5, () => gun.frame(QUIET))
    await wrong(gun)
    gun.sequence += 1000
    gun.timestamp += 16_000
    await paced(25, () => gun.frame(QUIET))
    gun.key('2')
    const pumping = paced(25, () => gun.frame(QUIET))
    const leg = await legOf(from)
    await pumping
    await soundOf(gun, leg)
    await call.hangUp()
    await ordinary()
  })

  test('by SIP INFO: nonsense is refused or passed over, a key is a key', async () => {
    const { call, from } = await answered()
    const relay = 'application/dtmf-relay'
    const nonsense = ['Signal=\r\n', 'Signal=99999\r\nDuration=99999999999\r\n', `Signal=${'9'.repeat(2000)}`, 'Duration=160\r\n', '\0\0\0', 'Signal=Z\r\nDuration=160\r\n', 'x'.repeat(1000)]
    for (const body of nonsense) expect([body, (await inside(call, 'INFO', body, relay)).status]).toEqual([body, 500])
    expect((await inside(call, 'INFO', 'Signal=!\r\nDuration=-1\r\n', relay)).status).toBe(200)
    void inside(call, 'INFO', 'hello', 'text/ugly')
    expect((await inside(call, 'INFO', 'Signal=2\r\nDuration=160\r\n', relay)).status).toBe(200)
    const leg = await legOf(from)
    await hears(leg, call)
    // All sixteen at once while they talk: they are passed on one after the other, and the voice after them.
    const statuses = await Promise.all(Array.from(all, key => inside(call, 'INFO', `Signal=${key}\r\nDuration=160\r\n`, relay)))
    expect(new Set(statuses.map(({ status }) => status)).size, String(statuses.map(({ status }) => status))).toBe(1)
    await hears(leg, call)
    await hears(call, leg)
    await call.hangUp()
    await ordinary()
  })
})

describe('strangers', () => {
  const methods = ['INVITE', 'REGISTER', 'SUBSCRIBE', 'OPTIONS', 'PUBLISH', 'MESSAGE', 'NOTIFY', 'INFO', 'UPDATE', 'REFER', 'PRACK', 'BYE']
  test('are refused whatever they ask, and each refusal is counted', async () => {
    const before = await refusals()
    const ids = methods.map(method => stranger.request(method, city112, { headers: { event: 'presence', expires: '60' }, ...method === 'INVITE' ? { body: sdp(at(9)) } : {} }))
    const statuses = await Promise.all(ids.map(id => stranger.final(id)))
    expect(Object.fromEntries(methods.map((method, i) => [method, statuses[i]]))).toEqual(Object.fromEntries(methods.map(method => [method, method === 'BYE' ? expect.toBeOneOf([401, 481]) : 401])))
    await eventually('each is counted', async () => await refusals() - before >= methods.length - 1)
    await ordinary()
  })

  test('may not do by the carrier\'s address what is no call, either', async () => {
    const ids = ['REGISTER', 'SUBSCRIBE', 'PUBLISH', 'MESSAGE', 'NOTIFY', 'REFER'].map(method => carrier.request(method, city112, { headers: { event: 'presence', expires: '60', 'refer-to': `<sip:0900@${at(7)}>` } }))
    for (const id of ids) expect(await carrier.final(id)).toBeGreaterThanOrEqual(400)
    await ordinary()
  })

  test('guess no password', async () => {
    const md5 = (text: string) => createHash('md5').update(text).digest('hex')
    const before = await refusals()
    let guesses = 0
    for (const method of ['REGISTER', 'INVITE']) {
      for (const user of ['carrier', 'gateway', 'last-resort', 'satunomor', '100', '112']) {
        const id = stranger.request(method, city112, method === 'INVITE' ? { body: sdp(at(9)) } : {})
        expect(await stranger.final(id)).toBe(401)
        const [, realm = ''] = /realm="([^"]*)"/.exec(header(stranger.responses(id).at(-1)!, 'www-authenticate')!)!
        const [, nonce = ''] = /nonce="([^"]*)"/.exec(header(stranger.responses(id).at(-1)!, 'www-authenticate')!)!
        const tried = ['', user, 'password', '1234', '112'].map(password => {
          const response = md5(`${md5(`${user}:${realm}:${password}`)}:${nonce}:00000001:ab:auth:${md5(`${method}:${city112}`)}`)
          return stranger.request(method, city112, { ...method === 'INVITE' ? { body: sdp(at(9)) } : {}, headers: {
            authorization: `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${city112}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="ab"` } })
        })
        guesses += tried.length + 1
        for (const id of tried) expect(await stranger.final(id)).toBeOneOf([401, 403])
      }
    }
    await eventually('each is counted', async () => await refusals() - before >= guesses)
    await ordinary()
  })

  test('scan in vain: two hundred extensions', async () => {
    const before = await refusals()
    // Five hundred a second: more at once would be lost before Asterisk reads it.
    const ids: string[] = []
    const scanning = paced(20, () => {
      for (let i = 0; i < 10; i++) {
        ids.push(stranger.request(i % 4 === 3 ? 'REGISTER' : 'OPTIONS', `sip:${100 + ids.length}@${at(1)}`, { headers: {
          'user-agent': 'friendly-scanner', from: `"sipvicious"<sip:100@1.1.1.1>;tag=${ids.length}`, contact: `<sip:100@${stranger.here}>`, accept: 'application/sdp' } }))
      }
    })
    await ordinary()
    await scanning
    expect(ids).toHaveLength(200)
    expect(new Set(await Promise.all(ids.map(id => stranger.final(id))))).toEqual(new Set([401]))
    await eventually('each is counted', async () => await refusals() - before >= ids.length)
    await ordinary()
  })
})

test('a hundred calls at once from one number, and as many from a stranger, shut nobody out', async () => {
  carrier.keeps = true
  const headers = { from: `<sip:+62721556@${at(2)}>;tag=flood`, 'p-asserted-identity': `<sip:+62721556@${at(2)}>` }
  const flood: string[] = [], strange: string[] = []
  const flooding = paced(10, () => {
    for (let i = 0; i < 10; i++) {
      flood.push(carrier.request('INVITE', city112, { body: sdp(at(7)), headers }))
      strange.push(stranger.request('INVITE', city112, { body: sdp(at(9)) }))
    }
  })
  await eventually('the flood is in full spate', async () => flood.length >= 50)
  const from = newNumber()
  mayRing.set(from, 'bpbd-1')
  const call = city.dial({ from })
  const greeting = await city.ear.hears(call, 'sambutan', { within: 5_000 })
  await flooding
  expect([flood.length, strange.length]).toEqual([100, 100])
  expect(greeting.startedAt - call.startedAt).toBeLessThan(5_000)
  await call.press('2')
  const leg = await legOf(from)
  await hears(leg, call)
  await hears(call, leg)
  expect(await Promise.all(flood.map(id => carrier.final(id)))).toEqual(flood.map(() => 200))
  expect(await Promise.all(strange.map(id => stranger.final(id)))).toEqual(strange.map(() => 401))
  carrier.hangUp()
  await call.hangUp()
  await ordinary()
})

test('three thousand requests changed by chance, of the carrier and of a stranger: Asterisk lives, a call is served, nothing is left', async () => {
  const seed = Number(process.env['SATUNOMOR_TEST_SEED'] ?? 112)
  const [rungBefore, refusedBefore] = [city.calls.length, await refusals()]
  const batches = [carrier, stranger].map((sender, i) => ({ sender, requests: mutations({ seed: seed + i, count: 1_500, here: sender.here, uri: city112 }) }))
  await paced(300, at => {
    for (const { sender, requests } of batches) for (const { datagram } of requests.slice(at * 5, at * 5 + 5)) sender.send(datagram)
  })
  // What is left of an INVITE may be a call that nobody acknowledges: Asterisk ends it, at the latest 13 s later.
  await eventually(`nothing is left (seed ${seed})`, async () => (await leftBehind(city.service)).length === 0, 40_000)
  // Who made such a call is led as every silent caller. They are not this test's calls below.
  const rung = city.calls.splice(rungBefore)
  expect(rung.map(({ line }) => line).filter(line => !linesOfThePlan.includes(line))).toEqual([])
  expect(await city.service.health.ready()).toMatchObject({ ready: true })
  // Enough of them were still SIP: some were calls, most of the stranger's were refused.
  expect((await arrivals()).length).toBeGreaterThan(10)
  expect(await refusals() - refusedBefore).toBeGreaterThan(500)
  await ordinary()
}, 90_000)
