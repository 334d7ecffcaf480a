/** The passwords between the service, Asterisk and Redis: made at the set-up, kept where only their owner can read them. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Secrets } from './dialplan/lay-out.ts'

/** Reads the secrets, or makes them where there are none. Throws when the file holds anything else, saying what to do. */
export async function secretsIn(file: string): Promise<Secrets> {
  try {
    const { ari, ami, watchdog, redis } = JSON.parse(await readFile(file, 'utf8')) as Partial<Secrets>
    if (!ari || !ami || !watchdog) throw new Error('passwords are missing')
    return redis ? { ari, ami, watchdog, redis } : await write(file, { ari, ami, watchdog, redis: password() })          // of an older version
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new Error(`${file} cannot be read as the passwords for Asterisk and Redis (${(error as Error).message}): delete it and start again, and new ones are made`, { cause: error })
    }
  }
  await mkdir(dirname(file), { recursive: true })
  return write(file, { ari: password(), ami: password(), watchdog: password(), redis: password() })
}

const password = () => randomBytes(24).toString('base64url')

/** Whole, beside it, and then under its name. */
async function write(file: string, secrets: Secrets): Promise<Secrets> {
  const draft = `${file}.${process.pid}.new`
  await writeFile(draft, JSON.stringify(secrets), { mode: 0o600, flag: 'wx' })
  await chmod(draft, 0o600)
  await rename(draft, file)
  return secrets
}
