/** The key to the API: 256 random bits in a file that only its owner can read. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, open, rm, writeFile } from 'node:fs/promises'

/** Reads the token, or makes one where there is no file. Throws, saying what to do, if others could read it or it is none. */
export async function loadToken(file: string): Promise<{ token: string, made: boolean }> {
  const made = !existsSync(file) && await make(file)          // one that is there needs no room on a full disk
  await using handle = await open(file, 'r')
  const { mode } = await handle.stat()
  if (mode & 0o077) {
    throw new Error(`${file} holds the API's token and others can read or write it (mode ${(mode & 0o777).toString(8)}): chmod 600 ${file}, and delete it if the token may be known`)
  }
  const token = (await handle.readFile('utf8')).trim()
  if (!/^[\w-]{43,200}$/.test(token)) throw new Error(`${file} does not hold a token (43 or more letters, digits, - or _): delete it, and a new one is made`)
  return { token, made }
}

/** Written beside and then linked: whoever else starts at this moment sees no file or a whole one. */
async function make(file: string): Promise<boolean> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 })
    await link(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new Error(`cannot make the API's token ${file}: ${(error as Error).message}`, { cause: error })
  } finally {
    await rm(draft, { force: true })
  }
}
