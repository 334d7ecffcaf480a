import { expect, test } from 'vitest'
import { addressOf, cseq, format, header, param, parse, party, userOf, values, type Request } from '../../demo/sip.ts'

const message = (...lines: string[]) => Buffer.from([...lines, '', ''].join('\r\n'))
const invite = [
  'INVITE sip:112@127.0.0.1 SIP/2.0', 'v: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bK1;rport, SIP/2.0/UDP 127.0.0.9', 'f: "Ani, \\"A\\"" <sip:+62@127.0.0.2>;tag=a',
  't: <sip:112@127.0.0.1>', 'i: 1@x', 'CSeq: 1 INVITE', 'Record-Route: <sip:127.0.0.4;lr>', 'record-ROUTE: <sip:127.0.0.5;lr>,', '  <sip:127.0.0.6;lr>'
]

test('compact names, repeated headers, lists and folded lines are read', () => {
  const read = parse(message(...invite)) as Request
  expect(read).toMatchObject({ method: 'INVITE', uri: 'sip:112@127.0.0.1', body: '' })
  expect(header(read, 'call-id')).toBe('1@x')
  expect(values(read, 'via')).toHaveLength(2)
  expect(values(read, 'from')).toHaveLength(1)
  expect(values(read, 'record-route')).toEqual(['<sip:127.0.0.4;lr>', '<sip:127.0.0.5;lr>', '<sip:127.0.0.6;lr>'])
  expect(cseq(read)).toEqual({ number: 1, method: 'INVITE' })
})

test('a message survives being written and read', () => {
  const read = parse(message(...invite))!
  expect(parse(format(read))).toEqual({ ...read, headers: [...read.headers, ['content-length', '0']] })
})

test('bytes that are no UTF-8 come back as they were', () => {
  const read = parse(Buffer.concat([message(...invite).subarray(0, -2), Buffer.from('Subject: \xff\xfe\r\n\r\n', 'latin1')]))!
  expect(format(read).includes(Buffer.from([0xff, 0xfe]))).toBe(true)
})

test('a body ends where Content-Length says', () => {
  expect(parse(Buffer.concat([message(...invite, 'l: 3'), Buffer.from('abcdef')]))).toMatchObject({ body: 'abc' })
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a keep-alive', Buffer.from('\r\n\r\n')],
  ['noise', Buffer.from([0, 255, 13, 10, 13, 10, 1])],
  ['no end of headers', Buffer.from(invite.join('\r\n'))],
  ['no Call-ID', message(...invite.filter(line => !line.startsWith('i:')))],
  ['a CSeq of another method', message(...invite.filter(line => !line.startsWith('CSeq')), 'CSeq: 1 BYE')],
  ['a huge CSeq', message(...invite.filter(line => !line.startsWith('CSeq')), 'CSeq: 9999999999 INVITE')],
  ['a body that is cut off', message(...invite, 'Content-Length: 10')],
  ['a negative length', message(...invite, 'Content-Length: -1')],
  ['another version', message('INVITE sip:112@127.0.0.1 SIP/3.0', ...invite.slice(1))],
  ['status 99', message('SIP/2.0 099 Odd', ...invite.slice(1))]
])('%s is no message', (_, datagram) => {
  expect(parse(datagram)).toBeNull()
})

test('names, URIs and their parameters are taken apart', () => {
  expect(party('"A <b>; c" <sip:1@h;lr>;tag=x')).toEqual({ uri: 'sip:1@h;lr', params: ';tag=x' })
  expect(party('sip:1@h;tag=x')).toEqual({ uri: 'sip:1@h', params: ';tag=x' })
  expect(party('a\rb')).toBeDefined()
  expect(param(';rport;branch=b', 'rport')).toBe('')
  expect(param(';rporting=1', 'rport')).toBeUndefined()
  expect(userOf('sip:bpbd-1@127.0.0.3:5060')).toBe('bpbd-1')
  expect(userOf('tel:+62721;phone-context=x')).toBe('+62721')
  expect(userOf('sip:a%20b@h')).toBe('a b')
  expect(userOf('sip:a%zz@h')).toBe('a%zz')
  expect(userOf('sip:h')).toBe('')
})

test('only addresses of this machine are addresses', () => {
  expect(addressOf('sip:112@127.0.0.1:5070;lr')).toEqual({ address: '127.0.0.1', port: 5070 })
  expect(addressOf('sip:localhost')).toEqual({ address: '127.0.0.1', port: 5060 })
  expect(addressOf('sip:112@192.0.2.1')).toBeNull()
  expect(addressOf('sip:112@127.0.0.1.example')).toBeNull()
  expect(addressOf('sip:112@127.0.0.1:99999')).toBeNull()
})
