/** The live version of the plan, whole: into a backup (`live/`, as a folder of `versions/` is), and out of it, to be live again. */
import { lchown, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { lastWhole } from '../dialplan/changes.ts'
import { lock, Locked } from '../dialplan/lock.ts'
import { markRestored } from '../dialplan/restored.ts'
import { damaged, Versions, type Meta } from '../dialplan/versions.ts'
import { copyForGood, NotDone } from './manifest.ts'

/** Copies what is live into `to`; what the disk has harmed is none: then the newest before it that is whole. `warn` hears why it is not, or not what is live. */
export async function copyLive(versions: Versions, to: string, warn: (sentence: string) => void) {
  const current = await versions.look()
  const whole = await lastWhole(current, await versions.list(), warn)
  if (current && !whole) warn('no version of the plan is whole: none is in this backup')
  if (!whole) return
  await copyFiles(whole.folder, to, [...Object.keys(whole.files), 'meta.json'])
  const torn = await damaged({ ...whole, folder: to })
  if (torn.length > 0) throw new NotDone(`version ${whole.version} of the plan could not be copied (${torn.join(', ')} differ): try again`)
}

/** What the plan's version is after a restore. */
export interface PutBack {
  version: number
  /** That of the backup, under the number that it had. */
  was: number
  /** Not put back: what is live here is the same, or came later, and this machine still has what was live then under its number. */
  stays?: 'same' | 'later'
}

/**
 * Makes ready to have live again what lies in `from`; nothing is live before `commit`, and where that is not called nothing of it is left.
 * It gets its own number where that is free. What this machine has gone on to since is not taken back. Throws `NotDone` while somebody changes the plan.
 */
export async function bringBack(place: string, from: string, at: string): Promise<PutBack & { commit(): Promise<void> } & AsyncDisposable> {
  const backedUp = JSON.parse(await readFile(join(from, 'meta.json'), 'utf8')) as Meta
  await mkdir(place, { recursive: true })
  await using opened = new AsyncDisposableStack()
  opened.use(await lock(place, { who: 'the restore', does: 'restores' }).catch(error => {
    throw error instanceof Locked ? new NotDone(`the plan is being changed: ${error.message}`, { cause: error }) : error
  }))
  const here = new Versions(place)
  const known = await Promise.all([here.current(), here.list()]).catch(() => undefined)
  const [current, all] = known ?? []
  const alike = (one: Meta) => one.source === backedUp.source && one.rendered === backedUp.rendered
  const ancestor = all?.find(one => one.version === backedUp.version && one.at === backedUp.at && alike(one))
  const stays = !current || (await damaged(current)).length > 0 ? undefined : alike(current) ? 'same' : ancestor && current.version > ancestor.version ? 'later' : undefined
  if (current && stays) {
    const held = opened.move()
    const commit = async () => {
      await markRestored(here, current)
      await giveAway(place, await stat(dirname(place)))
    }
    return { version: current.version, was: backedUp.version, stays, commit, [Symbol.asyncDispose]: () => held.disposeAsync() }
  }

  // Versions that cannot even be listed are put aside, whole, as the records are.
  const versions = known ? here : new Versions(`${place}.restoring`)
  if (!known) {
    const anew = () => rm(versions.folder, { recursive: true, force: true })
    await anew()
    opened.defer(anew)
  }
  const { folder } = opened.use(await versions.stage())
  await copyFiles(from, folder, Object.keys(backedUp.files))
  const why = `as it was live at the backup of ${at}: version ${backedUp.version} (${backedUp.who}, ${backedUp.at}: ${backedUp.why})`
  const version = await versions.keep(folder, { plan: backedUp.plan, who: 'the restore', why, base: null, restores: null, from: null }, backedUp.version)
  let committed = false
  opened.defer(async () => { if (!committed) await versions.remove(version) })
  await giveAway(versions.folder, await stat(dirname(place)))
  const held = opened.move()
  return {
    version: version.version, was: backedUp.version,
    async commit() {
      await markRestored(versions, version)
      await versions.makeCurrent(version)
      await giveAway(versions.folder, await stat(dirname(place)))
      committed = true
      if (known) return
      await rename(place, `${place}.before-${new Date().toISOString().replace(/[-:]/g, '')}`)
      await rename(versions.folder, place)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync()
  }
}

async function copyFiles(from: string, to: string, files: readonly string[]) {
  for (const file of files) {
    await mkdir(dirname(join(to, file)), { recursive: true })
    await copyForGood(join(from, file), join(to, file), 0o600)
  }
}

/** All of it belongs to whom the state folder belongs to. */
async function giveAway(folder: string, { uid, gid }: { uid: number, gid: number }) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) await lchown(join(entry.parentPath, entry.name), uid, gid)
  await lchown(folder, uid, gid)
}
