/** What differs between two states of the plan: the admin's files first, then what is rendered of them. */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { unified } from './unified.ts'

/** A folder of a version, or of a candidate, and what to call it. */
export interface State {
  name: string
  folder: string
}

/** As `diff -u` writes it, file by file; '' where nothing differs. Recordings are only named. */
export async function compare(before: State, after: State): Promise<string> {
  const parts: string[] = []
  for (const place of ['dialplan', 'asterisk-config', 'etc']) {
    const [theirs, mine] = [await filesIn(before.folder, place), await filesIn(after.folder, place)]
    if (place === 'asterisk-config' && theirs.length + mine.length > 0 && (theirs.length === 0 || mine.length === 0)) {
      parts.push(`${theirs.length === 0 ? before.name : after.name} is from before versions had asterisk-config/\n`)
      continue
    }
    const paths = new Set([...theirs, ...mine])
    for (const path of [...paths].sort()) {
      const [old, fresh] = [await contentOf(join(before.folder, path)), await contentOf(join(after.folder, path))]
      const names = { before: `${before.name}/${path}`, after: `${after.name}/${path}` }
      if (!path.endsWith('.wav')) parts.push(unified(old.toString(), fresh.toString(), names))
      else if (!old.equals(fresh)) parts.push(`${names.before} and ${names.after} are different recordings\n`)
    }
  }
  return parts.join('')
}

async function filesIn(folder: string, place: string): Promise<string[]> {
  const entries = await readdir(join(folder, place), { recursive: true, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return []
  })
  return entries.filter(entry => entry.isFile()).map(entry => relative(folder, join(entry.parentPath, entry.name)))
}

/** A file that is not there is empty. */
const contentOf = (path: string) => readFile(path).catch((error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOENT') throw error
  return Buffer.alloc(0)
})
