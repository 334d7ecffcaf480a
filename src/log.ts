/**
 * Where our programs' logs go: JSON lines onto their standard output, which natively is a file. A disk that is full, or somebody who
 * no longer reads, holds up nothing: neither a call nor a beat nor a program's end.
 */
import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import { pino, type Logger } from 'pino'
import { within } from './calls/time.ts'
import { milliseconds, seconds, type Duration } from './plan/duration.ts'

/** Characters that may wait until they can be written; what comes then is left out. */
const most = 1024 * 1024
const again = { whenFull: seconds(1), whenNobodyReads: milliseconds(100) }
/** How long an end waits for its last lines. */
const patience = seconds(1)
/** Nobody wakes it. */
const asleep = new Int32Array(new SharedArrayBuffer(4))

/** The log of a program of ours. Before `process.exit` wait for `written`. */
export function openLog(level: string, fd = 1): { log: Logger, written: () => Promise<void> } {
  const output = new LogOutput(fd, (lost, heldUp) => log.warn({ lost, seconds: heldUp }, 'the log can be written again; so many of its lines are lost'))
  const log = pino({ level }, output)
  process.once('exit', () => output.lastWords())
  return { log, written: () => output.written() }
}

/**
 * Lines in the order in which they came, one write at a time and none of them on the loop. What cannot be written is tried again, at
 * the letter where it broke off; meanwhile a bounded number of lines wait.
 */
export class LogOutput {
  readonly #fd: number
  /** It takes what it is given or refuses it, and keeps nobody waiting. */
  readonly #swift: boolean
  readonly #isFile: boolean
  readonly #recovered: (lost: number, seconds: number) => void
  #waiting: string[] = []
  #length = 0
  /** What is being written. */
  #rest = Buffer.alloc(0)
  /** The file's size before that. */
  #from = 0
  #lost = 0
  #failingSince: number | undefined
  #idle = Promise.withResolvers<void>()

  /** @param recovered hears how many lines were left out, and for how many seconds none could be written */
  constructor(fd: number, recovered: (lost: number, seconds: number) => void) {
    ({ fd: this.#fd, swift: this.#swift, isFile: this.#isFile } = withoutWaiting(fd))
    this.#recovered = recovered
    this.#idle.resolve()
  }

  write(line: string) {
    if (this.#length + line.length > most) {
      this.#lost++
      return
    }
    this.#waiting.push(line)
    this.#length += line.length
    if (this.#rest.length > 0) return
    this.#idle = Promise.withResolvers()
    this.#next()
  }

  /** Resolves when all is written; or when nothing can be, or not in time. */
  async written(limit: Duration = patience) {
    if (this.#failingSince !== undefined) return
    await within(limit, 'the log', this.#idle.promise).catch(() => {})
  }

  /** Of a program that breaks: what waits, in one try, and none where that could take long. */
  lastWords() {
    if (this.#failingSince !== undefined || this.#waiting.length === 0 || !this.#swift) return
    try {
      this.#waitForRest()
      writeSync(this.#fd, this.#waiting.join(''))
    } catch {
      // Nobody is left to tell.
    }
  }

  /** The thread that writes to a file does so also while the program ends: what comes after it waits for it, for a moment. */
  #waitForRest() {
    if (!this.#isFile) return
    const written = () => fstatSync(this.#fd).size - this.#from
    for (let looks = 0; looks < 200 && written() < this.#rest.length; looks++) Atomics.wait(asleep, 0, 0, 5)
  }

  #next() {
    this.#rest = Buffer.from(this.#waiting.join(''))
    this.#waiting = []
    this.#length = 0
    if (this.#rest.length > 0) this.#write()
    else this.#idle.resolve()
  }

  #write() {
    if (this.#isFile) this.#from = fstatSync(this.#fd).size
    write(this.#fd, this.#rest, 0, this.#rest.length, null, (error, count) => {
      if (error) return this.#failed(error.code === 'EAGAIN' ? again.whenNobodyReads : again.whenFull)
      this.#rest = this.#rest.subarray(count)
      if (this.#rest.length > 0) return this.#write()
      this.#next()
      this.#succeeded()
    })
  }

  #failed(pause: Duration) {
    this.#failingSince ??= performance.now()
    this.#idle.resolve()
    setTimeout(() => this.#write(), pause).unref()
  }

  #succeeded() {
    const since = this.#failingSince ?? performance.now()
    this.#failingSince = undefined
    if (this.#lost === 0) return
    const lost = this.#lost
    this.#lost = 0
    this.#recovered(lost, Math.round((performance.now() - since) / 1000))          // there is room again for what it says
  }
}

/** A pipe that nobody reads would keep the thread that writes, and with it the program's end: it is opened anew, so that it says "full". */
function withoutWaiting(fd: number): { fd: number, swift: boolean, isFile: boolean } {
  try {
    const stats = fstatSync(fd)
    if (!stats.isFIFO()) return { fd, swift: stats.isFile(), isFile: stats.isFile() }
    return { fd: openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK), swift: true, isFile: false }
  } catch {
    return { fd, swift: false, isFile: false }
  }
}
