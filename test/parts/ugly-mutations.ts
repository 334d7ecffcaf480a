/** Requests that were sound once, each changed by chance in one to four places. The same seed makes the same bytes but for the tokens that tell them apart. */
import { token } from '../../demo/sip.ts'
import { sdp } from './ugly-torture.ts'

export interface Mutation { method: string, datagram: string }

/** INVITE seldom: what is left of a sound one is a call. */
const methods = ['INVITE', 'OPTIONS', 'OPTIONS', 'MESSAGE', 'MESSAGE', 'BYE', 'CANCEL', 'ACK', 'REGISTER', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'INFO', 'UPDATE', 'PRACK', 'REFER', 'FOO'] as const
const nasty = ['', ' ', '\0', '\xff\xfe', '\r\n', '\r\n\r\n', '%', '%00', '%n%s', '"', '<', '>', ';', ',', '@', ':', '\\', '${SHELL(id)}', '-1', '0', '4294967296', '99999999999999999999', 'a'.repeat(300), '('.repeat(200),
  ';lr'.repeat(100), 'sip:', 'tel:', 'urn:service:sos', '[::1]', '999.999.999.999', '\t', 'SIP/2.0', 'z9hG4bK', ';tag=', 'application/sdp', 'm=audio 0 RTP/AVP', '\u00e9']

/** Numbers from 0 to 1 that look like chance (mulberry32). */
function chance(seed: number) {
  return () => {
    seed = seed + 0x6d2b79f5 | 0
    let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) / 4_294_967_296
  }
}

/** `count` requests for `uri` from `here` (`address:port`). */
export function mutations({ seed, count, here, uri }: { seed: number, count: number, here: string, uri: string }): Mutation[] {
  const next = chance(seed)
  const below = (most: number) => Math.floor(next() * most)
  const one = <T>(of: readonly T[]) => of[below(of.length)]!

  const changes: ((text: string) => string)[] = [
    text => { const at = below(text.length); return `${text.slice(0, at)}${String.fromCharCode(below(256))}${text.slice(at + 1)}` },
    text => { const at = below(text.length); return text.slice(0, at) + text.slice(at + 1 + below(40)) },
    text => { const at = below(text.length); return text.slice(0, at) + one(nasty) + text.slice(at) },
    text => text.slice(0, below(text.length)),
    text => { const lines = text.split('\r\n'); lines.splice(below(lines.length), 0, one(lines)); return lines.join('\r\n') },
    text => { const lines = text.split('\r\n'); lines.splice(below(lines.length), 1); return lines.join('\r\n') },
    text => { const lines = text.split('\r\n'); const at = below(lines.length); lines[at] = lines[at]!.replace(/:.*/, `: ${one(nasty)}`); return lines.join('\r\n') },
    text => { const lines = text.split('\r\n'); lines.splice(1, 0, `${one(['Via', 'Route', 'Require', 'Contact', 'Replaces', 'P-Asserted-Identity', 'Content-Encoding', 'Session-Expires', 'Max-Forwards', 'Supported', 'Identity'])}: ${one(nasty)}`); return lines.join('\r\n') },
    text => text.replace(/Content-Length: \d+/, `Content-Length: ${one(['-1', '0', '5', '65535', '4294967297', 'x'])}`)
  ]
  return Array.from({ length: count }, () => {
    const method = one(methods)
    const [address = ''] = here.split(':')
    const body = method === 'INVITE' || method === 'UPDATE' ? sdp(address) : one(['', 'halo', 'x'.repeat(500)])
    const sound = [
      `${method} ${uri} SIP/2.0`, `Via: SIP/2.0/UDP ${here};branch=z9hG4bK${token()};rport`, 'Max-Forwards: 70', `From: <sip:+62721555${7_000 + below(3_000)}@${here}>;tag=${token()}`,
      `To: <${uri}>${method !== 'INVITE' && next() < 0.3 ? `;tag=${token()}` : ''}`, `Call-ID: ${token()}`, `CSeq: ${1 + below(9)} ${method}`, `Contact: <sip:ugly@${here}>`,
      `Content-Type: ${body.startsWith('v=0') ? 'application/sdp' : 'text/plain'}`, `Content-Length: ${body.length}`, '', body
    ].join('\r\n')
    let datagram = sound
    for (let times = next() < 0.6 ? 1 : 2 + below(3); times > 0; times--) datagram = one(changes)(datagram)
    return { method, datagram }
  })
}
