/**
 * The backup: all that a city cannot make again, into a folder, while everything runs.
 *
 *     npm run backup -- FOLDER
 *
 * The records as they are in one moment, then the ledger's files (which may have gone on a little), callers' recorded messages, the secrets, the city's
 * and people's tokens, the version of the plan that is live, and what is edited by hand: the service plan with what lies beside it, `dialplan/` and `asterisk-config/`, or the
 * city's own folder as `city/`. Ends with 0 when the backup is whole, with 1 and a reason when there is none.
 */
import { chmod, mkdir, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { backup as copyDatabase, DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { ledgerFiles } from '../asterisk/ledger.ts'
import { Versions } from '../dialplan/versions.ts'
import { withFoldersOfService } from '../service-card.ts'
import { places, readSettings, type Settings } from '../settings.ts'
import { copyLive } from './live-version.ts'
import { copyForGood, NotDone, settle, sha256, writeManifest, type BackedUp, type Manifest } from './manifest.ts'

type BackedUpSettings = Pick<Settings, 'project' | 'state' | 'plan' | 'asterisk'> & Partial<Pick<Settings, 'city'>>

/** Makes a backup in a folder that is empty or not there yet; `warn` hears what is amiss with the live version. Throws `NotDone`; then the folder is as it was before. */
export async function makeBackup(settings: BackedUpSettings, folder: string, warn: (sentence: string) => void = () => {}): Promise<Manifest> {
  const there = await readdir(folder).catch(error => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new NotDone(`${folder} cannot be read as a folder (${(error as Error).message}): name another one`)
  })
  if (there && there.length > 0) throw new NotDone(`${folder} is not empty: a backup goes into a folder of its own, name another one`)
  const modeBefore = there && (await stat(folder)).mode & 0o7777
  try {
    if (there) await closeToOthers(folder, warn)
    return await fill(settings, folder, warn)
  } catch (error) {
    for (const name of await readdir(folder).catch(() => [])) await rm(join(folder, name), { recursive: true, force: true })
    if (modeBefore === undefined) await rm(folder, { recursive: true, force: true })
    else await chmod(folder, modeBefore).catch(() => {})
    if (error instanceof NotDone) throw error
    const full = ['ENOSPC', 'EFBIG', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '') || /disk is full|disk I\/O error/.test((error as Error).message)
    throw new NotDone(`no backup was made in ${folder} (${(error as Error).message}): ${full ? 'there is no room for it, free some or name a folder on another disk' : 'mend that and try again'}`, { cause: error })
  }
}

/** Before the first file is in it: callers' numbers and passwords are for the owner alone. A disk without permissions (FAT, SMB) gets a warning. */
async function closeToOthers(folder: string, warn: (sentence: string) => void) {
  const failed = await chmod(folder, 0o700).then(() => undefined, (error: Error) => error.message)
  if (failed !== undefined || (await stat(folder)).mode & 0o077) {
    warn(`other users of this machine may open ${folder}${failed === undefined ? '' : ` (${failed})`}: it holds callers' numbers and passwords, take it to a safe place`)
  }
}

async function fill({ project, state, city, plan, asterisk }: BackedUpSettings, folder: string, warn: (sentence: string) => void): Promise<Manifest> {
  const at = new Date().toISOString()
  const { records, secrets, token, people, switches, webhooks, versions } = places(state)
  await mkdir(join(folder, 'ledger'), { recursive: true, mode: 0o700 })

  // First the records, then the ledger: whatever the records do not have yet, the ledger has.
  await copyRecords(records, join(folder, 'records.sqlite'))
  for (const file of await ifThere(() => ledgerFiles(asterisk.cel)) ?? []) await copyLedger(file, join(folder, 'ledger', file.slice(dirname(asterisk.cel).length + 1)))
  await ifThere(() => copyForGood(secrets, join(folder, 'secrets.json'), 0o600))
  await ifThere(() => copyForGood(token, join(folder, 'token'), 0o600))
  await ifThere(() => copyForGood(people, join(folder, 'people.json'), 0o600))
  await ifThere(() => copyForGood(switches, join(folder, 'switches.json'), 0o600))
  for (const name of await ifThere(() => readdir(webhooks)) ?? []) {
    await mkdir(join(folder, 'webhooks'), { recursive: true, mode: 0o700 })
    if (name.endsWith('.json')) await copyForGood(join(webhooks, name), join(folder, 'webhooks', name), 0o600)
  }
  for (const name of await ifThere(() => readdir(asterisk.mailbox)) ?? []) {
    await mkdir(join(folder, 'recordings'), { recursive: true, mode: 0o700 })
    await copyRecording(join(asterisk.mailbox, name), join(folder, 'recordings', name))
  }
  await copyLive(new Versions(versions), join(folder, 'live'), warn)
  await copyEdited({ project, city, plan }, folder, warn)

  const files: BackedUp[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const { size, mtimeMs } = await stat(path)
    files.push({ path: path.slice(folder.length + 1), size, sha256: await sha256(path), writtenAt: Math.round(mtimeMs) })
  }
  const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { version: string }
  const manifest: Manifest = { format: 1, version, at, files: files.sort((one, other) => one.path < other.path ? -1 : 1) }
  await writeManifest(folder, manifest)
  return manifest
}

/** What is edited by hand. A city's folder that is not there keeps nobody from the rest: what is live of it is in `live/`. */
async function copyEdited({ project, city, plan }: Pick<Settings, 'project' | 'plan'> & Partial<Pick<Settings, 'city'>>, folder: string, warn: (sentence: string) => void) {
  if (city === undefined) for (const name of ['dialplan', 'asterisk-config']) await copyFolder(join(project, name), join(folder, name))
  else if (await ifThere(() => stat(city)) === undefined) warn(`there is no ${city} (SATUNOMOR_CITY): what is edited there is not in this backup, only what is live`)
  else await copyFolder(city, join(folder, 'city'))
  if (city === undefined) await copyAsIs(plan, join(folder, 'plan.yaml'))
  else await ifThere(() => copyAsIs(plan, join(folder, 'plan.yaml')))
  const beside = dirname(resolve(plan))
  if (beside === (city ?? resolve(project, 'dialplan'))) return
  await ifThere(() => copyAsIs(join(beside, 'calls.yaml'), join(folder, 'calls.yaml')))
  await ifThere(() => copyFolder(join(beside, 'holidays'), join(folder, 'holidays'), '.yaml'))
  await ifThere(() => copyFolder(join(beside, 'directory'), join(folder, 'directory'), '.csv'))
}

/** The store as it is in one moment, however much is written to it meanwhile. */
async function copyRecords(from: string, to: string) {
  if (!await ifThere(() => stat(from))) throw new NotDone(`there are no records at ${from}: does SATUNOMOR_STATE name the folder of the service?`)
  const database = new DatabaseSync(from, { readOnly: true, timeout: 10_000 })
  try {
    // A transaction that has read sees that moment to its end; without one, each write would have the copy begin anew.
    database.exec('begin; select count(*) from sqlite_schema')
    await copyDatabase(database, to)
  } finally {
    database.close()
  }
  const copy = new DatabaseSync(to)
  try {
    const [found] = copy.prepare('pragma quick_check').all() as [{ quick_check: string }]
    if (found.quick_check !== 'ok') throw new NotDone(`the records at ${from} are damaged (${found.quick_check}): no backup was made; take the last one and restore it, the ledger has what came after it`)
    copy.exec('pragma journal_mode = delete')            // one file, nothing beside it
  } finally {
    copy.close()
  }
  await settle(to, 0o600)
}

/** Whole lines only: the last one may just be being written. */
async function copyLedger(from: string, to: string) {
  const { mtime } = await stat(from)
  await copyForGood(from, to, 0o600)
  await using handle = await open(to, 'r+')
  const { size } = await handle.stat()
  const tail = Buffer.alloc(Math.min(size, 64 * 1024))
  await handle.read(tail, 0, tail.length, size - tail.length)
  await handle.truncate(size - tail.length + tail.lastIndexOf(0x0a) + 1)
  await handle.utimes(mtime, mtime)
  await handle.sync()
}

/** With its time, by which it is forgotten one day. One that is forgotten just now is passed over. */
async function copyRecording(from: string, to: string) {
  await ifThere(async () => {
    const { mtime } = await stat(from)
    await copyForGood(from, to, 0o600)
    await utimes(to, mtime, mtime)
  })
}

/** All that lies in it (but what Git keeps), or the files in it that end so. A link's file stands for the link; one that leads nowhere (an editor's lock) is passed over, and what is gone just now. */
async function copyFolder(from: string, to: string, ending?: string) {
  const names = (await readdir(from)).filter(name => name !== '.git')
  await mkdir(to)
  await chmod(to, (await stat(from)).mode & 0o777)
  for (const name of names) {
    const path = join(from, name)
    const found = await ifThere(() => stat(path))
    if (found?.isDirectory() && ending === undefined) await copyFolder(path, join(to, name))
    if (found?.isFile() && name.endsWith(ending ?? '')) await ifThere(() => copyAsIs(path, join(to, name)))
  }
}

/** Whoever may read it may read it where it is copied back to: in containers that is not only root. */
async function copyAsIs(from: string, to: string) {
  await copyForGood(from, to, 0o600)
  await chmod(to, (await stat(from)).mode & 0o777)
}

async function ifThere<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

if (import.meta.main) {
  try {
    const [folder, ...more] = process.argv.slice(2)
    if (!folder || more.length > 0) throw new NotDone('name the folder that the backup is to be made in: npm run backup -- /backup/2026-11-24')
    // npm runs us in the project's folder; a path is meant from where the command was given.
    const into = resolve(process.env['INIT_CWD'] ?? '.', folder)
    const { files } = await makeBackup(withFoldersOfService(readSettings(process.env, dirname(dirname(dirname(fileURLToPath(import.meta.url))))), process.env), into, sentence => void process.stderr.write(`${sentence}\n`))
    process.stdout.write(`The backup is whole: ${files.length} files, ${Math.ceil(files.reduce((sum, { size }) => sum + size, 0) / 1024)} kB in ${into}\n`)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
