/**
 * What this machine and its operator decide, as read from the environment: once, whole, every fault at a time.
 * Only `main.ts` and `prepare.ts` call it, with `process.env`; everybody else is handed what they need.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { controlAddress } from '../setup/control-address.mjs'
import { isSecret } from './delivery/signed.ts'
import { isLoopback } from './http/loopback.ts'
import { urlRefusal } from './plan/webhook-url.ts'

export interface Settings {
  /** The project's folder, and the one for what a clone makes and keeps. */
  project: string
  state: string
  /** The city's own folder (SATUNOMOR_CITY); undefined: the clone's dialplan/ and asterisk-config/ serve. */
  city: string | undefined
  /** What an admin edits: the plan (beside it calls.yaml, holidays/, directory/), the templates, the prompts' texts, and Asterisk's own settings. */
  plan: string
  templates: string
  prompts: string
  config: string
  /** The folder of prompts that Asterisk plays from. */
  sounds: string
  http: { host: string, port: number }
  /** Names that the API answers under beside its address, proxies whose word on the client's address counts, and the token that opens /metrics alone. */
  edge: { names: string[], proxies: string[], metricsToken: string | undefined }
  /** `address` is SIP's, `control` that of ARI and AMI; `cel` is the ledger's file, `mailbox` the folder of what callers have said into mailboxes, `messages` Asterisk's own log, `replies` the folder of answers by SIP that wait. */
  asterisk: { address: string, port: number, control: string, ariPort: number, amiPort: number, rtp: [first: number, last: number], cel: string, mailbox: string, messages: string, replies: string }
  /** The Redis of `REDIS_URL`; undefined: our own, on the loopback at `redisPort`, with the password of secrets.json. */
  redis: string | undefined
  redisPort: number
  /** PostgreSQL for the records, beside the local store. */
  database: string | undefined
  token: string | undefined
  /** How messages get to citizens: by a gateway, by Asterisk, or not at all (they are shown). */
  messages: { by: 'webhook', url: string, secret: string } | { by: 'sip' } | { by: 'record' }
  /** Where espeak-ng, sox and Asterisk's program are: on this machine (or in this container), or in the root that `npm start` makes. */
  tools: 'here' | 'root'
  logLevel: string
  /** Whether an overloaded service leaves new calls to the dialplan's menu. */
  shed: boolean
  /** Whether a start makes an edit of the plan's folder live. */
  applyAtStart: boolean
  /** Where the watchdog shows whoever asks that it lives (a Unix socket); nowhere if undefined. */
  watchdogSocket: string | undefined
}

/** Each line names a variable, what is wrong with it, and what it may be. */
export class BadSettings extends Error {
  override name = 'BadSettings'
}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

export function readSettings(env: Record<string, string | undefined>, project: string): Settings {
  const faults: string[] = []
  const text = (name: string, fallback: string) => env[name]?.trim() || fallback
  /** Whatever folder we were started in. */
  const path = (name: string, ...fallback: string[]) => resolve(project, text(name, join(...fallback)))
  const port = (name: string, fallback: number) => {
    const value = Number(text(name, String(fallback)))
    if (!Number.isInteger(value) || value < 1 || value > 65535) faults.push(`${name} is "${env[name]}": a port is a number from 1 to 65535`)
    return value
  }
  const address = (name: string, fallback: string) => {
    const value = text(name, fallback)
    if (isIP(value) === 0) faults.push(`${name} is "${value}": an IP address is wanted, e.g. ${fallback}`)
    return value
  }
  const url = (name: string, fallback: string, protocols: string[]) => {
    const value = text(name, fallback)
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) faults.push(`${name} is no address of the form ${protocols[0]}//host:port`)
    return value
  }

  const state = path('SATUNOMOR_STATE', 'var')
  const city = env['SATUNOMOR_CITY']?.trim() ? path('SATUNOMOR_CITY') : undefined
  const edited = city ?? join(project, 'dialplan')
  const sip = address('SATUNOMOR_SIP_ADDRESS', '127.0.0.1')
  const rtpFirst = port('SATUNOMOR_RTP_FIRST', 10000)
  const settings: Settings = {
    project,
    state,
    city,
    plan: path('SATUNOMOR_PLAN', edited, 'plan.yaml'),
    templates: join(edited, 'templates'),
    prompts: join(edited, 'prompts'),
    config: join(city ?? project, 'asterisk-config'),
    sounds: path('SATUNOMOR_SOUNDS', state, 'sounds'),
    http: { host: address('SATUNOMOR_HTTP_ADDRESS', '127.0.0.1'), port: port('SATUNOMOR_HTTP_PORT', 8080) },
    edge: { names: hosts(), proxies: proxies(), metricsToken: env['SATUNOMOR_METRICS_TOKEN'] || undefined },
    asterisk: {
      address: sip,
      port: port('SATUNOMOR_SIP_PORT', 5060),
      control: controlAddress(sip),
      ariPort: port('SATUNOMOR_ARI_PORT', 8088),
      amiPort: port('SATUNOMOR_AMI_PORT', 5038),
      rtp: [rtpFirst, port('SATUNOMOR_RTP_LAST', rtpFirst + 9999)],
      cel: path('SATUNOMOR_CEL', state, 'asterisk', 'log', 'cel-custom', 'calls.csv'),
      mailbox: path('SATUNOMOR_MAILBOX', state, 'asterisk', 'spool', 'mailbox'),
      messages: join(state, 'asterisk', 'log', 'messages.log'),
      replies: join(state, 'asterisk', 'spool', 'messages')
    },
    redis: env['REDIS_URL'] ? url('REDIS_URL', '', ['redis:', 'rediss:']) : undefined,
    redisPort: port('SATUNOMOR_REDIS_PORT', 6389),
    database: env['DATABASE_URL'] ? url('DATABASE_URL', '', ['postgres:', 'postgresql:']) : undefined,
    token: env['SATUNOMOR_TOKEN'] || undefined,
    messages: messages(),
    tools: env['SATUNOMOR_TOOLS'] === 'root' ? 'root' : 'here',
    logLevel: text('SATUNOMOR_LOG', 'info'),
    shed: text('SATUNOMOR_SHED', 'on') === 'on',
    applyAtStart: text('SATUNOMOR_APPLY_AT_START', 'no') === 'yes',
    watchdogSocket: env['SATUNOMOR_WATCHDOG_SOCKET'] || undefined
  }
  if (settings.asterisk.rtp[0] >= settings.asterisk.rtp[1]) faults.push('SATUNOMOR_RTP_LAST is not above SATUNOMOR_RTP_FIRST')
  if (!['on', 'off'].includes(text('SATUNOMOR_SHED', 'on'))) faults.push(`SATUNOMOR_SHED is "${env['SATUNOMOR_SHED']}": it may be on or off`)
  if (!['yes', 'no'].includes(text('SATUNOMOR_APPLY_AT_START', 'no'))) faults.push(`SATUNOMOR_APPLY_AT_START is "${env['SATUNOMOR_APPLY_AT_START']}": it may be yes or no`)
  if (!levels.includes(settings.logLevel)) faults.push(`SATUNOMOR_LOG is "${settings.logLevel}": it may be ${levels.join(', ')}`)
  if (settings.token !== undefined && settings.token.length < 16) faults.push('SATUNOMOR_TOKEN is shorter than 16 characters: make one with `openssl rand -hex 32`')
  if (settings.edge.metricsToken !== undefined && settings.edge.metricsToken.length < 16) faults.push('SATUNOMOR_METRICS_TOKEN is shorter than 16 characters: make one with `openssl rand -hex 32`')
  if (settings.edge.metricsToken !== undefined && settings.edge.metricsToken === settings.token) faults.push('SATUNOMOR_METRICS_TOKEN is the same as SATUNOMOR_TOKEN: it must open the metrics alone, make another one')
  if (faults.length > 0) throw new BadSettings(faults.join('\n'))
  return settings

  function list(name: string): string[] {
    return (env[name] ?? '').split(/[\s,]+/).filter(Boolean)
  }

  function hosts(): string[] {
    const names = list('SATUNOMOR_HTTP_HOSTS')
    for (const name of names) {
      if (isIP(name) === 0 && !/^(?=.{1,253}$)[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d]([a-z\d-]*[a-z\d])?)*$/i.test(name)) {
        faults.push(`SATUNOMOR_HTTP_HOSTS has "${name}": a host name or an IP address is wanted, without https:// and without a port, e.g. 112.example.go.id`)
      }
    }
    return names
  }

  function proxies(): string[] {
    const found = list('SATUNOMOR_HTTP_TRUST_PROXY')
    for (const proxy of found) {
      const [address = '', prefix, ...rest] = proxy.split('/')
      const most = isIP(address) === 6 ? 128 : 32
      const fits = isIP(address) !== 0 && rest.length === 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= most))
      if (!fits) faults.push(`SATUNOMOR_HTTP_TRUST_PROXY has "${proxy}": an IP address or a CIDR is wanted, e.g. 127.0.0.1 or 10.0.0.0/24`)
    }
    return found
  }

  function messages(): Settings['messages'] {
    const [by, url, secret] = ['SATUNOMOR_MESSAGES', 'SATUNOMOR_MESSAGES_URL', 'SATUNOMOR_MESSAGES_SECRET'].map(name => env[name]?.trim() || undefined)
    if (by !== undefined && by !== 'sip' && by !== 'record' && by !== 'webhook') faults.push(`SATUNOMOR_MESSAGES is "${by}": it may be sip, webhook or record`)
    if ((by ?? 'webhook') !== 'webhook' && url !== undefined) faults.push(`SATUNOMOR_MESSAGES is "${by}" and SATUNOMOR_MESSAGES_URL is set: messages go one way`)
    if (by === 'sip') return { by }
    if (by === 'record' || (by === undefined && url === undefined)) return { by: 'record' }
    const refusal = url === undefined ? 'is missing' : urlRefusal(url)
    if (refusal) faults.push(`SATUNOMOR_MESSAGES_URL ${refusal}`)
    if (secret === undefined || !isSecret(secret)) faults.push('SATUNOMOR_MESSAGES_SECRET is no secret: `whsec_` and the base64 of 24 to 64 bytes, as `echo whsec_$(openssl rand -base64 32)` makes it')
    return { by: 'webhook', url: url ?? '', secret: secret ?? '' }
  }
}

/** What an admin edits, and where: what the service writes on its card, so that the commands look at the same. */
export type Edited = Pick<Settings, 'city' | 'plan' | 'templates' | 'prompts' | 'config'>

export const editedBy = ({ city, plan, templates, prompts, config }: Edited): Edited => ({ city, plan, templates, prompts, config })

/** What an operator must know of the API's address; nothing where it is on the loopback, or a proxy is declared. */
export function openToNetwork({ http: { host }, edge: { proxies } }: Pick<Settings, 'http' | 'edge'>): string[] {
  if (isLoopback(host) || proxies.length > 0) return []
  return [`the API listens on ${host} without TLS: tokens and callers' numbers cross the network in clear. Put a reverse proxy with TLS before it, and name the proxy in SATUNOMOR_HTTP_TRUST_PROXY (docs/proxy.md)`]
}

/** The environment with what `npm start` hands over beside it: in the environment others could read it. Once. */
export function handedOver(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const { SATUNOMOR_SECRETS: descriptor } = env
  return descriptor === undefined ? env : { ...env, ...JSON.parse(readFileSync(Number(descriptor), 'utf8')) as Record<string, string> }
}

/** What is made and kept, under the state folder. */
export const places = (state: string) => ({
  etc: join(state, 'asterisk', 'etc'),
  versions: join(state, 'versions'),
  secrets: join(state, 'secrets.json'),
  records: join(state, 'records.sqlite'),
  token: join(state, 'token'),
  /** Where the service shows that it lives. */
  alive: join(state, 'service.sock'),
  /** Who has a token of their own, hashed. */
  people: join(state, 'people.json'),
  /** What an admin has set by hand. */
  switches: join(state, 'switches.json'),
  /** There after a restore, until an admin says `npx satunomor go-live`. */
  held: join(state, 'held.json'),
  /** The secrets that are shared with agencies' own systems, a file for each. */
  webhooks: join(state, 'webhooks')
})
