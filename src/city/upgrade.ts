/** What has changed in the shipped files since a city's folder took them over, and what the city has edited of them. Nothing here changes a file of the city's. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { baseOf, release, shipped, type Files, type Release } from './shipped.ts'

/**
 * new: it was not shipped before. changed: the city has not edited it. both: the city has edited it, too. removed: the city has removed it. gone: it is
 * shipped no more. gone-edited: the same, and the city has edited it.
 */
export type State = 'new' | 'changed' | 'both' | 'removed' | 'gone' | 'gone-edited'

export interface Change {
  path: string
  state: State
}

export interface Upgrade {
  /** Which Satunomor shipped the files that the city took over, and which this is. */
  from: Release
  to: Release
  base: Files
  now: Files
  mine: Files
  changes: Change[]
}

/** Undefined where the folder has no base. */
export async function upgradeOf(project: string, city: string): Promise<Upgrade | undefined> {
  const known = await baseOf(city)
  if (!known) return undefined
  const [{ files: base, from }, now, mine] = [known, await shipped(project), new Map() as Files]
  for (const path of new Set([...base.keys(), ...now.keys()])) {
    const text = await readFile(join(city, path)).catch(absent)
    if (text) mine.set(path, text)
  }
  return { from, to: await release(project), base, now, mine, changes: changesBetween(base, now, mine) }
}

export function changesBetween(base: Files, now: Files, mine: Files): Change[] {
  return [...new Set([...base.keys(), ...now.keys()])].sort().flatMap(path => {
    const state = stateOf(base.get(path), now.get(path), mine.get(path))
    return state ? [{ path, state }] : []
  })
}

/** Undefined: the shipped file is as it was, or the city has it already. */
function stateOf(before: Buffer | undefined, now: Buffer | undefined, mine: Buffer | undefined): State | undefined {
  if (same(before, now) || same(mine, now)) return undefined
  if (now === undefined) return same(mine, before) ? 'gone' : 'gone-edited'
  if (mine === undefined) return before === undefined ? 'new' : 'removed'
  return same(mine, before) ? 'changed' : 'both'
}

export const same = (one: Buffer | undefined, other: Buffer | undefined) => one === other || (one !== undefined && other !== undefined && one.equals(other))

/** The line for a start, and for `validate`; undefined: nothing has changed. Never throws: no call waits for it. */
export async function upgradeInALine(project: string, city: string | undefined): Promise<string | undefined> {
  if (city === undefined) return undefined
  try {
    const upgrade = await upgradeOf(project, city)
    if (!upgrade) return `${city} has no .base: what this Satunomor ships otherwise than before cannot be seen (docs/operations.md, "The city's own folder")`
    const { changes: { length }, from, to } = upgrade
    return length === 0 ? undefined : `${length} shipped ${length === 1 ? 'file has' : 'files have'} changed since ${city} took ${length === 1 ? 'it' : 'them'} over from Satunomor ${from} (this is ${to}): npx satunomor upgrade`
  } catch (error) {
    return `whether shipped files have changed since ${city} took them over could not be seen (${(error as Error).message})`
  }
}

/** A merge of what both sides changed, with marks where both changed the same lines. Undefined: Git, which makes it, is not there. */
export async function merge({ base, now, mine }: Pick<Upgrade, 'base' | 'now' | 'mine'>, path: string): Promise<{ text: string, conflicts: number } | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-merge-'))
  try {
    for (const [name, files] of [['yours', mine], ['before', base], ['shipped', now]] as const) await writeFile(join(folder, name), files.get(path) ?? '')
    const labels = ['yours', 'shipped before', 'shipped now'].flatMap(label => ['-L', label])
    return await new Promise((resolve, reject) => {
      execFile('git', ['merge-file', '-p', '--diff3', ...labels, 'yours', 'before', 'shipped'], { cwd: folder, maxBuffer: 16 * 1024 * 1024 }, (error, text) => {
        const code = error?.code as number | string | undefined
        if (code === 'ENOENT') resolve(undefined)
        else if (typeof code === 'number' && code > 127) reject(error)
        else resolve({ text, conflicts: typeof code === 'number' ? code : 0 })
      })
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Whether a merge still has places that somebody must decide. */
export const hasMarks = (text: string) => /^(<{7} |>{7} |\|{7} |={7}$)/m.test(text)

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
