/**
 * The watchdog: a process of its own that sees, over AMI alone, when the service no longer beats, and sends the callers
 * who hang in its application to the dialplan's fallback (design.md, section 5). It may die itself: no call notices.
 */
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { AmiLink } from './asterisk/ami-link.ts'
import { pause } from './calls/time.ts'
import { openLog } from './log.ts'
import { milliseconds, seconds } from './plan/duration.ts'
import { places, readSettings } from './settings.ts'
import { showLife } from './show-life.ts'

/** As `[trunk-in]` has it: a beat that is this old is no beat. */
const stale = seconds(4)
/** A service that drains says so by a beat of 0, and has this long to lead its callers to their choice. */
const drain = seconds(20)
const look = milliseconds(500)

export interface WatchdogOptions {
  ami: Pick<AmiLink, 'action' | 'list'>
  app: string
  log: Logger
}

export class Watchdog {
  readonly #options: WatchdogOptions
  readonly #closing = new AbortController()
  #beat: { value: string, since: number } | undefined
  #running: Promise<void> | undefined

  constructor(options: WatchdogOptions) {
    this.#options = options
  }

  start() {
    this.#running ??= this.#watch()
  }

  async close() {
    this.#closing.abort()
    await this.#running
  }

  async #watch() {
    const { log } = this.#options
    let blind = false
    while (!this.#closing.signal.aborted) {
      try {
        await this.look()
        if (blind) log.info('the watchdog sees again')
        blind = false
      } catch (error) {
        if (!blind) log.warn({ err: error }, 'the watchdog cannot see: is Asterisk there?')
        blind = true
        this.#beat = undefined                   // how old the beat is, is counted anew from when we see it
      }
      await pause(look, this.#closing.signal)
    }
  }

  /** One look at the beat; when it has been still for too long, every caller in the application is redirected. Says how many. */
  async look(): Promise<number> {
    const { value = '' } = await this.#options.ami.action('Getvar', { Variable: 'SN_BEAT' })
    const now = performance.now()
    // What counts is that the value changes: the clocks may be stepped as they like.
    if (this.#beat?.value !== value) this.#beat = { value, since: now }
    if (now - this.#beat.since < (value === '0' ? drain : stale)) return 0
    return this.#redirectAll()
  }

  async #redirectAll(): Promise<number> {
    const { ami, app, log } = this.#options
    const channels = await ami.list('CoreShowChannels')
    const held = channels.filter(({ application, applicationdata }) => application === 'Stasis' && applicationdata?.split(',')[0] === app)
    let redirected = 0
    for (const { channel = '', linkedid } of held) {
      try {
        await ami.action('Redirect', { Channel: channel, Context: 'fallback', Exten: 's', Priority: 1 })
        redirected++
        log.error({ call: linkedid }, 'the service does not beat: the caller was sent to the fallback')
      } catch (error) {
        log.warn({ err: error, call: linkedid }, 'a caller was not redirected: gone meanwhile, or tried again')
      }
    }
    return redirected
  }
}

if (import.meta.main) {
  const project = dirname(dirname(fileURLToPath(import.meta.url)))
  const settings = readSettings(process.env, project)
  const { log, written } = openLog(settings.logLevel)
  const { watchdog: password } = JSON.parse(await readFile(places(settings.state).secrets, 'utf8')) as { watchdog: string }
  const ami = new AmiLink({ host: settings.asterisk.control, port: settings.asterisk.amiPort, user: 'watchdog', password }, { log })
  const watchdog = new Watchdog({ ami, app: 'satunomor', log })
  ami.open()
  watchdog.start()
  if (settings.watchdogSocket !== undefined) await showLife(settings.watchdogSocket, log)
  const stop = Promise.withResolvers<string>()
  process.on('SIGTERM', stop.resolve)
  process.on('SIGINT', stop.resolve)
  await stop.promise
  await watchdog.close()
  await ami.close()
  await written()
  process.exit(0)
}
