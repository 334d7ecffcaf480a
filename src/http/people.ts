/** Follows the file of people with tokens: who is removed there is known no longer at the next request, and within a second on a stream. */
import { timingSafeEqual } from 'node:crypto'
import type { Logger } from 'pino'
import { seconds } from '../plan/duration.ts'
import { looksLike, sameName } from './names.ts'
import { digest, readPeople, type KeptPerson, type Role } from './people-file.ts'

export interface Person {
  name: string
  role: Role
  /** Works only follow-ups on this list; missing: on every one. */
  list?: string
  /** Aborted when the token holds no longer. */
  gone: AbortSignal
}

interface Known { person: Person, sha256: Buffer, leave: AbortController }

export class People {
  readonly #file: string
  readonly #log: Logger
  #known = new Map<string, Known>()
  #trouble: string | undefined
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #waiting: Promise<void> | undefined

  constructor(file: string, log: Logger) {
    this.#file = file
    this.#log = log
  }

  /** Reads the file at once, and again each second: who only listens asks nothing more. */
  async open() {
    await this.look()
    this.#timer = setInterval(() => void this.look(), seconds(1))
  }

  close() { clearInterval(this.#timer) }

  /** Reads the file as it is now; those who ask meanwhile share the next reading. */
  look(): Promise<void> {
    return this.#waiting ??= this.#looking.then(() => {
      this.#waiting = undefined
      return this.#looking = this.#look()
    })
  }

  /** Whose token it is, as of the last look. All are compared, so that the time it takes tells nothing. */
  bearing(token: string): Person | undefined {
    const given = digest(token)
    let found: Person | undefined
    for (const { person, sha256 } of this.#known.values()) if (timingSafeEqual(sha256, given)) found = person
    return found
  }

  /** Who goes by this name, as of the last look. */
  named(name: string): Person | undefined {
    return this.#known.values().find(({ person }) => sameName(person.name, name))?.person
  }

  /** Whose name looks like this one, as of the last look. */
  alike(name: string): Person | undefined {
    return this.#known.values().find(({ person }) => looksLike(person.name, name))?.person
  }

  async #look() {
    try {
      this.#follow(await readPeople(this.#file))
      this.#trouble = undefined
    } catch (error) {
      // Somebody may have been removed by what cannot be read: nobody is let in by what was known before.
      this.#follow([])
      const { message } = error as Error
      if (message !== this.#trouble) this.#log.error({ reason: message }, 'the people with tokens cannot be read: only the city\'s token opens anything')
      this.#trouble = message
    }
  }

  #follow(kept: readonly KeptPerson[]) {
    const now = new Map(kept.map(one => {
      const key = JSON.stringify(one)
      return [key, this.#known.get(key) ?? knownOf(one)]
    }))
    for (const [key, { leave }] of this.#known) if (!now.has(key)) leave.abort()
    this.#known = now
  }
}

function knownOf({ name, role, list, sha256 }: KeptPerson): Known {
  const leave = new AbortController()
  return { person: { name, role, ...list === undefined ? {} : { list }, gone: leave.signal }, sha256: Buffer.from(sha256, 'hex'), leave }
}
