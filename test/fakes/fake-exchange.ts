/**
 * An exchange in memory: trunk, dialplan, agencies' lines and ledger, as the contract (test/stories/contract.ts) and
 * the stories want them. Prompts last 30 ms, and it rings a fiftieth of the plan's ring time.
 */
import { EventEmitter, once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Hangup, type Channel, type Prompt } from '../../src/calls/channel.ts'
import type { Happenings, Kind, LineOutcome, Step } from '../../src/calls/story.ts'
import { deadline } from '../../src/calls/time.ts'
import { milliseconds } from '../../src/plan/duration.ts'
import { groups } from '../../src/plan/hunt.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { callsOfOneNumber, sameNumber } from '../../src/plan/walk.ts'

/** What the dialplan says of a line that works, and nobody was there. */
const statuses: { [K in LineOutcome]?: string } = { busy: 'BUSY', full: 'FULL', noanswer: 'NOANSWER', declined: 'DECLINED', 'too-short': 'SHORT' }

/** On this exchange all goes quicker: what is a second to a caller (`guardTime` of src/calls/call.ts), and a little more than that. */
export const guard = milliseconds(10)
export const heardEnough = 15

export type Behaviour = 'answers' | 'rings' | LineOutcome

/** A line on somebody's desk. */
export class FakeLine {
  behaviour: Behaviour = 'answers'
  busyWith: FakeChannel | undefined
  readonly happened = new EventEmitter()
  ringing: FakeChannel | undefined
}

export class FakeExchange {
  readonly plan: Plan
  readonly lines = new Map<string, FakeLine>()
  readonly steps: Step[] = []
  /** Other calls that are at an agency, by its name: their callers' numbers. */
  readonly others = new Map<string, string[]>()
  /** The dialplan gives a call back. */
  onReturned: (callId: string, agency: string, status: string) => void = () => {}
  /** Hears the ledger. */
  onStep: (step: Step) => void = () => {}
  #calls = 0

  constructor(plan: Plan) {
    this.plan = plan
    for (const node of plan.nodes.values()) if (node.kind === 'agency') for (const { id } of node.lines) this.lines.set(id, new FakeLine())
  }

  arrives(number: string): FakeChannel {
    const channel = new FakeChannel(this, `fake-${++this.#calls}`, number)
    channel.writes('arrived', { did: '112', trunk: 'carrier', cli: number })
    channel.writes('picked', {})
    return channel
  }
}

/** A caller: what the call sees is `Channel`; what the test lets the person do is below it. */
export class FakeChannel implements Channel {
  readonly #exchange: FakeExchange
  readonly #line = new AbortController()
  readonly happened = new EventEmitter()
  readonly callId: string
  /** The number that is shown; also what others know the channel by. */
  readonly number: string
  get caller() { return this.number }
  readonly hungUp = this.#line.signal
  place = ''
  language = ''
  talkingWith: string | undefined
  #listeners: ((digit: string) => void)[] = []
  #inHand = true
  #recordingFor: string | undefined

  constructor(exchange: FakeExchange, callId: string, number: string) {
    this.#exchange = exchange
    this.callId = callId
    this.number = number
  }

  // — what a call needs —
  async play(prompts: readonly Prompt[], stop: AbortSignal) {
    if (stop.aborted) return
    this.#there()
    this.happened.emit('plays', prompts)
    for (const prompt of prompts) {
      if (stop.aborted) return
      this.hears(prompt)
      await this.#lasts(30, stop)
    }
  }

  onDigit(listener: (digit: string) => void) { this.#listeners.push(listener) }

  async remember(place: string) {
    this.#there()
    this.place = place
  }

  async speak(language: string) {
    this.#there()
    this.language = language
  }

  async ring(agency: string) {
    this.#there()
    this.#inHand = false
    void this.#hunt(agency)
  }

  async record(mailbox: string) {
    this.#there()
    this.#inHand = false
    const node = this.#exchange.plan.nodes.get(mailbox)
    if (node?.kind !== 'mailbox') throw new Error(`no context [mailbox-${mailbox}]`)
    this.#recordingFor = mailbox
    this.writes('mailbox', { mailbox, agency: node.agency ?? null })
    this.hears(node.prompt)
  }

  async fallBack() { this.#inHand = false }

  async hangUp() { this.#end('us') }

  // — what a person does —
  /** Says so much into the mailbox, and ends it. */
  leaves(ms: number) {
    this.writes('left', { mailbox: this.#recordingFor!, ms })
    this.#end('us')
  }
  presses(digit: string) { if (this.#inHand) for (const listener of this.#listeners) listener(digit) }
  hangsUp() { this.#end('caller') }
  hears(prompt: string) { this.happened.emit('hears', prompt) }

  writes<K extends Kind>(kind: K, facts: Happenings[K]) {
    const { steps } = this.#exchange
    const step = { callId: this.callId, key: `ledger-${steps.length}`, at: Date.now(), witness: 'ledger', kind, facts } as Step
    steps.push(step)
    setImmediate(() => this.#exchange.onStep(step))
  }

  /** The dialplan's `[agency-…]`: line after line (whatever the agency's order, one by one), then back to the service. */
  async #hunt(agency: string) {
    const node = this.#exchange.plan.nodes.get(agency)
    if (node?.kind !== 'agency') throw new Error(`no context [agency-${agency}]`)
    this.writes('agency', { agency })
    const calls = this.#exchange.others.get(agency)?.filter(number => number === this.number).length ?? 0
    if (this.number !== '' && calls >= callsOfOneNumber(this.#exchange.plan, agency)) {
      this.writes('same-number', { agency })
      await turn()          // a real one's answer takes a moment, too
      this.#inHand = true
      return this.#exchange.onReturned(this.callId, agency, sameNumber)
    }
    let status = ''
    for (const { id, ringTime } of groups(node).flatMap(({ lines }) => lines)) {
      const line = this.#exchange.lines.get(id)!
      if (!line.busyWith && line.behaviour !== 'full') this.writes('line', { agency, line: id })
      this.hears(node.connecting)
      const outcome = await this.#ring(line, ringTime)
      if (this.hungUp.aborted) return
      if (outcome === 'answered') {
        line.busyWith = this
        this.talkingWith = id
        this.writes('connected', { agency, line: id })
        this.happened.emit('talks', id)
        line.happened.once('hangs-up', () => this.#end('agency'))
        this.hungUp.addEventListener('abort', () => { line.busyWith = undefined })
        return
      }
      this.writes('line-outcome', { agency, line: id, outcome, q850: null })
      const now = statuses[outcome] ?? 'CHANUNAVAIL'
      if (now !== 'CHANUNAVAIL' || status === '') status = now
    }
    this.#inHand = true
    this.#exchange.onReturned(this.callId, agency, status)
  }

  async #ring(line: FakeLine, ringTime: number): Promise<LineOutcome> {
    if (line.busyWith) return 'full'
    line.ringing = this
    line.happened.emit('rung', this.number)
    if (line.behaviour === 'answers') return 'answered'
    if (line.behaviour !== 'rings') return line.behaviour
    using patience = deadline(milliseconds(ringTime / 50), this.hungUp)
    const pickedUp = await once(line.happened, 'picks-up', { signal: patience }).then(() => true, () => false)
    return pickedUp ? 'answered' : 'noanswer'
  }

  #end(by: 'caller' | 'agency' | 'us') {
    if (this.hungUp.aborted) return
    this.writes('hangup', { by, q850: 16 })
    this.writes('ended', {})
    this.#line.abort(new Hangup(16))
    this.happened.emit('ended')
  }

  #there() { this.hungUp.throwIfAborted() }

  async #lasts(ms: number, stop: AbortSignal) {
    using time = deadline(milliseconds(ms), stop)
    if (!time.aborted) await once(time, 'abort')
  }
}
