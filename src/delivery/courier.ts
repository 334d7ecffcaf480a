/** A queue of deliveries, by id: what is owed stands in the store, BullMQ tries it again and again, with longer and longer pauses. */
import { Queue, Worker, type ConnectionOptions } from 'bullmq'
import type { Logger } from 'pino'
import { QueueLink } from './queue-link.ts'

/** How often one is tried, and the first pause between two tries, ms; each is twice the one before. */
export interface Retry { tries: number, pause: number }

/** The pause after so many failed tries, ms. */
export const pauseAfter = ({ pause }: Retry, tries: number) => pause * 2 ** (tries - 1)

export interface CourierOptions {
  /** The queue's name: one word. A job's id begins with it. */
  name: string
  redis: string
  concurrency: number
  retry: Retry
  /** Tries it once; may be asked twice for the same. What it throws is a try that failed: it comes again after a pause. */
  deliver: (id: string) => Promise<void>
  log: Logger
}

export class Courier {
  readonly #name: string
  readonly #log: Logger
  readonly #link: QueueLink
  readonly #queue: Queue
  readonly #worker: Worker
  #closing = false

  constructor({ name, redis, concurrency, retry, deliver, log }: CourierOptions) {
    this.#name = name
    this.#log = log
    this.#link = new QueueLink({ redis, away: `Redis is away: ${name}s wait in the store`, back: `Redis is back: ${name}s go on`, log })
    this.#queue = new Queue(`${name}s`, {
      connection: this.#link.redis as ConnectionOptions,
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: retry.tries, backoff: { type: 'exponential', delay: retry.pause } }
    })
    this.#worker = new Worker(`${name}s`, async job => deliver((job.data as { id: string }).id), {
      connection: this.#link.forWorker as ConnectionOptions, autorun: false, concurrency, lockDuration: 30_000, stalledInterval: 10_000
    })
    this.#queue.on('error', error => this.#link.sayOnce(error))
    this.#worker.on('error', error => this.#link.sayOnce(error))
    this.#worker.on('failed', (job, error) => log.info({ [name]: (job?.data as { id?: string })?.id, tries: job?.attemptsMade, reason: error.message }, `a ${name} was not delivered; trying again`))
  }

  /** Redis takes jobs. */
  get up() { return this.#link.up }

  /** To be looked at. */
  get queues(): readonly Queue[] { return [this.#queue] }

  start() {
    this.#worker.run().catch(error => { if (!this.#closing) this.#log.error({ err: error, queue: `${this.#name}s` }, 'a worker ended') })
  }

  /** Queues deliveries. One that is queued, or waits for its next try, is not queued twice. Rejects where Redis is away. */
  async queue(ids: readonly string[]) {
    await this.#link.ask(() => this.#queue.addBulk(ids.map(id => ({ name: this.#name, data: { id }, opts: { jobId: `${this.#name}-${id}` } }))))
    this.#link.sayBack()
  }

  async close() {
    this.#closing = true
    const orderly = await this.#link.beginClosing()
    await this.#worker.close(!orderly)
    await this.#queue.close()
    this.#link.close()
  }
}
