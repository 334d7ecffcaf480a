/** How many requests are under way at once. Calls are decided on the same thread, so too many are refused before any work is done for them. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from './faults.ts'
import { isLoopback } from './loopback.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers for as long as somebody listens. */
    stream?: boolean
    /** Whether the process lives, or serves: asked by machines, and never refused. */
    health?: boolean
  }
}

/** Of all sources, and of one address. The loopback may have all of it: programs of this machine, and a proxy that nobody has declared. */
const most = { requests: { all: 100, source: 20 }, streams: { all: 500, source: 100 } }

export class UnderWay {
  readonly #most: { all: number, source: number }
  readonly #bySource = new Map<string, number>()
  #all = 0

  constructor(most: { all: number, source: number }) {
    this.#most = most
  }

  /** Takes a place; undefined where there is none. What is returned gives it back. */
  enter(source: string): (() => void) | undefined {
    const own = this.#bySource.get(source) ?? 0
    if (this.#all >= this.#most.all || (own >= this.#most.source && !isLoopback(source))) return undefined
    this.#all++
    this.#bySource.set(source, own + 1)
    return () => {
      this.#all--
      const left = this.#bySource.get(source)! - 1
      if (left === 0) this.#bySource.delete(source)
      else this.#bySource.set(source, left)
    }
  }
}

/** A hook that refuses a request (503) while too many are under way. */
export function limitUnderWay(limits = most) {
  const requests = new UnderWay(limits.requests)
  const streams = new UnderWay(limits.streams)
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { stream, health } = request.routeOptions.config
    if (health) return
    const leave = (stream ? streams : requests).enter(request.ip)
    if (!leave) {
      reply.header('retry-after', '1')
      throw new Refusal(503, 'busy', stream ? 'Too many event streams are open.' : 'Too many requests are under way.', 'Try again in a second, with fewer at once.')
    }
    reply.raw.once('close', leave)
  }
}
