/** Backups that are none are told apart from whole ones; a restore that cannot be whole changes nothing. */
import { execFile } from 'node:child_process'
import { appendFile, chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { project } from '../../setup/project.mjs'
import { makeBackup } from '../../src/backup/backup.ts'
import { sha256 } from '../../src/backup/manifest.ts'
import { restore } from '../../src/backup/restore.ts'
import { Records } from '../../src/records/records.ts'
import { readSettings } from '../../src/settings.ts'

vi.setConfig({ testTimeout: 60_000 })          // each program is a process of its own

let folder: string, state: string, into: string, ledger: string
const log = pino({ level: 'silent' })
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'satunomor-backup-'))
  state = join(folder, 'state')
  into = join(folder, 'backup')
  ledger = join(state, 'asterisk', 'log', 'cel-custom')
  await mkdir(ledger, { recursive: true })
  await writeFile(join(ledger, 'calls.csv'), 'one\ntwo\nhalf a li')
  await writeFile(join(ledger, 'calls.csv.2026-01-01'), 'zero\n')
  await writeFile(join(state, 'token'), 'the token')
  await writeFile(join(state, 'people.json'), '{"people":[]}')
  await writeFile(join(state, 'secrets.json'), '{"ari":"a"}')
  await mkdir(join(state, 'webhooks'))
  await writeFile(join(state, 'webhooks', 'bpbd.json'), '{"secret":"whsec_x"}')
  await using records = await Records.open({ file: join(state, 'records.sqlite') }, log)
  await records.append([], { watermark: { name: 'ledger', value: '{"inode":1,"offset":1}' } })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const run = promisify(execFile)
/** One of the two programs, as a person runs it; nothing listens at its HTTP port. `limit` is the biggest file it may write, in kB. */
async function program(name: 'backup' | 'restore', { at = into, limit }: { at?: string, limit?: number } = {}) {
  const env = { ...process.env, SATUNOMOR_STATE: state, SATUNOMOR_HTTP_PORT: '9', INIT_CWD: folder }
  const script = `${limit === undefined ? '' : `ulimit -f ${limit * 2}; `}exec "$@"`
  return run('sh', ['-c', script, 'sh', process.execPath, join(project, 'src', 'backup', `${name}.ts`), at], { env })
    .then(({ stdout }) => ({ code: 0, said: stdout }), ({ code, stderr }) => ({ code: code as number, said: stderr as string }))
}
/** Every file with its checksum; of the store what it says, since SQLite may fold its own files together. */
async function everything() {
  const files = (await readdir(state, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const sums: Record<string, unknown> = {}
  for (const file of files.toSorted()) if (!/records\.sqlite(-wal|-shm)?$/.test(file)) sums[file] = await sha256(file)
  await using records = await Records.open({ file: join(state, 'records.sqlite') }, log)
  return { sums, watermark: await records.watermark('ledger') }
}

test('a backup has all that cannot be made again, whole lines of the ledger, and for nobody else\'s eyes', async () => {
  expect(await program('backup', { at: 'backup' })).toMatchObject({ code: 0, said: expect.stringMatching(/^The backup is whole: \d+ files/) })
  expect(await readdir(into)).toEqual(expect.arrayContaining(['dialplan', 'ledger', 'manifest.json', 'people.json', 'plan.yaml', 'records.sqlite', 'secrets.json', 'token', 'webhooks']))
  expect(await readFile(join(into, 'ledger', 'calls.csv'), 'utf8')).toBe('one\ntwo\n')
  expect(await readFile(join(into, 'ledger', 'calls.csv.2026-01-01'), 'utf8')).toBe('zero\n')
  for (const name of ['records.sqlite', 'secrets.json', 'token', 'people.json', 'manifest.json', 'webhooks/bpbd.json']) expect([name, (await stat(join(into, name))).mode & 0o077]).toEqual([name, 0])
})

test('a folder that was there is closed to others, and as before where no backup is made', async () => {
  const mode = async () => ((await stat(into)).mode & 0o7777).toString(8)
  await mkdir(into)
  await chmod(into, 0o777)
  await rm(join(state, 'records.sqlite'))
  expect((await program('backup')).code).toBe(1)
  expect(await mode()).toBe('777')
  { await using _ = await Records.open({ file: join(state, 'records.sqlite') }, log) }
  expect((await program('backup')).code).toBe(0)
  expect(await mode()).toBe('700')
})

test('the passwords that Asterisk has loaded stay; where there are none, those of the backup are put back', async () => {
  await program('backup')
  await writeFile(join(state, 'secrets.json'), '{"ari":"of this installation"}')
  expect(await program('restore')).toMatchObject({ code: 0, said: expect.not.stringContaining('secrets.json') })
  expect(await readFile(join(state, 'secrets.json'), 'utf8')).toBe('{"ari":"of this installation"}')
  await rm(join(state, 'secrets.json'))
  expect((await program('restore')).code).toBe(0)
  expect(await readFile(join(state, 'secrets.json'), 'utf8')).toBe('{"ari":"a"}')
})

test.skipIf(process.getuid?.() !== 0)('what root puts back belongs to whom the folder belongs to, in a folder that was not there, too', async () => {
  await program('backup')
  await rm(join(state, 'webhooks'), { recursive: true })
  await chown(state, 4711, 4712)
  expect((await program('restore')).code).toBe(0)
  for (const name of ['records.sqlite', 'token', 'people.json', 'webhooks', 'webhooks/bpbd.json']) expect([name, await stat(join(state, name)).then(({ uid, gid }) => [uid, gid])]).toEqual([name, [4711, 4712]])
})

/** A project whose plan lies elsewhere, with its own holidays, directory and expected calls. */
async function planElsewhere() {
  const [clone, city] = [join(folder, 'clone'), join(folder, 'city')]
  const files = {
    [join(clone, 'package.json')]: '{"version":"1.0.0"}', [join(clone, 'dialplan', 'plan.yaml')]: 'the demo\'s',
    [join(clone, 'dialplan', 'prompts', 'id', 'sambutan.txt')]: 'Halo.', [join(clone, 'asterisk-config', 'last-resort.conf')]: 'the city\'s lines',
    [join(clone, 'asterisk-config', 'lint-allow.yaml')]: 'applications: []', [join(city, 'kota.yaml')]: 'the city\'s', [join(city, 'calls.yaml')]: 'calls: []',
    [join(city, 'holidays', 'city.yaml')]: 'holidays: []', [join(city, 'directory', 'city.csv')]: 'id', [join(city, 'directory', 'notes.txt')]: 'no part of it'
  }
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  const settings = readSettings({ SATUNOMOR_STATE: state, SATUNOMOR_PLAN: join(city, 'kota.yaml'), SATUNOMOR_HTTP_PORT: '9' }, clone)
  return { clone, city, settings }
}

test('what is edited by hand is in it: the plan with what lies beside it, wherever that is, and Asterisk\'s configuration', async () => {
  const { clone, settings } = await planElsewhere()
  await symlink('ani@desk.1:1', join(clone, 'dialplan', '.#plan.yaml'))            // Emacs', while somebody edits
  const { files } = await makeBackup(settings, into)
  expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining([
    'asterisk-config/last-resort.conf', 'asterisk-config/lint-allow.yaml', 'calls.yaml', 'dialplan/plan.yaml', 'dialplan/prompts/id/sambutan.txt',
    'directory/city.csv', 'holidays/city.yaml', 'plan.yaml']))
  expect(files.map(({ path }) => path)).not.toContain('directory/notes.txt')
  expect(await readFile(join(into, 'plan.yaml'), 'utf8')).toBe('the city\'s')
  // Copied back, it is as readable as it was; the backup as a whole is not.
  for (const path of ['asterisk-config/last-resort.conf', 'dialplan/prompts', 'plan.yaml']) expect([path, (await stat(join(into, path))).mode & 0o444]).toEqual([path, 0o444])
  expect((await stat(into)).mode & 0o077).toBe(0)
})

test('a restore leaves alone what is edited by hand, and names what is otherwise than it was', async () => {
  const { clone, city, settings } = await planElsewhere()
  await makeBackup(settings, into)
  expect((await restore(settings, into)).otherwise).toEqual([])
  await writeFile(join(clone, 'asterisk-config', 'last-resort.conf'), 'the demo\'s lines')
  await writeFile(join(city, 'kota.yaml'), 'edited')
  await rm(join(city, 'directory'), { recursive: true })
  expect((await restore(settings, into)).otherwise).toEqual([
    { from: join(into, 'asterisk-config', 'last-resort.conf'), to: join(clone, 'asterisk-config', 'last-resort.conf') },
    { from: join(into, 'directory', 'city.csv'), to: join(city, 'directory', 'city.csv') },
    { from: join(into, 'plan.yaml'), to: join(city, 'kota.yaml') }])
  expect(await readFile(join(clone, 'asterisk-config', 'last-resort.conf'), 'utf8')).toBe('the demo\'s lines')
  // Of a plan in dialplan/ nothing is named twice.
  const inClone = { ...settings, plan: join(clone, 'dialplan', 'plan.yaml') }
  const second = join(folder, 'second')
  await makeBackup(inClone, second)
  await writeFile(inClone.plan, 'edited')
  expect((await restore(inClone, second)).otherwise.map(({ to }) => to)).toEqual([inClone.plan])
})

test('a city\'s own folder is in it whole; where it is not there, the rest is backed up, and one line says so', async () => {
  const { clone, city } = await planElsewhere()
  const edited = join(city, 'templates', 'pjsip.conf.liquid')
  for (const file of [edited, join(city, '.base', 'from.json'), join(city, 'plan.yaml'), join(city, '.git', 'HEAD')]) {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, 'the city\'s')
  }
  const settings = readSettings({ SATUNOMOR_STATE: state, SATUNOMOR_CITY: city, SATUNOMOR_HTTP_PORT: '9' }, clone)
  const paths = (await makeBackup(settings, into)).files.map(({ path }) => path)
  expect(paths).toEqual(expect.arrayContaining(['city/.base/from.json', 'city/plan.yaml', 'city/templates/pjsip.conf.liquid', 'city/holidays/city.yaml', 'plan.yaml']))
  expect(paths.filter(path => /^dialplan|^asterisk-config|\.git\//.test(path))).toEqual([])
  await writeFile(edited, 'edited')
  expect((await restore(settings, into)).otherwise).toEqual([{ from: join(into, 'city', 'templates', 'pjsip.conf.liquid'), to: edited }])
  expect((await restore({ ...settings, city: undefined }, into)).otherwise).toContainEqual({ from: join(into, 'city'), to: 'the folder that SATUNOMOR_CITY is to name' })

  await rm(city, { recursive: true })
  const warnings: string[] = []
  const second = await makeBackup(settings, join(folder, 'second'), sentence => void warnings.push(sentence))
  expect(second.files.map(({ path }) => path)).toContain('records.sqlite')
  expect(warnings).toEqual([expect.stringContaining(`there is no ${city} (SATUNOMOR_CITY)`)])
})

test('what callers have said into mailboxes is in it, and comes back as old as it was: it is forgotten when it would have been', async () => {
  const mailbox = join(state, 'asterisk', 'spool', 'mailbox')
  const [file, spoken] = [join(mailbox, 'satunomor-1.1.alaw'), 1_700_000_000]
  await mkdir(mailbox, { recursive: true })
  await writeFile(file, 'what was said')
  await utimes(file, spoken, spoken)
  expect((await program('backup')).code).toBe(0)
  await rm(join(state, 'asterisk', 'spool'), { recursive: true })
  expect(await program('restore')).toMatchObject({ code: 0, said: expect.stringContaining(file) })
  expect([await readFile(file, 'utf8'), (await stat(file)).mtimeMs]).toEqual(['what was said', spoken * 1000])
})

test('a folder that is not empty, no records, no folder named: no backup, and a sentence that says so', async () => {
  await mkdir(into)
  await writeFile(join(into, 'mine'), '')
  expect(await program('backup')).toMatchObject({ code: 1, said: expect.stringContaining('is not empty') })
  expect(await readdir(into)).toEqual(['mine'])
  await rm(join(state, 'records.sqlite'))
  expect(await program('backup', { at: join(folder, 'other') })).toMatchObject({ code: 1, said: expect.stringContaining('there are no records') })
  expect(await readdir(folder)).toEqual(expect.not.arrayContaining(['other']))
})

test('a disk that fills up leaves nothing that could be taken for a backup', async () => {
  await appendFile(join(ledger, 'calls.csv'), 'x'.repeat(100_000) + '\n'.repeat(400_000))
  expect(await program('backup', { limit: 300 })).toMatchObject({ code: 1, said: expect.stringContaining('there is no room for it') })
  expect(await readdir(folder)).toEqual(['state'])
})

test('cut short, damaged, or of another form: it is not restored, and nothing is changed', async () => {
  await program('backup')
  const before = await everything()
  const refused = async (why: string, harm: (copy: string) => Promise<unknown>) => {
    const copy = join(folder, `copy-${why.slice(0, 5)}`)
    await cp(into, copy, { recursive: true })
    await harm(copy)
    expect(await program('restore', { at: copy })).toMatchObject({ code: 1, said: expect.stringContaining(why) })
    expect(await everything()).toEqual(before)
  }
  await refused('is no whole backup', copy => rm(join(copy, 'manifest.json')))
  await refused('its checksum differs', copy => appendFile(join(copy, 'records.sqlite'), 'x'))
  await refused('ENOENT', copy => rm(join(copy, 'ledger', 'calls.csv')))
  await refused('another form (2)', async copy => writeFile(join(copy, 'manifest.json'), (await readFile(join(copy, 'manifest.json'), 'utf8')).replace('"format": 1', '"format": 2')))
})

test('a disk that fills up during a restore changes nothing', async () => {
  await appendFile(join(ledger, 'calls.csv'), 'x'.repeat(100_000) + '\n'.repeat(400_000))
  await program('backup')
  await rm(join(ledger, 'calls.csv'))
  const before = await everything()
  expect(await program('restore', { limit: 300 })).toMatchObject({ code: 1, said: expect.stringContaining('nothing was changed') })
  expect(await everything()).toEqual(before)
})

test('while somebody has the records open it is not restored', async () => {
  await program('backup')
  const open = await Records.open({ file: join(state, 'records.sqlite') }, log)
  await open.list({ limit: 1 })
  expect(await program('restore')).toMatchObject({ code: 1, said: expect.stringContaining('the service is running: stop it first') })
  await open[Symbol.asyncDispose]()
  expect(await program('restore')).toMatchObject({ code: 0 })
})

test('of the ledger only what is lost is put back; the records that were there are kept', async () => {
  await program('backup')
  await writeFile(join(ledger, 'calls.csv'), 'another\n')                     // a new one; the old one is lost
  await writeFile(join(state, 'records.sqlite'), 'not a database any more')   // damaged is no reason to refuse
  await rm(join(state, 'token'))
  await rm(join(state, 'people.json'))
  expect(await program('restore')).toMatchObject({ code: 0, said: expect.stringContaining('npm run audit') })
  const names = await readdir(ledger)
  const restored = names.find(name => name.startsWith('calls.csv.restored-'))!
  expect(names.toSorted()).toEqual(['calls.csv', 'calls.csv.2026-01-01', restored].toSorted())
  expect(await readFile(join(ledger, restored), 'utf8')).toBe('one\ntwo\n')
  expect(await readFile(join(ledger, 'calls.csv'), 'utf8')).toBe('another\n')
  expect(await readFile(join(state, 'token'), 'utf8')).toBe('the token')
  expect([await readFile(join(state, 'people.json'), 'utf8'), (await stat(join(state, 'people.json'))).mode & 0o777]).toEqual(['{"people":[]}', 0o600])
  const kept = (await readdir(state)).find(name => name.startsWith('records.sqlite.before-'))!
  expect(await readFile(join(state, kept), 'utf8')).toBe('not a database any more')
  await using records = await Records.open({ file: join(state, 'records.sqlite') }, log)
  expect(await records.watermark('ledger')).toBeNull()                        // the ledger is read from its beginning
  // Once more: what is there already is not put there twice.
  await records[Symbol.asyncDispose]()
  expect(await program('restore')).toMatchObject({ code: 0 })
  expect(await readdir(ledger)).toEqual(names)
})
