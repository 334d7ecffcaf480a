import Ari from 'ari-client'
import type { Client } from 'ari-client'
import type { Logger } from 'pino'
import { milliseconds, seconds, type Duration } from '../plan/duration.ts'
import { pause, within } from '../calls/time.ts'
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
  _ws: NodeJS.EventEmitter & { terminate(): void }
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

let credentials: { of: string, links: number } | undefined

/**
 * The link to Asterisk's REST interface, over ari-client 2.2.0, with its faults fenced in:
 * - it gives up after ten tries: here a lost link is a lost client, and a new one is made, for ever, at most 2 s apart;
 * - an event without a model throws in the socket's handler: here it is caught, counted and logged;
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

  get up() { return this.#client !== undefined }

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
   * @throws AsteriskAway when there is no link, or no answer in time; Gone when Asterisk has no such thing (HTTP 404, 409)
   */
  async request<T = unknown>(resource: keyof Client & string, operation: string, params: Record<string, unknown> = {}): Promise<T> {
    const client = this.#client
    if (!client) throw new AsteriskAway(`no link to Asterisk (${resource}.${operation})`)
    return this.#ask(client, resource, operation, params)
  }

  async #ask<T>(client: Client & Inside, resource: string, operation: string, params: Record<string, unknown>): Promise<T> {
    const operations = client[resource] as Record<string, (params: Record<string, unknown>) => Promise<T>>
    try {
      return await within(this.#options.patience ?? seconds(3), `${resource}.${operation}`, operations[operation]!(params))
    } catch (error) {
      throw translate(error, `${resource}.${operation}`)
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
        log.warn({ lost: this.counts.lost, why: why(this.#lost.signal) }, 'link to Asterisk lost')
      } catch (error) {
        if (!this.#closing.signal.aborted) log.warn({ err: error, nextTryInMs: wait }, 'no link to Asterisk')
      }
      this.#drop()
      await pause(milliseconds(wait), this.#closing.signal)
      wait = Math.min(wait * 2, 2000)
    }
  }

  /** A new client, linked, its events filtered at the source and routed. */
  async #connect(): Promise<Client & Inside> {
    const { url, user, password, app } = this.#site
    const { onUp } = this.#options
    const lost = this.#lost = new AbortController()
    if (this.#closing.signal.aborted) lost.abort(this.#closing.signal.reason)
    const client = await within(seconds(5), 'reading the API', Ari.connect(url, user, password)) as Client & Inside
    // Its own reconnecting is switched off: it would give up, and two would be at it.
    Object.defineProperty(client, '_wsClosed', { get: () => true, set: () => {} })
    const started = client.start(app)
    started.catch(() => {})
    client._ws.on('error', (error: Error) => lost.abort(error))
    client._ws.on('close', () => lost.abort(new AsteriskAway('the websocket was closed')))
    this.#fenceEvents(client)
    try {
      await within(seconds(5), 'opening the websocket', untilAborted(started, lost.signal))
      await this.#ask(client, 'applications', 'filter', {
        applicationName: app, filter: { allowed: [...heard, 'ChannelUserevent'].map(type => ({ type })) }
      })
      this.#client = client
      this.beatAt = performance.now()
      await onUp()
      return client
    } catch (error) {
      this.#client = undefined
      this.beatAt = undefined
      client._ws.terminate()
      throw error
    }
  }

  /** ari-client's handler throws on an event that it has no model for; its `*` is our one listener. */
  #fenceEvents(client: Client & Inside) {
    const { log, onEvent } = this.#options
    const [theirs] = client._ws.listeners('message') as ((data: unknown) => void)[]
    client._ws.removeAllListeners('message')
    client._ws.on('message', (data: unknown) => {
      try {
        theirs!(data)
      } catch (error) {
        this.counts.unknownEvents++
        log.warn({ err: error, event: String(data).slice(0, 200) }, 'an event that ari-client does not know was passed over')
      }
    })
    ;(client as unknown as NodeJS.EventEmitter).on('*', (event: { type: string, eventname?: string }) => {
      if (event.type === 'ChannelUserevent') {
        if (event.eventname === 'beat') this.beatAt = performance.now()
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
        this.#lost.abort(error)
      }
      if (performance.now() - (this.beatAt ?? 0) > 3 * beat) this.#lost.abort(new AsteriskAway('no event came back over the websocket'))
    }
  }

  #drop() {
    const client = this.#client
    this.#client = undefined
    this.beatAt = undefined
    if (!client) return
    client._ws.terminate()
    ;(client as unknown as NodeJS.EventEmitter).removeAllListeners()
  }
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
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

const why = (signal: AbortSignal) => signal.reason instanceof Error ? signal.reason.message : String(signal.reason)

// The only place that reads ari-client's error text: it puts the HTTP body in `message` and drops the status.
function translate(error: unknown, what: string) {
  const text = error instanceof Error ? error.message : String(error)
  if (/not found|not in (a )?stasis/i.test(text)) return new Gone(`${what}: ${text}`)
  if (error instanceof Error && error.name === 'TimeUp') return new AsteriskAway(text)
  if (/ECONN|EPIPE|socket hang up|ETIMEDOUT|can't find/i.test(text)) return new AsteriskAway(`${what}: ${text}`)
  return new Error(`${what}: ${text}`, { cause: error })
}
