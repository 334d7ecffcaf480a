/**
 * Who was refused, and why: counted out of Asterisk's security events (AMI, class `security`), its ledger, its answers (sip-copies.ts) and its log (refusal-log.ts); facts
 * by address and minute, for an hour. A SIP request of a stranger brings one security event: challenged (401), or its answer to a challenge was wrong.
 */
import { refusalEvents } from '../dialplan/lay-out.ts'
import type { AmiMessage } from './ami-link.ts'

/**
 * unknown-address: SIP of an address that is in no trunk · wrong-password: the same, guessing a password (nobody has one) ·
 * acl: an address that may not speak to this part · login: somebody tried Asterisk's manager interface · other
 * Calls of trunks: no-such-number: to none of the plan's numbers (404) · no-common-codec: no codec of the trunk's is offered (488) · no-common-media: a kind of
 * sound that we cannot take, as SRTP (488, 415) · unsupported-extension: it requires what Asterisk does not know (420) · session-timer: its session timer is too
 * short (422) · not-taken: any other refusal before there is a channel
 * too-many-calls: the trunk has as many calls as the plan's `maxCalls` (503)
 * unreadable: no SIP that Asterisk can read, as `INVITE urn:service:sos`; it gets no answer
 */
export const whys = ['unknown-address', 'wrong-password', 'acl', 'login', 'other', 'no-such-number', 'no-common-codec', 'no-common-media', 'unsupported-extension', 'session-timer', 'not-taken', 'too-many-calls', 'unreadable'] as const
export type Why = (typeof whys)[number]

/** One request that was refused; `at` is Unix ms. */
export interface Refusal { address: string, why: Why, at: number }

export interface Source {
  /** An IP address, as Asterisk saw it; that of a UDP packet can be forged. */
  address: string
  count: number
  why: Partial<Record<Why, number>>
  /** Of the last hour, Unix ms. */
  first: number
  last: number
}

export interface LastHour {
  /** Unix ms. */
  since: number
  count: number
  /** Most refused first. */
  sources: Source[]
  /** Refusals whose address was not kept, because too many others had come in the same minute. */
  elsewhere: number
}

/** Addresses that are kept of one minute: whoever forges one after the other costs no more memory than this. */
const perMinute = 1_000
const minutes = 60

interface Minute { at: number, sources: Map<string, Source>, elsewhere: number }

export class Refusals {
  /** Since the start. */
  readonly counts = Object.fromEntries(whys.map(why => [why, 0])) as Record<Why, number>
  readonly #minutes: Minute[] = []
  #fresh: Minute = { at: 0, sources: new Map(), elsewhere: 0 }

  /** Hears an event; one that tells of no refusal changes nothing. `now` is Unix ms. */
  note(event: AmiMessage, now = Date.now()) {
    const why = whyOf(event)
    if (why) this.add({ address: addressOf(event['remoteaddress']), why, at: now }, now)
  }

  /** Counts one; of what is older than an hour (a ledger that is read late), nothing is kept but the count. `now` is Unix ms. */
  add({ address, why, at }: Refusal, now = Date.now()) {
    this.counts[why]++
    if (at < now - minutes * 60_000) return
    const refused = { address, count: 1, why: { [why]: 1 }, first: at, last: at }
    for (const some of [this.#minute(now), this.#fresh]) {
      const known = some.sources.get(address)
      if (!known && some.sources.size >= perMinute) some.elsewhere++
      else some.sources.set(address, added(known, refused))
    }
  }

  /** What came since the last time that this was asked, most refused first. */
  takeFresh(): { sources: Source[], elsewhere: number } {
    const { sources, elsewhere } = this.#fresh
    this.#fresh = { at: 0, sources: new Map(), elsewhere: 0 }
    return { sources: mostFirst(sources), elsewhere }
  }

  /** The last hour's, the `limit` addresses that were refused most. */
  lastHour(limit: number, now = Date.now()): LastHour {
    const since = now - minutes * 60_000
    const recent = this.#minutes.filter(({ at }) => at > since - 60_000)
    const sources = new Map<string, Source>()
    for (const minute of recent) for (const source of minute.sources.values()) sources.set(source.address, added(sources.get(source.address), source))
    const elsewhere = recent.reduce((sum, minute) => sum + minute.elsewhere, 0)
    const all = mostFirst(sources)
    return { since, count: all.reduce((sum, { count }) => sum + count, elsewhere), sources: all.slice(0, limit), elsewhere }
  }

  #minute(now: number): Minute {
    const at = now - now % 60_000
    const newest = this.#minutes.at(-1)
    if (newest?.at === at) return newest
    const made = { at, sources: new Map<string, Source>(), elsewhere: 0 }
    this.#minutes.push(made)
    if (this.#minutes.length > minutes + 1) this.#minutes.shift()
    return made
  }
}

const mostFirst = (sources: Map<string, Source>) => [...sources.values()].sort((one, other) => other.count - one.count)

function added(to: Source | undefined, { address, count, why, first, last }: Source): Source {
  if (!to) return { address, count, why: { ...why }, first, last }
  for (const name of whys) if (why[name]) to.why[name] = (to.why[name] ?? 0) + why[name]
  return Object.assign(to, { count: to.count + count, first: Math.min(to.first, first), last: Math.max(to.last, last) })
}

/** SIP's InvalidAccountID comes with each challenge besides. */
function whyOf({ event = '', service }: AmiMessage): Why | undefined {
  if (event === 'InvalidAccountID') return service === 'AMI' ? 'login' : undefined
  if (!refusalEvents.includes(event)) return undefined
  if (event === 'FailedACL') return 'acl'
  if (service === 'AMI') return event === 'ChallengeSent' ? undefined : 'login'
  if (event === 'ChallengeSent') return 'unknown-address'
  return event === 'ChallengeResponseFailed' || event === 'InvalidPassword' ? 'wrong-password' : 'other'
}

/** `IPV4/UDP/192.0.2.1/5060` → `192.0.2.1` */
const addressOf = (remote = '') => remote.split('/')[2] ?? 'unknown'
