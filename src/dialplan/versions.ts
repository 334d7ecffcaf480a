/**
 * The versions of the service plan that were made live, each whole in a folder of its own, and which one is live:
 *
 *   versions/7-6c3dfb93a378/   meta.json   who, when, why, from which version, every file's checksum
 *                              dialplan/   the admin's folder as it was: plan.yaml, templates/, prompts/
 *                              asterisk-config/   Asterisk's own settings as they were; versions from before December 2026 have none
 *                              etc/        what was rendered of it
 *                              sounds/     what callers hear: <language>/<prompt>.alaw and .ulaw
 *   versions/current           a link to the one that is live; it is swapped by one rename
 *   versions/restored          a link to the one that a restore made live (restored.ts)
 *
 * A version is never edited. Whoever is killed in between leaves a folder that no link names, or none.
 */
import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, relative } from 'node:path'

export interface Meta {
  /** Counted from 1. */
  version: number
  /** The version of plan.yaml: `Plan.version`. */
  plan: string
  /** ISO 8601, UTC. */
  at: string
  who: string
  why: string
  /** The version that was live when this one was made; null for the first, and for one out of a backup. */
  base: number | null
  /** The version whose content this is, where somebody rolled back. */
  restores: number | null
  /** The plan's file that it was made from; null after a rollback, and out of a backup. */
  from: string | null
  /** Checksum of all that is in dialplan/ and asterisk-config/, and of all that is in etc/. */
  source: string
  rendered: string
  /** SHA-256 of each file, by its path in the folder. */
  files: Record<string, string>
}

export interface Version extends Meta {
  folder: string
}

/** A version of which nobody knows any more what it was, and why: its meta.json cannot be read. */
export interface Lost {
  /** As its folder's name says; Infinity where that does not. */
  version: number
  folder: string
  /** Which file, what is wrong with it, and what to do. */
  sentence: string
}

/** There is no such version, or nobody knows any more what it was: whoever asked for it names another one. */
export class NoVersion extends Error {
  override name = 'NoVersion'
  /** A word for programs. */
  readonly reason: 'no-version' | 'lost'

  constructor(reason: NoVersion['reason'], sentence: string) {
    super(sentence)
    this.reason = reason
  }
}

/** Who made a staged folder, and may still be at it: `.staging-<pid>-<8 hex>-<host>`. A validate, a diff or a render needs no lock. */
const staging = /^\.staging-(\d+)-[0-9a-f]{8}-(.+)$/
/** No candidate takes as long as this to make, wherever its maker is (in another container, say). */
const old = 60 * 60_000

export class Versions {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** All that there are, the oldest first; also those that were made and never came to be live, but not those that are lost. */
  async list(): Promise<Version[]> {
    return (await this.#all()).flatMap(one => 'sentence' in one ? [] : one)
  }

  /** Those that `list` passes over, the oldest first. */
  async lost(): Promise<Lost[]> {
    return (await this.#all()).flatMap(one => 'sentence' in one ? one : [])
  }

  /** Throws `NoVersion` where there is none, saying which there are, and where it is lost. */
  async get(version: number): Promise<Version> {
    const all = await this.#all()
    const found = all.find(one => one.version === version)
      ?? fail('no-version', `there is no version ${version}: ${all.length > 0 ? `there ${all.length > 1 ? 'are' : 'is'} ${ranges(all.map(one => one.version))}` : 'there is none yet'}`)
    return 'sentence' in found ? fail('lost', `version ${version} is lost, go back to another one: ${found.sentence}`) : found
  }

  /** The one that is live; undefined before there is any. Throws `NoVersion` where it is lost. */
  async current(): Promise<Version | undefined> {
    const current = await this.look()
    return current && 'sentence' in current ? fail('lost', `what is live is lost: ${current.sentence}. A start (npm start, docker compose up) goes on with the newest version that is whole`) : current
  }

  /** The same, and throws nothing: what the link names may be lost. */
  async look(): Promise<Version | Lost | undefined> {
    const link = join(this.folder, 'current')
    try {
      const name = await readlink(link).catch(absent)
      return name === undefined ? undefined : await this.#read(name)
    } catch (error) {
      return { version: Infinity, folder: link, sentence: `${link} cannot be read (${(error as Error).message})` }
    }
  }

  /** A new folder to make a version in; it is removed when disposed, if it has not been kept. */
  async stage(): Promise<{ folder: string } & AsyncDisposable> {
    await mkdir(this.folder, { recursive: true })
    const folder = join(this.folder, `.staging-${process.pid}-${randomBytes(4).toString('hex')}-${hostname()}`)
    await mkdir(folder)
    return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
  }

  /** Removes what others left who were killed; who only looks (validate, diff, render) keeps their folder meanwhile. Only with the lock. */
  async sweep() {
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name)
      if (name.endsWith('.new') || (name.startsWith('.staging-') && await isLeft(name, path))) await rm(path, { recursive: true, force: true })
    }
  }

  /** A staged folder becomes a version, with the next number that is free from `least` on: all of it is on the disk before its name is. Only with the lock. */
  async keep(staged: string, about: Omit<Meta, 'version' | 'at' | 'files' | 'source' | 'rendered'>, least = 1): Promise<Version> {
    const files = await checksums(staged)
    const version = Math.max(least, ((await this.#all()).at(-1)?.version ?? 0) + 1)
    const meta: Meta = {
      version, at: new Date().toISOString(), ...about,
      ...sumsOf(files), files
    }
    await writeFile(join(staged, 'meta.json'), `${JSON.stringify(meta, null, 2)}\n`)
    await Promise.all([...Object.keys(files), 'meta.json'].map(file => seal(join(staged, file))))
    await Promise.all([...new Set(Object.keys(files).map(file => join(staged, file, '..')).concat(staged))].map(flush))
    const name = `${version}-${meta.plan}`
    await rename(staged, join(this.folder, name))
    await flush(this.folder)
    return { ...meta, folder: join(this.folder, name) }
  }

  /** From here on this one is live for whoever starts. Only with the lock. */
  async makeCurrent({ version, plan }: Pick<Version, 'version' | 'plan'>) {
    await pointTo(join(this.folder, 'current'), `${version}-${plan}`)
  }

  /** Removes a version: one that did not come to be live, or an old one. Only with the lock. */
  async remove({ folder }: Version) {
    const gone = join(this.folder, `.staging-gone-${randomBytes(4).toString('hex')}`)
    await rename(folder, gone)
    await rm(gone, { recursive: true, force: true })
  }

  async #all(): Promise<(Version | Lost)[]> {
    const names = await readdir(this.folder).catch(absent)
    const versions = await Promise.all((names ?? []).filter(name => /^\d+-[0-9a-f]{12}$/.test(name)).map(name => this.#read(name)))
    return versions.sort((a, b) => a.version - b.version)
  }

  async #read(name: string): Promise<Version | Lost> {
    const folder = join(this.folder, name)
    const file = join(folder, 'meta.json')
    try {
      const meta = JSON.parse(await readFile(file, 'utf8')) as Meta
      if (`${meta.version}-${meta.plan}` !== name || typeof meta.files !== 'object') throw new Error('it is not what was written there')
      return { ...meta, folder }
    } catch (error) {
      return { version: Number.parseInt(name) || Infinity, folder, sentence: `${file} cannot be read (${(error as Error).message})` }
    }
  }
}

/** Whoever made it is gone, as far as can be told from here; or it has been there for too long. */
async function isLeft(name: string, path: string): Promise<boolean> {
  if (name.startsWith('.staging-gone-')) return true
  const [, pid, host] = staging.exec(name) ?? []
  if (host === hostname() && !isAlive(Number(pid))) return true
  const made = await stat(path).catch(absent)
  return made !== undefined && Date.now() - made.mtimeMs > old
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The files of a version that are not as they were when it was made; empty: it is whole. */
export async function damaged({ folder, files }: Version): Promise<string[]> {
  const now = await checksums(folder)
  return [...new Set([...Object.keys(files), ...Object.keys(now)])].filter(file => files[file] !== now[file]).sort()
}

/** SHA-256 of each file below a folder (but meta.json), by its path there, in order. */
async function checksums(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(entry => relative(folder, join(entry.parentPath, entry.name))).filter(path => path !== 'meta.json').sort()
  return Object.fromEntries(await Promise.all(paths.map(async path => [path, sha256(await readFile(join(folder, path)))] as const)))
}

const sumsOf = (files: Record<string, string>) => ({ source: checksumOf(files, 'dialplan/', 'asterisk-config/'), rendered: checksumOf(files, 'etc/') })

/** One checksum for all the files below some places. */
export function checksumOf(files: Record<string, string>, ...places: string[]): string {
  return sha256(Object.entries(files).filter(([path]) => places.some(place => path.startsWith(place))).map(entry => entry.join(' ')).join('\n')).slice(0, 16)
}

/** What `keep` would write down of a staged folder. */
export async function sums(staged: string): Promise<{ source: string, rendered: string }> {
  const files = await checksums(staged)
  return sumsOf(files)
}

/** A symbolic link, swapped: whoever looks finds the old or the new one. */
export async function pointTo(link: string, target: string) {
  const fresh = `${link}.${randomBytes(4).toString('hex')}.new`
  await symlink(target, fresh)
  await rename(fresh, link)
  await flush(join(link, '..'))
}

/** Nobody writes to it any more, and it is on the disk; what an older version has, too, is there already. */
async function seal(file: string) {
  if ((await stat(file)).nlink > 1) return
  await chmod(file, 0o444)
  await flush(file)
}

/** What was written to a file, or which files a folder has, is on the disk. */
async function flush(path: string) {
  await using handle = await open(path, 'r')
  await handle.sync()
}

export const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest('hex')

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** `1, 3 to 7`, of numbers in order. */
function ranges(numbers: number[]): string {
  const parts: [first: number, last: number][] = []
  for (const number of numbers) {
    const part = parts.at(-1)
    if (part?.[1] === number - 1) part[1] = number
    else parts.push([number, number])
  }
  return parts.map(([first, last]) => first === last ? first : `${first} to ${last}`).join(', ')
}

function fail(reason: NoVersion['reason'], sentence: string): never {
  throw new NoVersion(reason, sentence)
}
