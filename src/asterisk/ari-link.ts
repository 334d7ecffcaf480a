import type { Socket } from 'node:net'
import type { Client } from 'ari-client'
import type { Logger } from 'pino'
import { milliseconds, seconds, type Duration } from '../plan/duration.ts'
import { deadline, pause } from '../calls/time.ts'
import { ariClient } from './ari-client.ts'
import { AsteriskAway, meaning } from './ari-errors.ts'
import { heard } from './ari-events.ts'
import { AriHttp } from './ari-http.ts'
import { AriSocket, atOnce, textFrame, type Answer } from './ari-socket.ts'
import type { Overload } from './overload.ts'

export interface AriSite {
  /** e.g. `http://127.0.0.1:8088` */
  url: string
  user: string
  password: string
  app: string
}

/** The parts of ari-client that its types do not name. */
interface Inside {
  _ws?: NodeJS.EventEmitter & { terminate(): void, _socket: Socket }
  _swagger: { apis: Record<string, { operations: Record<string, Operation>, models?: Record<string, unknown> } | undefined> }
}

/** One of Asterisk's operations, out of its own description of ARI. `path` is e.g. `/channels/{channelId}/play/{playbackId}`. */
interface Operation {
  method: string
  path: string
  parameters: { name: string, paramType: string }[]
}

/** Where it is asked, from `/ari` on. */
function uriOf({ path, parameters }: Operation, params: Record<string, unknown>): string {
  const text = (name: string) => encodeURIComponent(String(params[name]))
  const there = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (!params[name]) throw new TypeError(`${path} is asked without its ${name}`)
    return text(name)
  })
  const query = parameters.flatMap(({ name, paramType }) => paramType === 'query' && params[name] !== undefined ? [`${name}=${text(name)}`] : [])
  return query.length > 0 ? `${there}?${query.join('&')}` : there
}

export interface AriLinkOptions {
  /** Called with each event of the application. What it throws is logged, and harms neither the link nor another event. */
  onEvent(event: unknown): void
  /** Called each time the link is up, before `up` resolves: set again what Asterisk forgets with a connection. */
  onUp(): Promise<void>
  log: Logger
  /** Hears how long Asterisk takes for what callers wait for. */
  load?: Pick<Overload, 'took' | 'leaves' | 'left' | 'forgets'>
  /** How long a request may take before it counts as lost. */
  patience?: Duration
  /** How often the whole way (request, Asterisk, websocket) is tried; it is cut when a beat does not come back in time. */
  beat?: Duration
}

/** What comes back of our beats. */
const beatBack = 'ChannelUserevent'
/** How Asterisk answers what was asked over the websocket; its filter of events holds for that, too. */
const answered = 'RESTResponse'
/** What Asterisk does at once, whatever its channels do: how long that takes is its load, and ours. */
const timed: ReadonlySet<string> = new Set([...atOnce, 'asterisk.setGlobalVar', 'events.userEvent'])
const leaving = 'channels.continueInDialplan'
const wanted: ReadonlySet<string> = new Set([...heard, beatBack])

/** The event in a message, if it is one that ARI's description knows. */
function eventIn(text: string, models: Record<string, unknown>): { type: string, eventname?: string } | undefined {
  try {
    const event = JSON.parse(text) as { type?: unknown, eventname?: string } | null
    return typeof event?.type === 'string' && (event.type === answered || Object.hasOwn(models, event.type)) ? event as { type: string } : undefined
  } catch {
    return undefined
  }
}

let credentials: { of: string, links: number } | undefined

/**
 * The link to Asterisk's REST interface, over ari-client 2.2.0, with its faults fenced in:
 * - it gives up after ten tries: here a lost link is a lost client, and a new one is made, for ever, at most 2 s apart;
 * - an event without a model throws in the socket's handler, and from each other one it builds objects with all of ARI's
 *   operations, whose listeners leak: here events are read as they came, and one that nobody knows is counted and logged;
 * - a request that cannot be sent never settles, one that is refused loses its HTTP status, and API pages that cannot be
 *   read (an Asterisk that is just starting) end the process: it says what can be asked, `AriHttp` asks;
 * - it knows no time-outs and no pings: here each request has a limit, and a beat goes round the whole way;
 * - all clients of a process use the last one's password: here a second one with another is refused.
 */
export class AriLink {
  readonly #site: AriSite
  readonly #options: AriLinkOptions
  readonly #closing = new AbortController()
  readonly #headers: { authorization: string }
  #http = new AriHttp()
  #socket: AriSocket | undefined
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
    this.#headers = { authorization: `Basic ${btoa(`${site.user}:${site.password}`)}` }
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

  async #ask<T>(client: Inside, resource: string, operation: string, params: Record<string, unknown>): Promise<T> {
    const what = `${resource}.${operation}`
    const known = client._swagger.apis[resource]?.operations[operation]
    if (!known) throw new TypeError(`ARI has no ${what}`)
    const { load } = this.#options
    const asked = performance.now()
    if (what === leaving) load?.leaves(String(params['channelId']), asked)
    try {
      const patience = this.#options.patience ?? seconds(3)
      const uri = uriOf(known, params)
      if (this.#socket && atOnce.has(what)) {
        const answer = await this.#socket.ask({ method: known.method.toUpperCase(), uri: uri.slice(1), patience })
        return (answer === '' ? undefined : JSON.parse(answer)) as T
      }
      const body = known.parameters.find(({ name, paramType }) => paramType === 'body' && params[name] !== undefined)
      const answer = await this.#http.ask({
        method: known.method, url: `${this.#site.url}/ari${uri}`, headers: this.#headers, patience,
        ...body ? { body: JSON.stringify(params[body.name]) } : {}
      })
      return (answer === '' ? undefined : JSON.parse(answer)) as T
    } catch (error) {
      if (what === leaving) load?.forgets(String(params['channelId']))
      throw meaning(error, what)
    } finally {
      if (timed.has(what)) load?.took(performance.now() - asked)
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
        if (!this.#closing.signal.aborted) log.warn({ err: meaning(error, 'linking'), nextTryInMs: wait }, 'no link to Asterisk')
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
    // ari-client is only let at an Asterisk that answers.
    await untilAborted(this.#http.ask({ method: 'GET', url: `${url}/ari/api-docs/resources.json`, headers: this.#headers, patience: seconds(5) }), time)
    const client = await untilAborted(ariClient.connect(url, user, password), time) as unknown as Client & Inside
    // Requests go from here on: events may come before `start` says that they can.
    this.#client = client
    // Its own reconnecting is switched off: it would give up, and two would be at it.
    Object.defineProperty(client, '_wsClosed', { get: () => true, set: () => {} })
    const started = client.start(app)
    client._ws!.on('error', (error: Error) => lost.abort(new AsteriskAway(`websocket: ${error.message}`)))
    client._ws!.on('close', () => lost.abort(new AsteriskAway('the websocket was closed')))
    this.#takeEvents(client)
    await untilAborted(started, time)
    const { _socket: socket } = client._ws!
    // What is asked in one go (stop the prompt, go on in the dialplan) is one packet: it is the packets that cost, on either side.
    let frames: Buffer[] = []
    this.#socket = new AriSocket(text => {
      frames.push(textFrame(text))
      if (frames.length > 1) return
      process.nextTick(() => {
        socket.write(frames.length > 1 ? Buffer.concat(frames) : frames[0]!, error => { if (error) lost.abort(new AsteriskAway(`websocket: ${error.message}`)) })
        frames = []
      })
    })
    await this.#ask(client, 'applications', 'filter', {
      applicationName: app, filter: { allowed: [...wanted, answered].map(type => ({ type })) }
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

  /** ari-client's handler of events is taken off; ours takes its place. */
  #takeEvents(client: Inside) {
    client._ws!.removeAllListeners('message')
    const models = client._swagger.apis['events']?.models ?? {}
    client._ws!.on('message', (data: unknown) => this.#hear(String(data), models))
  }

  #hear(text: string, models: Record<string, unknown>) {
    const { log, onEvent, load } = this.#options
    const event = eventIn(text, models)
    if (event?.type === answered) return this.#socket?.hear(event as unknown as Answer)
    if (!event) {
      this.counts.unknownEvents++
      // Of the event only its type: the rest may be somebody's number.
      log.warn({ type: /"type": ?"(\w+)"/.exec(text)?.[1] ?? null }, 'an event that is not known here was passed over')
      return
    }
    if (!wanted.has(event.type)) return            // it came before Asterisk was told what to send
    if (event.type === beatBack) {
      if (event.eventname === 'beat' && this.up) this.beatAt = performance.now()
      return
    }
    if (event.type === 'StasisEnd') load?.left((event as unknown as { channel: { id: string } }).channel.id)
    try {
      onEvent(event)
    } catch (error) {
      log.error({ err: error, type: event.type }, 'an event was not handled')
    }
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
    this.#options.load?.forgets()
    this.#lost.abort(new AsteriskAway('the link was given up'))
    this.#http.close()
    this.#http = new AriHttp()
    this.#socket?.close()
    this.#socket = undefined
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
