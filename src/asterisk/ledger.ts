import { createHash } from 'node:crypto'
import { open, readdir, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Logger } from 'pino'
import type { Step } from '../calls/story.ts'
import { pause } from '../calls/time.ts'
import { milliseconds, seconds } from '../plan/duration.ts'
import { readCel, type CelLine } from './cel-lines.ts'
import { stepOf } from './cel.ts'

/** How far the ledger has been read: the file (by inode, since it is rotated) and the bytes of it. */
export interface Watermark {
  inode: number
  offset: number
}

export interface LedgerOptions {
  file: string
  from: Watermark | undefined
  /** Takes steps in order, with the watermark behind them; resolves when both are written down. Retried by the ledger when it throws. */
  take(steps: Step[], upTo: Watermark): Promise<void>
  log: Logger
}

const chunk = 256 * 1024
/** How often we look whether the ledger has grown. */
const look = milliseconds(100)
/** Asterisk writes a line at once. One that is unfinished for as long was cut off, by a full disk or by its end. */
const cutOff = seconds(3)

/**
 * Reads Asterisk's CEL from a watermark, as it is written. Only whole lines count; a torn one is read when its end has come.
 * Where the file has been rotated (renamed beside, `calls.csv.…`), the older ones are read to their ends first, by the time of
 * their last line. Without a watermark, or where its file is gone, all is read: a step's key is made of its line, so that
 * what is read twice (from a copy, from its beginning) says nothing new. What cannot be read is logged and passed over.
 */
export class Ledger {
  readonly #options: LedgerOptions
  readonly #closing = new AbortController()
  #at: Watermark
  #running: Promise<void> | undefined
  /** Bytes that are written and not yet read, as of the last look; without a last line that was cut off, since nobody may ever write on. */
  lag = 0
  /** An unfinished last line: up to which size of its file, and since when (monotonic ms) it has been so. */
  #unfinished = { inode: 0, size: 0, since: 0 }
  /** All that there was at the last look has been taken. Not so before the first look, nor while the file cannot be read. */
  caughtUp = false

  constructor(options: LedgerOptions) {
    this.#options = options
    this.#at = options.from ?? { inode: 0, offset: 0 }
  }

  open() {
    this.#running ??= this.#follow()
  }

  async close() {
    this.#closing.abort()
    await this.#running
  }

  async #follow() {
    const { log } = this.#options
    while (!this.#closing.signal.aborted) {
      try {
        while (await this.#readOn());
        this.caughtUp = true
      } catch (error) {
        this.caughtUp = false
        log.error({ err: error }, 'the ledger could not be read on; next try in 1 s')
        await pause(milliseconds(1000), this.#closing.signal)
      }
      await pause(look, this.#closing.signal)
    }
    await this.#readOn().catch(error => log.error({ err: error }, 'the end of the ledger was not read'))
  }

  /** Reads what is there, at most a chunk of it; true when there may be more. */
  async #readOn(): Promise<boolean> {
    const { take } = this.#options
    const next = await this.#next()
    if (!next) return false
    await using opened = await openIfThere(next.path)
    if (!opened) return true                                     // rotated between our look and now: look again
    const { ino, size } = await opened.handle.stat()
    if (ino !== this.#at.inode) return true
    const unread = size - this.#at.offset
    const { inode, size: known, since } = this.#unfinished
    if (unread > 0 && next.last && inode === ino && known === size) {
      if (performance.now() - since >= cutOff) this.lag = 0
      return false
    }
    this.lag = unread + next.behind
    if (unread === 0) return false
    const { buffer, bytesRead } = await opened.handle.read(Buffer.alloc(Math.min(unread, chunk)), 0, undefined, this.#at.offset)
    const { lines, end } = readCel(buffer.toString('latin1', 0, bytesRead))
    if (end === 0) {
      if (bytesRead === chunk) return this.#passOver(bytesRead, 'the ledger has a line that is too long to be one; it is passed over')
      if (!next.last) return this.#passOver(bytesRead, 'a rotated file of the ledger ends in a torn line; it is passed over')
      this.#unfinished = { inode: ino, size, since: performance.now() }
      return false
    }
    const upTo = { inode: ino, offset: this.#at.offset + end }
    const steps = this.#stepsOf(lines)
    await take(steps, upTo)
    this.#at = upTo
    this.lag = unread - end + next.behind
    return this.lag > 0
  }

  /**
   * The file that holds what comes next, and how much stands in those behind it: the one that we are in as long as it has
   * more, wherever it was moved; then the one after it. Moves the watermark there.
   */
  async #next(): Promise<Place | undefined> {
    const { file, log } = this.#options
    const current = await statIfThere(file)
    if (current && current.ino === this.#at.inode && current.size >= this.#at.offset) return { path: file, behind: 0, last: true }

    const files = await this.#files()
    let index = files.findIndex(({ ino }) => ino === this.#at.inode)
    if (files.length === 0) return undefined
    if (index === -1) {
      if (this.#at.inode !== 0) log.warn({ was: this.#at }, 'the file of the ledger that was read last is gone: all that there is, is read from its beginning')
      index = 0
      this.#at = { inode: files[0]!.ino, offset: 0 }
    } else if (files[index]!.size < this.#at.offset) {
      log.warn({ was: this.#at }, 'the ledger was cut short: it is read from its beginning')
      this.#at = { inode: this.#at.inode, offset: 0 }
    } else if (files[index]!.size === this.#at.offset && index + 1 < files.length) {
      index += 1
      log.info({ was: this.#at, inode: files[index]!.ino }, 'the ledger was rotated: the next file is read from its beginning')
      this.#at = { inode: files[index]!.ino, offset: 0 }
    }
    const behind = files.slice(index + 1).reduce((sum, { size }) => sum + size, 0)
    return { path: files[index]!.path, behind, last: index === files.length - 1 }
  }

  /** Every file of the ledger, oldest first. */
  async #files() {
    const { file } = this.#options
    const names = await ledgerFiles(file)
    const files = await Promise.all(names.map(async path => ({ path, stats: await statIfThere(path) })))
    return files.flatMap(({ path, stats }) => stats ? [{ path, ino: stats.ino, size: stats.size, at: path === file ? Infinity : stats.mtimeMs }] : [])
      .sort((one, other) => one.at - other.at)
  }

  #stepsOf(lines: CelLine[]): Step[] {
    const steps: Step[] = []
    for (const { offset, text, event } of lines) {
      if (!event && text.trim() !== '') this.#options.log.error({ offset: this.#at.offset + offset, bytes: text.length }, 'a piece of the ledger is no line of it; it is passed over')
      const step = event && stepOf(event, keyOf(text))
      if (step) steps.push(step)
    }
    return steps
  }

  #passOver(bytes: number, why: string) {
    this.#options.log.error({ at: this.#at }, why)
    this.#at = { ...this.#at, offset: this.#at.offset + bytes }
    return true
  }
}

interface Place {
  path: string
  /** Bytes in the files after it. */
  behind: number
  /** The newest file, which Asterisk writes on. */
  last: boolean
}

/** The paths of Asterisk's CEL file and of the rotated ones beside it (`calls.csv.…`); in no order. Throws where there is no such folder. */
export async function ledgerFiles(file: string): Promise<string[]> {
  const names = await readdir(dirname(file))
  return names.filter(name => name === basename(file) || name.startsWith(`${basename(file)}.`)).map(name => join(dirname(file), name))
}

/** Whether Asterisk has written anything. */
export async function ledgerTells(file: string): Promise<boolean> {
  for (const path of await ledgerFiles(file).catch(() => [])) if ((await statIfThere(path))?.size) return true
  return false
}

/**
 * The line itself is the key, wherever it stands: it has the time to the microsecond and the channel. Of two that are the
 * same to the letter (an event written twice in one microsecond), the second says what the first has said.
 */
const keyOf = (line: string) => `cel-${createHash('sha256').update(line, 'latin1').digest('hex').slice(0, 16)}`

const openIfThere = (file: string): Promise<{ handle: FileHandle } & AsyncDisposable | undefined> => ifThere(async () => {
  const handle = await open(file, 'r')
  return { handle, [Symbol.asyncDispose]: () => handle.close() }
})
const statIfThere = (file: string) => ifThere(() => stat(file))

async function ifThere<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
