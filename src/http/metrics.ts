/** What Prometheus reads at /metrics: figures only, no number, no call. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { dispositions, type Step } from '../calls/story.ts'
import type { Book } from '../followups/book.ts'

/** What is looked up when somebody reads the metrics. A figure that cannot be had now is left out. */
export interface Figures {
  /** Calls by disposition, ever. */
  dispositions: { disposition: string, calls: number }[]
  /** Calls whose caller's side never acknowledged that we picked up, ever. */
  unacknowledged: number
  /** Follow-ups that are owed and not yet made. */
  owed: number
  /** Lines that are rung or talk now. */
  busyLines: { agency: string, line: string }[]
  lines: { agency: string, line: string }[]
  followUps: Awaited<ReturnType<Book['figures']>>
  /** Messages to citizens and events for agencies' own systems, by what has become of them. */
  deliveries: { what: 'message' | 'webhook', state: string, count: number }[]
}

export interface Instant {
  /** What nobody asked for is held since a restore. */
  held?: boolean
  /** Age of the heartbeat in Asterisk, s; undefined: there is none. */
  heartbeatAge: number | undefined
  /** Bytes of the ledger that are written and not read. */
  ledgerLag: number
  /** Steps that wait for the store. */
  pendingSteps: number
  /** When the store was made anew the last time, Unix ms; never if left out. */
  storeRemadeAt?: number | undefined
  /** Calls in the service's care: deciding, ringing or talking. */
  calls: number
  /** Callers who wait for a line, by agency; those without any are left out. */
  waiting: { agency: string, callers: number }[]
  linksLost: number
  /** Of each trunk that Asterisk asks, whether it answers. */
  trunks: { trunk: string, up: boolean }[]
  /** Whether new calls take the dialplan's own menu, how often that began, and how many calls did, since the start; left out where nobody knows. */
  load?: { overloaded: boolean, overloads: number, shed: number }
  /** What Asterisk has refused since the start, by reason: a fixed set of them. */
  refused: Readonly<Record<string, number>>
  /** Of each queue, whether Redis takes its jobs. */
  queues: Readonly<Record<string, boolean>>
  /** PostgreSQL, where records are copied to one; `behind`: how many steps are not copied yet. */
  postgresql?: { server: string, up: boolean, behind: number }
  /** What became of citizens' answers by SIP since the start; empty where messages do not go that way. */
  sipReplies: Readonly<Record<string, number>>
}

/** Figures that prom-client has as gauges with a counter's name; the sum of `…_resources`, `…_handles` and `…_requests` over their types says the same. */
const misnamed = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total']

/** Counts by how much the store's totals have grown since the first look. What the store takes back (a call that is retold, a follow-up that is reopened) takes nothing off. */
class Growth {
  readonly #counter: Counter
  #last: Map<string, number> | undefined

  constructor(counter: Counter) {
    this.#counter = counter
  }

  seen(totals: { labels: Record<string, string | number>, count: number }[]) {
    const last = this.#last
    this.#last = new Map(totals.map(({ labels, count }) => [Object.values(labels).join(), count]))
    for (const { labels, count } of totals) this.#counter.inc(labels, last ? Math.max(0, count - (last.get(Object.values(labels).join()) ?? 0)) : 0)
  }
}

export class Metrics {
  readonly #registry = new Registry()
  /** Of calls that nobody has talked with: since when a line has been with them, and how long that must last to count. Unix ms. */
  readonly #arrivals = new Map<string, { arrivedAt: number, since: number | null, spoken: number }>()
  readonly #answerTime: Histogram
  readonly #turnedAway: Counter
  readonly #sameNumber: Counter

  constructor({ figures, instant }: { figures: () => Promise<Figures>, instant: () => Instant }) {
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry, prefix: 'satunomor_' })
    for (const name of misnamed) this.#registry.removeSingleMetric(`satunomor_${name}`)
    this.#answerTime = new Histogram({
      name: 'satunomor_answer_seconds', help: 'From the INVITE until caller and agency hear each other, counted when a talk that counts has ended; a greeting is not an answer. Goals: 90 % within 15 s, 95 % within 20 s.',
      buckets: [2, 5, 10, 15, 20, 30, 45, 60, 120], registers
    })
    this.#turnedAway = new Counter({ name: 'satunomor_api_refused_total', help: 'Requests to the API without a token that holds (401), or that its bearer may not make (403), since the start; the log says from where.', labelNames: ['status'], registers })
    this.#sameNumber = new Counter({ name: 'satunomor_calls_same_number_total', help: 'Since the start of the service, how often a call went on to another agency, or to an apology, as other calls of its number were at this one.', labelNames: ['agency'], registers })
    for (const status of [401, 403]) this.#turnedAway.inc({ status }, 0)
    const now = (name: string, help: string, value: (at: Instant) => number | undefined) => new Gauge({
      name: `satunomor_${name}`, help, registers,
      collect() {
        const figure = value(instant())
        if (figure === undefined) this.reset()
        else this.set(figure)
      }
    })
    const counted = (name: string, help: string, count: (at: Instant) => number | undefined) => new Counter({
      name: `satunomor_${name}`, help: `${help} since the start of the service.`, registers,
      collect() {
        this.reset()
        this.inc(count(instant()) ?? 0)
      }
    })
    now('heartbeat_age_seconds', 'Age of the heartbeat in Asterisk; from 4 on new calls take the fallback.', at => at.heartbeatAge)
    now('ledger_lag_bytes', 'Bytes of Asterisk\'s ledger that are not read yet.', at => at.ledgerLag)
    now('store_pending_steps', 'Steps of calls that wait for the store.', at => at.pendingSteps)
    now('store_remade_timestamp_seconds', 'When the store was made anew the last time, since it was damaged or missing, Unix time. Left out: never.', at => at.storeRemadeAt === undefined ? undefined : at.storeRemadeAt / 1000)
    now('calls_in_care', 'Calls that the service decides about, or waits for.', at => at.calls)
    now('outbound_held', '1 while callbacks, messages and webhooks are held since a restore (npx satunomor go-live).', ({ held }) => held === undefined ? undefined : held ? 1 : 0)
    now('overloaded', '1 while the service is overloaded: new calls take the dialplan\'s own menu.', ({ load }) => load && (load.overloaded ? 1 : 0))
    counted('overloads_total', 'How often the service was overloaded', at => at.load?.overloads)
    counted('calls_shed_total', 'Calls that took the dialplan\'s own menu for that,', at => at.load?.shed)
    counted('ari_links_lost_total', 'How often the link to Asterisk was lost', at => at.linksLost)

    new Counter({
      name: 'satunomor_refused_total', help: 'Requests that Asterisk refused since the start of the service, by reason; GET /api/refusals says whose.', labelNames: ['why'], registers,
      collect() {
        this.reset()
        for (const [why, count] of Object.entries(instant().refused)) this.inc({ why }, count)
      }
    })

    new Counter({
      name: 'satunomor_sip_replies_total', help: 'Answers of citizens by SIP MESSAGE since the start of the service, by what became of them (docs/messages.md).', labelNames: ['became'], registers,
      collect() {
        this.reset()
        for (const [became, count] of Object.entries(instant().sipReplies)) this.inc({ became }, count)
      }
    })

    new Gauge({
      name: 'satunomor_queue_up', help: '1 while Redis takes jobs of the queue; 0: callbacks, messages or webhooks wait in the store.', labelNames: ['queue'], registers,
      collect() {
        for (const [queue, up] of Object.entries(instant().queues)) this.set({ queue }, up ? 1 : 0)
      }
    })

    new Gauge({
      name: 'satunomor_trunk_up', help: '1 while the trunk answers Asterisk; 0: nobody can be rung on it. Trunks that Asterisk does not ask are left out.', labelNames: ['trunk'], registers,
      collect() {
        this.reset()
        for (const { trunk, up } of instant().trunks) this.set({ trunk }, up ? 1 : 0)
      }
    })

    for (const [name, help, value] of [
      ['satunomor_postgresql_up', '1 while records can be copied to PostgreSQL; 0: lists come from the local store alone. Left out without DATABASE_URL.', ({ up }) => up ? 1 : 0],
      ['satunomor_postgresql_behind_steps', 'Steps of calls that are not copied to PostgreSQL yet.', ({ behind }) => behind]
    ] satisfies [string, string, (postgresql: NonNullable<Instant['postgresql']>) => number][]) {
      new Gauge({
        name, help, labelNames: ['server'], registers,
        collect() {
          this.reset()
          const { postgresql } = instant()
          if (postgresql) this.set({ server: postgresql.server }, value(postgresql))
        }
      })
    }

    new Gauge({
      name: 'satunomor_callers_waiting', help: 'Callers who wait for a line of the agency, all of them being in use.', labelNames: ['agency'], registers,
      collect() {
        this.reset()
        for (const { agency, callers } of instant().waiting) this.set({ agency }, callers)
      }
    })

    const calls = new Growth(new Counter({ name: 'satunomor_calls_total', help: 'Calls that were written down as ended since the start of the service, by disposition.', labelNames: ['disposition'], registers }))
    const unacknowledged = new Growth(new Counter({ name: 'satunomor_calls_unacknowledged_total', help: 'Of these, calls whose caller\'s side never acknowledged that we picked up: lost on the way, or forged.', registers }))
    const owed = new Gauge({ name: 'satunomor_outbox_depth', help: 'Follow-ups that are owed and not made yet.', registers })
    const busy = new Gauge({ name: 'satunomor_line_busy', help: '1 while the line is rung or talks.', labelNames: ['agency', 'line'], registers })
    const open = new Gauge({ name: 'satunomor_followups_open', help: 'Follow-ups that have not ended, by kind, state, and how long ago the citizen called.', labelNames: ['kind', 'state', 'age'], registers })
    const overdue = new Gauge({ name: 'satunomor_followups_overdue', help: 'Of these, those whose deadline is over.', labelNames: ['kind', 'state'], registers })
    const oldest = new Gauge({ name: 'satunomor_followups_oldest_seconds', help: 'How long ago the citizen called whose follow-up has been open for the longest, by kind and state.', labelNames: ['kind', 'state'], registers })
    const ended = new Growth(new Counter({ name: 'satunomor_followups_ended_total', help: 'Follow-ups that have ended since the start of the service, how, and whether before their deadline.', labelNames: ['state', 'in_time'], registers }))
    const attempts = new Growth(new Counter({ name: 'satunomor_followups_attempts_total', help: 'Follow-ups that ended since the start of the service with both having spoken, by the number of attempts that it took.', labelNames: ['attempts'], registers }))
    const parked = new Gauge({ name: 'satunomor_followups_parked', help: 'Follow-ups of bursts of calls that hung up at once: nobody is rung for them until the desk says so.', registers })
    const budget = new Gauge({ name: 'satunomor_followups_budget_left', help: 'How many more attempts may ring citizens within this hour, by the plan\'s `cityHourly`; at 0 all wait.', registers })
    const deliveries = new Gauge({ name: 'satunomor_deliveries', help: 'Messages to citizens and webhooks to agencies that are on record, by what has become of them (delivered webhooks: of the last day).', labelNames: ['what', 'state'], registers })
    this.#ask = async () => {
      const seen = await figures()
      calls.seen(dispositions.map(disposition => ({ labels: { disposition }, count: seen.dispositions.find(one => one.disposition === disposition)?.calls ?? 0 })))
      unacknowledged.seen([{ labels: {}, count: seen.unacknowledged }])
      owed.set(seen.owed)
      busy.reset()
      for (const line of seen.lines) busy.set({ ...line }, 0)
      for (const line of seen.busyLines) busy.inc({ ...line })
      for (const gauge of [open, overdue, oldest, deliveries]) gauge.reset()
      for (const { what, state, count } of seen.deliveries) deliveries.set({ what, state }, count)
      for (const { kind, state, age, count, overdue: late, oldest: since } of seen.followUps.open) {
        open.set({ kind, state, age }, count)
        overdue.inc({ kind, state }, late)
        oldest.set({ kind, state }, Math.max(0, (Date.now() - since) / 1000))        // the oldest is the last of them
      }
      budget.set(seen.followUps.budgetLeft)
      parked.set(seen.followUps.parked)
      ended.seen(['done', 'closed'].flatMap(state => [true, false].map(inTime => ({
        labels: { state, in_time: inTime ? 'yes' : 'no' }, count: seen.followUps.ended.find(one => one.state === state && one.inTime === inTime)?.count ?? 0
      }))))
      attempts.seen(seen.followUps.attempts.map(({ attempts, count }) => ({ labels: { attempts }, count })))
    }
  }

  readonly #ask: () => Promise<void>
  #asking: Promise<void> | undefined

  /** Where the store does not answer, its figures stay as they were; store_pending_steps tells of it. Two who ask at once get one answer. */
  #look() {
    return this.#asking ??= this.#ask().catch(() => {}).finally(() => { this.#asking = undefined })
  }

  /** A step from the ledger, as it is read. Of lines that ring together one that is let go ends no talk: its outcome is not told. */
  note({ kind, callId, at, facts }: Step) {
    if (kind === 'same-number') this.#sameNumber.inc({ agency: facts.agency })
    if (kind === 'arrived') this.#arrivals.set(callId, { arrivedAt: at, since: null, spoken: 0 })
    const call = this.#arrivals.get(callId)
    if (!call) return
    const { arrivedAt, since, spoken } = call
    const talkedFor = since === null ? -1 : at - since
    switch (kind) {
      case 'line': call.spoken = facts.spoken ?? 0; break
      case 'connected': call.since ??= at; break
      case 'parted': case 'line-outcome': case 'hangup': case 'ended':
        if (since !== null && talkedFor >= spoken) {
          this.#answerTime.observe((since - arrivedAt) / 1000)
          this.#arrivals.delete(callId)
        } else call.since = null
        if (kind === 'ended') this.#arrivals.delete(callId)
    }
  }

  /** What is counted since the start is counted from here on. Where the store does not answer, from when it does. */
  begin(): Promise<void> {
    return this.#look()
  }

  /** Somebody was refused at the API. */
  turnedAway(status: 401 | 403) { this.#turnedAway.inc({ status }) }

  get contentType() { return this.#registry.contentType }

  /** The page. Where the store does not answer, what does not need it is there all the same. */
  async page(): Promise<string> {
    await this.#look()
    return this.#registry.metrics()
  }
}
