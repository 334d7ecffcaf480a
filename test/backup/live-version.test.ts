/** What was live at the backup is live after the restore, on a new machine and on the old one; what is edited is an edit. */
import { appendFile, chmod, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { makeBackup } from '../../src/backup/backup.ts'
import { restore } from '../../src/backup/restore.ts'
import { lock } from '../../src/dialplan/lock.ts'
import { damaged, Versions } from '../../src/dialplan/versions.ts'
import { Records } from '../../src/records/records.ts'
import { readSettings } from '../../src/settings.ts'
import { changesIn } from '../dialplan/desk.ts'
import { folder } from '../dialplan/folder.ts'
import { town, townPrompts, townWith } from '../plan/town.ts'

const template = '[globals]\nSN_PLAN={{ version }}\n[a]\nexten => s,1,NoOp({{ numbers.size }})\n same => n,Hangup()\n'
const texts = Object.fromEntries([...townPrompts].flatMap(([language, names]) => [...names.keys()].map(name => [`dialplan/prompts/${language}/${name}.txt`, 'Halo.'])))
const clone = { 'package.json': '{"version":"1.0.0"}', 'dialplan/plan.yaml': town, 'dialplan/templates/extensions.conf.liquid': template, 'asterisk-config/last-resort.conf': '[last-resort]\n', ...texts }

/** The edits of these stories; `wrong` cannot go live. */
const second = townWith(['tries: 3', 'tries: 4'])
const third = townWith(['tries: 3', 'tries: 5'])
const wrong = townWith(['1: bpbd', '1: bpdb'])
const ani = { who: 'Ani', why: 'a fourth try' }
const budi = { who: 'Budi', why: 'nobody reaches the desk' }

/** A machine with the repository as it was cloned, and nothing made yet. */
async function machine() {
  const disk = await folder(clone)
  const at = (...names: string[]) => join(disk.path, ...names)
  const settings = readSettings({ SATUNOMOR_STATE: at('state'), SATUNOMOR_HTTP_PORT: '9' }, disk.path)
  const warnings: string[] = []
  const called: string[] = []
  await mkdir(at('state'))
  const changes = changesIn(at('dialplan'), {
    versions: new Versions(at('state', 'versions')), live: { etc: at('state', 'etc'), sounds: at('state', 'sounds') },
    smoke: async ({ plan }) => { called.push(plan.version) }
  })
  return {
    at, changes, versions: changes.versions, warnings, called,
    edit: (text: string) => writeFile(at('dialplan', 'plan.yaml'), text),
    /** The most that a start does of itself. */
    start: () => changes.start({ who: 'the set-up', applyEdits: true, warn: sentence => void warnings.push(sentence) }),
    backup: async (name: string) => {
      await using _ = await Records.open({ file: at('state', 'records.sqlite') }, pino({ level: 'silent' }))
      await makeBackup(settings, at(name), sentence => void warnings.push(sentence))
      return at(name)
    },
    restore: (from: string) => restore(settings, from),
    [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose]()
  }
}
const livePlan = async ({ versions }: { versions: Versions }) => readFile(join((await versions.current())!.folder, 'dialplan', 'plan.yaml'), 'utf8')

test('a night with a faulty edit: a new machine comes up with what was live, and the edit is still one', async () => {
  await using old = await machine()
  await old.start()
  await old.edit(second)
  const was = await old.changes.apply(ani)
  await old.edit(wrong)
  const backup = await old.backup('night')

  await using fresh = await machine()
  expect(await fresh.restore(backup)).toMatchObject({ live: { version: 2, was: 2 } })
  await cp(join(backup, 'dialplan'), fresh.at('dialplan'), { recursive: true })
  const live = await fresh.start()
  expect(live).toMatchObject({ version: 2, source: was.source, rendered: was.rendered, why: expect.stringContaining(`version 2 (Ani, ${was.at}: a fourth try)`) })
  expect(await damaged(live)).toEqual([])
  expect(await readFile(fresh.at('state', 'etc', 'current', 'extensions.conf'), 'utf8')).toContain(`SN_RENDERED=${was.rendered}`)
  expect(fresh.warnings.join()).toContain('version 2 is live; ')
  expect(await readFile(fresh.at('dialplan', 'plan.yaml'), 'utf8')).toBe(wrong)
})

test('what was rolled back before the backup does not come to be live by a restore', async () => {
  await using old = await machine()
  await old.start()
  await old.edit(second)
  await old.changes.apply(ani)
  await old.changes.rollBack({ who: 'Satunomor', why: '9 calls failed' })
  const backup = await old.backup('night')

  await using fresh = await machine()
  await fresh.restore(backup)
  await cp(join(backup, 'dialplan'), fresh.at('dialplan'), { recursive: true })
  expect((await fresh.start()).version).toBe(3)
  expect(await livePlan(fresh)).toBe(town)
  expect(fresh.warnings.join()).toMatch(/version 3 is live; .* has edits that are not live: .* --base 3/)
  expect(fresh.called).toEqual([])
  // Who wants it says so, and from then on the folder is edited as ever.
  await expect(fresh.changes.apply(ani)).rejects.toThrow('--base 3')
  expect((await fresh.changes.apply({ ...ani, base: 3 })).version).toBe(4)
  await fresh.edit(third)
  expect((await fresh.start()).version).toBe(5)
})

test('a new machine that runs the demo already goes over to the city\'s plan; the clone\'s folder does not come to be live again', async () => {
  await using old = await machine()
  await old.edit(second)
  await old.start()
  const backup = await old.backup('night')
  await using fresh = await machine()
  await fresh.start()
  expect(await fresh.restore(backup)).toMatchObject({ live: { version: 2, was: 1 } })
  expect((await fresh.start()).version).toBe(2)
  expect(await livePlan(fresh)).toBe(second)
  expect(fresh.warnings.join()).toContain('version 2 is live; ')
  // Nor is it gone back to: that it was live there was no decision of this city's.
  await expect(fresh.changes.rollBack(budi)).rejects.toThrow('no version to go back to')
  await cp(join(backup, 'dialplan'), fresh.at('dialplan'), { recursive: true })
  fresh.warnings.length = 0
  expect((await fresh.start()).version).toBe(2)
  expect(fresh.warnings).toEqual([])
})

test('on the machine itself, what was applied since stays live; a second restore makes no second version', async () => {
  await using city = await machine()
  await city.start()
  const backup = await city.backup('night')
  await city.edit(second)
  await city.changes.apply(ani)
  expect(await city.restore(backup)).toMatchObject({ live: { version: 2, was: 1, stays: 'later' } })
  expect(await city.restore(backup)).toMatchObject({ live: { version: 2, was: 1, stays: 'later' } })
  await city.edit(third)
  expect((await city.start()).version).toBe(2)
  expect(city.warnings.join()).toContain('version 2 is live; ')

  await using fresh = await machine()
  await fresh.restore(backup)
  expect((await fresh.restore(backup)).live).toMatchObject({ version: 1, stays: 'same' })
  expect((await fresh.versions.list()).map(({ version }) => version)).toEqual([1])
})

test('versions that the disk has harmed are put back; those that cannot be read at all are put aside', async () => {
  await using city = await machine()
  const { folder } = await city.start()
  const backup = await city.backup('night')
  await chmod(join(folder, 'etc', 'extensions.conf'), 0o644)
  await appendFile(join(folder, 'etc', 'extensions.conf'), 'x')
  expect(await city.restore(backup)).toMatchObject({ live: { version: 2, was: 1 } })
  expect((await city.start()).version).toBe(2)

  const { folder: newer } = await city.versions.get(2)
  await rm(join(newer, 'meta.json'))
  expect(await city.restore(backup)).toMatchObject({ live: { version: 1 } })
  expect((await city.start()).version).toBe(1)
  expect((await readdir(city.at('state'))).filter(name => name.startsWith('versions'))).toEqual(['versions', expect.stringMatching(/^versions\.before-/)])
})

test('a live version that is harmed is not backed up as if it were whole: the newest before it is, and it is said', async () => {
  await using city = await machine()
  await city.start()
  await city.edit(second)
  const { folder } = await city.changes.apply(ani)
  await chmod(join(folder, 'etc', 'extensions.conf'), 0o644)
  await appendFile(join(folder, 'etc', 'extensions.conf'), 'x')
  const one = await city.backup('one')
  expect(city.warnings.join()).toContain('version 2 is not whole any more')
  expect(JSON.parse(await readFile(join(one, 'live', 'meta.json'), 'utf8'))).toMatchObject({ version: 1 })
  await rm(join(folder, 'meta.json'))
  expect(JSON.parse(await readFile(join(await city.backup('two'), 'live', 'meta.json'), 'utf8'))).toMatchObject({ version: 1 })
  expect(city.warnings.at(-1)).toContain('what was live is lost')
})

test('while somebody applies nothing is restored, and a restore that comes to nothing leaves the versions as they were', async () => {
  await using city = await machine()
  await city.edit(second)
  await city.start()
  const backup = await city.backup('night')
  await using fresh = await machine()
  await fresh.start()
  const before = await readdir(fresh.at('state', 'versions'))
  {
    await using _ = await lock(fresh.at('state', 'versions'), { who: 'Ani', does: 'applies' })
    await expect(fresh.restore(backup)).rejects.toThrow('the plan is being changed: Ani applies')
  }
  await symlink(fresh.at('nowhere', 'at-all'), fresh.at('state', 'records.sqlite.restoring'))          // it cannot be written
  await expect(fresh.restore(backup)).rejects.toThrow('nothing was changed')
  expect(await readdir(fresh.at('state', 'versions'))).toEqual(before)
  expect((await fresh.versions.list()).map(({ version }) => version)).toEqual([1])
})
