/** ARI's HTTP: one request, one answer, each with a limit, over connections that are kept and used again. */
import { Agent, request, type ClientRequest } from 'node:http'
import { createRequire } from 'node:module'
import { seconds, type Duration } from '../plan/duration.ts'
import { AsteriskAway, refusal } from './ari-errors.ts'

export interface Question {
  method: string
  url: string
  headers?: Record<string, string>
  body?: string
  patience: Duration
}

export class AriHttp {
  // Asterisk closes what was idle for 15 s: ours are closed before, so that no request meets a connection that is just going.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64, timeout: seconds(8) })
  readonly #asked = new Set<ClientRequest>()

  /** The answer's text. @throws AsteriskAway where nobody answers (in time), or not ARI; Refused */
  ask({ method, url, headers = {}, body, patience }: Question): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const away = (error: Error) => reject(error instanceof AsteriskAway ? error : new AsteriskAway(error.message))
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const asked = request(url, { method, agent: this.#agent, headers: { ...headers, ...type } }, response => {
      let data = ''
      response.setEncoding('utf8')
      response.on('data', piece => { data += piece })
      response.on('error', away)
      response.on('end', () => response.statusCode! >= 400 ? reject(refusal(response.statusCode!, data)) : resolve(data))
    })
    const timer = setTimeout(() => asked.destroy(new AsteriskAway('no answer in time')), patience)
    asked.on('error', away)
    asked.on('close', () => {
      clearTimeout(timer)
      this.#asked.delete(asked)
    })
    this.#asked.add(asked)
    asked.end(body)
    return promise
  }

  /** Whatever was asked is given up. */
  close() {
    for (const asked of this.#asked) asked.destroy(new AsteriskAway('the link was given up'))
    this.#agent.destroy()
  }
}

// ari-client reads the description of ARI through swagger-client's `SwaggerHttp`, whose own way loses network errors and
// statuses, and dies of a bad answer: those pages are asked for here, too.

interface Asking {
  url: string
  method: string
  headers: Record<string, string>
  on: { response(answer: { status: number, data: string }): void, error(why: unknown): void }
}

const { SwaggerHttp } = createRequire(createRequire(import.meta.url).resolve('ari-client'))('swagger-client') as
  { SwaggerHttp: { prototype: { execute(asking: Asking): void } } }

const pages = new AriHttp()

SwaggerHttp.prototype.execute = asking => { void page(asking) }

// swagger-client's own log: a notice at each connect that Asterisk's API is described in an old Swagger, kept for ever.
Object.assign(globalThis, { log: () => {} })

async function page({ url, method, headers, on }: Asking) {
  try {
    on.response({ status: 200, data: await pages.ask({ method, url, headers, patience: seconds(5) }) })
  } catch (error) {
    try {
      on.error(error)
    } catch { /* swagger-client throws once more what it has just been told */ }
  }
}
