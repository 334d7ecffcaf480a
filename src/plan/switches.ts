/**
 * What an admin has set by hand, beside the plan: agencies that are closed until a time, and the city's surge mode
 * ("siaga"), in which all calls begin at a node of its own. It is state, not plan, and each switch ends by itself.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Logger } from 'pino'
import { seconds } from './duration.ts'
import type { Plan } from './plan.ts'

export interface Switch {
  /** Unix time in ms. */
  until: number
  /** For people to read. */
  reason: string
  /** Who set it, where that was written down. */
  who?: string
}

export interface Switches {
  /** By agency. Only one that has a `closed` node in the plan can be closed: the others' callers would have nowhere to go. */
  closed: ReadonlyMap<string, Switch>
  siaga?: Switch
}

export const noSwitches: Switches = { closed: new Map() }

/** Where a call begins whose number begins at `entry`: elsewhere in surge mode. */
export function beginning(plan: Plan, entry: string, at: number, { siaga }: Switches): string {
  return plan.siaga && siaga && at < siaga.until ? plan.siaga.entry : entry
}

/** Throws where the text is not what `writeSwitches` writes. */
export function parseSwitches(text: string): Switches {
  const { closed = {}, siaga } = JSON.parse(text) as { closed?: Record<string, Switch>, siaga?: Switch }
  for (const one of [...Object.values(closed), ...siaga ? [siaga] : []]) {
    if (typeof one?.until !== 'number' || typeof one.reason !== 'string') throw new Error('a switch has an `until` (Unix time in ms) and a `reason`')
  }
  return { closed: new Map(Object.entries(closed)), ...siaga ? { siaga } : {} }
}

/** The switches in this file, those that have ended too; none where there is no file. */
export async function readSwitches(file: string): Promise<Switches> {
  const text = await textOf(file)
  return text === undefined ? noSwitches : parseSwitches(text)
}

/** Replaces the file whole. */
export async function writeSwitches(file: string, { closed, siaga }: Switches) {
  await mkdir(dirname(file), { recursive: true })
  const fresh = `${file}.${randomBytes(4).toString('hex')}.new`
  await writeFile(fresh, `${JSON.stringify({ closed: Object.fromEntries(closed), ...siaga ? { siaga } : {} }, null, 2)}\n`)
  await rename(fresh, file)
}

/** Follows the file, so that a call only looks into memory. A file that cannot be read changes nothing, and is told once. */
export class SwitchFile {
  readonly #file: string
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #text: string | undefined
  #switches = noSwitches
  #looking: Promise<void> = Promise.resolve()

  constructor(file: string, log: Logger) {
    this.#file = file
    this.#log = log
  }

  get now(): Switches { return this.#switches }

  /** Reads the file at once, and again each second. */
  async open() {
    await this.look()
    this.#timer = setInterval(() => void this.look(), seconds(1))
  }

  /** One look after the other, so that none tells what an earlier one has read. */
  look(): Promise<void> {
    return this.#looking = this.#looking.then(() => this.#look())
  }

  async #look() {
    const text = await textOf(this.#file).catch(error => `unreadable: ${(error as Error).message}`)
    if (text === this.#text) return
    this.#text = text
    try {
      this.#switches = text === undefined ? noSwitches : parseSwitches(text)
      this.#log.info({ closed: [...this.#switches.closed.keys()], siaga: this.#switches.siaga !== undefined }, 'switches are set')
    } catch (error) {
      this.#log.error({ err: error, file: this.#file }, 'the switches cannot be read: those that were set remain')
    }
  }

  close() { clearInterval(this.#timer) }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
