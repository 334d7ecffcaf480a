import { Queue, Worker, type ConnectionOptions } from 'bullmq'
import { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { pause } from '../calls/time.ts'
import { seconds } from '../plan/duration.ts'
import type { AuditReport } from '../audit.ts'
import type { Records } from '../records/records.ts'
import { openFollowUp } from './follow-ups.ts'

/** The queue's jobs, by name. A job carries ids only: personal data stays in the store. */
interface Table {
  'missed-call': { callId: string, outboxId: number }
  'nightly-audit': Record<never, never>
}

type Job = { [Name in keyof Table]: { name: Name, data: Table[Name] } }[keyof Table]

const queueName = 'followups'

export interface JobsOptions {
  records: Records
  /** Redis' address. */
  redis: string
  /** Where nights are. */
  timezone: string
  audit: (from: number, to: number) => Promise<AuditReport>
  log: Logger
}

/**
 * Every missed call becomes a follow-up. The store's outbox says what is owed; BullMQ is how it gets done, and may be
 * away, flushed, or deliver twice: what is owed is offered again until the store says that it is done.
 */
export class Jobs {
  readonly #records: Records
  readonly #audit: JobsOptions['audit']
  readonly #timezone: string
  readonly #log: Logger
  readonly #closing = new AbortController()
  readonly #queueLink: Redis
  readonly #workerLink: Redis
  readonly #queue: Queue
  readonly #worker: Worker
  #running: Promise<void> | undefined
  #away = false

  constructor({ records, redis, timezone, audit, log }: JobsOptions) {
    this.#records = records
    this.#audit = audit
    this.#timezone = timezone
    this.#log = log
    const retryStrategy = (tries: number) => Math.min(tries * 100, 2000)
    // The one that adds fails fast when Redis is away; the one that waits for work waits for ever.
    this.#queueLink = new Redis(redis, { enableOfflineQueue: false, maxRetriesPerRequest: 1, retryStrategy })
    this.#workerLink = new Redis(redis, { maxRetriesPerRequest: null, retryStrategy })
    for (const link of [this.#queueLink, this.#workerLink]) link.on('error', error => this.#sayOnce(error))
    this.#queue = new Queue(queueName, { connection: this.#queueLink as ConnectionOptions, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } })
    this.#worker = new Worker(queueName, async job => this.#work(job as unknown as Job), {
      connection: this.#workerLink as ConnectionOptions, autorun: false, lockDuration: 10_000, stalledInterval: 5_000
    })
    this.#queue.on('error', error => this.#sayOnce(error))
    this.#worker.on('error', error => this.#sayOnce(error))
    this.#worker.on('failed', (job, error) => log.error({ err: error, call: (job?.data as Table['missed-call'] | undefined)?.callId }, 'a job failed; what is owed is offered again'))
  }

  /** Redis takes jobs. */
  get up() { return this.#queueLink.status === 'ready' }

  start() {
    this.#running ??= this.#offer()
    this.#worker.run().catch(error => { if (!this.#closing.signal.aborted) this.#log.error({ err: error }, 'the follow-ups\' worker ended') })
  }

  async close() {
    this.#closing.abort()
    await this.#running
    await this.#worker.close(!this.up)
    await this.#queue.close()
    this.#queueLink.disconnect()
    this.#workerLink.disconnect()
  }

  /** Offers what the outbox owes, each second. A job that is there already is not made twice: its id says so. */
  async #offer() {
    let scheduled = false
    while (!this.#closing.signal.aborted) {
      try {
        if (this.up) {
          // Asked each time: a Redis that was flushed, or lost its data, does not say so.
          scheduled &&= await this.#queue.getJobScheduler('nightly-audit') !== undefined
          if (!scheduled) await this.#queue.upsertJobScheduler('nightly-audit', { pattern: '0 10 2 * * *', tz: this.#timezone }, { name: 'nightly-audit', data: {} })
          scheduled = true
          const owed = await this.#records.pendingOutbox(200)
          const jobs = owed.map(({ id, callId }) => ({ name: 'missed-call' as const, data: { callId, outboxId: id } }))
          if (jobs.length > 0) await this.#queue.addBulk(jobs.map(job => ({ ...job, opts: { jobId: `missed-${job.data.callId}` } })))
          if (this.#away) this.#log.warn('Redis is back: follow-ups go on')
          this.#away = false
        }
      } catch (error) {
        this.#sayOnce(error as Error)
      }
      await pause(seconds(1), this.#closing.signal)
    }
  }

  /** May run twice: opening a follow-up that is open changes nothing. */
  async #work({ name, data }: Job) {
    switch (name) {
      case 'missed-call':
        await openFollowUp(this.#records, data.callId)
        await this.#records.outboxDone(data.outboxId)
        return
      case 'nightly-audit':
        await this.#checkBooks()
    }
  }

  /** The day until an hour ago: what is still under way then has been for too long. */
  async #checkBooks() {
    const to = Date.now() - 3600_000
    const report = await this.#audit(to - 24 * 3600_000, to)
    const { missing, unfinished, orphans, backfilled, ...sums } = report
    if (report.balanced) this.#log.info({ ...sums, backfilled: backfilled.length }, 'the nightly audit: no call is lost')
    else this.#log.error({ ...sums, missing, unfinished, orphans }, 'the nightly audit: THE SUMS DIFFER, see docs/operations.md')
  }

  #sayOnce(error: Error) {
    if (this.#away || this.#closing.signal.aborted) return
    this.#away = true
    this.#log.warn({ reason: error.message }, 'Redis is away: calls go on as ever, follow-ups wait in the store')
  }
}
