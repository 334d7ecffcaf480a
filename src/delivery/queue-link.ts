/** The link by which a queue takes jobs: where Redis is away, takes no writes, or takes what it is asked and does not answer, it says so soon. */
import { Redis } from 'ioredis'
import type { Logger } from 'pino'

/** How long a question may take; then Redis hangs, ms. */
const patience = 2_000
/** How often it is looked whether Redis takes writes, ms. */
const often = 1_000
const retryStrategy = (tries: number) => Math.min(tries * 100, 2_000)

export interface QueueLinkOptions {
  redis: string
  /** Said once when Redis is away, and once when it is back. */
  away: string
  back: string
  log: Logger
}

export class QueueLink {
  /** For the queue. */
  readonly redis: Redis
  /** For the worker: it waits for work for ever. */
  readonly forWorker: Redis
  readonly #options: QueueLinkOptions
  #away = false
  #closing = false
  /** As of the last look. A Redis may be there and take no writes: a replica after a failover, full memory, a full disk. */
  #writable = true
  #looking = false
  readonly #looks: NodeJS.Timeout

  constructor(options: QueueLinkOptions) {
    this.#options = options
    this.redis = new Redis(options.redis, { enableOfflineQueue: false, maxRetriesPerRequest: 1, retryStrategy, commandTimeout: patience })
    this.forWorker = new Redis(options.redis, { maxRetriesPerRequest: null, retryStrategy })
    this.redis.on('ready', () => this.sayBack())
    for (const link of [this.redis, this.forWorker]) link.on('error', error => this.sayOnce(error))
    this.#looks = setInterval(() => void this.#look(), often)
    this.#looks.unref()
  }

  /** Redis takes jobs, as far as is known. */
  get up() { return this.redis.status === 'ready' && this.#writable }

  /** Writes a key that is nobody's, to see whether Redis takes it. */
  async #look() {
    if (this.#looking || this.redis.status !== 'ready') return
    this.#looking = true
    try {
      await this.ask(() => this.redis.set('satunomor:writable', '1', 'PX', 60_000))
      if (!this.#writable) {
        this.#writable = true
        this.sayBack()
      }
    } catch (error) {
      if (this.redis.status === 'ready') this.#writable = false
      this.sayOnce(error as Error)
    } finally {
      this.#looking = false
    }
  }

  /** Asks Redis something. Rejects where it is away; one that hangs is then left alone until it answers again. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question()
    } catch (error) {
      if (/timed out/i.test((error as Error).message)) {
        this.sayOnce(error as Error)
        this.redis.disconnect(true)
      }
      throw error
    }
  }

  /** For what a queue or a worker says of its links. */
  sayOnce(error: Error) {
    if (this.#away || this.#closing) return
    this.#away = true
    this.#options.log.warn({ reason: error.message }, this.#options.away)
  }

  /** It has taken a job. */
  sayBack() {
    if (this.#away && !this.#closing) this.#options.log.warn(this.#options.back)
    this.#away = false
  }

  /** Nothing is said of what follows. Whether Redis still answers, so that all can be put in order. */
  async beginClosing(): Promise<boolean> {
    this.#closing = true
    clearInterval(this.#looks)
    return this.up && await this.redis.ping().then(() => true, () => false)
  }

  close() {
    clearInterval(this.#looks)
    this.redis.disconnect()
    this.forWorker.disconnect()
  }
}
