import { open, readdir, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Logger } from 'pino'
import type { Step } from '../calls/story.ts'
import { pause } from '../calls/time.ts'
import { milliseconds } from '../plan/duration.ts'
import { parseCel, stepOf } from './cel.ts'

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

/**
 * Reads Asterisk's CEL from a watermark, as it is written. Only whole lines count; a torn one is read when its end has come.
 * When the file has been rotated (renamed beside, `calls.csv.…`), the rest of the old one is read first.
 * What cannot be read is logged with its place and passed over.
 */
export class Ledger {
  readonly #options: LedgerOptions
  readonly #closing = new AbortController()
  #at: Watermark
  #running: Promise<void> | undefined
  /** Bytes that are written and not yet read, as of the last look. */
  lag = 0

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
      } catch (error) {
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
    await using opened = await this.#openNext()
    if (!opened) return false
    const { ino, size } = await opened.handle.stat()
    this.lag = size - this.#at.offset
    if (this.lag === 0) return false
    const { buffer, bytesRead } = await opened.handle.read(Buffer.alloc(Math.min(this.lag, chunk)), 0, undefined, this.#at.offset)
    const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1
    if (end === 0) return bytesRead === chunk ? this.#skipOversized(bytesRead) : false
    const upTo = { inode: ino, offset: this.#at.offset + end }
    const steps = this.#stepsOf(buffer.subarray(0, end))
    await take(steps, upTo)
    this.#at = upTo
    this.lag = size - upTo.offset
    return this.lag > 0
  }

  /** The file that holds what comes next: the one that we are in as long as it has more, wherever it was moved; then the newest. */
  async #openNext() {
    const { file, log } = this.#options
    const current = await openIfThere(file)
    const ino = (await current?.handle.stat())?.ino
    if (ino === undefined || ino === this.#at.inode) {
      if (current && (await current.handle.stat()).size >= this.#at.offset) return current
      if (current) log.warn({ was: this.#at }, 'the ledger was cut short: it is read from its beginning')
      if (ino !== undefined) this.#at = { inode: ino, offset: 0 }
      return current
    }
    if (this.#at.inode !== 0) {
      const rotated = await this.#rotated()
      if (rotated && (await rotated.handle.stat()).size > this.#at.offset) {
        await current?.handle.close()
        return rotated
      }
      await rotated?.handle.close()
      log.info({ was: this.#at, inode: ino }, 'the ledger was rotated: the new file is read from its beginning')
    }
    this.#at = { inode: ino, offset: 0 }
    return current
  }

  async #rotated() {
    const { file } = this.#options
    for (const name of await readdir(dirname(file))) {
      if (!name.startsWith(`${basename(file)}.`)) continue
      const path = join(dirname(file), name)
      if ((await stat(path)).ino === this.#at.inode) return openIfThere(path)
    }
    return undefined
  }

  #stepsOf(lines: Buffer): Step[] {
    const steps: Step[] = []
    let offset = this.#at.offset
    for (const line of lines.toString('latin1').split('\n')) {
      const place = offset
      offset += line.length + 1
      if (line === '') continue
      try {
        const step = stepOf(parseCel(mended(Buffer.from(line, 'latin1').toString('utf8'))), `cel-${this.#at.inode}-${place}`)
        if (step) steps.push(step)
      } catch (error) {
        this.#options.log.error({ err: error, offset: place }, 'a line of the ledger cannot be read')
      }
    }
    return steps
  }

  #skipOversized(bytes: number) {
    this.#options.log.error({ at: this.#at }, 'the ledger has a line that is too long to be one; it is passed over')
    this.#at = { ...this.#at, offset: this.#at.offset + bytes }
    return true
  }
}

/** An Asterisk that was killed in the middle of a line leaves a piece of it before the next one: that one is whole. */
const mended = (line: string) => line.slice(Math.max(0, line.search(/1,[A-Z_]+,\d+\.\d{6},(?!.*1,[A-Z_]+,\d+\.\d{6},)/)))

async function openIfThere(file: string): Promise<{ handle: FileHandle } & AsyncDisposable | undefined> {
  try {
    await stat(file)
    const handle = await open(file, 'r')
    return { handle, [Symbol.asyncDispose]: () => handle.close() }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
