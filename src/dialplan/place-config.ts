/**
 * Makes a version's asterisk-config/ live in the Asterisk that runs: its files are laid out where they differ from those of the version before, and what a
 * reload reads is reloaded. What Asterisk reads only when it starts is said in one sentence.
 */
import { chmod, chown, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listed } from '../plan/faults.ts'
import type { Version } from './versions.ts'

/** Where a version has them. Versions that were made before December 2026 have none. */
export const configOf = ({ folder }: Pick<Version, 'folder'>) => join(folder, 'asterisk-config')

export const hasConfig = ({ files }: Pick<Version, 'files'>) => Object.keys(files).some(path => path.startsWith('asterisk-config/'))

/** The files that a reload reads, by the rendered file that is reloaded with them. */
const reloaded: Record<string, string> = {
  'extensions.conf': 'extensions.conf', 'last-resort.conf': 'extensions.conf', 'messages.conf': 'extensions.conf', 'pjsip.conf': 'pjsip.conf', 'musiconhold.conf': 'musiconhold.conf'
}

/** What a reload does not read of a file that it reads. */
const fixedSections = ['[system]', '[global]']

export interface PlacedConfig {
  /** To be reloaded: names of rendered files. */
  reload: string[]
  /** What takes effect later, in a sentence. */
  later?: string
}

/** Lays out in `etc` what differs from `old`. Where nobody may write there (in containers), the next start does it. Throws what the disk says. */
export async function placeConfig(version: Version, old: Version | undefined, etc: string): Promise<PlacedConfig> {
  if (!hasConfig(version)) return { reload: [] }
  const [mine, theirs] = [await confFiles(configOf(version)), old && hasConfig(old) ? await confFiles(configOf(old)) : await confFiles(etc)]
  const changed = [...new Set([...mine.keys(), ...theirs.keys()])].filter(name => mine.get(name) !== theirs.get(name)).sort()
  if (changed.length === 0) return { reload: [] }
  const names = (files: readonly string[]) => `${listed(files.map(name => `asterisk-config/${name}`), { most: 6 })} ${files.length === 1 ? 'takes' : 'take'} effect`
  try {
    for (const name of changed) await lay(etc, name, mine.get(name))
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return { reload: [], later: `${names(changed)} at the next start: the service may not write Asterisk's own settings here` }
  }
  const atRestart = changed.filter(name => reloaded[name] === undefined || (name === 'pjsip.conf' && fixed(mine.get(name)) !== fixed(theirs.get(name))))
  return {
    reload: [...new Set(changed.flatMap(name => reloaded[name] ?? []))],
    ...atRestart.length > 0 ? { later: `${names(atRestart)} at the next restart of Asterisk: a reload does not read ${atRestart.length === 1 ? 'it' : 'them'} (of pjsip.conf: [system] and [global])` } : {}
  }
}

async function lay(etc: string, name: string, text: string | undefined) {
  const file = join(etc, name)
  if (text === undefined) return rm(file, { force: true })
  const { gid } = await stat(etc)
  await writeFile(`${file}.new`, text, { mode: 0o640 })
  await chmod(`${file}.new`, 0o640)
  await chown(`${file}.new`, -1, gid)
  await rename(`${file}.new`, file)
}

async function confFiles(folder: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch(error => { if (error.code === 'ENOENT') return []; throw error })
  return new Map(await Promise.all(names.filter(name => name.endsWith('.conf')).map(async name => [name, await readFile(join(folder, name), 'utf8')] as const)))
}

/** The sections that a reload does not read. */
const fixed = (text = '') => text.split(/^(?=\[)/m).filter(section => fixedSections.some(name => section.startsWith(name))).join('')
