/** Lays a version out where Asterisk reads: its rendered files as a folder that one rename swaps in, its sounds file by file. */
import { randomBytes } from 'node:crypto'
import { chmod, chown, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { lastResortFiles } from './last-resort.ts'
import { holds, seal } from './seal.ts'
import { pointTo, sha256, type Version } from './versions.ts'

/** Where Asterisk reads. */
export interface Live {
  /** `plan/` in Asterisk's /etc/asterisk: `plan/current/` has the files that the static ones include, `plan/last-resort/` those that stand without them. */
  etc: string
  /** Asterisk's /etc/asterisk itself, for asterisk-config/; left out, only a start lays that out. */
  config?: string
  sounds: string
}

/**
 * `before` are the versions that calls in progress may have begun under, the newest first: of their contexts those that
 * are no more stay for them (seal.ts), and of their sounds none is taken away.
 */
export async function place(version: Version, before: readonly Version[], live: Live) {
  await placeSounds(version, before[0], live.sounds)
  const older = await Promise.all(before.map(async one => (await renderedFiles(one)).get('extensions.conf') ?? ''))
  const files = laidOut(await renderedFiles(version), version.rendered, older)

  await mkdir(live.etc, { recursive: true, mode: 0o750 })
  await placeLastResort(files, live.etc)
  const former = (await readdir(live.etc)).filter(name => name !== 'last-resort')
  const name = `${version.version}-${version.plan}.${randomBytes(3).toString('hex')}`
  const folder = join(live.etc, name)
  await mkdir(folder, { mode: 0o750 })
  try {
    for (const [file, text] of files) await writeFile(join(folder, file), text, { mode: 0o640 })
    for (const path of [folder, ...[...files.keys()].map(file => join(folder, file))]) await giveAway(path, live.etc)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  await pointTo(join(live.etc, 'current'), name)
  for (const old of former) if (old !== 'current') await rm(join(live.etc, old), { recursive: true, force: true })
}

/** Apart from `current/`: it stands where that is lost. What an older version does not have stays as it is. */
export async function placeLastResort(files: ReadonlyMap<string, string>, etc: string) {
  const folder = join(etc, 'last-resort')
  await mkdir(folder, { recursive: true, mode: 0o750 })
  await giveAway(folder, etc)
  for (const [name, to] of Object.entries(lastResortFiles)) {
    const text = files.get(name)
    const file = join(folder, to)
    if (text === undefined || await readFile(file, 'utf8').catch(() => undefined) === text) continue
    await writeFile(`${file}.new`, text, { mode: 0o640 })
    await giveAway(`${file}.new`, etc)
    await rename(`${file}.new`, file)
  }
}

/** What Asterisk reads that is not a version, file by file: of its dialplan, and of its sounds. Empty: the version is laid out whole. */
export async function missing(version: Version, live: Live): Promise<{ dialplan: string[], sounds: string[] }> {
  const dialplan: string[] = []
  for (const [name, text] of await renderedFiles(version)) {
    const laid = await readFile(join(live.etc, 'current', name), 'utf8').catch(() => '')
    const whole = name === 'extensions.conf' ? holds(laid, text) && laid.endsWith(checksumLine(version.rendered)) : laid === text
    if (!whole) dialplan.push(name)
  }
  const sounds: string[] = []
  for (const [path, sum] of soundsOf(version)) if (!path.endsWith('/manifest.json') && sum !== await sumOf(join(live.sounds, path))) sounds.push(path)
  return { dialplan, sounds }
}

/** What was rendered as Asterisk reads it: sealed, and with its checksum, which Asterisk tells whoever asks what it has loaded. */
export function laidOut(files: ReadonlyMap<string, string>, rendered: string, older: readonly string[] = []): Map<string, string> {
  return new Map([...files].map(([name, text]) =>
    [name, name === 'extensions.conf' ? `${seal(text, older)}${checksumLine(rendered)}` : text]))
}

const checksumLine = (rendered: string) => `\n[globals]\nSN_RENDERED=${rendered}\n`

/** By name, e.g. `extensions.conf`. */
export async function renderedFiles({ folder }: Pick<Version, 'folder'>): Promise<Map<string, string>> {
  const names = (await readdir(join(folder, 'etc'))).sort()
  return new Map(await Promise.all(names.map(async name => [name, await readFile(join(folder, 'etc', name), 'utf8')] as const)))
}

/** What Asterisk reads belongs to its group, as the folder does that the set-up made for it. */
async function giveAway(path: string, as: string) {
  const { gid } = await stat(as)
  await chmod(path, (await stat(path)).isDirectory() ? 0o750 : 0o640)
  await chown(path, -1, gid)
}

/** A sound that is being played goes on: its file is replaced, not written to. */
async function placeSounds(version: Version, before: Version | undefined, to: string) {
  const wanted = soundsOf(version)
  const languages = [...new Set([...wanted.keys()].map(path => dirname(path)))]
  for (const language of languages) {
    await mkdir(join(to, language), { recursive: true, mode: 0o755 })
    const mine = [...wanted].filter(([path]) => dirname(path) === language)
    const changed: string[] = []
    for (const [path, sum] of mine) if (!path.endsWith('/manifest.json') && sum !== await sumOf(join(to, path))) changed.push(path)
    const manifest = `${language}/manifest.json`
    if (changed.length > 0) await rm(join(to, manifest), { force: true })       // it tells the truth at any moment, or nothing
    for (const path of changed) await replace(join(version.folder, 'sounds', path), join(to, path))
    if (wanted.get(manifest) !== await sumOf(join(to, manifest))) await replace(join(version.folder, 'sounds', manifest), join(to, manifest))
    if (!before) continue
    const kept = soundsOf(before)
    for (const file of await readdir(join(to, language))) {
      const path = `${language}/${file}`
      if (/\.[au]law$/.test(file) && !wanted.has(path) && !kept.has(path)) await rm(join(to, path), { force: true })
    }
  }
}

const soundsOf = ({ files }: Version) => new Map(Object.entries(files)
  .filter(([path]) => path.startsWith('sounds/')).map(([path, sum]) => [path.slice('sounds/'.length), sum]))

const sumOf = async (path: string) => readFile(path).then(sha256, () => undefined)

async function replace(from: string, to: string) {
  const fresh = `${to}.${randomBytes(3).toString('hex')}.new`
  await copyFile(from, fresh)
  await chmod(fresh, 0o644)
  await rename(fresh, to)
}
