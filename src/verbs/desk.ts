/** What the admin's commands about the plan stand on: this machine's settings, its versions, and the service where one runs. */
import { readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { pino } from 'pino'
import type { Changes, Order } from '../dialplan/changes.ts'
import type { Version } from '../dialplan/versions.ts'
import { quote } from '../plan/faults.ts'
import { changesOf } from '../prepare.ts'
import { editedByService, runningService } from '../service-card.ts'
import { places, type Settings } from '../settings.ts'
import { settingsHere } from './here.ts'
import { misused } from './usage.ts'

export interface AtDesk {
  settings: Settings
  changes: Changes
}

export function desk(): AtDesk {
  const settings = settingsHere()
  return { settings, changes: changesOf(settings, pino({ level: 'silent' })) }
}

/** Who is at the terminal, where they do not say it. */
export const me = () => `${process.env['SUDO_USER'] ?? userInfo().username}@${hostname()}`

/** The number of a version as an argument of a verb. Throws `Misused`. */
export function versionNumber(verb: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) misused(verb, `${quote(text)} is no version: versions are counted from 1 (npx satunomor versions)`)
  return Number(text)
}

type Made = Pick<Version, 'version' | 'plan'>

/**
 * Has the running service change the plan, or does it here where none runs; prints each step and each warning. Throws what the service
 * says, or what `here` throws.
 */
export async function change({ settings }: AtDesk, what: 'apply' | 'rollback', order: object, here: (hears: Required<Pick<Order, 'tell' | 'warn'>>) => Promise<Version>): Promise<Made> {
  const url = await serviceUrl(settings)
  if (what === 'apply') refuseOtherFolder(settings)
  if (url === undefined) {
    const made = await here({ tell: step => process.stdout.write(`${step} …\n`), warn: warning => process.stderr.write(`${warning}\n`) })
    process.stdout.write('No service runs here: Asterisk and the service have it as soon as they start.\n')
    return made
  }
  const token = await cityToken(settings)
  const response = await fetch(`${url}/api/plan/${what}`, {
    method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(order)
  })
  const answer = await response.json() as { version: Made, steps: { step: string, ms: number }[], warnings?: string[], message?: string, hint?: string }
  if (!response.ok) throw new Error([answer.message, answer.hint].filter(Boolean).join('\n'))
  for (const warning of answer.warnings ?? []) process.stderr.write(`${warning}\n`)
  for (const { step, ms } of answer.steps) process.stdout.write(`${step} (${ms} ms)\n`)
  return answer.version
}

/** The running service applies its own folder: not behind the back of an admin who has looked at another one. */
function refuseOtherFolder({ state, plan }: Settings) {
  const theirs = editedByService(state)
  if (!theirs || theirs.plan === plan) return
  throw new Error(`the service applies ${theirs.plan}, and this shell names ${plan}: nothing has changed. Unset SATUNOMOR_CITY and SATUNOMOR_PLAN here, or set them for the service and start it again`)
}

/**
 * Where the running service answers: as its card says, whatever this shell has as its settings; undefined where none runs. Throws where
 * one runs and cannot be reached: it must not be passed over.
 */
export async function serviceUrl({ state, http: { host, port } }: Pick<Settings, 'state' | 'http'>): Promise<string | undefined> {
  const running = await runningService(state).catch(error => { throw new Error(`whether a service runs cannot be seen in ${state} (${(error as Error).message}): nothing has changed`, { cause: error }) })
  const ours = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  if (!running) return await answers(ours) ? ours : undefined           // one that leaves no card, as those before November 2026
  const { url, since } = running
  if (url === undefined) throw new Error('the service is just starting, or ending: nothing has changed; try again in some seconds')
  if (!await answers(url)) throw new Error(`a service runs${since ? ` since ${since}` : ''}, and nobody answers at ${url} from here: nothing has changed. Where it runs in a container, ask there: docker compose exec service node src/satunomor.ts …`)
  return url
}

/** The city's token, as the service has it. */
export async function cityToken({ token, state }: Pick<Settings, 'token' | 'state'>): Promise<string> {
  return token ?? (await readFile(places(state).token, 'utf8').catch(error => {
    throw new Error(`the service wants its token, and it is not in ${places(state).token} (${(error as Error).message}): set SATUNOMOR_TOKEN as it is where the service runs`, { cause: error })
  })).trim()
}

/** Whether a service is there. Throws where something is, and does not answer. */
async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5000) })).ok
  } catch (error) {
    if (((error as Error).cause as { code?: string } | undefined)?.code === 'ECONNREFUSED') return false
    throw new Error(`the service at ${url} does not answer (${(error as Error).message}): look at it first (docs/operations.md)`, { cause: error })
  }
}
