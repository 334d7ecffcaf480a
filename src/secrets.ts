/** The passwords between the service and Asterisk: made at the set-up, kept where only their owner can read them. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Secrets } from './dialplan/lay-out.ts'

/** Reads the secrets, or makes them where there are none. Throws when the file holds anything else, saying what to do. */
export async function secretsIn(file: string): Promise<Secrets> {
  try {
    const { ari, ami, watchdog } = JSON.parse(await readFile(file, 'utf8')) as Partial<Secrets>
    if (!ari || !ami || !watchdog) throw new Error('passwords are missing')
    return { ari, ami, watchdog }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new Error(`${file} cannot be read as the passwords for Asterisk (${(error as Error).message}): delete it and start again, and new ones are made`, { cause: error })
    }
  }
  const password = () => randomBytes(24).toString('base64url')
  const made = { ari: password(), ami: password(), watchdog: password() }
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, JSON.stringify(made), { mode: 0o600, flag: 'wx' })
  await chmod(file, 0o600)
  return made
}
