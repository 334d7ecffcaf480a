/**
 * A call's story: the steps that it went through, and the record that they add up to.
 *
 * Steps come from two witnesses. The ledger (Asterisk's CEL) saw every channel, whether the service lived or not;
 * the service saw what was decided: menus, keys, silence. `tell` folds both into one record, the same one however
 * often and in whatever order a step is delivered.
 */

/** The hang-up cause (Q.850: preemption) of a callback that was withdrawn for a live caller, or for the trunk's reserve. */
export const preempted = 8
/** The detail of a call whose caller's side never acknowledged that we picked up: lost on the way, or forged. */
export const neverAcknowledged = 'never-acknowledged'
/** The hang-up cause (answered elsewhere) of a callback that nobody needs any more. */
export const needless = 26

/** How a call ended: mutually exclusive and exhaustive (design.md, section 3). */
export const dispositions = ['answered', 'callback', 'abandoned', 'unanswered', 'blocked-challenge', 'failed', 'refused'] as const
export type Disposition = (typeof dispositions)[number]

/** Who ended it. */
export type Owner = 'caller' | 'agency' | 'us' | 'carrier'

/**
 * How ringing one line went. `full`: its capacity was in use; `nonexistent`: the network knows no such number;
 * `unavailable`: congestion or out of order; `declined`: a human refused it, or it was picked up and not accepted; `cancelled`: the caller left;
 * `off-duty`: not rung, as it is outside of its hours, or out of service by the plan;
 * `too-short`: picked up, and the talk was shorter than the plan's `spoken`, or there was none.
 */
export type LineOutcome = 'answered' | 'too-short' | 'busy' | 'noanswer' | 'nonexistent' | 'unavailable' | 'full' | 'declined' | 'cancelled' | 'off-duty'

/** What happened, by kind, with the facts of each. */
export interface Happenings {
  /** A call came in on a trunk. `cli` is the caller's number as it arrived, unfiltered; it may be empty. */
  arrived: { did: string, trunk: string, cli: string }
  /** What was dialled is another spelling of this number of the plan. */
  number: { did: string }
  /** The caller's number as the carrier asserts it, or with its area code, where that is not what `arrived` has. */
  caller: { cli: string }
  /** Where the caller is and how the call came to us, as the carrier says: SIP headers by name, filtered and bounded by the dialplan. */
  headers: { headers: Record<string, string> }
  /** It is a call that is with us already: the same INVITE by another way (`twin`), or a line of ours that is forwarded to us (`loop`). */
  repeat: { why: 'twin' | 'loop' }
  /** It was refused: by the dialplan, since the number is none of the plan's (no `why`) or its trunk has too many calls, or by Asterisk before there was a channel, for `why`. */
  refused: { status: number, trunk: string, why?: string }
  /** The service took the call in hand: a call without this step ran without us. */
  taken: Record<never, never>
  /** The caller's channel was answered by us. */
  picked: Record<never, never>
  /** A menu was entered (its prompts start). `shed`: by the dialplan, since the service was overloaded when the call came.
   * `greeting`: by the dialplan, and its greeting is heard first; another such step follows after it. */
  menu: { node: string, shed?: true, greeting?: true }
  /** The service was overloaded when the call came: the dialplan led it to an agency or a mailbox, where its number begins. */
  shed: Record<never, never>
  /** A key was pressed in a menu; `means` is the node that it leads to, or null where it means nothing there; `language`, the one that it chose. */
  key: { digit: string, node: string, means: string | null, language?: string }
  /** A key that is no answer: pressed before the question had been heard (`early`), or the same press once more (`repeated`). Of a call, the first 20. */
  'key-ignored': { digit: string, why: 'early' | 'repeated' }
  /** Nothing was pressed in time; or, after so many `menus`, nothing was asked any more. */
  silence: { node: string, menus?: number }
  /** The agency is closed: the caller is led to another node, or (null) offered a callback for when it is open. `why` is for people to read. */
  closed: { agency: string, why: string, to: string | null }
  /** No line of this agency rang: the caller's number is at as many of its lines as one number may hold. */
  'same-number': { agency: string }
  /** The dialplan began to hunt over an agency's lines. */
  agency: { agency: string }
  /** A line began to be tried. Of one that is full there is only its `line-outcome`: nobody was rung. */
  line: { agency: string, line: string, /** The shortest talk there that counts, ms; where it is not said, every talk does. */ spoken?: number }
  /** How that went. `q850` is the hang-up cause where one was given. `answered`: they have talked, and the line's side ended it. */
  'line-outcome': { agency: string, line: string, outcome: LineOutcome, q850: number | null }
  /** An agency's (or the desk's) line enters a bridge; where `bridge` is not said (an older ledger), the caller is there. */
  connected: { agency: string, line: string, bridge?: string }
  /** The caller enters a bridge: those who are in it at the same time hear each other. */
  joined: { bridge: string }
  /** The caller leaves it, or it is dissolved. */
  parted: { bridge: string }
  /** The caller came back to the service, nobody having answered. */
  returned: { agency: string, status: string }
  /** All lines of the agency are in use, and the caller waits for one. */
  waiting: { agency: string }
  /** Another agency helps out: `busy` when a line of the first one works, `dead` when all were out of order, `same-number` when the caller's number holds it. */
  overflow: { agency: string, ladder: 'busy' | 'dead' | 'same-number', to: string }
  /** A prompt was played outside of a menu, e.g. the apology. */
  played: { prompt: string }
  /** The caller was led to a mailbox; `agency` is whom it is for, where the plan says so. */
  mailbox: { mailbox: string, agency: string | null }
  /** They have left a message there. `ms`: how long it is. */
  left: { mailbox: string, ms: number }
  /** They have not: nothing was said (or as good as nothing), or it could not be recorded, which is our fault. */
  'not-left': { mailbox: string, why: 'silent' | 'not-recorded' }
  /** The service decided how this call ends. */
  decided: { disposition: Disposition, why: string }
  /** Something of ours went wrong. `what` is for an engineer; it holds no personal data. */
  fault: { what: string }
  /** The dialplan ends the call for us, though Asterisk will name somebody else. */
  goodbye: Record<never, never>
  /** A person ended the call from outside (`by` is their name), or the service itself did (`satunomor`). */
  cut: { by: string, why: string }
  /** The caller's channel was hung up. */
  hangup: { by: Owner, q850: number | null }
  /** The last channel of the call is gone. */
  ended: Record<never, never>
  /** Of a callback: a human at the agency has accepted it. */
  accepted: Record<never, never>
  /** Of a callback: the citizen's telephone is about to be rung. */
  citizen: Record<never, never>
  /** Of a callback: how that went, where they were not joined. `refused`: the dialplan would not ring it; `calling-us`: it is in another call with us. */
  'citizen-outcome': { outcome: LineOutcome | 'refused' | 'calling-us', q850: number | null }
  /** Of a callback: the citizen's telephone has been picked up, by whomever. */
  'citizen-up': Record<never, never>
  /** Of a callback: the citizen pressed a key; `none`: they pressed none, and were joined all the same (`talk` in old calls: as a voice was heard). */
  'citizen-key': { key: string }
  /** Of a callback: what the agency's human said by key of a citizen who had pressed none. `1`: we have talked; `2`: it was a machine; empty: nothing. */
  confirmed: { key: string }
  /** Of a callback: the agency has hung up, and the citizen is told so, on a channel that is no longer the callback's. */
  alone: Record<never, never>
  /** Of a callback: this leg, the agency's or the citizen's, was hung up. */
  'leg-ended': { agency: string, line: string }
}

export type Kind = keyof Happenings

/** One step of a call. */
export type Step = {
  [K in Kind]: {
    /** The call: Asterisk's linked id. */
    callId: string
    /** Identifies the step within its call, so that the same step told twice is one. */
    key: string
    /** Unix time in ms. */
    at: number
    /** Who saw it. */
    witness: 'ledger' | 'service'
    kind: K
    facts: Happenings[K]
  }
}[Kind]

/**
 * Which way a call went at first: the service led it; `shed`: the dialplan's own menu did, since the service was overloaded; `fallback`: the
 * same, since no service was there, or it drained or hung.
 */
export type Way = 'service' | 'shed' | 'fallback'

/** Whether the step says that the dialplan took the call from an overloaded service. */
export const isShed = (step: Step) => step.kind === 'shed' || (step.kind === 'menu' && step.facts.shed === true)

/** What is known of a call, as folded from its steps. Times are Unix ms; null is "has not happened". */
export interface CallRecord {
  callId: string
  did: string
  trunk: string
  /** The caller's number as it arrived, and in E.164 (`+62…`) where it is a number. */
  cliRaw: string
  cli: string | null
  arrivedAt: number
  pickedAt: number | null
  /** Since when the caller and an agency heard each other, in the first talk that counts, or that goes on. */
  connectedAt: number | null
  endedAt: number | null
  /** The agency that was chosen last, and the line that answered. */
  agency: string | null
  line: string | null
  endedBy: Owner | null
  q850: number | null
  /** null while the call goes on. */
  disposition: Disposition | null
  /** Where or why, in one word or two: `greeting`, `menu:utama`, `ringing:bpbd-1`, `too-short:bpbd-1`, `waiting:bpbd`, `lines-exhausted:bpbd`, `closed:wali-kota`, `message-left`, … */
  detail: string | null
  /** null while nobody has led it anywhere, and of calls before this was written down. */
  way: Way | null
}
