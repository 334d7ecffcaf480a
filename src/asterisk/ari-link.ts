import Ari from 'ari-client'
import type { Client } from 'ari-client'
import { createRequire } from 'node:module'
import type { Logger } from 'pino'
import { milliseconds, seconds, type Duration } from '../plan/duration.ts'
import { deadline, pause } from '../calls/time.ts'
import { heard } from './ari-events.ts'

export interface AriSite {
  /** e.g. `http://127.0.0.1:8088` */
  url: string
  user: string
  password: string
  app: string
}

/** The parts of ari-client that its types do not name. */
interface Inside {
  _ws?: NodeJS.EventEmitter & { terminate(): void }
  [operation: string]: unknown
}

export interface AriLinkOptions {
  /** Called with each event of the application. What it throws is logged, and harms neither the link nor another event. */
  onEvent(event: unknown): void
  /** Called each time the link is up, before `up` resolves: set again what Asterisk forgets with a connection. */
  onUp(): Promise<void>
  log: Logger
  /** How long a request may take before it counts as lost. */
  patience?: Duration
  /** How often the whole way (request, Asterisk, websocket) is tried; it is cut when a beat does not come back in time. */
  beat?: Duration
}

/** Asterisk did not answer, or there is no link to it. */
export class AsteriskAway extends Error {
  override name = 'AsteriskAway'
}

/** Asterisk no longer has what we asked about: for a channel, the caller is gone. */
export class Gone extends Error {
  override name = 'Gone'
}

/** What Asterisk answered instead of doing it: the HTTP status, and its own words. */
class Refused extends Error {
  override name = 'Refused'
  readonly status: number

  constructor(status: number, words: string) {
    super(words)
    this.status = status
  }
}

let credentials: { of: string, links: number } | undefined

/**
 * The link to Asterisk's REST interface, over ari-client 2.2.0, with its faults fenced in:
 * - it gives up after ten tries: here a lost link is a lost client, and a new one is made, for ever, at most 2 s apart;
 * - an event without a model throws in the socket's handler: here it is caught, counted and logged;
 * - a request that cannot be sent never settles, one that is refused loses its HTTP status, and API pages that cannot be
 *   read (an Asterisk that is just starting) end the process: here its HTTP is replaced by ours (`askOverHttp`);
 * - it knows no time-outs and no pings: here each request has a limit, and a beat goes round the whole way;
 * - all clients of a process use the last one's password: here a second one with another is refused;
 * - listeners on channel objects leak: nobody gets such an object.
 */
export class AriLink {
  readonly #site: AriSite
  readonly #options: AriLinkOptions
  readonly #closing = new AbortController()
  #client: Client & Inside | undefined
  #lost = new AbortController()
  #running: Promise<void> | undefined
  /** How often the link was lost, and how many events came that ari-client does not know. */
  readonly counts = { lost: 0, unknownEvents: 0 }
  /** When a beat last came back over the websocket: monotonic ms, or undefined while there is no link. */
  beatAt: number | undefined

  constructor(site: AriSite, options: AriLinkOptions) {
    const of = `${site.url} ${site.user} ${site.password}`
    if (credentials && credentials.links > 0 && credentials.of !== of) {
      throw new Error('ari-client keeps one password for the whole process: close the other link first')
    }
    credentials = { of, links: (credentials?.of === of ? credentials.links : 0) + 1 }
    this.#site = site
    this.#options = options
  }

  get up() { return this.beatAt !== undefined }

  /** Connects, and from then on keeps connected until `close`. */
  open() {
    this.#running ??= this.#keepUp()
  }

  async close() {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new AsteriskAway('the link is closed'))
    this.#lost.abort(this.#closing.signal.reason)
    await this.#running
    if (credentials) credentials.links--
  }

  /**
   * One request, by ari-client's names: `request('channels', 'answer', { channelId })`.
   * @throws AsteriskAway when there is no link, or no answer in time; Gone when Asterisk has no such thing (any more), or
   * it is no longer in our hands; another Error, with Asterisk's words, for anything else that it refuses
   */
  async request<T = unknown>(resource: keyof Client & string, operation: string, params: Record<string, unknown> = {}): Promise<T> {
    const client = this.#client
    if (!client) throw new AsteriskAway(`no link to Asterisk (${resource}.${operation})`)
    return this.#ask(client, resource, operation, params)
  }

  async #ask<T>(client: Client & Inside, resource: string, operation: string, params: Record<string, unknown>): Promise<T> {
    const what = `${resource}.${operation}`
    const ask = (client[resource] as Record<string, (params: Record<string, unknown>) => Promise<T>> | undefined)?.[operation]
    if (!ask) throw new TypeError(`ARI has no ${what}`)
    using time = deadline(this.#options.patience ?? seconds(3), this.#lost.signal)
    try {
      return await ask({ ...params, headers: { signal: time } })
    } catch (error) {
      throw translate(error, what)
    }
  }

  async #keepUp() {
    const { log } = this.#options
    let wait = 100
    while (!this.#closing.signal.aborted) {
      try {
        const client = await this.#connect()
        log.info({ lost: this.counts.lost }, 'linked with Asterisk')
        wait = 100
        await this.#beatUntilLost(client)
        if (this.#closing.signal.aborted) break
        this.counts.lost++
        log.warn({ lost: this.counts.lost, why: (this.#lost.signal.reason as Error).message }, 'link to Asterisk lost')
      } catch (error) {
        if (!this.#closing.signal.aborted) log.warn({ err: translate(error, 'linking'), nextTryInMs: wait }, 'no link to Asterisk')
      } finally {
        this.#drop()
      }
      await pause(milliseconds(wait), this.#closing.signal)
      wait = Math.min(wait * 2, 2000)
    }
  }

  /** A new client, linked, its events filtered at the source and routed. */
  async #connect(): Promise<Client & Inside> {
    const { url, user, password, app } = this.#site
    const lost = this.#lost = new AbortController()
    if (this.#closing.signal.aborted) lost.abort(this.#closing.signal.reason)
    using time = deadline(seconds(5), lost.signal)
    // ari-client's first request has no limit: it is only let at an Asterisk that answers.
    await fetchText(`${url}/ari/api-docs/resources.json`, { headers: { authorization: `Basic ${btoa(`${user}:${password}`)}` }, signal: time })
    const client = await untilAborted(Ari.connect(url, user, password), time) as Client & Inside
    // Requests go from here on: events may come before `start` says that they can.
    this.#client = client
    // Its own reconnecting is switched off: it would give up, and two would be at it.
    Object.defineProperty(client, '_wsClosed', { get: () => true, set: () => {} })
    const started = client.start(app)
    client._ws!.on('error', (error: Error) => lost.abort(new AsteriskAway(`websocket: ${error.message}`)))
    client._ws!.on('close', () => lost.abort(new AsteriskAway('the websocket was closed')))
    this.#fenceEvents(client)
    await untilAborted(started, time)
    await this.#ask(client, 'applications', 'filter', {
      applicationName: app, filter: { allowed: [...heard, 'ChannelUserevent'].map(type => ({ type })) }
    })
    this.beatAt = performance.now()
    await this.#sayThatItIsUp()
    return client
  }

  /** What goes wrong in there costs the link only if it is the link's fault. */
  async #sayThatItIsUp() {
    try {
      await this.#options.onUp()
    } catch (error) {
      if (error instanceof AsteriskAway) throw error
      this.#options.log.error({ err: error }, 'what is to be done when the link is up went wrong')
    }
  }

  /** ari-client's handler throws on an event that it has no model for; its `*` is our one listener. */
  #fenceEvents(client: Client & Inside) {
    const { log, onEvent } = this.#options
    const [theirs] = client._ws!.listeners('message') as ((data: unknown) => void)[]
    client._ws!.removeAllListeners('message')
    client._ws!.on('message', (data: unknown) => {
      try {
        theirs!(data)
      } catch (error) {
        this.counts.unknownEvents++
        // Of the event only its type: the rest may be somebody's number.
        log.warn({ err: error, type: /"type": ?"(\w+)"/.exec(String(data))?.[1] ?? null }, 'an event that ari-client does not know was passed over')
      }
    })
    ;(client as unknown as NodeJS.EventEmitter).on('*', (event: { type: string, eventname?: string }) => {
      if (event.type === 'ChannelUserevent') {
        if (event.eventname === 'beat' && this.up) this.beatAt = performance.now()
        return
      }
      try {
        onEvent(event)
      } catch (error) {
        log.error({ err: error, type: event.type }, 'an event was not handled')
      }
    })
  }

  /** Sends a beat round the whole way each second; returns when one does not come back in time, or the socket closes. */
  async #beatUntilLost(client: Client & Inside) {
    const beat = this.#options.beat ?? seconds(1)
    while (!this.#lost.signal.aborted) {
      await pause(beat, this.#lost.signal)
      if (this.#lost.signal.aborted) return
      try {
        await this.#ask(client, 'events', 'userEvent', { eventName: 'beat', application: this.#site.app })
      } catch (error) {
        this.#lost.abort(new AsteriskAway((error as Error).message))
      }
      if (performance.now() - (this.beatAt ?? 0) > 3 * beat) this.#lost.abort(new AsteriskAway('no event came back over the websocket'))
    }
  }

  #drop() {
    const client = this.#client
    this.#client = undefined
    this.beatAt = undefined
    this.#lost.abort(new AsteriskAway('the link was given up'))
    if (!client) return
    client._ws?.terminate()
    ;(client as unknown as NodeJS.EventEmitter).removeAllListeners()
  }
}

/** The result of `work`, or a rejection with the signal's reason as soon as it aborts. */
export async function untilAborted<T>(work: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  promise.catch(() => {})
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** What an error of a request means to us. A variable that is not set is no sign that its channel is gone. */
function translate(error: unknown, what: string): Error {
  const text = `${what}: ${error instanceof Error ? error.message : String(error)}`
  if (error instanceof AsteriskAway) return new AsteriskAway(text)
  if (error instanceof Error && error.name === 'TimeUp') return new AsteriskAway(`${what}: no answer in time`)
  if (error instanceof Refused) {
    if (error.status === 404 && !/variable/i.test(text)) return new Gone(text)
    if (error.status === 409 && /not in (a )?stasis/i.test(text)) return new Gone(text)
  }
  return new Error(text, { cause: error })
}

// — ari-client's HTTP —
// It asks through swagger-client's `SwaggerHttp`, whose own way loses network errors and statuses, and dies of a bad answer.

interface Asking {
  url: string
  method: string
  headers: Record<string, string> & { signal?: AbortSignal }
  body?: string
  on: { response(answer: { status: number, data: string }): void, error(why: unknown): void }
}

const { SwaggerHttp } = createRequire(createRequire(import.meta.url).resolve('ari-client'))('swagger-client') as
  { SwaggerHttp: { prototype: { execute(asking: Asking): void } } }

SwaggerHttp.prototype.execute = asking => { void askOverHttp(asking) }

// swagger-client's own log: a notice at each connect that Asterisk's API is described in an old Swagger, kept for ever.
Object.assign(globalThis, { log: () => {} })

/** One request with a limit: the one that `#ask` sends along among the headers, else 5 s. Nothing of it is thrown. */
async function askOverHttp({ url, method, headers: { signal, ...headers }, body, on }: Asking) {
  using time = deadline(seconds(5), signal)
  try {
    const { status, data } = await fetchText(url, { method: method.toUpperCase(), headers, signal: time, ...body ? { body } : {} })
    on.response({ status, data })
  } catch (error) {
    try {
      on.error(error)
    } catch { /* swagger-client throws once more what it has just been told */ }
  }
}

/** @throws AsteriskAway where nobody answers, or not ARI; Refused; what the signal aborts with */
async function fetchText(url: string, options: RequestInit & { signal: AbortSignal }): Promise<{ status: number, data: string }> {
  const asked = fetch(url, options).then(async response => ({ status: response.status, data: await response.text() }))
  const answer = await asked.catch((error: Error) => {
    if (options.signal.aborted) throw options.signal.reason
    throw new AsteriskAway((error.cause as Error | undefined)?.message ?? error.message)
  })
  if (answer.status >= 400) throw refusal(answer)
  return answer
}

/** ARI refuses in JSON; what else comes is Asterisk's web server, without ARI behind it (yet). */
function refusal({ status, data }: { status: number, data: string }) {
  try {
    const { message, error } = JSON.parse(data) as { message?: string, error?: string }
    return new Refused(status, message ?? error ?? `HTTP ${status}`)
  } catch {
    return new AsteriskAway(`HTTP ${status} without ARI behind it`)
  }
}
