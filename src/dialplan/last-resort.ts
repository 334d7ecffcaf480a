/**
 * The last resort as the plan gives it: a fixed hunt over the lines of those who are there at all hours, with ways out of its own. It is laid out apart from
 * what the templates render (place.ts), and needs nothing of it: it stands where that is lost. Below it stands asterisk-config/last-resort.conf, for a
 * machine on which no plan was ever rendered.
 *
 *   last-resort.conf          [last-resort-plan], which [last-resort] leads to, and the plan's numbers
 *   last-resort-pjsip.conf    each trunk's way out, as an endpoint `last-resort.<trunk>`: no trunk of a plan has such a name
 */
import { groups } from '../plan/hunt.ts'
import { agencies, type Line, type Plan } from '../plan/plan.ts'
import { areaCodes, spellings } from '../plan/spellings.ts'
import { humanBehind } from './view.ts'

/** By the names that they have in a version's etc/: where place.ts lays them out, in plan/last-resort/. */
export const lastResortFiles = { 'last-resort.conf': 'extensions.conf', 'last-resort-pjsip.conf': 'pjsip.conf' } as const

/**
 * The lines that it rings, in order: of those whom silence leads to and of all agencies without hours, the first line of each, then the second, … Those
 * that want a key to accept come last: nobody presses it here, and a mailbox may pick up.
 */
export function lastLines(plan: Plan): Line[] {
  const always = agencies(plan).filter(({ hours, holidays }) => hours === undefined && holidays === undefined)
  const ids = new Set([...[...plan.numbers.values()].map(({ entry }) => humanBehind(plan, entry)), ...always.map(({ id }) => id)])
  const hunts = [...ids].map(id => groups(agencies(plan).find(agency => agency.id === id)!).flatMap(({ lines }) => lines))
  const rounds = Array.from({ length: Math.max(...hunts.map(({ length }) => length)) }, (_, round) => hunts.flatMap(lines => lines[round] ?? [])).flat()
  const once = [...new Map(rounds.map(line => [line.id, line])).values()]
  return [...once.filter(({ acceptKey }) => acceptKey === undefined), ...once.filter(({ acceptKey }) => acceptKey !== undefined)]
}

export function lastResort(plan: Plan): Map<string, string> {
  const lines = lastLines(plan)
  return new Map([['last-resort.conf', dialplan(plan, lines)], ['last-resort-pjsip.conf', waysOut(plan, new Set(lines.flatMap(({ trunks }) => trunks)))]])
}

const heading = ({ version }: Plan) => `; The last resort of the plan ${version}. Do not edit it: each apply writes it anew (src/dialplan/last-resort.ts).\n`

function dialplan(plan: Plan, lines: readonly Line[]): string {
  const numbers = new Set([...plan.numbers.keys()].flatMap(did => spellings(did, areaCodes(plan))))
  const rings = lines.flatMap(({ id, number, trunks, ringTime }) => trunks.map((trunk, index) => {
    const line = `last-resort-plan-line,s,1(${id},${number},${trunk},${Math.ceil(ringTime / 1000)})`
    return index === 0 ? ` same => n,Gosub(${line})` : ` same => n,GosubIf($["\${SN_STATUS}" = "CHANUNAVAIL" | "\${SN_STATUS}" = "CONGESTION"]?${line})`
  }))
  return `${heading(plan)}
[last-resort-plan-numbers]
${[...numbers].map(number => `exten => ${number},1,Goto(last-resort,s,1)`).join('\n')}

[last-resort-plan]
exten => s,1,Goto(last-resort-plan-hunt,s,1)

[last-resort-plan-hunt]
exten => s,1,CELGenUserEvent(AGENCY,last-resort)
 same => n,Answer()
${rings.join('\n')}
 same => n,CELGenUserEvent(DECIDED,unanswered lines-exhausted:last-resort)
 same => n,Playback(${plan.prompts.sorry})
 same => n,ExecIf($["\${CHANNEL(hangupsource)}" != ""]?CELGenUserEvent(GOODBYE,))
 same => n,Hangup(16)

[last-resort-plan-line]
exten => s,1,MSet(CHANNEL(accountcode)=last-resort/\${ARG1},CHANNEL(peeraccount)=last-resort/\${ARG1})
 same => n,CELGenUserEvent(LINE,last-resort \${ARG1} 4000)
 same => n,Dial(PJSIP/\${ARG2}@last-resort.\${ARG3},\${ARG4},rigU(last-resort-plan-up))
 same => n,MSet(SN_STATUS=\${DIALSTATUS},SN_SINCE=0\${GOSUB_RETVAL},SN_NOW=\${STRFTIME(,,%s%3q)})
 same => n,ExecIf($["\${SN_STATUS}" = "ANSWER"]?Set(SN_STATUS=\${IF($[\${SN_SINCE} > 0 & \${SN_NOW} - \${SN_SINCE} >= 4000]?TALK:SHORT)}))
 same => n,CELGenUserEvent(LINE_END,last-resort \${ARG1} \${SN_STATUS} \${HANGUPCAUSE})
 same => n,ExecIf($["\${SN_STATUS}" = "TALK"]?Hangup(16))
 same => n,Return()

; When a talk begins. A line that ends it within 4 s has nobody: the next one rings.
[last-resort-plan-up]
exten => s,1,Set(GOSUB_RESULT=JOIN)
 same => n,Return(\${STRFTIME(,,%s%3q)})
`
}

function waysOut(plan: Plan, trunks: ReadonlySet<string>): string {
  return heading(plan) + [...trunks].map(name => {
    const { address, port, codecs, nat } = plan.trunks.get(name)!
    return `
[last-resort.${name}]
type = endpoint
transport = transport-udp
context = nowhere
aors = last-resort.${name}
disallow = all
allow = ${codecs.join(',')}
direct_media = no
dtmf_mode = auto
rtp_symmetric = ${nat}
rtp_timeout = 300
trust_id_outbound = yes
send_pai = yes
send_connected_line = no

[last-resort.${name}]
type = aor
contact = sip:${address}:${port}
`
  }).join('')
}
