/** Where calls are read: in PostgreSQL, which has those of every node. While it is away the local store answers, and the answer says so. */
import type { Logger } from 'pino'
import { BadCursor } from './cursor.ts'
import { plainly } from './faults.ts'
import type { ListQuery, Records } from './records.ts'

export interface SharedOptions {
  shared: Pick<Records, 'list' | 'get'>
  local: Pick<Records, 'list' | 'get' | 'live' | 'audit'>
  /** PostgreSQL was away at the last try: nobody waits for it again. */
  away: () => boolean
  log: Logger
}

/** An answer of the local store alone: `localOnly` is true. */
export type Local = { localOnly?: true }

export function sharedRecords({ shared, local, away, log }: SharedOptions) {
  const ask = async <T extends object>(question: (records: Pick<Records, 'list' | 'get'>) => Promise<T | null>): Promise<T & Local | null> => {
    if (!away()) {
      try {
        const answer = await question(shared)
        if (answer) return answer
      } catch (error) {
        if (error instanceof BadCursor) throw error
        log.warn(plainly(error), 'postgresql does not answer; reading the local store')
      }
    }
    const answer = await question(local)
    return answer && { ...answer, localOnly: true }
  }
  return {
    list: async (query: ListQuery) => (await ask(records => records.list(query)))!,
    /** A call that is not copied yet is read here. */
    get: (callId: string) => ask(records => records.get(callId)),
    live: local.live.bind(local),
    audit: local.audit.bind(local)
  }
}
