/** ARI's HTTP: one request, one answer, each with a limit, over connections that are kept and used again. */
import { Agent, request, type ClientRequest } from 'node:http'
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
