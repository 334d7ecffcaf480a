/**
 * What a restore made live: `versions/restored` is a link to it, beside `current`. While it is live a start applies no edit,
 * whatever SATUNOMOR_APPLY_AT_START says: what lies in the folder of a new machine, or was rolled back before the backup, is nobody's wish.
 */
import { readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pointTo, type Version, type Versions } from './versions.ts'

/** Only with the lock. */
export async function markRestored({ folder }: Versions, version: Version) {
  await pointTo(join(folder, 'restored'), basename(version.folder))
}

export async function isRestored({ folder }: Versions, version: Version): Promise<boolean> {
  return await readlink(join(folder, 'restored')).catch(() => undefined) === basename(version.folder)
}
