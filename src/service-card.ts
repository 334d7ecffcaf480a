/**
 * That a service runs, and where: a lock in the state folder (service.lock), which the kernel takes back when its holder is gone, however
 * that one ended, and beside it a card with the API's address. The admin's commands read them, as their shell may not have the service's
 * settings. A card without the lock is an old one.
 */
import { readFileSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { inTurn, isHeld, type Holder } from './dialplan/lock.ts'
import type { Edited } from './settings.ts'

const lockName = 'service.lock'
const cardOf = (state: string) => join(state, `${lockName}.json`)

/** `url` is missing while it starts and while it ends; `since` while that is just being written. `edited`: the folders that it applies. */
export type RunningService = Partial<Holder> & { url?: string, edited?: Edited }

export interface ServiceCard extends AsyncDisposable {
  /** From now on the API answers there. */
  show(url: string): Promise<void>
  /** It does no longer. */
  hide(): Promise<void>
}

/** Before the service looks which plan is live, so that no command changes that behind its back; disposed last of all. No service is held up by it. */
export async function serviceCard(state: string, log: Logger, edited?: Edited): Promise<ServiceCard> {
  const about = { who: 'the service', does: 'runs', ...edited ? { edited } : {} }
  const since = new Date().toISOString()
  const failed = (error: unknown) => log.warn({ err: error }, 'where the service runs could not be written down: the admin\'s commands look for it by their own settings')
  const held = await inTurn(state, { who: about.who, does: about.does }, { name: lockName }).catch(failed)
  const write = async (card: RunningService) => {
    if (!held) return
    const fresh = `${cardOf(state)}.new`
    await writeFile(fresh, JSON.stringify(card)).then(() => rename(fresh, cardOf(state))).catch(failed)
  }
  return {
    show: url => write({ ...about, since, url }),
    hide: () => write({ ...about, since }),
    [Symbol.asyncDispose]: async () => { await held?.[Symbol.asyncDispose]() }
  }
}

/** The service of this state folder; undefined: none runs (none that leaves a card). Throws where that cannot be seen. */
export async function runningService(state: string): Promise<RunningService | undefined> {
  if (!isHeld(state, lockName)) return undefined
  return readFile(cardOf(state), 'utf8').then(text => JSON.parse(text) as RunningService).catch(() => ({}))
}

/**
 * The settings with the folders that the running service applies, where `env` names none: a shell, or a cron job, need not have its SATUNOMOR_CITY.
 * Where none runs, or none that says so, they stay as they are.
 */
export function withFoldersOfService<S extends Edited & { state: string }>(settings: S, env: Record<string, string | undefined>): S {
  if (env['SATUNOMOR_CITY']?.trim() || env['SATUNOMOR_PLAN']?.trim()) return settings
  const edited = editedByService(settings.state)
  return edited ? { ...settings, ...edited } : settings
}

/** What the service of this state folder applies; undefined: none runs, or none that says so. */
export function editedByService(state: string): Edited | undefined {
  try {
    return isHeld(state, lockName) ? (JSON.parse(readFileSync(cardOf(state), 'utf8')) as RunningService).edited : undefined
  } catch {
    return undefined          // it is just being written, or nobody may read it: whoever asks the service finds that out
  }
}
