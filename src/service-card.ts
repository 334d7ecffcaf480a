/**
 * That a service runs, and where: a lock in the state folder (service.lock), which the kernel takes back when its holder is gone, however
 * that one ended, and beside it a card with the API's address. The admin's commands read them, as their shell may not have the service's
 * settings. A card without the lock is an old one.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { inTurn, isHeld, type Holder } from './dialplan/lock.ts'

const lockName = 'service.lock'
const cardOf = (state: string) => join(state, `${lockName}.json`)

/** `url` is missing while it starts and while it ends; `since` while that is just being written. */
export type RunningService = Partial<Holder> & { url?: string }

export interface ServiceCard extends AsyncDisposable {
  /** From now on the API answers there. */
  show(url: string): Promise<void>
  /** It does no longer. */
  hide(): Promise<void>
}

/** Before the service looks which plan is live, so that no command changes that behind its back; disposed last of all. No service is held up by it. */
export async function serviceCard(state: string, log: Logger): Promise<ServiceCard> {
  const about = { who: 'the service', does: 'runs' }
  const since = new Date().toISOString()
  const failed = (error: unknown) => log.warn({ err: error }, 'where the service runs could not be written down: the admin\'s commands look for it by their own settings')
  const held = await inTurn(state, about, { name: lockName }).catch(failed)
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
