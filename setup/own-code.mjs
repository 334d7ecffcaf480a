// What `npm start` itself is made of, as one checksum: a new version of it runs only once it is started anew.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = dirname(fileURLToPath(import.meta.url))

export function ownCode() {
  const sum = createHash('sha256')
  for (const name of readdirSync(folder).filter(name => name.endsWith('.mjs')).sort()) sum.update(`${name}\0`).update(readFileSync(join(folder, name)))
  return sum.digest('hex')
}
