/**
 * Whoever changes what is live does it alone. The lock is the kernel's, on a file (SQLite takes it, also between
 * containers on one volume): it is gone when its holder is, however that one ended, and so is never stale.
 */
import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pause } from '../calls/time.ts'
import { milliseconds, seconds } from '../plan/duration.ts'

export interface Holder {
  who: string
  /** e.g. `applies`, `rolls back`. */
  does: string
  /** ISO 8601, UTC. */
  since: string
}

/** Somebody else is at it; `holder` says who, where that is known already. */
export class Locked extends Error {
  override name = 'Locked'
  readonly holder: Holder | undefined

  constructor(holder: Holder | undefined, look: string) {
    super(`${holder ? `${holder.who} ${holder.does} since ${holder.since}` : 'somebody else is at it'}: wait until that is done, then look at what it changed (${look}) and try again`)
    this.holder = holder
  }
}

/** Takes the lock of a folder (or one of a name of its own there) until it is disposed. Throws `Locked` at once where somebody else has it; `look` is the command that shows what that one did. */
export async function lock(folder: string, { who, does }: Omit<Holder, 'since'>, { name = 'lock', look = 'npx satunomor versions' } = {}): Promise<AsyncDisposable> {
  ownFile(join(folder, name))
  const held = new DatabaseSync(join(folder, name), { timeout: 0 })
  const card = join(folder, `${name}.json`)
  try {
    held.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE')          // nothing is ever in it, and a full disk must let us have it
  } catch (error) {
    held.close()
    if ((error as { errcode?: number }).errcode !== 5) throw error             // SQLITE_BUSY
    throw new Locked(await holderOn(card), look)
  }
  // The card is only for whoever comes second: a full disk keeps nobody from what they are about.
  await writeFile(card, JSON.stringify({ who, does, since: new Date().toISOString() } satisfies Holder)).catch(() => {})
  return {
    async [Symbol.asyncDispose]() {
      await rm(card, { force: true })
      held.close()
    }
  }
}

/** Who can read the file could hold the lock, too: it is its owner's alone. */
function ownFile(file: string) {
  closeSync(openSync(file, 'a', 0o600))
  const { uid, mode } = statSync(file)
  if (mode & 0o077 && (uid === process.getuid?.() || process.getuid?.() === 0)) chmodSync(file, 0o600)
}

/** Whether somebody has it; it is not taken, and whoever takes it at this moment waits for a millisecond (`inTurn`). Throws where it cannot be read. */
export function isHeld(folder: string, name: string): boolean {
  const file = join(folder, name)
  if (!existsSync(file)) return false
  using look = { db: new DatabaseSync(file, { readOnly: true, timeout: 0 }), [Symbol.dispose]() { this.db.close() } }
  try {
    look.db.prepare('SELECT 1 FROM sqlite_master').get()
    return false
  } catch (error) {
    if ((error as { errcode?: number }).errcode === 5) return true             // SQLITE_BUSY
    throw error
  }
}

/** Takes a lock that is held for milliseconds: whoever comes second waits. Throws `Locked` where somebody else is at it for long. */
export async function inTurn(...[folder, holder, names]: Parameters<typeof lock>): Promise<AsyncDisposable> {
  const end = performance.now() + seconds(5)
  while (true) {
    try {
      return await lock(folder, holder, names)
    } catch (error) {
      if (!(error instanceof Locked) || performance.now() > end) throw error
      await pause(milliseconds(20), new AbortController().signal)
    }
  }
}

/** What the card says, unless it is just being written or taken away. */
const holderOn = (card: string) => readFile(card, 'utf8').then(text => JSON.parse(text) as Holder).catch(() => undefined)
