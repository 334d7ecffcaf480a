/** SIPp as the carrier's callers and as the agency's line. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Child } from '../../setup/children.mjs'
import { inRoot } from '../../setup/root.mjs'
import { spokenWithKey } from './pcap.ts'
import { addresses, keyPayloadType, script } from './places.ts'

const inside = '/srv/satunomor'

const caller = (number: string, leaves: number) => `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a citizen">
<send retrans="500"><![CDATA[
INVITE sip:${number}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:07215[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:${number}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:citizen@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 8 ${keyPayloadType}
a=rtpmap:8 PCMA/8000
a=rtpmap:${keyPayloadType} telephone-event/8000
a=fmtp:${keyPayloadType} 0-15
a=ptime:20
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:07215[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:${number}@[remote_ip]:[remote_port]>[peer_tag_param]
[routes]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<nop><action><exec play_pcap_audio="${inside}/call.pcap"/></action></nop>
<pause milliseconds="${leaves}"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:07215[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:${number}@[remote_ip]:[remote_port]>[peer_tag_param]
[routes]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`

const agency = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="an agency's line">
<recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agency@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<pause milliseconds="${script.agencyAnswersAfter}"/>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agency@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
`

const sipp = (folder: string, name: string, args: string[]) => new Child(name, inRoot({
  command: ['sipp', '-sf', `${inside}/${name}.xml`, '-nostdin', '-trace_stat', '-stf', `${inside}/${name}.csv`, '-fd', '1',
    '-trace_err', '-error_file', `${inside}/${name}.err`, ...args],
  binds: [{ from: folder, to: inside }]
}), { output: 'ignore' })

/** The agency's line, until it is stopped. */
export async function openAgency(folder: string): Promise<Child> {
  await writeFile(join(folder, 'agency.xml'), agency)
  return sipp(folder, 'agency', ['-i', addresses.gateway, '-p', '5060', '-mi', addresses.gateway, '-mp', '20000', '-timeout', '1800', '-l', '5000'])
}

/** `calls` calls to `number`, `rate` a second; each leaves `leaves` ms after the answer. */
export async function openCallers(folder: string, { number, rate, calls, leaves = script.leaves }: { number: string, rate: number, calls: number, leaves?: number }) {
  await writeFile(join(folder, 'call.pcap'), spokenWithKey())
  await writeFile(join(folder, 'caller.xml'), caller(number, leaves))
  const child = sipp(folder, 'caller', [`${addresses.asterisk}:5060`, '-i', addresses.carrier, '-p', '5060', '-mi', addresses.carrier, '-mp', '30000',
    '-r', String(rate), '-m', String(calls), '-l', '3000', '-timeout', String(Math.ceil(calls / rate + leaves / 1000 + 40)), '-recv_timeout', '10000'])
  return {
    child,
    /** As SIPp counted them. */
    async counts(): Promise<{ created: number, succeeded: number, failed: number, retransmitted: number }> {
      const [head = '', ...rows] = (await readFile(join(folder, 'caller.csv'), 'utf8')).trim().split('\n')
      const last = rows.at(-1)?.split(';') ?? []
      const of = (column: string) => Number(last[head.split(';').indexOf(column)] ?? NaN)
      return { created: of('TotalCallCreated'), succeeded: of('SuccessfulCall(C)'), failed: of('FailedCall(C)'), retransmitted: of('Retransmissions(C)') }
    }
  }
}
