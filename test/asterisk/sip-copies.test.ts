/** What Asterisk's copies of SIP messages tell of calls that it refused before they had a channel. */
import fc from 'fast-check'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { copyIn, SipCopies, turnedAway, type TurnedAway } from '../../src/asterisk/sip-copies.ts'
import { tell } from '../../src/calls/tell.ts'

const password = 'right'
function chunk(type: number, data: Buffer | string) {
  const head = Buffer.alloc(6)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(6 + data.length, 4)
  return Buffer.concat([head, Buffer.from(data as string, 'latin1')])
}
const us = [127, 0, 0, 1]
const carrier = [127, 0, 0, 2]
const copy = (sip: string, { from = us, to = carrier, id = 'c1@x', secret = password } = {}) => {
  const chunks = [chunk(1, '\x02'), chunk(3, Buffer.from(from)), chunk(4, Buffer.from(to)), chunk(14, secret), chunk(17, id), chunk(15, sip)]
  return Buffer.concat([Buffer.from('HEP3\0\0', 'latin1'), ...chunks])
}
const invite = (more = '', body = 'm=audio 4000 RTP/AVP 18\r\n') =>
  `INVITE sip:0721112@127.0.0.1 SIP/2.0\r\nVia: x\r\nFrom: "A" <sip:anonymous@x>;tag=1\r\nTo: <sip:112@x>\r\nCall-ID: c1@x\r\nCSeq: 7 INVITE\r\n${more}\r\n${body}`
const answer = (status: number, method = 'INVITE') =>
  `SIP/2.0 ${status} No\r\nVia: x\r\nf: <sip:+62812@x>;tag=1\r\nt: <sip:112@x>;tag=2\r\ni: c1@x\r\nCSeq: 7 ${method}\r\n\r\n`

function copies() {
  const taken: TurnedAway[] = []
  const it = new SipCopies({ address: '127.0.0.1', port: 1, password, trunkAt: address => address === '127.0.0.2' ? 'carrier' : undefined, take: one => { taken.push(one) }, log: pino({ level: 'silent' }) })
  return { it, taken }
}
const asked = (message: string) => copy(message, { from: carrier, to: us })

test.each([
  [488, '', undefined, 'no-common-codec'], [488, '', 'm=audio 4000 RTP/SAVP 8\r\n', 'no-common-media'], [415, '', undefined, 'no-common-media'],
  [420, 'Require: 100foo\r\n', undefined, 'unsupported-extension'], [422, '', undefined, 'session-timer'], [404, '', undefined, 'no-such-number'], [500, '', undefined, 'not-taken']
])('%d (%s%s) is %s, with who called', (status, more, body, why) => {
  const { it, taken } = copies()
  it.hear(asked(invite(`${more}P-Asserted-Identity: <sip:%2B62811;x=y@x>, <tel:1>\r\n`, body)))
  for (const _ of [1, 2]) it.hear(copy(answer(status)))
  expect(taken).toEqual([{ trunk: 'carrier', address: '127.0.0.2', status, why, id: expect.stringMatching(/^[0-9a-f]{24}$/), dialled: '0721112', cli: '+62811' }])
})

test('without the INVITE what the answer says is kept', () => {
  const { it, taken } = copies()
  it.hear(copy(answer(420)))
  expect(taken).toMatchObject([{ why: 'unsupported-extension', dialled: '112', cli: '+62812' }])
})

test.each([
  ['of a call that has a channel', [copy(answer(404), { id: 'PJSIP/carrier-00000001' })]],
  ['with another password', [copy(answer(488), { secret: 'wrong' })]],
  ['to another address', [copy(answer(488), { to: [127, 0, 0, 9] })]],
  ['to another method', [copy(answer(488, 'OPTIONS'))]],
  ['of a caller who has left', [copy(answer(487))]],
  ['that is none', [copy(answer(200))]],
  ['of a question inside a call', [asked(invite().replace('<sip:112@x>', '<sip:112@x>;tag=9')), copy(answer(488))]]
])('a refusal %s is not counted', (_, all) => {
  const { it, taken } = copies()
  for (const one of all) it.hear(one)
  expect(taken).toEqual([])
})

test('whatever comes, nothing is thrown, and what is taken is bounded and plain', () => {
  const { it, taken } = copies()
  const good = [asked(invite()), copy(answer(488)), copy(answer(420))]
  const damaged = fc.tuple(fc.constantFrom(...good), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 }), fc.nat(500)).map(([packet, changes, length]) => {
    const one = Buffer.from(packet)
    for (const [at, value] of changes) one[at % one.length] = value
    return one.subarray(0, 100 + length)
  })
  fc.assert(fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes))), packet => {
    copyIn(packet)
    it.hear(packet)
  }), { numRuns: 2_000 })
  for (const { dialled, cli } of taken) for (const text of [dialled, cli]) expect(text).toMatch(/^[\w.+*#-]{0,40}$/)
})

test('in the records it is one call that was refused, with why', () => {
  const steps = turnedAway({ trunk: 'carrier', address: '127.0.0.2', status: 488, why: 'no-common-codec', id: 'abc', dialled: '0721112', cli: '+6281234567890' }, 1_000, () => '112')
  expect(tell(steps)).toMatchObject({ callId: 'refused-abc', did: '112', cli: '+6281234567890', disposition: 'refused', detail: 'no-common-codec', arrivedAt: 1_000, endedAt: 1_000 })
})
