/** What one event of the ledger means for a call. */
import type { Disposition, Happenings, Kind, LineOutcome, Owner, Step } from '../calls/story.ts'
import type { CelEvent } from './cel-lines.ts'

/** The contexts that calls come in by: carriers', and agencies' own. */
const ways = new Set(['trunk-in', 'agencies-in'])

/** The step of a call that an event tells of, or undefined where it tells nothing that a record needs. `key` must be unique to the event. */
export function stepOf(event: CelEvent, key: string): Step | undefined {
  const tell = <K extends Kind>(kind: K, facts: Happenings[K]) =>
    ({ callId: event.linkedId, key, at: event.at, witness: 'ledger', kind, facts }) as Step
  const isCaller = event.channelId === event.linkedId

  switch (event.type) {
    case 'CHAN_START':
      return isCaller && ways.has(event.context)
        ? tell('arrived', { did: dialled(event.exten), trunk: trunkOf(event.channelName), cli: event.number }) : undefined
    case 'ANSWER':
      return isCaller ? tell('picked', {}) : undefined
    case 'BRIDGE_ENTER':
      return isCaller ? tell('joined', { bridge: bridgeOf(event) }) : connected(event, tell)
    case 'BRIDGE_EXIT':
      return isCaller ? tell('parted', { bridge: bridgeOf(event) }) : undefined
    case 'HANGUP':
      return isCaller ? tell('hangup', hangupOf(event)) : legEnded(event, tell)
    case 'LINKEDID_END':
      return tell('ended', {})
    default:
      return event.userEvent === '' ? undefined : userStep(event, tell)
  }
}

type Tell = <K extends Kind>(kind: K, facts: Happenings[K]) => Step

/**
 * Who is with the caller. Of lines that ring together each that is picked up has a bridge of its own first; the one that is
 * with the caller is told by the Local channel that leads there.
 */
function connected(event: CelEvent, tell: Tell): Step | undefined {
  const { account, channelName } = event
  const bridge = bridgeOf(event)
  const [agency = '', line = ''] = account.split('/')
  if (!channelName.startsWith('Local/')) return line === '' ? undefined : tell('connected', { agency, line, bridge })
  const [, among] = /^Local\/together@line-([a-z0-9-]+?)(?:_[a-z0-9-]+?)?(?:~[0-9a-f]+)?-[0-9a-f]{8};1$/.exec(channelName) ?? []
  return among === undefined ? undefined : tell('connected', { agency, line: among, bridge })
}

/** Of a callback alone: how long the two have talked is told by the ends of their legs. */
function legEnded({ linkedId, account, channelName }: CelEvent, tell: Tell): Step | undefined {
  const [agency = '', line = ''] = account.split('/')
  return linkedId.startsWith('followup-') && line !== '' && !channelName.startsWith('Local/') ? tell('leg-ended', { agency, line }) : undefined
}

/** What only the dialplan knows (`CELGenUserEvent` in dialplan/templates/extensions.conf.liquid). */
function userStep({ userEvent, extra, channelName }: CelEvent, tell: Tell): Step | undefined {
  const words = extraText(extra).split(' ') as [string, string, string, string]
  switch (userEvent) {
    case 'NUMBER': return tell('number', { did: words[0] })
    case 'CALLER': return tell('caller', { cli: words[0] })
    case 'HEADERS': return tell('headers', { headers: headersOf(extraText(extra)) })
    case 'REPEAT': return tell('repeat', { why: words[0] as Happenings['repeat']['why'] })
    case 'REFUSED': return tell('refused', { status: Number(words[0]) || 404, trunk: trunkOf(channelName), ...words[1] ? { why: words[1] } : {} })
    case 'AGENCY': return tell('agency', { agency: words[0] })
    case 'SAME_NUMBER': return tell('same-number', { agency: words[0] })
    case 'LINE': return tell('line', { agency: words[0], line: words[1], ...words[2] === undefined ? {} : { spoken: Number(words[2]) || 0 } })
    case 'GOODBYE': return tell('goodbye', {})
    case 'LINE_END': {
      const q850 = Number(words[3]) || null
      return tell('line-outcome', { agency: words[0], line: words[1], outcome: outcomeOf(words[2], q850), q850 })
    }
    case 'MAILBOX': return tell('mailbox', { mailbox: words[0], agency: words[1] || null })
    case 'LEFT': return tell('left', { mailbox: words[0], ms: Number(words[1]) || 0 })
    case 'NOT_LEFT': return tell('not-left', { mailbox: words[0], why: words[1] === 'ERROR' ? 'not-recorded' : 'silent' })
    case 'FALLBACK': return tell('menu', { node: words[0], ...words[1] === 'shed' ? { shed: true } : {}, ...words.includes('greeting', 1) ? { greeting: true } : {} })
    case 'MENU': return tell('menu', { node: words[0] })
    case 'SHED': return tell('shed', {})
    case 'KEY': return tell('key', { node: words[0], digit: words[1], means: words[2] ?? null, ...words[3] ? { language: words[3] } : {} })
    case 'DECIDED': return tell('decided', { disposition: words[0] as Disposition, why: words[1] ?? '' })
    case 'ACCEPTED': return tell('accepted', {})
    case 'CITIZEN': return tell('citizen', {})
    case 'CITIZEN_UP': return tell('citizen-up', {})
    case 'CITIZEN_KEY': return tell('citizen-key', { key: words[0] })
    case 'ALONE': return tell('alone', {})
    case 'CONFIRMED': return tell('confirmed', { key: words[0] })
    case 'CITIZEN_END': {
      const q850 = Number(words[1]) || null
      const outcome = words[0] === 'REFUSED' ? 'refused' : words[0] === 'CALLING_US' ? 'calling-us' : outcomeOf(words[0], q850)
      return tell('citizen-outcome', { outcome, q850 })
    }
    case 'SILENCE': return tell('silence', { node: words[0] })
    default: return undefined
  }
}

/** As [told] in the template puts them together: change both. */
const kept = ['Geolocation', 'P-Access-Network-Info', 'Diversion', 'History-Info']

function headersOf(text: string): Record<string, string> {
  const values = text.split('|')
  return Object.fromEntries(kept.flatMap((name, at) => values[at]?.trim() ? [[name, values[at].trim()]] : []))
}

/** Asterisk wraps the extra of a user event in JSON: `{"extra":"bpbd bpbd-1 BUSY 17"}`. */
function extraText(extra: string): string {
  try {
    return String((JSON.parse(extra) as { extra?: unknown }).extra ?? '')
  } catch {
    return extra
  }
}

/** The dialplan's status and the cause in words. Q.850 cause 1: no such number; 3: no route; 22: the number has changed; 28: it is no whole number. */
function outcomeOf(status: string, q850: number | null): LineOutcome {
  switch (status) {
    case 'ANSWER': return 'declined'             // the dialplan goes on after an answer only if nobody accepted
    case 'DECLINED': return 'declined'
    case 'TALK': return 'answered'
    case 'SHORT': return 'too-short'
    case 'BUSY': return 'busy'
    case 'NOANSWER': return 'noanswer'
    case 'CANCEL': return 'cancelled'
    case 'FULL': return 'full'
    case 'REST': return 'off-duty'
    default: return q850 !== null && noSuchNumber.has(q850) ? 'nonexistent' : 'unavailable'
  }
}

const noSuchNumber = new Set([1, 3, 22, 28])

/** The bridge that a channel enters or leaves; empty where the event does not say. */
function bridgeOf({ extra }: CelEvent): string {
  try {
    return String((JSON.parse(extra) as { bridge_id?: unknown }).bridge_id ?? '')
  } catch {
    return ''
  }
}

function hangupOf(event: CelEvent): Happenings['hangup'] {
  let facts: { hangupcause?: number, hangupsource?: string } = {}
  try {
    facts = JSON.parse(event.extra) as typeof facts
  } catch { /* an event without facts: by whom is then not known, and that is us */ }
  const source = facts.hangupsource ?? ''
  const q850 = facts.hangupcause || null          // 0: Asterisk knows none, as of a BYE without a Reason
  const by: Owner = source === '' && q850 === soundStopped ? 'carrier'
    : source === '' || source.startsWith('dialplan') ? 'us' : source === event.channelName ? 'caller' : 'agency'
  return { by, q850 }
}

/** What Asterisk gives for a cause when it hangs up because no sound has come from the caller's side for `rtp_timeout`. */
const soundStopped = 44

/** Asterisk looks past dashes in what was dialled: 1-12 came in as 112. */
export const dialled = (exten: string) => exten.replaceAll('-', '')

/** `PJSIP/carrier-0000002a` came in on `carrier`. */
export const trunkOf = (channelName: string) => /^PJSIP\/(.+)-[0-9a-f]+$/.exec(channelName)?.[1] ?? channelName
