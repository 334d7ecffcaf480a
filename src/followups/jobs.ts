import { Queue, Worker, type ConnectionOptions } from 'bullmq'
import type { Logger } from 'pino'
import { pause } from '../calls/time.ts'
import { QueueLink } from '../delivery/queue-link.ts'
import { seconds } from '../plan/duration.ts'
import type { AuditReport } from '../audit.ts'
import { attemptId, attemptOf } from './attempt.ts'
import type { Claim } from './book.ts'

/** The queue's jobs, by name. A job carries ids only: personal data stays in the store. */
interface Table {
  callback: { followUp: string, attempt: number }
  'nightly-audit': Record<never, never>
  'nightly-retention': Record<never, never>
  'nightly-store-check': Record<never, never>
}

type Job = { [Name in keyof Table]: { name: Name, data: Table[Name] } }[keyof Table]

const queueName = 'followups'
const nightly = { 'nightly-audit': '0 10 2 * * *', 'nightly-retention': '0 40 2 * * *', 'nightly-store-check': '0 20 3 * * *' }

export interface JobsOptions {
  /** Makes one attempt; may be asked twice, and does it once. */
  callback: (attempt: Table['callback']) => Promise<void>
  /** Redis' address. */
  redis: string
  /** Where nights are. */
  timezone: string
  audit: (from: number, to: number) => Promise<AuditReport>
  /** Forgets what has been kept for long enough. */
  retention: () => Promise<unknown>
  /** Reads the whole store, to see whether it is damaged. */
  checkStore: () => Promise<unknown>
  log: Logger
}

/**
 * The queue. What is to be done stands in the store; BullMQ is how it gets done, and may be away, flushed, restored, or
 * deliver twice: what is claimed is queued again until the store says that it has begun.
 */
export class Jobs {
  readonly #callback: JobsOptions['callback']
  readonly #audit: JobsOptions['audit']
  readonly #retention: JobsOptions['retention']
  readonly #checkStore: JobsOptions['checkStore']
  readonly #timezone: string
  readonly #log: Logger
  readonly #closing = new AbortController()
  readonly #link: QueueLink
  readonly #queue: Queue
  readonly #worker: Worker
  #running: Promise<void> | undefined

  constructor({ callback, redis, timezone, audit, retention, checkStore, log }: JobsOptions) {
    this.#callback = callback
    this.#audit = audit
    this.#retention = retention
    this.#checkStore = checkStore
    this.#timezone = timezone
    this.#log = log
    this.#link = new QueueLink({ redis, away: 'Redis is away: calls go on as ever, callbacks wait in the store', back: 'Redis is back: follow-ups go on', log })
    this.#queue = new Queue(queueName, { connection: this.#link.redis as ConnectionOptions, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } })
    this.#worker = new Worker(queueName, async job => this.#work(job as unknown as Job), {
      connection: this.#link.forWorker as ConnectionOptions, autorun: false, concurrency: 250, lockDuration: 10_000, stalledInterval: 5_000
    })
    this.#queue.on('error', error => this.#link.sayOnce(error))
    this.#worker.on('error', error => this.#link.sayOnce(error))
    this.#worker.on('failed', (job, error) => log.error({ err: error, job: job?.id, ...job?.id !== undefined && attemptOf(job.id) ? { call: job.id } : {} }, 'a job failed; what is owed is queued again'))
  }

  /** To be looked at. */
  get queues(): readonly Queue[] { return [this.#queue] }

  /** Redis takes jobs. */
  get up() { return this.#link.up }

  start() {
    this.#running ??= this.#keepSchedules()
    this.#worker.run().catch(error => { if (!this.#closing.signal.aborted) this.#log.error({ err: error }, 'the follow-ups\' worker ended') })
  }

  async close() {
    this.#closing.abort()
    await this.#running
    const orderly = await this.#link.beginClosing()
    await this.#worker.close(!orderly)
    await this.#queue.close()
    this.#link.close()
  }

  /** Queues attempts. One that is queued already is not queued twice: its id says so. Rejects where Redis is away. */
  async queue(claims: readonly Claim[]) {
    await this.#link.ask(() => this.#queue.addBulk(claims.map(({ followUp: { id }, attempt }) => ({ name: 'callback' as const, data: { followUp: id, attempt }, opts: { jobId: attemptId(id, attempt) } }))))
    this.#link.sayBack()
  }

  async #keepSchedules() {
    let scheduled = false
    while (!this.#closing.signal.aborted) {
      try {
        if (this.up) {
          // Asked each time: a Redis that was flushed, or lost its data, does not say so.
          scheduled &&= await this.#link.ask(() => this.#queue.getJobScheduler('nightly-audit')) !== undefined
          if (!scheduled) for (const [name, pattern] of Object.entries(nightly)) await this.#link.ask(() => this.#queue.upsertJobScheduler(name, { pattern, tz: this.#timezone }, { name, data: {} }))
          scheduled = true
        }
      } catch (error) {
        this.#link.sayOnce(error as Error)
      }
      await pause(seconds(1), this.#closing.signal)
    }
  }

  async #work({ name, data }: Job) {
    switch (name) {
      case 'callback': return this.#callback(data)
      case 'nightly-audit': return this.#checkBooks()
      case 'nightly-store-check': return this.#checkStore()
      case 'nightly-retention': return this.#log.info(await this.#retention(), 'what was kept for long enough is forgotten')
    }
  }

  /** The day until an hour ago: what is still under way then has been for too long. */
  async #checkBooks() {
    const to = Date.now() - 3600_000
    const report = await this.#audit(to - 24 * 3600_000, to)
    const { untold, missing, unfinished, orphans, forgotten, unsigned, backfilled, ...sums } = report
    if (report.unwritten.length > 0) this.#log.error({ unwritten: report.unwritten }, 'the nightly audit: calls are unrecorded')
    if (report.balanced) this.#log.info({ ...sums, backfilled: backfilled.length, untold }, 'the nightly audit: no call is lost')
    else this.#log.error({ ...sums, untold, missing, unfinished, orphans, forgotten, unsigned }, 'the nightly audit: THE SUMS DIFFER, see docs/operations.md')
  }
}
