/**
 * What Satunomor ships and a city's own folder has a copy of: templates, prompts' texts, Asterisk's settings, holidays, the plan's schema. What a city writes
 * itself (plan.yaml, calls.yaml, directory/) is the demo's to begin with, and never looked at again.
 *
 *   FOLDER/.base/          the shipped files as they were when the city took them over: what a three-way merge begins from
 *   FOLDER/.base/from.json which Satunomor shipped them
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'

/** By path in a city's folder: `templates/pjsip.conf.liquid`, `asterisk-config/modules.conf`, … */
export type Files = Map<string, Buffer>

/** Which Satunomor: `0.1.0 (6b11103)`; the commit where Git is there. */
export type Release = string

/** Where a path of a city's folder lies in the project. */
const inProject = (path: string) => path.startsWith('asterisk-config/') ? path : `dialplan/${path}`

const ours = /^(templates\/.+\.liquid|prompts\/.+\/.+\.txt|holidays\/.+\.yaml|plan\.schema\.json|asterisk-config\/.+\.(conf|yaml))$/

/** As shipped: where somebody has edited the clone's own files, as Git has them. */
export async function shipped(project: string): Promise<Files> {
  const files: Files = new Map()
  const paths = [...await pathsIn(join(project, 'dialplan')), ...(await pathsIn(join(project, 'asterisk-config'))).map(path => join('asterisk-config', path))]
  for (const path of paths) if (ours.test(path)) files.set(path, await readFile(join(project, inProject(path))))
  for (const path of await editedInClone(project)) {
    const name = path.replace(/^dialplan\//, '')
    if (!ours.test(name)) continue
    const committed = await git(project, 'show', `HEAD:${path}`)
    if (committed === undefined) files.delete(name)
    else files.set(name, committed)
  }
  return files
}

/** The files of dialplan/ and asterisk-config/ that are not as Git has them; none where there is no Git. */
export async function editedInClone(project: string): Promise<string[]> {
  const said = await git(project, 'status', '--porcelain', '--no-renames', '-z', '--untracked-files=all', '--', 'dialplan', 'asterisk-config')
  return (said?.toString() ?? '').split('\0').filter(Boolean).map(line => line.slice(3))
}

/** Which Satunomor this is. */
export async function release(project: string): Promise<Release> {
  const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { version: string }
  const commit = (await git(project, 'rev-parse', '--short', 'HEAD'))?.toString().trim()
  return commit ? `${version} (${commit})` : version
}

/** The base of a city's folder; undefined where it has none. Throws what the disk says. */
export async function baseOf(city: string): Promise<{ files: Files, from: Release } | undefined> {
  const folder = join(city, '.base')
  if (!existsSync(folder)) return undefined
  const files: Files = new Map()
  for (const path of await pathsIn(folder)) if (ours.test(path)) files.set(path, await readFile(join(folder, path)))
  const from = await readFile(join(folder, 'from.json'), 'utf8').then(text => (JSON.parse(text) as { release: Release }).release).catch(() => 'an unknown version')
  return { files, from }
}

/** Makes a city's folder of the clone's as it lies, with its base; where that fails, nothing of it is left in the folder. */
export async function makeCity(project: string, city: string) {
  const staged = join(city, '.making')          // the folder may be a disk, or a mount, of its own
  await mkdir(staged, { recursive: true })
  try {
    await cp(join(project, 'dialplan'), staged, { recursive: true, dereference: true, filter: path => !/^\.#|~$/.test(path.slice(path.lastIndexOf('/') + 1)) })
    await cp(join(project, 'asterisk-config'), join(staged, 'asterisk-config'), { recursive: true, dereference: true })
    for (const [path, text] of await shipped(project)) await write(join(staged, '.base', path), text)
    await writeFrom(join(staged, '.base'), await release(project))
    for (const name of await readdir(staged)) await rename(join(staged, name), join(city, name))
  } finally {
    await rm(staged, { recursive: true, force: true })
  }
}

/** From now on the base of these paths is what is shipped; a path that is shipped no more leaves the base. `from`: all of the base is that release's now. */
export async function renewBase(city: string, paths: readonly string[], now: Files, from?: Release) {
  for (const path of paths) {
    const text = now.get(path)
    if (text === undefined) await rm(join(city, '.base', path), { force: true })
    else await write(join(city, '.base', path), text)
  }
  if (from !== undefined) await writeFrom(join(city, '.base'), from)
}

const writeFrom = (base: string, release: Release) => write(join(base, 'from.json'), `${JSON.stringify({ release, at: new Date().toISOString() }, null, 2)}\n`)

/** Whole, or not at all. */
export async function write(file: string, text: Buffer | string) {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

async function pathsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => relative(folder, join(entry.parentPath, entry.name))).sort()
}

/** What Git says; undefined where there is none, or it has no such thing. */
async function git(project: string, ...args: string[]): Promise<Buffer | undefined> {
  if (!existsSync(join(project, '.git'))) return undefined          // not the repository of somebody in whose folder the project lies
  return promisify(execFile)('git', ['-C', project, ...args], { encoding: 'buffer', maxBuffer: 16 * 1024 * 1024 }).then(({ stdout }) => stdout, () => undefined)
}
