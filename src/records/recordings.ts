/**
 * What callers have said into mailboxes. The sound lies where Asterisk has recorded it, A-law, in a file that is named after its own id of the
 * call; whose it is stands in the store. No path is ever made of what somebody asks for.
 */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Happenings } from '../calls/story.ts'
import type { Records } from './records.ts'

export interface Recording {
  callId: string
  mailbox: string
  /** When the caller came to the mailbox, Unix ms. */
  at: number
  /** How long the sound is; null where there is none (any more). */
  seconds: number | null
  /** Whether it counts as a message: less than 1.5 s of it is none. */
  left: boolean
}

/** A-law at 8 kHz: bytes a second. */
const rate = 8000

export class Recordings {
  readonly #db: Records['db']
  readonly #folder: string

  constructor({ db }: Pick<Records, 'db'>, folder: string) {
    this.#db = db
    this.#folder = folder
  }

  /** Those of a follow-up's calls, the oldest first; undefined where there is no such follow-up. */
  async of(followUp: string): Promise<Recording[] | undefined> {
    if (!await this.#db.selectFrom('followups').select('id').where('id', '=', followUp).executeTakeFirst()) return undefined
    const steps = await this.#db.selectFrom('steps').innerJoin('followupCalls', 'followupCalls.callId', 'steps.callId').select(['steps.callId', 'steps.kind', 'steps.at', 'steps.facts'])
      .where('followupId', '=', followUp).where('kind', 'in', ['mailbox', 'left']).orderBy('at').execute()
    const left = new Set(steps.filter(({ kind }) => kind === 'left').map(({ callId }) => callId))
    return Promise.all(steps.filter(({ kind }) => kind === 'mailbox').map(async ({ callId, at, facts }) => {
      const found = await ifThere(stat(fileOf(this.#folder, callId)))
      return { callId, at, mailbox: (JSON.parse(facts) as Happenings['mailbox']).mailbox, seconds: found ? found.size / rate : null, left: left.has(callId) }
    }))
  }

  /** The sound, A-law at 8 kHz; undefined where the follow-up has no such call, or nothing is kept of it (any more). */
  async sound(followUp: string, callId: string): Promise<Buffer | undefined> {
    const known = (await this.of(followUp))?.find(one => one.callId === callId)
    return known && await ifThere(readFile(fileOf(this.#folder, known.callId)))
  }
}

const suffix = '.alaw'

/** Where the sound of a call is. Throws where the id is none of Asterisk's. */
function fileOf(folder: string, callId: string): string {
  if (!/^[\w-]{1,100}(\.\d{1,10})?$/.test(callId)) throw new Error(`${JSON.stringify(callId)} is no id of a call: no file is looked for`)
  return join(folder, callId + suffix)
}

/** The call that a file is of; undefined where it is none of ours. */
export const callOf = (file: string): string | undefined => file.endsWith(suffix) ? file.slice(0, -suffix.length) : undefined

async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
