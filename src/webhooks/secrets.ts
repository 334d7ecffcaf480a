/** The secrets that are shared with agencies' own systems: made when first asked for, kept where only their owner can read them. */
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSecret, newSecret } from '../delivery/signed.ts'

interface Kept { secret: string, before?: { secret: string, until: number } }

/** How long the one before is signed with, too, ms: time enough to put the new one into the receiver. */
const overlap = 24 * 3_600_000

export class WebhookSecrets {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The one that holds, and the one before while it does, too. An agency's name comes from the plan, where it is letters, digits and hyphens. */
  async of(agency: string, now: number): Promise<string[]> {
    const { secret, before } = await this.#read(agency) ?? await this.#make(agency)
    return before && now < before.until ? [secret, before.secret] : [secret]
  }

  /** A new one; for a day both hold. */
  async rotate(agency: string, now: number): Promise<string> {
    const { secret: old } = await this.#read(agency) ?? await this.#make(agency)
    const secret = newSecret()
    await rename(await this.#draft(agency, { secret, before: { secret: old, until: now + overlap } }), this.#file(agency))
    return secret
  }

  #file(agency: string) {
    if (!/^[a-z0-9-]{1,40}$/.test(agency)) throw new Error(`"${agency}" is no name of an agency`)
    return join(this.#folder, `${agency}.json`)
  }

  async #read(agency: string): Promise<Kept | undefined> {
    const file = this.#file(agency)
    try {
      const kept = JSON.parse(await readFile(file, 'utf8')) as Partial<Kept>
      if (typeof kept.secret !== 'string' || !isSecret(kept.secret)) throw new Error('there is no secret in it')
      return kept as Kept
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new Error(`${file} cannot be read as the secret of ${agency} (${(error as Error).message}): delete it, and a new one is made for both sides`, { cause: error })
    }
  }

  /** Whoever else makes one at this moment has the same one in the end. */
  async #make(agency: string): Promise<Kept> {
    const draft = await this.#draft(agency, { secret: newSecret() })
    await link(draft, this.#file(agency)).catch(error => { if (error.code !== 'EEXIST') throw error })
    await rm(draft)
    return (await this.#read(agency))!
  }

  async #draft(agency: string, kept: Kept): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const draft = `${this.#file(agency)}.${randomBytes(6).toString('hex')}`
    await writeFile(draft, `${JSON.stringify(kept)}\n`, { flag: 'wx', mode: 0o600 })
    return draft
  }
}
