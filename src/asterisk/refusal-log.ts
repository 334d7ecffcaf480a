/**
 * What Asterisk cannot read and drops, out of its messages.log. What it refuses, sip-copies.ts hears.
 */
import { open, stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import { Rounds } from '../calls/rounds.ts'
import { seconds } from '../plan/duration.ts'
import type { Refusal } from './refusals.ts'

export interface RefusalLogOptions {
  file: string
  take: (refusal: Omit<Refusal, 'at'>) => void
  log: Logger
}

/** More than these bytes a second is a flood: what lies before the last of them is passed over. */
const most = 1_000_000

export class RefusalLog {
  readonly #options: RefusalLogOptions
  readonly #rounds: Rounds
  #at: { inode: number, offset: number } | undefined
  #rest = ''

  constructor(options: RefusalLogOptions) {
    this.#options = options
    this.#rounds = new Rounds({ look: () => this.look(), every: () => seconds(1), what: 'refusals in Asterisk\'s log', log: options.log })
  }

  start() {
    this.#rounds.start()
  }

  async close() {
    await this.#rounds.close()
  }

  /** Reads what was written since the last look; at the first look, nothing. A file that was cut or replaced is read from its beginning. */
  async look(): Promise<void> {
    const { file, take } = this.#options
    const seen = await stat(file).catch(() => undefined)
    if (!seen) return
    const known = this.#at
    this.#at = { inode: seen.ino, offset: seen.size }
    if (!known) return
    const goesOn = known.inode === seen.ino && known.offset <= seen.size
    const from = Math.max(goesOn ? known.offset : 0, seen.size - most)
    if (from === seen.size) return
    await using handle = await open(file)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(seen.size - from), 0, undefined, from)
    const lines = `${goesOn ? this.#rest : ''}${buffer.toString('latin1', 0, bytesRead)}`.split('\n')
    this.#rest = lines.pop()!.slice(-4_000)
    for (const line of lines) {
      const refusal = refusalIn(line)
      if (refusal) take(refusal)
    }
  }
}

/** What a line tells of, if anything. */
export function refusalIn(line: string): Omit<Refusal, 'at'> | undefined {
  const [, sender] = /^\[[^\]]*\] WARNING\[\d+\] pjproject:\s+sip_transport\.c Dropping \d+ bytes packet from \w+ (\S+):\d+ : PJSIP syntax error/.exec(line) ?? []
  return sender === undefined ? undefined : { address: sender, why: 'unreadable' }
}
