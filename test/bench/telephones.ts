/** SIPp as the carrier's callers and as the agency's line. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Child } from '../../setup/children.mjs'
import { inRoot } from '../../setup/root.mjs'
import { spokenWithKey } from './pcap.ts'
import { addresses, callersMedia, keyPayloadType, script, voicePayloadType } from './places.ts'

const inside = '/srv/satunomor'

/** What stands in each request of the caller's; the To of those within the call has the other end's tag. */
const request = (method: string, number: string, sequence: number, within: boolean) => `${method} ${within ? '[next_url]' : `sip:${number}@[remote_ip]:[remote_port]`} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:07215[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:${number}@[remote_ip]:[remote_port]>${within ? '[peer_tag_param]\n[routes]' : ''}
Call-ID: [call_id]
CSeq: ${sequence} ${method}
Max-Forwards: 70`

/** One media port for all: calls are told apart by Asterisk's ports. */
const sdp = (payloadType: number) => `v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP ${voicePayloadType} ${payloadType}
a=rtpmap:${voicePayloadType} PCMA/8000
a=rtpmap:${payloadType} telephone-event/8000
a=fmtp:${payloadType} 0-15
a=ptime:20`

const caller = (number: string, leaves: number) => `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a citizen">
<send retrans="500"><![CDATA[
${request('INVITE', number, 1, false)}
Contact: <sip:citizen@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

${sdp(keyPayloadType)}
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
${request('ACK', number, 1, true)}
Content-Length: 0

]]></send>
<nop><action><exec play_pcap_audio="${inside}/call.pcap"/></action></nop>
<pause milliseconds="${leaves}"/>
<send retrans="500"><![CDATA[
${request('BYE', number, 2, true)}
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`

/** What stands in each answer of the agency's. */
const answer = (status: string) => `SIP/2.0 ${status}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agency@[local_ip]:[local_port]>`

const agency = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="an agency's line">
<recv request="INVITE"/>
<send><![CDATA[
${answer('180 Ringing')}
Content-Length: 0

]]></send>
<pause milliseconds="${script.agencyAnswersAfter}"/>
<send retrans="500"><![CDATA[
${answer('200 OK')}
Content-Type: application/sdp
Content-Length: [len]

${sdp(101)}
]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
${answer('200 OK').replace(';tag=[pid]a[call_number]', '')}
Content-Length: 0

]]></send>
</scenario>
`

/** `first`: it does not wait for those whom it measures, as if it had a machine of its own; else it is the first to lose sound. Nice would not do: each child is a session, and Linux shares out by session. */
const sipp = (folder: string, name: string, args: string[], { first }: { first: boolean }) => new Child(name, inRoot({
  command: [...first ? ['chrt', '--rr', '1'] : [], 'sipp', '-sf', `${inside}/${name}.xml`, '-nostdin', '-trace_stat', '-stf', `${inside}/${name}.csv`, '-fd', '1',
    '-trace_err', '-error_file', `${inside}/${name}.err`, ...args],
  binds: [{ from: folder, to: inside }]
}), { output: 'ignore' })

/** The last figure in a column of SIPp's statistics, which it writes once a second. */
async function statistic(folder: string, name: string, column: string): Promise<number> {
  const [head = '', ...rows] = (await readFile(join(folder, `${name}.csv`), 'utf8')).trim().split('\n')
  return Number(rows.at(-1)?.split(';')[head.split(';').indexOf(column)] ?? NaN)
}

export interface Agency {
  child: Child
  /** How many calls it has at the moment, as SIPp says once a second. */
  calls(): Promise<number>
}

/** The agency's line, until it is stopped. It is silent, or it `echoes` what it hears. */
export async function openAgency(folder: string, { echoes = false }: { echoes?: boolean } = {}): Promise<Agency> {
  await writeFile(join(folder, 'agency.xml'), agency)
  const child = sipp(folder, 'agency', ['-i', addresses.gateway, '-p', '5060', '-mi', addresses.gateway, '-mp', '20000', '-timeout', '1800', '-l', '5000', ...echoes ? ['-rtp_echo'] : []], { first: echoes })
  return { child, calls: () => statistic(folder, 'agency', 'CurrentCall').catch(() => 0) }         // the file may not be there yet
}

/** `calls` calls to `number`, `rate` a second; each leaves `leaves` ms after the answer. `stampEvery`: every how many frames the voice is stamped (pcap.ts), for sound that is looked at. */
export async function openCallers(folder: string, { number, rate, calls, leaves = script.leaves, stampEvery }: { number: string, rate: number, calls: number, leaves?: number, stampEvery?: number }) {
  await writeFile(join(folder, 'call.pcap'), spokenWithKey(leaves, stampEvery))
  await writeFile(join(folder, 'caller.xml'), caller(number, leaves))
  const child = sipp(folder, 'caller', [`${addresses.asterisk}:5060`, '-i', addresses.carrier, '-p', '5060', '-mi', addresses.carrier, '-mp', String(callersMedia),
    '-r', String(rate), '-m', String(calls), '-l', '3000', '-timeout', String(Math.ceil(calls / rate + leaves / 1000 + 40)), '-recv_timeout', '10000'], { first: stampEvery !== undefined })
  const of = (column: string) => statistic(folder, 'caller', column)
  return {
    child,
    /** As SIPp counted them. */
    counts: async () => ({ succeeded: await of('SuccessfulCall(C)'), retransmitted: await of('Retransmissions(C)') })
  }
}
