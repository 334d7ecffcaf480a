/**
 * Keeps a usable store under the service. A store that is damaged is set aside, and a new one begins with what can still be read of it.
 * Asterisk's ledger tells the rest again, from its beginning. A store that cannot be opened (the disk is full) is tried again. No call
 * waits for any of that.
 */
import { existsSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Kysely, sql } from 'kysely'
import type { Logger } from 'pino'
import { isDamaged, isStoreAway, plainly } from './faults.ts'
import { Records } from './records.ts'
import { copyTable, damagedStore, large, numberOn, small } from './salvage.ts'
import { sqlite } from './sqlite.ts'
import type { Tables } from './tables.ts'
import { pause } from '../calls/time.ts'
import { seconds } from '../plan/duration.ts'

/** That the store was made anew, and how far that has come. It stands in the new store. */
export interface Remade {
  /** Unix ms. */
  at: number
  why: string
  /** The damaged file; null: there was none. */
  aside: string | null
  /** Of each table that is copied: the last row that was looked at, or `all`. */
  copied: Record<string, number | 'all'>
  /** Tables of which something could not be read. */
  unreadable: string[]
  /** The ledger has been read again, to its end. */
  read: boolean
}

/** The mark's name among the watermarks. */
const remadeMark = 'remade'

/** Why it was made anew where nothing was wrong with it. */
const restored = 'a backup was restored'

/** The mark of a store that a restore has put back: what came after the backup, the ledger tells. @param at Unix ms */
export const restoredMark = (at: number) => ({ name: remadeMark, value: JSON.stringify({ at, why: restored, aside: null, copied: {}, unreadable: [], read: false } satisfies Remade) })

export async function remadeIn(db: Kysely<Tables>): Promise<Remade | undefined> {
  const row = await db.selectFrom('watermarks').select('value').where('name', '=', remadeMark).executeTakeFirst()
  return row && JSON.parse(row.value) as Remade
}

export async function markRemade(db: Kysely<Tables>, remade: Remade): Promise<void> {
  const value = JSON.stringify(remade)
  await db.insertInto('watermarks').values({ name: remadeMark, value }).onConflict(conflict => conflict.column('name').doUpdateSet({ value })).execute()
}

export interface KeeperOptions {
  file: string
  /** Whether Asterisk's ledger tells of anything. */
  ledgerTells: () => Promise<boolean>
  log: Logger
}

/** How often it looks whether the file is there, and whether a store that could not be opened can be. */
const often = seconds(5)
/** A store that is damaged again so soon is left as it is, ms: the disk itself may be broken. */
const soon = 5 * 60_000
/** For how long `/readyz` warns of it, ms. */
const shown = 24 * 3_600_000

export class Keeper implements AsyncDisposable {
  readonly records: Records
  readonly #options: KeeperOptions
  readonly #closing = new AbortController()
  #remade: Remade | undefined
  /** Why it cannot be opened. */
  #away: string | undefined
  #damage: string | undefined
  #ready = Promise.withResolvers<void>()
  #renewed = () => {}
  #nudged = Promise.withResolvers<void>()
  #running: Promise<void> | undefined

  private constructor(options: KeeperOptions) {
    this.#options = options
    this.records = Records.at({ file: options.file }, options.log)
    this.records.onDamage(error => this.#isDamaged(plainly(error).reason))
  }

  /** Opens the store, or begins a new one. Throws only where neither time nor room would help. */
  static async open(options: KeeperOptions): Promise<Keeper> {
    const keeper = new Keeper(options)
    try {
      await keeper.#open()
    } catch (error) {
      if (!isStoreAway(error)) {
        await keeper.records[Symbol.asyncDispose]().catch(() => {})
        throw new Error(`cannot open the store ${options.file}: ${plainly(error).reason} (may this user write there?)`, { cause: error })
      }
      keeper.#isAway(error)
    }
    keeper.#running = keeper.#watch()
    return keeper
  }

  /** Hears that the store was made anew while the service runs: the ledger is to be read again. */
  onRenewed(listener: () => void) {
    this.#renewed = listener
  }

  /** Resolves when the store is open, and has what could be copied into it: from then on the ledger may be read. */
  get ready(): Promise<void> { return this.#ready.promise }

  /** The ledger is to be read from its beginning. */
  get readsAgain(): boolean { return this.#remade?.read === false }

  /** When the store was made anew the last time, since it was damaged or missing, Unix ms. */
  get remadeAt(): number | undefined { return this.#remade?.why === restored ? undefined : this.#remade?.at }

  /** What an operator should know, in words. */
  get warnings(): string[] {
    if (this.#away !== undefined) return [`the store cannot be opened (${this.#away}): steps of calls wait in memory, follow-ups wait`]
    if (!this.#remade || this.remadeAt === undefined || Math.abs(Date.now() - this.remadeAt) > shown) return []
    const { at, why, aside, unreadable, read } = this.#remade
    return [`the store was made anew at ${new Date(at).toISOString()} (${why})${aside === null ? '' : `, the damaged one is ${aside}`}${unreadable.length > 0 ? `, not whole: ${unreadable.join(', ')}` : ''}${read ? '' : ': the ledger is still being read again, follow-ups wait'}`]
  }

  /** The ledger has been read to its end. */
  async ledgerIsRead(): Promise<void> {
    if (!this.#remade || this.#remade.read) return
    const remade = { ...this.#remade, read: true }
    await markRemade(this.records.db, remade)
    this.#remade = remade
    this.#options.log.warn({ why: remade.why, aside: remade.aside, unreadable: remade.unreadable }, 'store made anew; ledger read again')
  }

  /** Reads the whole file. A damaged store is set aside. @returns whether it is sound */
  async check(): Promise<boolean> {
    const { file, log } = this.#options
    if (this.#away !== undefined || this.#remade?.read === false) return true
    const found = await quickCheck(file)
    if (found === 'ok') log.info({ file }, 'store checked; sound')
    else this.#isDamaged(found)
    return found === 'ok'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#running
    await this.records[Symbol.asyncDispose]()
  }

  async #open() {
    const { file, ledgerTells, log } = this.#options
    // Killed between the two renamings.
    if (!existsSync(file) && existsSync(newOf(file)) && !existsSync(`${newOf(file)}-wal`)) await rename(newOf(file), file)
    const isThere = existsSync(file)
    try {
      await this.records.migrate()
      await touch(this.records.db)
    } catch (error) {
      if (!isDamaged(error)) throw error
      await this.#renew(plainly(error).reason)
    }
    this.#damage = undefined
    this.#remade = await remadeIn(this.records.db)
    const isRead = await this.records.watermark('ledger') !== null
    if (!isThere && !this.#remade && !isRead && await ledgerTells()) {
      this.#remade = { at: Date.now(), why: 'the file was missing', aside: null, copied: {}, unreadable: [], read: false }
      await markRemade(this.records.db, this.#remade)
      log.error({ file }, 'store is missing; made anew from the ledger')
    }
    this.#away = undefined
  }

  #isDamaged(reason: string) {
    if (this.#damage === undefined) this.#nudged.resolve()
    this.#damage ??= reason
  }

  #isAway(error: unknown) {
    if (this.#away === undefined) this.#options.log.error({ ...plainly(error), file: this.#options.file }, 'store cannot be opened; steps wait in memory')
    this.#away = plainly(error).reason
  }

  async #watch() {
    const { file, log } = this.#options
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        if (this.#away !== undefined) {
          await this.#open()
          log.warn({ file }, 'store is open again')
        }
        if (this.#damage !== undefined) await this.#damaged(this.#damage)
        else if (!await this.#isInPlace()) await this.#putBack()
        if (this.#away === undefined) {
          await this.#copyLarge()
          this.#ready.resolve()
        }
      } catch (error) {
        if (isDamaged(error)) this.#damage ??= plainly(error).reason
        else if (this.#away !== undefined && isStoreAway(error)) this.#isAway(error)
        else if (!signal.aborted) log.error({ ...plainly(error), file }, 'store cannot be put right; trying again')
      }
      await Promise.race([pause(often, signal), this.#nudged.promise])
      this.#nudged = Promise.withResolvers()
    }
    this.#ready.resolve()
  }

  async #damaged(why: string) {
    const { file, log } = this.#options
    if (this.#remade?.aside && Date.now() - this.#remade.at < soon) {
      log.error({ file, why }, 'new store is damaged, too; look at the disk')
      return
    }
    this.#ready = Promise.withResolvers()
    await this.#renew(why)
    this.#damage = undefined
    this.#renewed()
  }

  /** Sets the damaged store aside, and puts a new one in its place, with what is owed, done and seen. Until then nobody has the connection. */
  async #renew(why: string) {
    const { file, log } = this.#options
    const at = Date.now()
    const aside = `${file}.damaged-${new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')}`
    log.error({ file, why, aside }, 'store is damaged; setting it aside')
    await this.records.alone(async (_, close) => {
      await close().catch(() => {})
      const remade = await makeNew(file, { at, why, aside, copied: {}, unreadable: [], read: false }, log)
      for (const ending of ['', '-wal', '-shm']) await rename(`${file}${ending}`, `${aside}${ending}`).catch(unlessMissing)
      await rename(newOf(file), file)
      await settle(dirname(file))
      this.#remade = remade
    })
  }

  /** Calls and their steps: there can be many. The ledger waits for them, and nobody else. */
  async #copyLarge() {
    if (!this.#remade?.aside || this.#remade.read || !existsSync(this.#remade.aside)) return
    const old = damagedStore(this.#remade.aside)
    try {
      for (const table of large) {
        const from = this.#remade.copied[table] ?? 0
        if (from === 'all') continue
        for await (const { upTo, unreadable } of copyTable(old, this.records.db, table, from)) {
          await this.#note(table, upTo, unreadable)
          if (this.#closing.signal.aborted) return
        }
        await this.#note(table, 'all', false)
      }
    } finally {
      await old.destroy()
    }
  }

  async #note(table: string, upTo: number | 'all', unreadable: boolean) {
    const remade = { ...this.#remade!, copied: { ...this.#remade!.copied, [table]: upTo } }
    if (unreadable && !remade.unreadable.includes(table)) remade.unreadable = [...remade.unreadable, table]
    await markRemade(this.records.db, remade)
    this.#remade = remade
  }

  async #isInPlace(): Promise<boolean> {
    return this.#away !== undefined || existsSync(this.#options.file)
  }

  /** Somebody has deleted the file. What we have open is whole: it goes back. */
  async #putBack() {
    const { file, log } = this.#options
    await this.records.alone(async (db, close) => {
      await rm(newOf(file), { force: true })
      await sql`vacuum into ${newOf(file)}`.execute(db)
      await close()
      for (const ending of ['-wal', '-shm']) await rm(`${file}${ending}`, { force: true })
      await rename(newOf(file), file)
      await settle(dirname(file))
    })
    log.error({ file }, 'store was deleted; put back whole')
  }
}

const newOf = (file: string) => `${file}.new`

/** A store beside the damaged one, with the rows of its small tables. */
async function makeNew(file: string, remade: Remade, log: Logger): Promise<Remade> {
  for (const ending of ['', '-wal', '-shm']) await rm(`${newOf(file)}${ending}`, { force: true })
  await using fresh = await Records.open({ file: newOf(file) }, log)
  const old = damagedStore(file)
  try {
    return await fresh.db.transaction().execute(async db => {
      const unreadable: string[] = []
      const copied: Record<string, number> = {}
      for (const table of small) {
        for await (const piece of copyTable(old, db, table)) {
          copied[table] = (copied[table] ?? 0) + piece.copied
          if (piece.unreadable && !unreadable.includes(table)) unreadable.push(table)
        }
      }
      await numberOn(old, db)
      // What agencies have been told is not known any more: they are told nothing twice, but what comes.
      if (unreadable.includes('deliveries')) await db.deleteFrom('watermarks').where('name', 'in', ['webhooks steps', 'webhooks follow-ups']).execute()
      log.warn({ copied, unreadable }, 'rows copied out of the damaged store')
      const marked = { ...remade, unreadable }
      await markRemade(db, marked)
      return marked
    })
  } finally {
    await old.destroy().catch(() => {})
  }
}

/** A look into each table: a store whose first pages are damaged shows it at once. */
async function touch(db: Kysely<Tables>) {
  for (const table of [...small, ...large]) await sql`select * from ${sql.raw(table)} limit 1`.execute(db)
}

/** `ok`, or the first thing that is wrong with the file. */
export async function quickCheck(file: string): Promise<string> {
  const store = new Kysely<Tables>({ dialect: sqlite(file, { readOnly: true }) })
  try {
    const { rows: [row] } = await sql<{ quick_check: string }>`pragma quick_check(1)`.execute(store)
    return row?.quick_check ?? 'ok'
  } catch (error) {
    if (isDamaged(error)) return plainly(error).reason
    throw error
  } finally {
    await store.destroy().catch(() => {})
  }
}

/** What was renamed in the folder stays so after a power cut. */
async function settle(folder: string) {
  await using handle = await open(folder, 'r')
  await handle.sync()
}

function unlessMissing(error: NodeJS.ErrnoException) {
  if (error.code !== 'ENOENT') throw error
}
