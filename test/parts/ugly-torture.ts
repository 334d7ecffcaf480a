/**
 * The torture messages of RFC 4475, under its names, with this city's addresses and number in them: each is a datagram
 * whose characters are bytes. All hosts that something could be sent to are of this machine.
 */
import { token } from '../../demo/sip.ts'

/** Where a message goes from and to: `address:port`, and an address at which nobody is. */
export interface Ends { here: string, there: string, nobody: string }
export interface Torture { name: string, id: string, datagram: string, method: string }

export const sdp = (address: string, port = 9) => [
  'v=0', `o=ugly 1 1 IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`, 't=0 0', `m=audio ${port} RTP/AVP 8 101`,
  'a=rtpmap:8 PCMA/8000', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-15', ''
].join('\r\n')

type Writer = (its: { id: string, via: string, uri: string, body: string, length: number } & Ends) => string[]
/** Headers that there is nothing to say of. */
const plain = ({ here, id, via, uri }: Parameters<Writer>[0], method: string) => [
  `Via: ${via}`, `Max-Forwards: 70`, `From: <sip:caller@${here}>;tag=${token()}`, `To: <${uri}>`, `Call-ID: ${id}`, `CSeq: 8 ${method}`, `Contact: <sip:caller@${here}>`
]
const without = (lines: string[], ...names: string[]) => lines.filter(line => !names.some(name => line.startsWith(`${name}:`)))
const offer = (its: Parameters<Writer>[0]) => ['Content-Type: application/sdp', `Content-Length: ${its.length}`, '', its.body]
const empty = ['Content-Length: 0', '', '']
const digest = 'Digest username="caller", realm="asterisk", nonce="1", uri="sip:112", response="00000000000000000000000000000000"'

const writers: Record<string, Writer> = {
  // 3.1.1: valid, however they look
  wsinv: its => wsinv(its, ' ;   tag    = 1918181833n'),
  'wsinv, outside of a call': its => wsinv(its, ''),
  intmeth: its => {
    const method = "!interesting-Method0123456789_*+`.%indeed'~"
    return [`${method} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@${its.there} SIP/2.0`,
      `Via: SIP/2.0/UDP ${its.here};branch=z9hG4bK-.!%66*_+\`'~${token()}`, `To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@${its.there}>`,
      `From: token1~\` token2'+_ token3*%!.- <sip:mundane@${its.here}>;fromParam''~+*_!.-%="\xd1\x80\xd0\xb0\xd0\xb1\xd0\xbe\xd1\x82\xd0\xb0\xd1\x8e\xd1\x89\xd0\xb8\xd0\xb9";tag=_token~1'+\`*%!-.`,
      `Call-ID: ${its.id}`, `CSeq: 139122385 ${method}`, 'Max-Forwards: 255', "extensionHeader-!.%*+_`'~:\xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb", ...empty]
  },
  esc01: its => [`INVITE sip:sips%3Auser%40${its.nobody}@${its.there} SIP/2.0`, ...without(plain(its, 'INVITE'), 'To'), `To: sip:%75se%72@${its.there}`, ...offer(its)],
  escnull: its => [`REGISTER sip:${its.there} SIP/2.0`, ...without(plain(its, 'REGISTER'), 'To', 'From', 'Contact'), `To: sip:null-%00-null@${its.there}`,
    `From: sip:null-%00-null@${its.there};tag=839923423`, `Contact: <sip:%00@${its.here}>`, `Contact: <sip:%00%00@${its.here}>`, `L:0`, '', ''],
  esc02: its => [`RE%47IST%45R sip:${its.there} SIP/2.0`, ...without(plain(its, 'RE%47IST%45R'), 'Contact'), `Contact: <sip:alias1@${its.here}>`, ...empty],
  lwsdisp: its => [`OPTIONS ${its.uri} SIP/2.0`, ...without(plain(its, 'OPTIONS'), 'From'), `From: caller<sip:caller@${its.here}>;tag=323`, ...empty],
  longreq: its => [`INVITE ${its.uri} SIP/2.0`, ...without(plain(its, 'INVITE'), 'From', 'To', 'Via'),
    `Via: SIP/2.0/UDP ${its.here};branch=z9hG4bK${token()}${'verylong'.repeat(30)};unknownparam=${'long'.repeat(40)}`, ...Array.from({ length: 34 }, (_, i) => `Via: SIP/2.0/TCP ${its.nobody};branch=very${'long'.repeat(20)}branchvalue${i}`),
    `To: "I have a user name of extreme proportion"<sip:user${'long'.repeat(40)}@${its.there};unknownparam1=${'long'.repeat(40)};longparam${'name'.repeat(40)}=x;very${'long'.repeat(40)}name>`,
    `F: sip:amazinglylongcallername${'a'.repeat(200)}@${its.here};tag=12982982982982982982982982982982982982982982982${'4'.repeat(200)};unknown${'long'.repeat(50)}parameter`,
    `Unknown-${'Long'.repeat(50)}-Name: unknown${'-long'.repeat(50)}-value;unknown=x`, ...offer(its)],
  dblreq: its => [`REGISTER sip:${its.there} SIP/2.0`, ...plain(its, 'REGISTER'), 'Content-Length: 0', '',
    `INVITE ${its.uri} SIP/2.0`, ...plain({ ...its, id: `${its.id}-second`, via: `SIP/2.0/UDP ${its.here};branch=z9hG4bK${token()};rport` }, 'INVITE'), ...offer(its)],
  semiuri: its => [`OPTIONS sip:user;par=u%40${its.nobody}@${its.there} SIP/2.0`, ...plain(its, 'OPTIONS'), 'Accept: application/sdp, application/pkcs7-mime', ...empty],
  transports: its => [`OPTIONS ${its.uri} SIP/2.0`, ...plain(its, 'OPTIONS'), ...['TCP', 'SCTP', 'TLS', 'UNKNOWN'].map(kind => `Via: SIP/2.0/${kind} ${its.nobody};branch=z9hG4bK${token()}`), 'l: 0', '', ''],
  mpart01: its => {
    const body = ['--7a9cbec02ceef655', 'Content-Type: text/plain', 'Content-Transfer-Encoding: binary', '', 'Hello', '--7a9cbec02ceef655', 'Content-Type: application/octet-stream',
      'Content-Transfer-Encoding: binary', '', Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join(''), '--7a9cbec02ceef655--', ''].join('\r\n')
    return [`MESSAGE ${its.uri} SIP/2.0`, ...plain(its, 'MESSAGE'), 'Content-Type: multipart/mixed;boundary=7a9cbec02ceef655', `Content-Length: ${body.length}`, '', body]
  },
  unreason: its => ['SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe \xd0\xb4\xd0\xb5\xd0\xb2\xd1\x8f\xd0\xbd\xd0\xbe\xd1\x81\xd1\x82\xd0\xbe', ...plain(its, 'INVITE'), ...offer(its)],
  noreason: its => ['SIP/2.0 100 ', ...plain(its, 'INVITE'), ...empty],

  // 3.1.2: invalid
  badinv01: its => [`INVITE ${its.uri} SIP/2.0`, ...without(plain(its, 'INVITE'), 'Via', 'Contact'), `Via: SIP/2.0/UDP ${its.here};;,;,,`,
    `Contact: "Joe" <sip:joe@${its.here}>;;;;`, ...offer(its)],
  clerr: its => [`INVITE ${its.uri} SIP/2.0`, ...plain(its, 'INVITE'), 'Content-Type: application/sdp', 'Content-Length: 9999', '', its.body],
  ncl: its => [`INVITE ${its.uri} SIP/2.0`, ...plain(its, 'INVITE'), 'Content-Type: application/sdp', 'Content-Length: -999', '', its.body],
  scalar02: its => [`REGISTER sip:${its.there} SIP/2.0`, ...without(plain(its, 'REGISTER'), 'CSeq', 'Max-Forwards', 'Contact'), 'CSeq: 36893488147419103232 REGISTER', 'Max-Forwards: 300',
    `Expires: 1${'0'.repeat(90)}`, `Contact: <sip:user@${its.here}>;expires=280297596632815`, ...empty],
  scalarlg: its => ['SIP/2.0 503 Service Unavailable', ...without(plain(its, 'OPTIONS'), 'CSeq'), 'CSeq: 9292394834772304023312 OPTIONS', 'Retry-After: 949302838503028349304023988',
    'Warning: 1812 overture "In Progress"', ...empty],
  quotbal: its => [`INVITE ${its.uri} SIP/2.0`, ...without(plain(its, 'INVITE'), 'To'), `To: "Mr. J. User <${its.uri}>`, ...offer(its)],
  ltgtruri: its => [`INVITE <${its.uri}> SIP/2.0`, ...plain(its, 'INVITE'), ...offer(its)],
  lwsruri: its => [`INVITE ${its.uri}; lr SIP/2.0`, ...plain(its, 'INVITE'), ...offer(its)],
  lwsstart: its => [`INVITE  ${its.uri}  SIP/2.0`, ...plain(its, 'INVITE'), ...offer(its)],
  trws: its => [`OPTIONS ${its.uri} SIP/2.0  `, ...plain(its, 'OPTIONS'), ...empty],
  escruri: its => [`INVITE ${its.uri}?Route=%3Csip:${its.nobody}%3E SIP/2.0`, ...plain(its, 'INVITE'), ...offer(its)],
  baddate: its => [`INVITE ${its.uri} SIP/2.0`, ...plain(its, 'INVITE'), 'Date: Fri, 01 Jan 2010 16:00:00 EST', ...offer(its)],
  regbadct: its => [`REGISTER sip:${its.there} SIP/2.0`, ...without(plain(its, 'REGISTER'), 'Contact'), `Contact: sip:user@${its.here}?Route=%3Csip:${its.nobody}%3E`, ...empty],
  badaspec: its => [`OPTIONS ${its.uri} SIP/2.0`, ...without(plain(its, 'OPTIONS'), 'To', 'From'), `To: "Watson, Thomas" < ${its.uri} >`, `From: "Bell, Alexander" < sip:a.g.bell@${its.here} > ;tag=239`, ...empty],
  baddn: its => [`OPTIONS ${its.uri} SIP/2.0`, ...without(plain(its, 'OPTIONS'), 'From'), `From: Bell, Alexander <sip:a.g.bell@${its.here}>;tag=433423`, ...empty],
  badvers: its => [`OPTIONS ${its.uri} SIP/7.0`, ...without(plain(its, 'OPTIONS'), 'Via'), `Via: SIP/7.0/UDP ${its.here};branch=z9hG4bK${token()}`, ...empty],
  mismatch01: its => [`OPTIONS ${its.uri} SIP/2.0`, ...plain(its, 'INVITE'), ...empty],
  mismatch02: its => [`NEWMETHOD ${its.uri} SIP/2.0`, ...plain(its, 'INVITE'), ...offer(its)],
  bigcode: its => ['SIP/2.0 4294967301 better not break the receiver', ...plain(its, 'INVITE'), ...empty],

  // 3.2, 3.3: transactions and what stands above them
  badbranch: its => [`OPTIONS ${its.uri} SIP/2.0`, ...without(plain(its, 'OPTIONS'), 'Via'), `Via: SIP/2.0/UDP ${its.here};branch=z9hG4bK`, ...empty],
  insuf: its => [`INVITE ${its.uri} SIP/2.0`, ...without(plain(its, 'INVITE'), 'To', 'From', 'Call-ID'), ...offer(its)],
  unkscm: its => ['OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0', ...plain(its, 'OPTIONS'), ...empty],
  novelsc: its => [`OPTIONS soap.beep://${its.there}:3002 SIP/2.0`, ...plain(its, 'OPTIONS'), ...empty],
  unksm2: its => [`REGISTER sip:${its.there} SIP/2.0`, ...without(plain(its, 'REGISTER'), 'To', 'From', 'Contact'), 'To: isbn:2983792873', `From: <http://${its.nobody}>;tag=3234233`,
    `Contact: <name:John_Smith>`, ...empty],
  bext01: its => [`OPTIONS ${its.uri} SIP/2.0`, ...plain(its, 'OPTIONS'), 'Require: nothingSupportsThis, nothingSupportsThisEither', 'Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis', ...empty],
  invut: its => [`INVITE ${its.uri} SIP/2.0`, ...plain(its, 'INVITE'), 'Content-Type: application/unknownformat', 'Content-Length: 40', '', '<audio>\r\n <pcmu port="443"/>\r\n</audio>\r\n'],
  regaut01: its => [`REGISTER sip:${its.there} SIP/2.0`, ...plain(its, 'REGISTER'), 'Authorization: NoOneKnowsThisScheme opaque-data=here', ...empty],
  multi01: its => [`INVITE ${its.uri} SIP/2.0`, ...plain(its, 'INVITE'), 'CSeq: 59 INVITE', `Call-ID: ${its.id}-other`, 'From: <sip:other@127.0.0.1>;tag=3413415', `To: <sip:0900@${its.there}>`, 'Max-Forwards: 5', ...offer(its)],
  mcl01: its => [`OPTIONS ${its.uri} SIP/2.0`, ...plain(its, 'OPTIONS'), 'Content-Type: text/plain', 'Content-Length: 13', 'Content-Length: 5', '', 'There is no limit'],
  bcast: its => ['SIP/2.0 200 OK', ...plain(its, 'INVITE'), 'Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23', ...offer(its)],
  zeromf: its => [`OPTIONS ${its.uri} SIP/2.0`, ...without(plain(its, 'OPTIONS'), 'Max-Forwards'), 'Max-Forwards: 0', ...empty],
  cparam01: its => [`REGISTER sip:${its.there} SIP/2.0`, ...without(plain(its, 'REGISTER'), 'Contact'), `Contact: sip:+19725552222@${its.here};unknownparam`, ...empty],
  cparam02: its => [`REGISTER sip:${its.there} SIP/2.0`, ...without(plain(its, 'REGISTER'), 'Contact'), `Contact: <sip:+19725552222@${its.here};unknownparam>`, ...empty],
  regescrt: its => [`REGISTER sip:${its.there} SIP/2.0`, ...without(plain(its, 'REGISTER'), 'Contact'), `Contact: <sip:user@${its.here}?Route=%3Csip:${its.nobody}%3E>`, `Authorization: ${digest}`, ...empty],
  sdp01: its => [`INVITE ${its.uri} SIP/2.0`, ...plain(its, 'INVITE'), 'Accept: text/nobodyKnowsThis', ...offer(its)],

  // 3.4: a telephone of RFC 2543
  inv2543: its => [`INVITE ${its.uri} SIP/2.0`, `Via: SIP/2.0/UDP ${its.here}`, `From: <sip:caller@${its.here}>`, `To: ${its.uri}`, `Call-ID: ${its.id}`, 'CSeq: 1 INVITE',
    `Contact: <sip:caller@${its.here}>`, ...offer(its)]
}

function wsinv(its: Parameters<Writer>[0], tag: string): string[] {
  return [`INVITE ${its.uri};unknownparam SIP/2.0`, `TO :\r\n ${its.uri}${tag}`, `from   : "J Rosenberg \\\\\\""       <sip:caller@${its.here}>\r\n  ;\r\n  tag = 98asjd8`,
    'MaX-fOrWaRdS: 0068', `Call-ID: ${its.id}`, `Content-Length   : ${its.length}`, 'cseq: 0009\r\n  INVITE', `Via  : SIP  /   2.0\r\n /UDP\r\n    ${its.here};branch=390skdjuw${token()}`, 's :',
    'NewFangledHeader:   newfangled value\r\n continued newfangled value', 'UnknownHeaderWithUnusualValue: ;;,,;;,;', 'Content-Type: application/sdp',
    `v:  SIP  / 2.0  / TCP     ${its.nobody}   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  ${its.nobody}   ; branch=\r\n z9hG4bK30239`,
    `m:"Quoted string \\"\\"" <sip:caller@${its.here}> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33`, '', its.body]
}

/** All of them, each with a Call-ID of its own. */
export function torture(ends: Ends): Torture[] {
  return Object.entries(writers).map(([name, write]) => {
    const id = `${name.replace(/\W/g, '')}.${token()}`
    const body = sdp(ends.nobody)
    const via = `SIP/2.0/UDP ${ends.here};branch=z9hG4bK${token()};rport`
    const datagram = write({ ...ends, id, via, uri: `sip:112@${ends.there}`, body, length: body.length }).join('\r\n')
    return { name, id, datagram, method: datagram.split(' ')[0]! }
  })
}
