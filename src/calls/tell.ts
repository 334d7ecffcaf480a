/**
 * What became of a call, told from its steps: one record, whoever saw the steps and in whatever order they arrived.
 *
 * A pure fold. Steps are put in order (time, then the order of `kinds` below, then key), a key counts once, and the
 * caller's place (`menu:utama`, `ringing:bpbd-1`) follows until the hang-up: it is where an abandoned call was lost.
 */
import { parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { isShed, neverAcknowledged, type CallRecord, type Disposition, type Happenings, type Kind, type LineOutcome, type Owner, type Step, type Way } from './story.ts'

/** One attempt at one line. Times are Unix ms; `outcome` is null while it still rings. */
export interface LineTry {
  line: string
  agency: string
  triedAt: number
  outcome: LineOutcome | null
  /** The hang-up cause of the leg, where one was given. */
  q850: number | null
  answeredAt: number | null
}

/** Kinds in the order in which they happen: it decides between steps of the same millisecond. */
const kinds: readonly Kind[] = ['arrived', 'number', 'caller', 'headers', 'repeat', 'refused', 'picked', 'taken', 'shed', 'menu', 'key', 'key-ignored', 'silence', 'closed', 'agency', 'same-number', 'line', 'line-outcome',
  'accepted', 'citizen', 'citizen-up', 'citizen-key', 'citizen-outcome', 'joined', 'connected', 'confirmed', 'leg-ended', 'alone', 'parted', 'returned', 'waiting', 'overflow', 'mailbox', 'left', 'not-left', 'played', 'decided', 'fault', 'goodbye', 'cut', 'hangup', 'ended']
const rank = Object.fromEntries(kinds.map((kind, at) => [kind, at])) as Record<Kind, number>

/** The record that these steps of one call add up to; null while its arrival is not known, and where it is another call that came in a second time. */
export function tell(steps: readonly Step[]): CallRecord | null {
  const story = follow(steps)
  const { arrived, chosen } = story
  const hangup = story.hangup && { ...story.hangup, by: endedBy(story) }
  if (!arrived || story.repeated) return null
  const ending = story.endedAt === null ? null : dispositionOf(story)
  return {
    callId: arrived.callId,
    did: story.number ?? arrived.did,
    trunk: arrived.trunk,
    cliRaw: arrived.cli,
    cli: e164(story.caller ?? arrived.cli),
    arrivedAt: arrived.at,
    pickedAt: story.pickedAt,
    connectedAt: firstTalk(story)?.since ?? null,
    endedAt: story.endedAt,
    agency: chosen,
    line: story.talks.findLast(counts)?.line ?? null,
    endedBy: hangup?.by ?? null,
    q850: causeOf(story),
    disposition: ending?.disposition ?? null,
    detail: ending?.detail ?? null,
    way: story.way
  }
}

/** Every attempt at a line, in order of time. After the call's end a line without an outcome was `cancelled`. */
export function lines(steps: readonly Step[]): LineTry[] {
  const { tries, talks, endedAt } = follow(steps)
  return tries.map(({ spoken: _, ...one }, index) => {
    const talk = talks.find(talk => talk.of === index)
    const talked = talk === undefined ? one.answeredAt === null ? null : 'answered' : counts(talk) ? 'answered' : talk.since === null ? null : 'too-short'
    return { ...one, outcome: talked ?? one.outcome ?? (endedAt === null ? null : 'cancelled') }
  })
}

/** A stretch in which a caller and an agency's line heard each other. Unix ms; `until` is null while they do. */
export interface Talk { agency: string, line: string, since: number, until: number | null, /** Whether it counts as a talk: not one that was shorter than the plan's `spoken`. */ counts: boolean }

/** The talks of a call that came in, in order of time. */
export function talksIn(steps: readonly Step[]): Talk[] {
  return follow(steps).talks.flatMap(talk => talk.since === null ? [] : { agency: talk.agency, line: talk.line, since: talk.since, until: talk.until, counts: counts(talk) })
}

/**
 * A caller's number in E.164, or null where it is none that could be rung back: anonymous, empty, garbage, an
 * emergency short number, a local number without its area. Numbers without a country are Indonesian, and 00 is +. Never throws.
 */
export function e164(raw: string): string | null {
  if (!/^\+?[\d ().-]{7,24}$/.test(raw)) return null
  const number = parsePhoneNumberFromString(raw.replace(/^00(?=[1-9])/, '+'), { defaultCountry: 'ID', extract: false })
  return number?.isValid() ? number.number : null
}

/** A line in a bridge; `since`: since when the caller was there as well. */
interface Meeting {
  agency: string
  line: string
  bridge: string | undefined
  since: number | null
  until: number | null
  /** What the dialplan says of it, which is the one that goes on or not. */
  told: 'answered' | 'too-short' | null
  spoken: number
  /** Which of the tries it is. */
  of: number
}

/** A talk that goes on may count. Where the clock was put back meanwhile, nobody knows how long it was: it counts. */
function counts({ since, until, told, spoken }: Meeting): boolean {
  if (since === null) return false
  return told === null ? until === null || until < since || until - since >= spoken : told === 'answered'
}

const firstTalk = ({ talks }: Story) => talks.find(counts)

/**
 * Asterisk names who hung up first, ever: after a talk that did not count that is the line's side, whoever ends the call later. The dialplan says
 * where it was the line's side, or ours.
 */
function endedBy({ hangup, goodbye, cut, tries, talks }: Story): Owner {
  const { by } = hangup!
  if (cut && by !== 'caller') return 'us'
  if (by !== 'agency' || tries.every(({ spoken }) => spoken === undefined)) return by
  if (talks.some(({ told }) => told === 'answered')) return by
  return goodbye ? 'us' : 'caller'
}

/** Where a caller is who has not heard of any choice. */
const beforeMenus = ['before-answer', 'greeting']

interface Story {
  arrived: Happenings['arrived'] & Pick<Step, 'callId' | 'at' | 'witness'> | null
  /** The plan's number, and the caller's, where they are not what came in. */
  number: string | null
  caller: string | null
  repeated: boolean
  /** Why it was. */
  refused: string | null
  pickedAt: number | null
  endedAt: number | null
  hangup: Happenings['hangup'] | null
  goodbye: boolean
  /** The agency chosen last. */
  chosen: string | null
  decided: Happenings['decided'] | null
  fault: string | null
  /** Whether a key has come from the caller. */
  keyed: boolean
  /** Somebody has ended it from outside. */
  cut: Happenings['cut'] | null
  /** Whether they left a message, or what was meant to be one could not be recorded. */
  message: 'left' | 'not-recorded' | null
  /** Where the caller was when the call was hung up, or is. */
  place: string
  tries: (LineTry & { spoken?: number })[]
  talks: Meeting[]
  way: Way | null
}

function follow(steps: readonly Step[]): Story {
  const story: Story = { arrived: null, number: null, caller: null, repeated: false, refused: null, pickedAt: null, endedAt: null, hangup: null, goodbye: false, chosen: null,
    decided: null, fault: null, keyed: false, cut: null, message: null, place: 'before-answer', tries: [], talks: [], way: null }
  const { tries, talks } = story
  /** The bridge that the caller is in. */
  let bridge: string | null = null
  const meet = (talk: Meeting, at: number) => {
    if (story.hangup) return
    talk.since = at
    tries[talk.of]!.answeredAt ??= at
    move(`too-short:${talk.line}`)
  }
  const part = (at: number, where?: string) => {
    for (const talk of talks) if (talk.until === null && (where === undefined || talk.bridge === where)) talk.until = at
  }
  /** Attempts before this one are history: the caller has been back with us since. */
  let hunt = 0
  const move = (place: string) => {
    if (!story.hangup) story.place = place
  }
  const ringing = () => tries.slice(hunt).findLast(one => one.outcome === null || one.outcome === 'cancelled')

  for (const step of inOrder(steps)) {
    const { at } = step
    story.way ??= wayOf(step)
    switch (step.kind) {
      case 'arrived':
        // The ledger's, wherever there is one: the service says it only where that is silent, and knows the number less exactly.
        if (!story.arrived || (story.arrived.witness === 'service' && step.witness === 'ledger')) story.arrived = { ...step.facts, callId: step.callId, at, witness: step.witness }
        break
      case 'number': story.number ??= step.facts.did; break
      case 'caller': story.caller ??= step.facts.cli; break
      case 'repeat': story.repeated = true; break
      case 'refused': story.refused ??= step.facts.why ?? 'no-such-number'; break
      case 'picked':
        story.pickedAt ??= at
        if (story.place === 'before-answer') move('greeting')          // the dialplan's menu answers, too
        break
      case 'menu':
        hunt = tries.length
        move(step.facts.greeting && beforeMenus.includes(story.place) ? 'greeting' : `menu:${step.facts.node}`)
        break
      case 'key':
        story.keyed = true
        if (beforeMenus.includes(story.place)) move(`menu:${step.facts.node}`)
        break
      case 'closed':
        if (step.facts.to !== null) break
        story.chosen = step.facts.agency
        move(`closed:${step.facts.agency}`)
        break
      case 'agency': story.chosen = step.facts.agency; move(`agency:${step.facts.agency}`); break
      case 'line':
        story.chosen = step.facts.agency
        tries.push({ ...attempt(step.facts, at), ...step.facts.spoken === undefined ? {} : { spoken: step.facts.spoken } })
        move(`ringing:${step.facts.line}`)
        break
      case 'line-outcome': {
        const { line, agency, outcome, q850 } = step.facts
        let tried = tries.findLast(one => one.line === line && one.outcome === null)
        if (!tried) tries.push(tried = attempt(step.facts, at))
        Object.assign(tried, { outcome, q850 })
        if (outcome === 'answered') tried.answeredAt ??= at
        const talk = talks.findLast(({ of }) => tries[of] === tried)
        if (talk && (outcome === 'answered' || outcome === 'too-short')) {
          talk.told = outcome
          talk.until ??= at
        }
        const next = ringing()
        move(next ? `ringing:${next.line}` : `agency:${agency}`)
        break
      }
      case 'connected': {
        const { agency, line } = step.facts
        story.chosen = agency
        let of = tries.findLastIndex(one => one.line === line)
        if (of === -1) of = tries.push(attempt(step.facts, at)) - 1
        if (talks.some(talk => talk.of === of && talk.until === null && talk.bridge === step.facts.bridge)) break
        const talk: Meeting = { agency, line, bridge: step.facts.bridge, since: null, until: null, told: null, spoken: tries[of]!.spoken ?? 0, of }
        talks.push(talk)
        if (talk.bridge === undefined || talk.bridge === bridge || talk.spoken === 0) meet(talk, at)          // 0: who picks up has answered
        break
      }
      case 'joined': {
        bridge = step.facts.bridge
        for (const talk of talks) if (talk.bridge === bridge && talk.until === null && talk.since === null) meet(talk, at)
        break
      }
      case 'parted':
        if (bridge === step.facts.bridge) bridge = null
        part(at, step.facts.bridge)
        break
      case 'goodbye': story.goodbye = true; break
      case 'mailbox':
        story.chosen = step.facts.agency ?? story.chosen
        move(`mailbox:${step.facts.mailbox}`)
        break
      case 'left': story.message = 'left'; break
      case 'not-left': if (step.facts.why === 'not-recorded') story.message ??= step.facts.why; break
      case 'returned': hunt = tries.length; move(`returned:${step.facts.agency}`); break
      case 'waiting':
        hunt = tries.length
        story.chosen = step.facts.agency
        move(`waiting:${step.facts.agency}`)
        break
      case 'decided': story.decided = step.facts; break
      case 'fault': story.fault ??= step.facts.what; break
      case 'cut': story.cut ??= step.facts; break
      case 'hangup':
        story.hangup ??= step.facts
        part(at)
        break
      case 'ended':
        story.endedAt ??= at
        part(at)
        break
      case 'headers': case 'taken': case 'shed': case 'key-ignored': case 'silence': case 'same-number': case 'overflow': case 'played': break
      case 'accepted': case 'citizen': case 'citizen-up': case 'citizen-key': case 'citizen-outcome': case 'confirmed': case 'leg-ended': case 'alone': break      // of a callback, which is no call that came in
    }
  }
  return story
}

/** The first who leads the call says which way it goes. */
function wayOf(step: Step): Way | null {
  if (step.witness === 'service') return step.kind === 'taken' ? 'service' : null
  if (isShed(step)) return 'shed'
  // The ledger tells of agencies and mailboxes whoever led there: of those alone it is not known.
  return step.kind === 'menu' ? 'fallback' : null
}

/** Exactly one, for every call that has ended (design.md, section 3). */
function dispositionOf(story: Story): { disposition: Disposition, detail: string | null } {
  const { decided, fault, cut, message, place } = story
  const by = story.hangup && endedBy(story)
  if (firstTalk(story)) return { disposition: 'answered', detail: null }
  if (story.refused !== null) return { disposition: 'refused', detail: story.refused }
  if (message === 'left') return { disposition: 'callback', detail: 'message-left' }
  if (decided) return { disposition: decided.disposition, detail: decided.why }
  if (fault !== null) return { disposition: 'failed', detail: fault }
  if (message === 'not-recorded') return { disposition: 'failed', detail: 'message-not-recorded' }
  if (by === 'us' && cut) return { disposition: 'failed', detail: cut.by === 'satunomor' ? 'no-sound' : 'ended-by-hand' }
  // A mailbox ends by our hanging up, whether something was said there or not.
  if (by === 'us' && !place.startsWith('mailbox:')) return { disposition: 'failed', detail: 'hung-up-by-us' }
  return { disposition: 'abandoned', detail: isUnacknowledged(story) ? neverAcknowledged : place }
}

/** Asterisk gives up a call whose 200 OK nobody acknowledges after 7 to 13 s (timer_t1 in asterisk-config/pjsip.conf), with this cause. */
const noResponse = { q850: 18, within: 30_000 }

/** Who presses a key has heard us, whatever became of the ACK. */
function isUnacknowledged(story: Story): boolean {
  const { hangup, pickedAt, endedAt, keyed } = story
  return hangup?.by === 'caller' && !keyed && causeOf(story) === noResponse.q850 && pickedAt !== null && endedAt !== null && endedAt - pickedAt < noResponse.within
}

/**
 * Why the caller's channel ended. Asterisk leaves the cause of the last line that was rung on that channel. Of a caller who then hangs up without a cause of their
 * own, none is known. (17 and 27 are the sum of lines that ring together.)
 */
function causeOf(story: Story): number | null {
  const { hangup, tries } = story
  if (!hangup || endedBy(story) !== 'caller' || firstTalk(story)) return hangup?.q850 ?? null
  const rung = tries.filter(({ outcome }) => outcome !== null && outcome !== 'cancelled')
  const theirs = rung.length === 0 || ![17, 27, ...rung.map(({ q850 }) => q850)].includes(hangup.q850)
  return theirs ? hangup.q850 : null
}

const attempt = ({ line, agency }: { line: string, agency: string }, triedAt: number): LineTry =>
  ({ line, agency, triedAt, outcome: null, q850: null, answeredAt: null })

/**
 * A total order, so that the result does not depend on who delivered first; of steps with one key, the first. A call begins with its arrival: where
 * the ledger has an earlier time as well, Asterisk's clock was put back while the call went on, and what is earlier came after the rest.
 */
function inOrder(steps: readonly Step[]): Step[] {
  const heard = new Set<string>()
  const sorted = steps.toSorted((a, b) => a.at - b.at || rank[a.kind] - rank[b.kind] || compare(a.key, b.key) || compare(text(a), text(b)))
    .filter(({ key }) => !heard.has(key) && heard.add(key))
  const arrived = sorted.find(({ kind, witness }) => kind === 'arrived' && witness === 'ledger')
  if (!arrived || !sorted.some(({ at, witness }) => witness === 'ledger' && at < arrived.at)) return sorted
  return [...sorted.filter(({ at }) => at >= arrived.at), ...sorted.filter(({ at }) => at < arrived.at)]
}

const compare = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0
const text = ({ witness, facts }: Step) => witness + JSON.stringify(Object.entries(facts).sort(([a], [b]) => compare(a, b)))
