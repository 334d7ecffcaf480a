/** What a backup is: a folder whose `manifest.json`, written last, names each of its files with its checksum. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, copyFile, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'

export interface BackedUp {
  /** In the backup's folder, with `/`: `records.sqlite`, `ledger/calls.csv`, … */
  path: string
  /** Bytes. */
  size: number
  sha256: string
  /** When it was last written, Unix ms; the ledger's files are read in this order. */
  writtenAt: number
}

export interface Manifest {
  format: 1
  /** The product's version. */
  version: string
  /** When the backup was begun, ISO 8601. */
  at: string
  files: BackedUp[]
}

/** A backup or a restore that was not made; its message says what to do. */
export class NotDone extends Error {
  override name = 'NotDone'
}

/** The checksum of a file, or of its first `bytes`. */
export async function sha256(file: string, bytes?: number): Promise<string> {
  const hash = createHash('sha256')
  if (bytes !== 0) await pipeline(createReadStream(file, bytes === undefined ? {} : { end: bytes - 1 }), hash)
  return hash.digest('hex')
}

/** A copy that is on the disk when this resolves. */
export async function copyForGood(from: string, to: string, mode: number): Promise<void> {
  await copyFile(from, to)
  await settle(to, mode)
}

/** What was written to a file is on the disk when this resolves. */
export async function settle(file: string, mode: number): Promise<void> {
  await chmod(file, mode)
  await using handle = await open(file, 'r+')
  await handle.sync()
}

/** A folder's names are on the disk when this resolves. */
export async function settleNames(folder: string): Promise<void> {
  await using handle = await open(folder, 'r')
  await handle.sync()
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const file = join(folder, 'manifest.json')
  {
    await using handle = await open(`${file}.new`, 'wx', 0o600)
    await handle.writeFile(`${JSON.stringify(manifest, null, 2)}\n`)
    await handle.sync()
  }
  await rename(`${file}.new`, file)
  await settleNames(folder)
  await settleNames(dirname(folder))
}

/** Reads a backup's manifest and checks each file against it. Throws `NotDone` where it is none, or not as it was made. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, 'manifest.json'), 'utf8').catch(error => {
    throw new NotDone(`${folder} is no whole backup (${(error as Error).message}): its manifest.json is written last, so either this is another folder or the backup was cut short. Take an older one.`)
  })
  const manifest = JSON.parse(text) as Manifest
  if (manifest.format !== 1) throw new NotDone(`${folder} is a backup of another form (${String(manifest.format)}): restore it with the version of Satunomor that made it (${manifest.version}), then upgrade.`)
  for (const { path, sha256: expected } of manifest.files) {
    const found = await sha256(join(folder, path)).catch(error => (error as Error).message)
    if (found !== expected) throw new NotDone(`${join(folder, path)} is not as it was when the backup was made (${/^[0-9a-f]{64}$/.test(found) ? 'its checksum differs' : found}): take another copy of this backup, or an older one. Nothing was changed.`)
  }
  return manifest
}
