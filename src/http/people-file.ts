/** Who has a token of their own: a file that only its owner can read, with the tokens' hashes, never a token. */
import { createHash, randomBytes } from 'node:crypto'
import { chown, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { inTurn } from '../dialplan/lock.ts'
import { didYouMean, quote } from '../plan/faults.ts'
import { isReserved, looksLike, nameFault, sameName } from './names.ts'

/** `desk` reads, and works follow-ups; `admin` may do everything. */
export const roles = ['desk', 'admin'] as const
export type Role = typeof roles[number]

export interface KeptPerson {
  name: string
  role: Role
  /** Works only follow-ups on this list. */
  list?: string
  /** Of the token, hex. It is 256 random bits: nobody finds it by trying, so that a slow hash would protect nothing. */
  sha256: string
  /** When the token was made, ISO 8601. */
  since: string
}

/** What was asked makes no sense; nothing has changed. */
export class NotAPerson extends Error {
  override name = 'NotAPerson'
}

export const digest = (token: string) => createHash('sha256').update(token).digest()

/** Everybody in the file; nobody where there is none. Throws, saying what to do, if others could read it or it is damaged. */
export async function readPeople(file: string): Promise<KeptPerson[]> {
  const handle = await open(file, 'r').catch(error => { if (error.code === 'ENOENT') return undefined; throw error })
  if (!handle) return []
  await using _ = handle
  const { mode } = await handle.stat()
  if (mode & 0o077) throw new Error(`${file} says who has a token, and others can read or write it (mode ${(mode & 0o777).toString(8)}): chmod 600 ${file}, and look at it with npx satunomor person list`)
  try {
    const { people } = JSON.parse(await handle.readFile('utf8')) as { people: KeptPerson[] }
    for (const { name, role, list = '', sha256, since } of people) {
      if (![name, list, since].every(word => typeof word === 'string') || !roles.includes(role) || !/^[0-9a-f]{64}$/.test(sha256)) throw new Error(`${quote(String(name))} is no person with a role and a hash`)
    }
    return people
  } catch (error) {
    throw new Error(`${file} cannot be read as the people with tokens (${(error as Error).message}): take it out of the last backup, or delete it and add everybody anew (npx satunomor person add)`, { cause: error })
  }
}

/** A new person's token, which is kept nowhere. Throws `NotAPerson`, or what the disk says. */
export async function addPerson(file: string, { name, role, list }: Pick<KeptPerson, 'name' | 'role' | 'list'>, by: string): Promise<string> {
  const neat = name.normalize('NFC').trim().replace(/\s+/g, ' ')
  const fault = nameFault(neat)
  if (fault !== undefined) throw new NotAPerson(`${quote(name)} ${fault}`)
  if (isReserved(neat)) throw new NotAPerson(`${quote(neat)} stands in the history for what is no person: choose another name`)
  const { token, ...kept } = fresh()
  await change(file, by, people => {
    const there = people.find(one => sameName(one.name, neat))
    if (there) throw new NotAPerson(`${there.name} has a token already: npx satunomor person renew ${quote(there.name)} makes a new one; another role: remove, then add`)
    const alike = people.find(one => looksLike(one.name, neat))
    if (alike) throw new NotAPerson(`${quote(neat)} looks like ${alike.name}, who has a token: choose a name that nobody takes for theirs`)
    return [...people, { name: neat, role, ...list === undefined ? {} : { list }, ...kept }]
  })
  return token
}

/** A new token; the one before holds no longer. Throws `NotAPerson`, or what the disk says. */
export async function renewPerson(file: string, name: string, by: string): Promise<string> {
  const { token, ...kept } = fresh()
  await change(file, by, people => {
    const which = known(people, name)
    return people.map(one => one === which ? { ...one, ...kept } : one)
  })
  return token
}

/** Throws `NotAPerson`, or what the disk says. */
export async function removePerson(file: string, name: string, by: string): Promise<void> {
  await change(file, by, people => people.filter(one => one !== known(people, name)))
}

function known(people: readonly KeptPerson[], name: string): KeptPerson {
  const names = people.map(one => one.name)
  const found = people.find(one => sameName(one.name, name))
  if (!found) throw new NotAPerson(`${quote(name)} has no token — ${didYouMean(name, names) ?? `there are ${names.join(', ') || 'none yet'}`}`)
  return found
}

function fresh() {
  const token = randomBytes(32).toString('base64url')
  return { token, sha256: digest(token).toString('hex'), since: new Date().toISOString() }
}

/** By one at a time, and the file is replaced whole: whoever reads it sees it before or after. On a full disk a shorter one takes its place. */
async function change(file: string, by: string, what: (people: KeptPerson[]) => KeptPerson[]) {
  const folder = dirname(file)
  await mkdir(folder, { recursive: true })
  await using _ = await inTurn(folder, { who: by, does: 'changes people' }, { name: 'people.lock', look: 'npx satunomor person list' })
  const people = what(await readPeople(file))
  const text = `${JSON.stringify({ people }, null, 2)}\n`
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await using handle = await open(draft, 'wx', 0o600)
    await handle.writeFile(text)
    await handle.sync()
    if (process.getuid?.() === 0) {             // the service may be another user: whose the folder is
      const { uid, gid } = await stat(folder)
      await chown(draft, uid, gid)
    }
    await rename(draft, file)
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '') || !await overwrite(file, text)) throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** In the room that the file has already, in one write: whoever was removed must not wait for a free disk. false: it is too long for that. */
async function overwrite(file: string, text: string): Promise<boolean> {
  await using handle = await open(file, 'r+')
  const { size } = await handle.stat()
  const length = Buffer.byteLength(text)
  if (length > size) return false
  await handle.write(text + ' '.repeat(size - length), 0)
  await handle.truncate(length)
  await handle.sync()
  return true
}
