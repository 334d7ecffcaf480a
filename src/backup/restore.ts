/**
 * The restore: puts a backup back, while the service is stopped.
 *
 *     npm run restore -- FOLDER
 *
 * Records, recordings, token, people's tokens, switches and webhooks' secrets become what they were. The passwords between Asterisk and the service are put
 * back only where there are none: Asterisk may run on with those that it has loaded. Of the ledger only what is lost is put back, beside what is there: the
 * service then reads all of it from its beginning, so that the calls after the backup are written down again. What was in the records' place is kept as
 * `records.sqlite.before-…`. The version of the plan that was live is live again, unless this machine still has it and has gone on from it; the folders
 * that are edited stay as they are, and the start makes nothing live out of them. Ends with 0, or with 1 and a reason; then nothing was changed.
 */
import { chown, mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { watermark } from '../asterisk/bookkeeper.ts'
import { restoredMark } from '../records/keeper.ts'
import { ledgerFiles } from '../asterisk/ledger.ts'
import type { Held } from '../outbound-hold.ts'
import { places, readSettings, type Settings } from '../settings.ts'
import { bringBack, type PutBack } from './live-version.ts'
import { copyForGood, NotDone, readManifest, settleNames, sha256, type BackedUp } from './manifest.ts'

export interface Restored {
  /** When the backup was made, ISO 8601. */
  at: string
  /** What was put back, and where the records that were there are now. */
  files: string[]
  kept: string | undefined
  /** The version of the plan that is live from here on, where the backup has one. */
  live: PutBack | undefined
  /** What is edited by hand is not put back: these files of the backup are not, or are otherwise, in their places here. */
  otherwise: { from: string, to: string }[]
}

/** Puts back the backup in `folder`. Throws `NotDone`. */
export async function restore(settings: Pick<Settings, 'project' | 'state' | 'plan' | 'http' | 'asterisk'> & Partial<Pick<Settings, 'city'>>, folder: string): Promise<Restored> {
  const { at, files } = await readManifest(folder)
  const { state, asterisk } = settings
  const { records, secrets, token, people, switches, webhooks, versions, held } = places(state)
  await refuseWhileItRuns(settings, records)
  await mkdir(state, { recursive: true, mode: 0o750 })
  await mkdir(dirname(asterisk.cel), { recursive: true, mode: 0o750 })

  if (files.some(({ path }) => path.startsWith('recordings/'))) await mkdir(asterisk.mailbox, { recursive: true, mode: 0o770 })
  if (files.some(({ path }) => path.startsWith('webhooks/'))) {
    await mkdir(webhooks, { recursive: true, mode: 0o700 })
    const { uid, gid } = await stat(state)
    await chown(webhooks, uid, gid)
  }

  const stamp = at.replace(/[-:]|\.\d+/g, '')
  const back: { from: BackedUp, to: string, mode: number }[] = []
  for (const from of files) {
    if (from.path === 'records.sqlite') back.push({ from, to: records, mode: 0o600 })
    if (from.path === 'secrets.json' && !await stat(secrets).catch(() => undefined)) back.push({ from, to: secrets, mode: 0o600 })
    if (from.path === 'token') back.push({ from, to: token, mode: 0o600 })
    if (from.path === 'people.json') back.push({ from, to: people, mode: 0o600 })
    if (from.path.startsWith('webhooks/')) back.push({ from, to: join(webhooks, basename(from.path)), mode: 0o600 })
    if (from.path.startsWith('recordings/')) back.push({ from, to: join(asterisk.mailbox, basename(from.path)), mode: 0o640 })
    if (from.path === 'switches.json') back.push({ from, to: switches, mode: 0o600 })
  }
  for (const from of await lostOf(files.filter(({ path }) => path.startsWith('ledger/')), asterisk.cel)) {
    const name = basename(from.path)
    // Never as the file that Asterisk writes: it would go on behind what is old.
    const taken = name === basename(asterisk.cel) || (await readdir(dirname(asterisk.cel))).includes(name)
    back.push({ from, to: join(dirname(asterisk.cel), taken ? `${name}.restored-${stamp}` : name), mode: 0o640 })
  }

  // All of it beside its place first: a disk that is full then changes nothing.
  const staged = (to: string) => `${to}.restoring`
  await using ready = new AsyncDisposableStack()
  let live: Awaited<ReturnType<typeof bringBack>> | undefined
  try {
    if (files.some(({ path }) => path === 'live/meta.json')) live = ready.use(await bringBack(versions, join(folder, 'live'), at))
    for (const { from, to, mode } of back) await copyForGood(join(folder, from.path), staged(to), mode)
    forgetWatermark(staged(records))
    await writeFile(staged(held), `${JSON.stringify({ since: new Date().toISOString(), why: `the backup of ${at} was restored` } satisfies Held)}\n`, { mode: 0o600 })
    const { uid, gid } = await stat(state)
    await chown(staged(held), uid, gid)
    for (const { from, to } of back) {
      const { uid, gid } = await stat(dirname(to))
      await chown(staged(to), uid, gid)
      await utimes(staged(to), from.writtenAt / 1000, from.writtenAt / 1000)
    }
  } catch (error) {
    for (const to of [...back.map(({ to }) => to), held]) await rm(staged(to), { force: true })
    if (error instanceof NotDone) throw error
    throw new NotDone(`${folder} could not be put back into ${state} (${(error as Error).message}): nothing was changed; mend that (is there room?) and try again`, { cause: error })
  }
  // First of all: from here on a service that starts turns to nobody by itself.
  await rename(staged(held), held)
  const kept = await moveAway(records)
  for (const { to } of back) await rename(staged(to), to)
  for (const place of new Set(back.map(({ to }) => dirname(to)))) await settleNames(place)
  await live?.commit()
  return { at, files: back.map(({ to }) => to), kept, live, otherwise: await otherwiseHere(settings, folder, files) }
}

async function otherwiseHere({ project, city, plan }: Pick<Settings, 'project' | 'plan'> & Partial<Pick<Settings, 'city'>>, folder: string, files: BackedUp[]): Promise<Restored['otherwise']> {
  const otherwise: Restored['otherwise'] = []
  const inFolder = dirname(resolve(plan)) === (city ?? resolve(project, 'dialplan'))
  if (city === undefined && files.some(({ path }) => path.startsWith('city/'))) otherwise.push({ from: join(folder, 'city'), to: 'the folder that SATUNOMOR_CITY is to name' })
  for (const { path, sha256: expected } of files) {
    const to = /^(dialplan|asterisk-config)\//.test(path) ? join(project, path)
      : path.startsWith('city/') ? city && join(city, path.slice('city/'.length))
      : path === 'plan.yaml' ? resolve(plan)
      : /^(calls\.yaml$|holidays\/|directory\/)/.test(path) ? resolve(dirname(plan), path) : undefined
    if (to === undefined || (path === 'plan.yaml' && inFolder && basename(plan) === 'plan.yaml')) continue          // it stands in that folder
    if (await sha256(to).catch(() => undefined) !== expected) otherwise.push({ from: join(folder, path), to })
  }
  return otherwise
}

/** Its parts of the ledger that no file there begins with. */
async function lostOf(ledger: BackedUp[], file: string): Promise<BackedUp[]> {
  const lost: BackedUp[] = []
  const there = await Promise.all((await ledgerFiles(file)).map(async path => ({ path, size: (await stat(path)).size })))
  for (const part of ledger) {
    const candidates = there.filter(({ size }) => size >= part.size)
    const sums = await Promise.all(candidates.map(({ path }) => sha256(path, part.size)))
    if (part.size > 0 && !sums.includes(part.sha256)) lost.push(part)
  }
  return lost
}

async function refuseWhileItRuns({ http }: Pick<Settings, 'http'>, records: string) {
  const refusal = 'the service is running: stop it first (Ctrl-C, systemctl stop satunomor), then restore, then start it'
  const answer = await fetch(`http://${http.host.includes(':') ? `[${http.host}]` : http.host}:${http.port}/healthz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined)
  if (answer) throw new NotDone(`${refusal} (it answers at ${http.host}:${http.port})`)
  if (!await stat(records).catch(() => undefined)) return
  const database = new DatabaseSync(records, { timeout: 0 })
  try {
    // Out of WAL, which SQLite does for nobody while another holds the file; what stood in the WAL is then in the file.
    database.exec('pragma journal_mode = delete')
  } catch (error) {
    if (((error as { errcode?: number }).errcode ?? 0) === 5) throw new NotDone(`${refusal} (somebody has ${records} open)`)
    // Damaged records are a reason to restore, not one against it.
  } finally {
    database.close()
  }
}

/** The store's place in the ledger: none, so that all of it is read again. Follow-ups of after the backup may be over. */
function forgetWatermark(records: string) {
  const database = new DatabaseSync(records)
  try {
    database.prepare('delete from watermarks where name = ?').run(watermark)
    const { name, value } = restoredMark(Date.now())
    database.prepare('insert or replace into watermarks (name, value) values (?, ?)').run(name, value)
  } finally {
    database.close()
  }
}

/** The records that are there, with what SQLite keeps beside them, under another name. */
async function moveAway(records: string): Promise<string | undefined> {
  const kept = `${records}.before-${new Date().toISOString().replace(/[-:]/g, '')}`
  for (const suffix of ['-wal', '-shm', '']) {
    await rename(`${records}${suffix}`, `${kept}${suffix}`).catch(error => { if (error.code !== 'ENOENT') throw error })
  }
  return await stat(kept).then(() => kept, () => undefined)
}

function inWords({ version, was, stays }: PutBack): string {
  if (stays === 'same') return `Version ${version} of the plan stays live: it is what was live at the backup.`
  if (stays === 'later') return `Version ${version} of the plan stays live: it came after version ${was}, which was live at the backup (npx satunomor rollback ${was} --why "…").`
  return `Version ${version} of the plan is live from the next start on${version === was ? '' : `: it is what was version ${was} at the backup`}.`
}

if (import.meta.main) {
  try {
    const [folder, ...more] = process.argv.slice(2)
    if (!folder || more.length > 0) throw new NotDone('name the folder of the backup: npm run restore -- /backup/2026-11-24')
    const from = resolve(process.env['INIT_CWD'] ?? '.', folder)
    const { at, files, kept, live, otherwise } = await restore(readSettings(process.env, dirname(dirname(dirname(fileURLToPath(import.meta.url))))), from)
    process.stdout.write([
      `Put back as it was at ${at}:`, ...files.map(file => `  ${file}`),
      ...kept ? [`The records that were there are kept: ${kept}`] : [],
      ...live ? [inWords(live)] : [],
      ...otherwise.length > 0 ? ['What is edited by hand is left as it is. Of the backup these are not in their places here, or are otherwise; copy what is to be as it was:'] : [],
      ...otherwise.map(({ from, to }) => `  ${from} -> ${to}`),
      'Start the service: it reads the ledger again. Then prove it: npm run audit -- --from …',
      'Until you say that this machine serves the city, the service rings nobody back, sends no message and tells no agency\'s system. Say it: npx satunomor go-live', ''
    ].join('\n'))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
