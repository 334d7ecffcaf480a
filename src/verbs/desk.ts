/** What the admin's commands about the plan stand on: this machine's settings, its versions, and the service where one runs. */
import { readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import type { Changes, Order } from '../dialplan/changes.ts'
import type { Version } from '../dialplan/versions.ts'
import { changesOf } from '../prepare.ts'
import { places, readSettings, type Settings } from '../settings.ts'

export interface AtDesk {
  settings: Settings
  changes: Changes
}

export function desk(): AtDesk {
  const settings = readSettings(process.env, dirname(dirname(dirname(fileURLToPath(import.meta.url)))))
  return { settings, changes: changesOf(settings, pino({ level: 'silent' })) }
}

/** Who is at the terminal, where they do not say it. */
export const me = () => `${process.env['SUDO_USER'] ?? userInfo().username}@${hostname()}`

/** The number of a version as an argument. Throws a RangeError that says what was wrong. */
export function versionNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new RangeError(`"${text}" is no version: versions are counted from 1 (npx satunomor versions)`)
  return Number(text)
}

type Made = Pick<Version, 'version' | 'plan'>

/**
 * Has the running service change the plan, or does it here where none runs; prints each step. Throws what the service
 * says, or what `here` throws.
 */
export async function change({ settings }: AtDesk, what: 'apply' | 'rollback', order: object, here: (tell: NonNullable<Order['tell']>) => Promise<Version>): Promise<Made> {
  const { host, port } = settings.http
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  if (!await runs(url)) {
    const made = await here(step => process.stdout.write(`${step} …\n`))
    process.stdout.write(`No service answers at ${url}: Asterisk and the service have it as soon as they start.\n`)
    return made
  }
  const token = settings.token ?? (await readFile(places(settings.state).token, 'utf8')).trim()
  const response = await fetch(`${url}/api/plan/${what}`, {
    method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(order)
  })
  const answer = await response.json() as { version: Made, steps: { step: string, ms: number }[], message?: string, hint?: string }
  if (!response.ok) throw new Error([answer.message, answer.hint].filter(Boolean).join('\n'))
  for (const { step, ms } of answer.steps) process.stdout.write(`${step} (${ms} ms)\n`)
  return answer.version
}

/** Whether a service is there. Throws where something is, and does not answer: it must not be passed over. */
async function runs(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5000) })).ok
  } catch (error) {
    if (((error as Error).cause as { code?: string } | undefined)?.code === 'ECONNREFUSED') return false
    throw new Error(`the service at ${url} does not answer (${(error as Error).message}): look at it first (docs/operations.md)`, { cause: error })
  }
}
