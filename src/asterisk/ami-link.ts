import { randomUUID } from 'node:crypto'
import makeManager from 'asterisk-manager'
import type { Logger } from 'pino'
import { pause, within } from '../calls/time.ts'
import { milliseconds, seconds, type Duration } from '../plan/duration.ts'
import { AsteriskAway } from './ari-errors.ts'

export interface AmiSite {
  host: string
  port: number
  user: string
  password: string
}

export type AmiValue = string | number | Record<string, string | number>
export type AmiMessage = Record<string, string>

/** An AMI action that Asterisk refused, with its words. */
export class AmiRefused extends Error {
  override name = 'AmiRefused'
}

export interface AmiLinkOptions {
  onEvent?(event: AmiMessage): void
  log: Logger
  patience?: Duration
}

/**
 * The link to Asterisk's manager interface, over asterisk-manager 0.2.0, with its faults fenced in:
 * - a CR or LF in a value would carry another action: here it is refused;
 * - actions in flight when the socket drops never settle: here they are rejected with the link, or when their time is up;
 * - a socket that is still connecting, or whose other end is stuck, is never closed: here it is, with the link;
 * - it does not reconnect when it should: here a lost link is a lost manager, and a new one is made, for ever, at most 2 s apart;
 * - AMI's event names share an emitter with the socket's (`close`, `error`): here no AMI event gets on to it;
 * - it has no ping: here one goes out every 5 s.
 */
export class AmiLink {
  readonly #site: AmiSite
  readonly #options: AmiLinkOptions
  readonly #closing = new AbortController()
  #lost = new AbortController()
  #manager: ReturnType<typeof makeManager> | undefined
  #running: Promise<void> | undefined
  readonly #lists = new Map<string, (event: AmiMessage) => void>()

  constructor(site: AmiSite, options: AmiLinkOptions) {
    this.#site = site
    this.#options = options
  }

  get up() { return this.#manager !== undefined }

  open() {
    this.#running ??= this.#keepUp()
  }

  async close() {
    this.#closing.abort(new AsteriskAway('the AMI link is closed'))
    this.#lost.abort(this.#closing.signal.reason)
    await this.#running
  }

  /**
   * One action, e.g. `action('Reload', { Module: 'pbx_config' })`.
   * @throws TypeError for a value with a control character; AsteriskAway without a link or an answer; AmiRefused with Asterisk's words
   */
  async action(name: string, values: Record<string, AmiValue> = {}): Promise<AmiMessage> {
    refuseControlCharacters({ Action: name, ...values })
    return this.#ask(this.#linked(name), name, values)
  }

  /** An action that Asterisk answers with a list of events, e.g. `list('CoreShowChannels')`. Throws as `action` does. */
  async list(name: string, values: Record<string, AmiValue> = {}): Promise<AmiMessage[]> {
    refuseControlCharacters({ Action: name, ...values })
    const actionid = randomUUID()
    const entries: AmiMessage[] = []
    const whole = Promise.withResolvers<void>()
    this.#lists.set(actionid, event => {
      if (event['eventlist']?.toLowerCase() === 'complete') whole.resolve()
      else entries.push(event)
    })
    try {
      await this.#ask(this.#linked(name), name, values, actionid)
      await within(this.#options.patience ?? seconds(3), `AMI ${name}`, whole.promise)
      return entries
    } catch (error) {
      throw (error as Error).name === 'TimeUp' ? new AsteriskAway((error as Error).message) : error
    } finally {
      this.#lists.delete(actionid)
    }
  }

  #linked(name: string) {
    if (!this.#manager) throw new AsteriskAway(`no AMI link (${name})`)
    return this.#manager
  }

  async #ask(manager: ReturnType<typeof makeManager>, name: string, values: Record<string, AmiValue>, actionid: string = randomUUID()): Promise<AmiMessage> {
    const lost = this.#lost.signal
    const { promise, resolve, reject } = Promise.withResolvers<AmiMessage>()
    const cut = () => reject(lost.reason)
    if (lost.aborted) cut()
    lost.addEventListener('abort', cut, { once: true })
    try {
      manager.action({ ...values, action: name, actionid }, (error, response) => {
        if (error) reject(new AmiRefused(`${name}: ${(error as AmiMessage)['message'] ?? String(error)}`))
        else resolve(response)
      })
      return await within(this.#options.patience ?? seconds(3), `AMI ${name}`, promise)
    } catch (error) {
      throw (error as Error).name === 'TimeUp' ? new AsteriskAway((error as Error).message) : error
    } finally {
      lost.removeEventListener('abort', cut)
      manager.removeAllListeners(actionid)
    }
  }

  async #keepUp() {
    const { log } = this.#options
    let wait = 100
    while (!this.#closing.signal.aborted) {
      try {
        this.#manager = await this.#connect()
        log.info('linked with Asterisk over AMI')
        wait = 100
        await this.#pingUntilLost(this.#manager)
        if (!this.#closing.signal.aborted) log.warn({ why: String(this.#lost.signal.reason) }, 'AMI link lost')
      } catch (error) {
        if (error instanceof AmiRefused) wait = 2000                     // it will not think better of it at once
        if (!this.#closing.signal.aborted) log.warn({ err: error, nextTryInMs: wait }, 'no AMI link')
      }
      this.#manager = undefined
      await pause(milliseconds(wait), this.#closing.signal)
      wait = Math.min(wait * 2, 2000)
    }
  }

  async #connect() {
    const { host, port, user, password } = this.#site
    const lost = this.#lost = new AbortController()
    if (this.#closing.signal.aborted) lost.abort(this.#closing.signal.reason)
    const manager = makeManager(undefined)
    Object.assign(manager.options, { host, port, username: user, password, events: true })
    manager.on('close', () => lost.abort(new AsteriskAway('the AMI socket was closed')))
    manager.on('error', (error: Error) => lost.abort(new AsteriskAway(`AMI: ${error.message}`)))
    // Its own way of telling what it has read is taken off: it emits each event by Asterisk's name for it.
    manager.removeAllListeners('rawevent')
    manager.on('rawevent', (message: AmiMessage) => this.#read(manager, message))

    const { promise: loggedIn, resolve, reject } = Promise.withResolvers<void>()
    lost.signal.addEventListener('abort', () => reject(lost.signal.reason), { once: true })
    if (lost.signal.aborted) reject(lost.signal.reason)
    // With the signal the socket closes with the link, in whatever state it is.
    manager.connect({ port, host, signal: lost.signal }, undefined, () => manager.login(error =>
      error ? reject(new AmiRefused(`login: ${(error as AmiMessage)['message'] ?? String(error)}`)) : resolve()))
    try {
      await within(seconds(5), 'AMI login', loggedIn)
      return manager
    } catch (error) {
      lost.abort(error)
      throw error
    }
  }

  #read(manager: ReturnType<typeof makeManager>, message: AmiMessage) {
    const { event, response, actionid } = message
    const list = actionid === undefined ? undefined : this.#lists.get(actionid)
    if (event !== undefined) list ? list(message) : this.#hear(message)
    else if (actionid !== undefined) manager.emit(actionid, String(response).toLowerCase() === 'error' ? message : undefined, message)
  }

  #hear(event: AmiMessage) {
    try {
      this.#options.onEvent?.(event)
    } catch (error) {
      this.#options.log.error({ err: error, event: event['event'] }, 'an AMI event was not handled')
    }
  }

  async #pingUntilLost(manager: ReturnType<typeof makeManager>) {
    const { signal } = this.#lost
    while (!signal.aborted) {
      await pause(seconds(5), signal)
      if (signal.aborted) return
      try {
        await this.#ask(manager, 'Ping', {})
      } catch (error) {
        this.#lost.abort(error)
      }
    }
  }
}

/** AMI is a protocol of lines: one that a value brings along would be Asterisk's next order. */
function refuseControlCharacters(values: Record<string, AmiValue>) {
  for (const [key, value] of Object.entries(values)) {
    const texts = typeof value === 'object' ? Object.entries(value).flat() : [value]
    for (const text of [key, ...texts]) {
      if (/[\u0000-\u001f\u007f]/.test(String(text))) throw new TypeError(`AMI: "${key.replace(/[^\w-]/g, '?')}" has a control character; it was not sent`)
    }
  }
}
