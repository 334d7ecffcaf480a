/**
 * Whatever a caller sends (name, number, request URI, headers, keys), only the plan's lines are dialled, and every
 * call that reached 112 has one record.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IncomingCall, OutgoingCall, Refused, Softphone } from '../../demo/softphone.ts'
import { fromWire, header, party, toWire, userOf, values } from '../../demo/sip.ts'
import { Softphone as Telephone } from '../../demo/softphone.ts'
import { readCel } from '../../src/asterisk/cel-lines.ts'
import { spellings } from '../../src/plan/spellings.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

const number = 30
const at = (last: number) => `127.77.${number}.${last}`
const lines = ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']
/** What keys lead to: one wrong key is forgiven, a second one leads to the desk. The same key at once after itself is one press. */
const lineOfKey: Record<string, string> = { 1: 'ambulans-1', 2: 'bpbd-1', 3: 'hallo-1', 0: 'posko-1' }
const lineOf = (keys: string) => {
  const [first = '', second = ''] = keys.replace(/(.)\1+/g, '$1')
  return lineOfKey[first] ?? lineOfKey[second] ?? 'posko-1'
}

let city: City
/** What reached the carrier's telephone: nothing may. */
const atCarrier: IncomingCall[] = []

beforeAll(async () => {
  city = await openCity({ number, plan: text => text.replace(/capacity: \d+/g, 'capacity: 100') })
  city.carrier.onCall(call => {
    atCarrier.push(call)
    return call.answer()
  })
  writesBytes(city.carrier)
})
afterAll(() => city[Symbol.asyncDispose]())

/** A byte that no text can hold, for a telephone that `writesBytes`: it stands for itself there. */
const byte = (value: number) => String.fromCodePoint(0xf700 + value)
const bytes = (wire: string) => wire.replace(/\xef([\x9c-\x9f])([\x80-\xbf])/g, (_, high: string, low: string) =>
  String.fromCharCode((high.charCodeAt(0) - 0x9c) << 6 | (low.charCodeAt(0) - 0x80)))
function writesBytes({ wire }: Softphone) {
  const send = wire.send.bind(wire)
  wire.send = (datagram, to) => send(Buffer.from(bytes(datagram.toString('latin1')), 'latin1'), to)
}

/** Every byte that is neither letter nor digit as %xx: so all that is said arrives. */
const escaped = (text: string) =>
  bytes(toWire(text)).replace(/[^A-Za-z0-9]/g, char => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
const unescaped = (wire: string) => wire.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))

/**
 * What a record keeps of a caller's number: all of it up to a NUL or a semicolon (a URI's parameters), at most 79
 * bytes; as UTF-8 where it is, else each byte as a character of its own (Latin-1).
 */
function kept(user: string) {
  const heard = unescaped(user).split(/[\0;]/)[0]!.slice(0, 79)
  return toWire(fromWire(heard)) === heard ? fromWire(heard) : heard
}

/** What is 112 to Asterisk: in any spelling, escaped or not (RFC 3261, 19.1.4), with a password, with dashes; a NUL or a semicolon ends it. */
const ours = new Set(spellings('112', ['0721']))
const is112 = (user: string) => ours.has(unescaped(user.split(':')[0]!).split(/[\0;]/)[0]!.replaceAll('-', ''))

interface HostileCall {
  fromHeader: string
  user: string
  requestUri: string
  dialled: string
  headers: Record<string, string>
  keys: string
  /** The number that the record must keep; null where the datagram may be no SIP any more. */
  keeps: string | null
}

const piece = fc.constantFrom('${SHELL(id)}', '${DB(x/y)}', '$[1+1]', '${EXTEN}', '"', '\\', "'", ';', '|', '^', '&', '@', ',', '(', ')', '{', '}', '<',
  '>', '%', '%0a', '\n', '\r\n', '\0', '\t', ' ', '=', '?', 'é', '١١٢', '😀', '\u202e', '+', '+62', '0812', '112', '-', 'anonymous', 'h', 'bpbd-1',
  'PJSIP/0900@gateway', 'Local/112@trunk-in', 'sip:0900@127.0.0.1', byte(0xff), byte(0xc3), byte(0xe2), byte(0x80))
const text = fc.oneof(
  { weight: 6, arbitrary: fc.array(piece, { minLength: 1, maxLength: 6 }).map(parts => parts.join('')) },
  { weight: 2, arbitrary: fc.stringMatching(/^\+?[0-9]{1,15}$/) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }) },
  { weight: 1, arbitrary: fc.tuple(piece, fc.constantFrom(300, 4000)).map(([part, length]) => part.repeat(length / part.length)) })
/** One line of a header: what is sent as it is can hold no end of it. */
const line = text.map(value => value.replace(/[\r\n\0]/g, ' '))

const name = fc.oneof(
  { weight: 4, arbitrary: line.map(value => ({ written: `"${value.replace(/[\\"]/g, '\\$&')}" `, sound: true })) },
  { weight: 1, arbitrary: fc.constant({ written: '', sound: true }) },
  { weight: 1, arbitrary: line.map(value => ({ written: value, sound: false })) })

/** Half of the calls go to 112; half to what must not lead anywhere, or to what is 112 in disguise. */
const dialled = fc.oneof(
  { weight: 5, arbitrary: fc.constant('112') },
  { weight: 3, arbitrary: fc.constantFrom('i', 's', 'h', 't', 'o', '_X.', '_.', '112;x=y', '112;phone-context=+62', '112%0a', '112%00', '+112', '*112', '0112',
    '1120', '112%23', 'agency-bpbd', 'bpbd-1', 'menu-utama', 'line', 'accept', '112%2c1', '112%40trunk-in', '112%2fn', '1-12', '%31%31%32', '112:x',
    '%24%7bSHELL(id)%7d', '1'.repeat(300), '1'.repeat(4000), '112%d9', '%ff%00112') },
  { weight: 1, arbitrary: text.map(escaped) })

const extra = fc.oneof(
  fc.tuple(fc.constantFrom('X-A', 'User-Agent', 'Subject', 'Call-Info', 'Alert-Info', 'Organization', 'Diversion', 'History-Info', 'Replaces', 'Refer-To',
    'Referred-By', 'P-Preferred-Identity', 'P-Asserted-Service', 'Date'), line),
  fc.constantFrom<[string, string]>(['Privacy', 'id'], ['Privacy', 'header;user;id'], ['Diversion', '<sip:0900@x>;reason=unconditional'],
    ['Refer-To', '<sip:0900@127.0.0.1>'], ['Replaces', 'a;to-tag=b;from-tag=c'], ['Max-Forwards', '0']))

const hostileCall = fc.record({
  name, user: text, dialled, keys: fc.tuple(fc.string({ unit: fc.constantFrom(...'0123456789*#ABCD'), maxLength: 39 }), fc.constantFrom(...'0123')),
  asserted: fc.option(text, { freq: 3 }), remote: fc.option(text, { freq: 4 }), extras: fc.array(extra, { maxLength: 3 })
}).map(({ name, user, dialled, keys, asserted, remote, extras }): HostileCall => {
  const headers = Object.fromEntries(extras)
  if (remote !== null) headers['Remote-Party-ID'] = `"x" <sip:${escaped(remote)}@x>;party=calling;privacy=full`
  if (asserted !== null) headers['P-Asserted-Identity'] = `"x" <sip:${escaped(asserted)}@x>`
  // An identity that says nothing is passed over.
  const numbers = [asserted, remote, user].map(number => number === null ? '' : kept(escaped(number)))
  return {
    fromHeader: `${name.written}<sip:${escaped(user)}@${at(2)}>`, user, dialled, requestUri: `sip:${dialled}@${at(1)}:5060`,
    headers, keys: keys.join(''), keeps: name.sound ? numbers.find(Boolean) ?? '' : null
  }
})

/** 'answered', the status of a refusal, or 0 where nothing came in 2 s: what is no SIP is dropped. */
async function outcome(call: OutgoingCall): Promise<'answered' | number> {
  const reached = await Promise.race([
    call.answered.then(() => 'answered' as const, ({ status }: Refused) => status),
    eventually('any response', async () => call.progress.length > 0, 2_000).then(() => null, () => 0)])
  return reached ?? call.answered.then(() => 'answered' as const, ({ status }: Refused) => status)
}

/** What an agency is shown: the number in From and P-Asserted-Identity, or 'anonymous' in the one and nothing in the other. */
function shown({ request }: IncomingCall) {
  const from = party(header(request, 'from')!)
  const asserted = values(request, 'p-asserted-identity').map(value => userOf(party(value).uri))
  return { from: userOf(from.uri), asserted }
}

const sorted = (them: readonly string[]) => them.toSorted()
const records = async (since: number) => (await city.service.records.list({ from: since, limit: 500 })).calls
const ledger = () => readFile(join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), 'latin1')

/** A batch of calls at once, to their end; what must hold of it, holds. */
async function holds(batch: readonly HostileCall[]) {
  const since = Date.now()
  const before = city.calls.length
  const calls = batch.map(({ fromHeader, requestUri, headers }) => city.dial({ fromHeader, requestUri, headers }))
  const outcomes = await Promise.all(calls.map(outcome))
  const reached = batch.map((hostile, i) => ({ ...hostile, call: calls[i]!, outcome: outcomes[i]! }))
  for (const { dialled, headers, keeps, outcome } of reached) {
    if (!is112(dialled)) expect(outcome, `dialled ${dialled}`).not.toBe('answered')
    // Who wants to replace a call that we do not have is told so (RFC 3891), and nothing else happens.
    const served = (it: typeof outcome) => it === 'answered' || it === 481 && 'Replaces' in headers
    if (keeps !== null) expect(outcome, `dialled ${dialled}`).toSatisfy(is112(dialled) ? served : it => it >= 400)
  }
  const answered = reached.filter(({ outcome }) => outcome === 'answered')
  const replacing = reached.filter(({ outcome }) => outcome === 481)
  await Promise.all(answered.map(({ call, keys }) => call.press(keys, 20)))
  await eventually('every caller is with a line', async () => city.calls.length - before >= answered.length)
  const legs = city.calls.slice(before)
  await Promise.all(legs.map(leg => leg.answered))
  await Promise.all(calls.map(call => call.hangUp({ within: 500 })))
  await city.quiet()

  expect(sorted(legs.map(({ line }) => line))).toEqual(sorted(answered.map(({ keys }) => lineOf(keys))))
  for (const leg of legs) {
    expect(leg.request.uri).toBe(`sip:${leg.line}@${at(3)}:5060`)
    const { from, asserted } = shown(leg)
    expect(from).toMatch(/^(anonymous|\+?\d{1,20})$/)
    expect(asserted).toEqual(from === 'anonymous' ? [] : [from])
  }
  const written = await eventually('every call has a record with a disposition', async () => {
    const calls = (await records(since)).filter(({ disposition }) => disposition !== 'refused')
    return calls.length >= answered.length + replacing.length && calls.every(({ disposition }) => disposition !== null) && calls
  })
  expect(written.map(({ disposition, did, trunk }) => `${disposition} ${did} ${trunk}`).toSorted())
    .toEqual([...answered.map(() => 'answered 112 carrier'), ...replacing.map(() => 'failed 112 carrier')])
  const numbers = written.map(({ cliRaw }) => cliRaw)
  for (const { keeps } of answered) {
    if (keeps === null) continue
    expect(numbers).toContain(keeps)
    numbers.splice(numbers.indexOf(keeps), 1)
  }
}

test('no name, number, request URI, header or key sequence dials what is not in the plan, or breaks a record', async () => {
  await fc.assert(fc.asyncProperty(fc.array(hostileCall, { minLength: 12, maxLength: 12 }), holds), { numRuns: 13, endOnFailure: true })
}, 180_000)

test('the known tricks of the trade do not, either', async () => {
  const trick = (dialled: string, user = '0812', headers = {}): HostileCall => ({
    fromHeader: `<sip:${user}@${at(2)}>`, user, dialled, requestUri: `sip:${dialled}@${at(1)}:5060`, headers, keys: '2', keeps: kept(user)
  })
  await holds(['12+34', '0812abc34', '%2b62%0a812', 'x(1)', '%ff%fe', '9'.repeat(21), '%c3%a9'.repeat(60), '%00123', 'unknown', '%2b']
    .map(user => trick('112', user)))
  expect(city.calls.slice(-10).map(leg => shown(leg).from)).toEqual(Array(10).fill('anonymous'))
  await holds(['i', 's', 'h', 't', '_X.', '112;x=y', '112%0a', '+112', '*112', '0112', 'agency-bpbd', 'bpbd-1', '1-12', '112%00'].map(dialled => trick(dialled)))
})

test('a line that answers with another number (302) is not followed there: the next line rings', async () => {
  for (const [i, elsewhere] of [`sip:112@${at(1)}:5060`, `sip:0900@${at(2)}:5060`, `sip:hallo-1@${at(3)}:5060`].entries()) {
    const before = city.calls.length
    city.line('bpbd-1', leg => moved(leg, elsewhere))
    const from = `072155530${i}`
    const call = city.dial({ from })
    await call.answered
    await call.press('2')
    const next = await eventually('the next line rings', async () => city.calls[before + 1])
    await next.answered
    expect(city.calls.slice(before).map(({ line }) => line)).toEqual(['bpbd-1', 'bpbd-2'])
    await call.hangUp()
    await city.quiet()
    expect(await city.record(from)).toMatchObject({ disposition: 'answered', line: 'bpbd-2' })
  }
  city.line('bpbd-1', leg => leg.answer())
})

/** 302 with a Contact, which the telephone itself never says. */
function moved({ request, tag }: IncomingCall, contact: string) {
  const same = (name: string) => `${name}: ${header(request, name)}`
  city.gateway.raw(Buffer.from(['SIP/2.0 302 Moved Temporarily', ...values(request, 'via').map(via => `via: ${via}`), same('from'),
    `${same('to')};tag=${tag}`, same('call-id'), same('cseq'), `contact: <${contact}>`, 'content-length: 0', '', ''].join('\r\n'), 'latin1'),
  { address: at(1), port: 5060 })
}

test('an agency may call 112, too; who it is, its From says, and nothing else', async () => {
  const since = Date.now()
  const before = city.calls.length
  const call = city.gateway.dial({ to: `sip:112@${at(1)}:5060`, from: '0811', headers: {
    'P-Asserted-Identity': '<sip:+628990@x>', 'Remote-Party-ID': '<sip:+628991@x>;party=calling' } })
  await call.answered
  await call.press('3')
  const leg = await eventually('a line rings', async () => city.calls[before])
  expect(shown(leg)).toEqual({ from: '0811', asserted: ['0811'] })
  await leg.answered
  await call.hangUp()
  await city.quiet()
  expect(await city.record('0811')).toMatchObject({ trunk: 'gateway', disposition: 'answered', line: 'hallo-1' })
  expect(await records(since)).toHaveLength(1)
})

test('who stands at another address is refused, whatever they claim to be', async () => {
  const seen = await ledger()
  const reached = city.calls.length
  await using stranger = await Telephone.open({ address: at(9), port: 5060 })
  await using disguised = await Telephone.open({ address: at(10), port: 5060 })
  const send = disguised.wire.send.bind(disguised.wire)
  disguised.wire.send = (datagram, to) => send(Buffer.from(datagram.toString('latin1').replaceAll(at(10), at(2)), 'latin1'), to)
  const claims: Record<string, string>[] = [
    {}, { 'P-Asserted-Identity': `<sip:+62812@${at(2)}>` }, { Contact: `<sip:+62812@${at(2)}>` }, { 'X-Forwarded-For': at(2) },
    { Route: `<sip:carrier@${at(1)};lr>` }, { Authorization: 'Digest username="carrier", realm="asterisk", nonce="", uri="sip:112", response=""' }
  ]
  for (const phone of [stranger, disguised]) {
    for (const user of ['carrier', 'gateway', '+62812']) {
      const calls = claims.map(headers => phone.dial({ to: `sip:112@${at(1)}:5060`, from: '', fromHeader: `<sip:${user}@${at(2)}>`, headers }))
      expect(await Promise.all(calls.map(outcome))).toEqual(claims.map(() => 401))
    }
  }
  expect(await ledger()).toBe(seen)
  expect(city.calls).toHaveLength(reached)
})

test('after all that: every line of the ledger can be read, only lines were dialled, and the next call is as ever', async () => {
  const written = await ledger()
  const read = readCel(written)
  expect(read.end).toBe(written.length)
  expect(read.lines.filter(({ event }) => !event)).toEqual([])
  const events = read.lines.map(({ event }) => event!)
  const [callers, legs] = ['CHAN_START', 'HANGUP'].map((which, i) =>
    events.filter(({ type, channelId, linkedId }) => type === which && (channelId === linkedId) === (i === 0)))
  expect(callers!.filter(({ channelName, context }) => !/^PJSIP\/(carrier|gateway)-/.test(channelName) || !/^(trunk|agencies)-in$/.test(context))).toEqual([])
  expect(legs!.filter(({ channelName, account }) => !channelName.startsWith('PJSIP/gateway-') || !lines.includes(account.split('/')[1]!))).toEqual([])
  expect(legs!.length).toBe(city.calls.length)
  expect(atCarrier).toEqual([])
  expect([...city.carrier.faults, ...city.gateway.faults]).toEqual([])

  const from = '+627215550199'
  const call = city.dial({ from })
  await city.ear.hears(call, 'menu-utama')
  await call.press('2')
  await (await eventually('bpbd-1 is with the caller', async () => city.calls.findLast(leg => leg.from === from && !leg.ending))).answered
  await call.hangUp()
  await city.quiet()
  expect(await city.record(from)).toMatchObject({ disposition: 'answered', line: 'bpbd-1' })
})
