/** An edit goes live whole or not at all, with two admins, wrong edits, and kill -9 in between. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { planOf, type ChangesOptions, type Exchange } from '../../src/dialplan/changes.ts'
import { lock } from '../../src/dialplan/lock.ts'
import { damaged, Versions, type Version } from '../../src/dialplan/versions.ts'
import { town, townPrompts, townWith } from '../plan/town.ts'
import { changesIn } from './desk.ts'
import { folder } from './folder.ts'

const template = '[globals]\nSN_PLAN={{ version }}\n[a]\nexten => s,1,NoOp({{ numbers.size }})\n same => n,Hangup()\n'
const texts = Object.fromEntries([...townPrompts].flatMap(([language, names]) => [...names.keys()].map(name => [`prompts/${language}/${name}.txt`, 'Halo.'])))

/** The edits of these stories. */
const second = townWith(['tries: 3', 'tries: 4'])
const third = townWith(['tries: 3', 'tries: 5'])
const wrong = townWith(['1: bpbd', '1: bpdb'])

async function admin(more: Partial<ChangesOptions> = {}) {
  const desk = await folder({ 'plan.yaml': town, 'templates/extensions.conf.liquid': template, ...texts })
  await mkdir(join(desk.path, 'etc'))
  const changes = changesIn(desk.path, more)
  const warnings: string[] = []
  return {
    path: desk.path, changes, versions: changes.versions, warnings,
    edit: (text: string) => writeFile(join(desk.path, 'plan.yaml'), text),
    start: (how: { applyEdits?: boolean } & Partial<ChangesOptions> = {}) => {
      const { applyEdits = false, ...other } = how
      return changesIn(desk.path, { ...more, ...other }).start({ who: 'the set-up', applyEdits, warn: sentence => void warnings.push(sentence) })
    },
    loaded: () => loadedIn(desk.path),
    [Symbol.asyncDispose]: () => desk[Symbol.asyncDispose]()
  }
}

/** The checksum that Asterisk would tell. */
const loadedIn = async (path: string) => /SN_RENDERED=(\w+)/.exec(await readFile(join(path, 'etc/plan/current/extensions.conf'), 'utf8'))?.[1]
const ani = { who: 'Ani', why: 'a fourth try' }
const budi = { who: 'Budi', why: 'a fifth' }

/** An Asterisk that loads what it is told, unless it is `deaf`; remembers what was reloaded. */
function exchange(loaded: () => Promise<string | undefined>, { deaf = () => false as boolean } = {}) {
  let has: string | undefined
  const reloads: string[][] = []
  const exchange: Exchange = {
    reload: async files => { reloads.push([...files]); if (!deaf()) has = await loaded() },
    differs: async ({ rendered }) => has === rendered ? undefined : `it has loaded ${has}`
  }
  return { exchange, reloads, has: () => has }
}

describe('the start', () => {
  test('makes the first version of the folder, and lays it out; a second start makes none', async () => {
    await using desk = await admin()
    const first = await desk.start()
    expect(first).toMatchObject({ version: 1, base: null, restores: null, why: 'the first version' })
    expect(await damaged(first)).toEqual([])
    expect(await desk.loaded()).toBe(first.rendered)
    expect(await readdir(join(desk.path, 'sounds/id'))).toContain('sambutan.alaw')
    expect((await desk.start()).version).toBe(1)
    expect(await desk.versions.list()).toHaveLength(1)
  })

  const applyEdits = true

  test.each([['an edit without a fault', second], ['a wrong edit', wrong], ['another city', town.replaceAll('posko', 'pusat')]])('%s is not live: one line says so, and which version is', async (_, edit) => {
    await using desk = await admin()
    const first = await desk.start()
    await desk.edit(edit)
    expect(await desk.start()).toEqual(first)
    expect(desk.warnings).toEqual([`version 1 is live; ${desk.path} has edits that are not live: npx satunomor diff, npx satunomor apply --why "…"`])
    expect((await desk.versions.list()).map(({ version }) => version)).toEqual([1])
    expect(await desk.loaded()).toBe(first.rendered)
    if (edit === second) expect((await desk.changes.apply(ani)).version).toBe(2)
  })

  test('a folder whose plan is away stops no start: one line says what is not there', async () => {
    await using desk = await admin()
    await desk.start()
    await rm(join(desk.path, 'plan.yaml'))
    expect((await desk.start()).version).toBe(1)
    expect(desk.warnings).toEqual([expect.stringContaining(`version 1 is live and stays so: there is no ${join(desk.path, 'plan.yaml')}: `)])
  })

  /** A machine whose address is in what is rendered. */
  const addressed = template.replace('NoOp(', 'NoOp({{ site.address }} ')
  const workshop = (address: string) => ({ workshop: { site: { address }, run: async () => Buffer.alloc(16_000) } })

  test('what is live is rendered anew where a setting has changed, and an edit beside it stays an edit', async () => {
    await using desk = await admin(workshop('192.0.2.0'))
    await writeFile(join(desk.path, 'templates/extensions.conf.liquid'), addressed)
    await desk.start()
    expect(await desk.start(workshop('192.0.2.1'))).toMatchObject({ version: 2, base: 1, why: 'rendered anew at the start' })
    await desk.edit(wrong)
    const anew = await desk.start(workshop('192.0.2.2'))
    expect(anew).toMatchObject({ version: 3, base: 2, why: 'rendered anew at the start' })
    expect(await readFile(join(anew.folder, 'dialplan/plan.yaml'), 'utf8')).toBe(town)
    expect(await desk.loaded()).toBe(anew.rendered)
    await desk.edit(second)
    expect((await desk.changes.apply(ani)).version).toBe(4)                  // the edit began from what is live
    await desk.changes.rollBack(budi)
    expect(await desk.start({ ...workshop('192.0.2.3'), applyEdits })).toMatchObject({ version: 6, base: 5 })
    expect(await desk.start({ ...workshop('192.0.2.3'), applyEdits })).toMatchObject({ version: 6 })
    expect(desk.warnings.at(-1)).toMatch(/^version 6 is live; .* has edits that are not live: npx satunomor diff, npx satunomor apply --why "…" --base 6$/)
  })

  test('what is live goes on as it was rendered where the smoke call refuses what would be rendered now', async () => {
    await using desk = await admin(workshop('192.0.2.0'))
    await writeFile(join(desk.path, 'templates/extensions.conf.liquid'), addressed)
    const first = await desk.start()
    const smoke = async () => { throw new Error('a call to 112 is refused') }
    expect(await desk.start({ ...workshop('192.0.2.1'), smoke })).toEqual(first)
    expect(desk.warnings).toEqual(['a call to 112 is refused\nVersion 1 is live as it was rendered before: it cannot be rendered anew, as the lines above say.'])
  })

  test('with applyEdits, an edit that is without fault is live as a new version', async () => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    const made = await desk.start({ applyEdits })
    expect(made).toMatchObject({ version: 2, base: 1, who: 'the set-up', why: 'the folder was edited; applied at the start' })
    expect((await desk.versions.current())?.version).toBe(2)
    expect(await desk.loaded()).toBe(made.rendered)
  })

  test('with applyEdits, a wrong edit is told with its place, and what was live stays live', async () => {
    await using desk = await admin()
    const first = await desk.start()
    await desk.edit(wrong)
    expect((await desk.start({ applyEdits })).version).toBe(1)
    expect(desk.warnings.join('\n')).toMatch(new RegExp(`^${desk.path}/plan.yaml:\\d+:\\d+ menus.utama.keys.1: .*did you mean "bpbd"`))
    expect(desk.warnings.join('\n')).toContain('THE EDITED PLAN IS NOT LIVE. Version 1')
    expect(await desk.loaded()).toBe(first.rendered)
  })

  test('before the first start an edit can be looked at, too', async () => {
    await using desk = await admin()
    await using draft = await changesIn(desk.path, { workshop: { site: {}, run: async () => Buffer.alloc(16_000), spoken: join(desk.path, 'sounds') } }).draft()
    expect(draft.candidate.plan.city).toBe('Kota Kecil')
  })

  test('a wrong folder, and nothing that was live before: it is refused', async () => {
    await using desk = await admin()
    await desk.edit(wrong)
    await expect(desk.start()).rejects.toThrow('did you mean "bpbd"?')
    expect(await desk.versions.current()).toBeUndefined()
  })

  test.each([{ applyEdits: false }, { applyEdits }])('an edit that was rolled back does not come back by a start (%o), also not with a remark more', async how => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    await desk.changes.apply(ani)
    await desk.changes.rollBack({ who: 'Budi', why: 'nobody reaches the desk' })
    for (const edit of [second, `${second}# a remark\n`, third]) {
      await desk.edit(edit)
      expect(await desk.start(how)).toMatchObject({ version: 3, restores: 1 })
      expect(desk.warnings.splice(0)).toEqual([`version 3 is live; ${desk.path} has edits that are not live: npx satunomor diff, npx satunomor apply --why "…" --base 3`])
    }
    expect((await desk.changes.apply({ ...ani, base: 3 })).version).toBe(4)
    await desk.edit(second)
    expect((await desk.start(how)).version).toBe(how.applyEdits ? 5 : 4)
  })

  test('what the disk has harmed is not live: the newest version that is whole is', async () => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    const harmed = await desk.changes.apply(ani)
    await desk.edit(wrong)
    await chmod(join(harmed.folder, 'etc/extensions.conf'), 0o644)
    await writeFile(join(harmed.folder, 'etc/extensions.conf'), '')
    expect((await desk.start()).version).toBe(1)
    expect(desk.warnings[0]).toContain('version 2 is not whole any more: etc/extensions.conf')
  })

  /** A disk that is full as soon as a version has been named that is live. */
  const fullDisk = (path: string) => new class extends Versions {
    override async makeCurrent(version: Version) {
      await super.makeCurrent(version)
      if (version.version === 2) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    }
  }(path)

  test('an edit that the disk has no room for is not live: Asterisk goes on with what is laid out', async () => {
    await using desk = await admin()
    const first = await desk.start()
    await desk.edit(second)
    const start = () => desk.start({ versions: fullDisk(`${desk.path}/versions`), applyEdits })
    expect((await start()).version).toBe(1)
    expect(desk.warnings.at(-1)).toBe('version 2 could not be laid out (ENOSPC: no space left on device): Asterisk goes on with version 1 as it is laid out already. Make room on the disk, and start again at a calm hour.')
    expect((await desk.versions.current())?.version).toBe(1)
    expect(await desk.versions.list()).toHaveLength(1)

    await writeFile(join(desk.path, 'sounds/id/sambutan.alaw'), 'torn')
    await start()
    expect(desk.warnings.at(-1)).toContain('as it is laid out already, without id/sambutan.alaw as they should be.')
    await writeFile(join(desk.path, 'etc/plan/current/extensions.conf'), 'torn')
    await expect(start()).rejects.toThrow('ENOSPC')                  // there is nothing to go on with
    expect(await desk.loaded()).toBeUndefined()

    await desk.versions.remove(await desk.versions.get(2))
    await desk.versions.makeCurrent(first)
    expect((await desk.start({ applyEdits })).version).toBe(2)                     // there is room again
  })
})

describe('a version whose meta.json the disk has harmed', () => {
  const lose = async ({ folder }: { folder: string }, text = '') => {
    await chmod(join(folder, 'meta.json'), 0o644)
    await writeFile(join(folder, 'meta.json'), text)
  }
  const numbers = async (desk: { versions: { list(): Promise<{ version: number }[]> } }) => (await desk.versions.list()).map(({ version }) => version)

  test.each(['', '{}', 'null', '{"version": 1'])('(%j) holds up nobody but who wants to go back to it: start, apply, rollback', async text => {
    await using desk = await admin()
    const first = await desk.start()
    await desk.edit(second)
    await desk.changes.apply(ani)
    await lose(first, text)
    expect(await desk.start()).toMatchObject({ version: 2 })
    expect(desk.warnings.join()).toMatch(/^version 1 is lost, and passed over: .*meta\.json cannot be read/m)
    await desk.edit(third)
    expect(await desk.changes.apply(ani)).toMatchObject({ version: 3, base: 2 })
    expect(await numbers(desk)).toEqual([2, 3])
    await expect(desk.changes.rollBack({ ...budi, to: 1 })).rejects.toThrow('version 1 is lost, go back to another one: ')
    expect(await desk.changes.rollBack(budi)).toMatchObject({ version: 4, restores: 2 })
    await expect(desk.changes.rollBack(budi)).rejects.toThrow('version 1 is lost')
    expect((await desk.versions.current())?.version).toBe(4)
  })

  test('gives its number to no other, and where what is live was its content nobody guesses what was before', async () => {
    await using desk = await admin()
    const first = await desk.start()
    await desk.edit(second)
    await desk.changes.apply(ani)
    expect(await desk.changes.rollBack(budi)).toMatchObject({ version: 3, restores: 1 })
    await lose(first)
    await expect(desk.changes.rollBack(budi)).rejects.toThrow('version 3 is what version 1 was, and what was live before that is not known any more')
    await desk.edit(third)
    await lose(await desk.changes.apply({ ...ani, base: 3 }))
    expect(await numbers(desk)).toEqual([2, 3])
    await desk.edit(wrong)
    expect(await desk.start()).toMatchObject({ version: 3 })
    await desk.edit(third)
    expect(await desk.changes.apply({ ...ani, base: 3 })).toMatchObject({ version: 5 })
  })

  test('if it was live, the newest whole one before it goes on at a start', async () => {
    await using desk = await admin()
    const first = await desk.start()
    await desk.edit(second)
    await lose(await desk.changes.apply(ani))
    await desk.edit(third)
    await expect(desk.changes.apply(ani)).rejects.toThrow(/what is live is lost: .* A start .* goes on/)
    await desk.edit(wrong)
    expect(await desk.start()).toMatchObject({ version: 1 })
    expect(await desk.versions.current()).toEqual(first)
    expect(await desk.loaded()).toBe(first.rendered)
  })

  test('so, too, where the link to what was live leads nowhere', async () => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    const gone = await desk.changes.apply(ani)
    await rm(gone.folder, { recursive: true })
    await desk.edit(wrong)
    expect(await desk.start()).toMatchObject({ version: 1 })
  })

  test('if it was rolled back, it does not come back by a start all the same', async () => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    const bad = await desk.changes.apply(ani)
    await desk.changes.rollBack(budi)
    await lose(bad)
    expect(await desk.start({ applyEdits: true })).toMatchObject({ version: 3, restores: 1 })
    expect(desk.warnings.join()).toContain('version 3 is live; ')
  })
})

describe('a look at the edit while it is applied', () => {
  test('is not disturbed: its folder stays; of who is gone, or long gone, none stays', async () => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    const staged = async () => (await readdir(join(desk.path, 'versions'))).filter(name => name.startsWith('.staging'))
    const killed = spawn('true')
    await once(killed, 'exit')
    const others = ['-elsewhere', `-${hostname()}`].map(host => join(desk.path, `versions/.staging-${killed.pid}-00000000${host}`))
    for (const folder of others) await mkdir(folder)
    {
      await using looks = await desk.changes.draft()
      await desk.changes.apply(ani)
      expect(await readdir(looks.candidate.folder)).toContain('etc')
      expect(await staged()).toHaveLength(2)                 // ours, and one whose maker cannot be asked for
    }
    const long = new Date(Date.now() - 2 * 3_600_000)
    await utimes(others[0]!, long, long)
    await desk.changes.rollBack(budi)
    expect(await staged()).toEqual([])
  })
})

describe('old versions', () => {
  const numbers = async (desk: { versions: { list(): Promise<{ version: number }[]> } }) => (await desk.versions.list()).map(({ version }) => version)
  const round = (tries: number) => townWith(['tries: 3', `tries: ${tries}`], ['prompts:\n', 'apply: { keep: 2 }\nprompts:\n'])

  test('are removed beyond as many as the plan keeps; calls may stand in those of the last half hour', async () => {
    await using desk = await admin()
    await desk.start()
    for (const tries of [1, 2, 4, 5]) {
      await desk.edit(round(tries))
      await desk.changes.apply(ani)
    }
    expect(await numbers(desk)).toEqual([1, 2, 3, 4, 5])
    const long = new Date(Date.now() - 3_600_000).toISOString()
    for (const { folder } of await desk.versions.list()) {
      const meta = join(folder, 'meta.json')
      await chmod(meta, 0o644)
      await writeFile(meta, JSON.stringify({ ...JSON.parse(await readFile(meta, 'utf8')), at: long }))
    }
    await desk.edit(round(6))
    await desk.changes.apply(ani)
    expect(await numbers(desk)).toEqual([5, 6])
    expect((await desk.changes.rollBack(budi)).restores).toBe(5)
    expect(await desk.changes.versions.current()).toMatchObject({ version: 7 })
  })

  test('that are what is live, or what a rollback leads to, or what this folder gave last, stay however old they are', async () => {
    await using desk = await admin()
    await desk.start()
    for (const tries of [1, 2, 4]) {
      await desk.edit(round(tries))
      await desk.changes.apply(ani)
    }
    for (const { folder, version } of await desk.versions.list()) {
      const meta = join(folder, 'meta.json')
      await chmod(meta, 0o644)
      await writeFile(meta, JSON.stringify({ ...JSON.parse(await readFile(meta, 'utf8')), at: new Date(Date.now() - (9 - version) * 3_600_000).toISOString() }))
    }
    for (const _ of [5, 6]) await desk.changes.rollBack({ ...budi, to: 2 })
    // Live is 6, which is 2 again; before 2 there was 1; 4 was the folder's last.
    expect(await numbers(desk)).toEqual([1, 2, 4, 5, 6])
    expect(await damaged((await desk.versions.current())!)).toEqual([])
    expect((await desk.changes.rollBack(budi)).restores).toBe(1)
  })
})

describe('an apply', () => {
  test('is of what lies beside the plan, too: holidays and the directory are kept with the version, and come back with it', async () => {
    const areas = (name: string) => `kecamatan_code,kecamatan,kelurahan_code,kelurahan\n18.71.01,Kedaton,18.71.01.1003,${name}\n`
    await using desk = await admin()
    await desk.edit(townWith(['prompts:\n', 'directory: { wilayah: kota.csv }\nholidays: { libur: [kota] }\nprompts:\n']))
    for (const name of ['holidays', 'directory']) await mkdir(join(desk.path, name))
    await writeFile(join(desk.path, 'holidays/kota.yaml'), 'name: Kota\nfrom: 2026-01-01\nuntil: 2027-12-31\ndays: [{ date: 2027-06-17, name: Hari jadi, basis: fixed }]\n')
    await writeFile(join(desk.path, 'directory/kota.csv'), areas('Kedaton'))
    await desk.start()
    await writeFile(join(desk.path, 'directory/kota.csv'), areas('Surabaya'))
    const version = await desk.changes.apply(ani)
    expect((await planOf(version)).directory.at(-1)).toMatchObject({ name: 'Surabaya' })
    expect(Object.keys(version.files)).toEqual(expect.arrayContaining(['dialplan/holidays/kota.yaml', 'dialplan/directory/kota.csv']))
    expect(await desk.changes.diff(1, 2)).toContain('+18.71.01,Kedaton,18.71.01.1003,Surabaya')
    expect((await planOf(await desk.changes.rollBack(budi))).directory.at(-1)).toMatchObject({ name: 'Kedaton' })
    await writeFile(join(desk.path, 'directory/kota.csv'), areas(''))
    await expect(desk.changes.apply({ ...ani, base: 3 })).rejects.toThrow(`${desk.path}/directory/kota.csv:2:32 kelurahan is ""`)
  })

  test('keeps who, why, from which version; Asterisk is told of the files that differ, and of no other', async () => {
    await using desk = await admin()
    const { exchange: asterisk, reloads } = exchange(desk.loaded)
    const followed: string[] = []
    await desk.start()
    const changes = changesIn(desk.path, { exchange: asterisk, follow: plan => void followed.push(plan.version) })
    await writeFile(join(desk.path, 'templates/pjsip.conf.liquid'), '; {% for trunk in trunks %}{{ trunk.name }} {% endfor %}\n')
    const with2 = await changes.apply(ani)
    expect(with2).toMatchObject({ version: 2, who: 'Ani', why: 'a fourth try', base: 1, from: join(desk.path, 'plan.yaml') })
    await desk.edit(second)
    const with3 = await changes.apply(ani)
    expect(reloads).toEqual([['extensions.conf', 'pjsip.conf'], ['extensions.conf']])
    expect(followed).toEqual([with2.plan, with3.plan])
    expect(await desk.versions.current()).toMatchObject({ version: 3, rendered: with3.rendered })
  })

  test.each([
    ['a wrong plan', { 'plan.yaml': wrong }, 'did you mean "bpbd"'],
    ['a wrong template', { 'templates/extensions.conf.liquid': '[a]\nexten => s,1,System(x)\n' }, 'System'],
    ['a prompt without a text', { 'prompts/en/sambutan.txt': '' }, 'has no text in en']
  ])('of %s changes nothing', async (_, files, complaint) => {
    await using desk = await admin()
    const first = await desk.start()
    for (const [name, text] of Object.entries(files)) await writeFile(join(desk.path, name), text)
    await expect(desk.changes.apply(ani)).rejects.toThrow(complaint)
    expect(await desk.versions.list()).toEqual([first])
    expect(await desk.versions.current()).toEqual(first)
    expect(await desk.loaded()).toBe(first.rendered)
    expect((await readdir(join(desk.path, 'versions'))).filter(name => name.startsWith('.staging'))).toEqual([])
  })

  test('that an expected call does not get through under changes nothing; the fault names the admin\'s file', async () => {
    await using desk = await admin()
    const first = await desk.start()
    await desk.edit(second)
    await writeFile(join(desk.path, 'calls.yaml'), 'calls: []\n')
    const workshop = { site: {}, run: async () => Buffer.alloc(16_000) }
    const changes = changesIn(desk.path, { workshop: { ...workshop, expected: (text, file, plan) =>
      [{ severity: 'error', file, line: 1, column: 1, path: '', sentence: `of ${text.length} bytes, ${plan.numbers.size} numbers` }] } })
    await expect(changes.apply(ani)).rejects.toThrow(`${desk.path}/calls.yaml:1:1 of 10 bytes, 2 numbers`)
    expect(await desk.versions.list()).toEqual([first])
    const kept = await changesIn(desk.path, { workshop: { ...workshop, expected: () => [] } }).apply(ani)
    expect(Object.keys(kept.files)).toContain('dialplan/calls.yaml')
  })

  test('that the smoke call refuses changes nothing', async () => {
    await using desk = await admin({ smoke: async () => { throw new Error('a call to 112 is refused: 404') } })
    const first = await desk.start()
    await desk.edit(second)
    await expect(desk.changes.apply(ani)).rejects.toThrow('a call to 112 is refused: 404')
    expect(await desk.versions.list()).toEqual([first])
    expect(await desk.changes.apply({ ...ani, smoke: false })).toMatchObject({ version: 2 })
  })

  test('that Asterisk does not load is taken back whole, and the service walks the old plan', async () => {
    await using desk = await admin()
    let deaf = false
    const { exchange: asterisk, has } = exchange(desk.loaded, { deaf: () => deaf })
    const first = await desk.start()
    const followed: string[] = []
    const changes = changesIn(desk.path, { exchange: { reload: async files => { await asterisk.reload(files); deaf = false }, differs: asterisk.differs }, follow: plan => void followed.push(plan.version) })
    await desk.edit(second)
    deaf = true
    await expect(changes.apply(ani)).rejects.toThrow(/^Asterisk did not load what was rendered .*: version 1 is live as before$/)
    expect(await desk.versions.list()).toEqual([first])
    expect(await desk.versions.current()).toEqual(first)
    expect(has()).toBe(first.rendered)
    expect(followed.at(-1)).toBe(first.plan)
  })

  test('of nothing new is said to be one', async () => {
    await using desk = await admin()
    await desk.start()
    await expect(desk.changes.apply(ani)).rejects.toThrow('there is nothing to apply')
  })
})

describe('two admins', () => {
  test('one at a time: who comes meanwhile is told who is at it', async () => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    await using _ = await lock(join(desk.path, 'versions'), { who: 'Budi', does: 'applies' })
    await expect(desk.changes.apply(ani)).rejects.toThrow(/^Budi applies since 20.*: wait until that is done/)
    await expect(desk.changes.rollBack(ani)).rejects.toThrow('Budi applies')
  })

  test('who edited an older version is told what came between, and overwrites nothing', async () => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    await desk.changes.apply({ ...ani, base: 1 })
    await desk.edit(third)
    await expect(desk.changes.apply({ ...budi, base: 1 })).rejects.toThrow(/version 2 is live \(Ani, .*: a fourth try\), and this edit began from version 1: .*diff 1 2/)
    expect((await desk.versions.current())?.version).toBe(2)
    expect(await desk.changes.apply({ ...budi, base: 2 })).toMatchObject({ version: 3, base: 2 })
  })

  test('a folder that another one overtook, or that was rolled back, must say that it knows', async () => {
    await using desk = await admin()
    await desk.start()
    await writeFile(join(desk.path, 'budi.yaml'), third)
    const other = changesIn(desk.path, { desk: { plan: join(desk.path, 'budi.yaml'), templates: join(desk.path, 'templates'), prompts: join(desk.path, 'prompts') } })
    await expect(other.apply(budi)).rejects.toThrow('has given no version yet')
    await other.apply({ ...budi, base: 1 })
    await desk.edit(second)
    await expect(desk.changes.apply(ani)).rejects.toThrow('this edit began from version 1')
    await other.rollBack({ who: 'Budi', why: 'not yet' })
    await expect(other.apply(budi)).rejects.toThrow('version 3 is live (Budi')
  })

  test('of two at the same moment one does it, and the other is told so', async () => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    const both = await Promise.allSettled([desk.changes.apply({ ...ani, base: 1 }), changesIn(desk.path).apply({ ...budi, base: 1 })])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await desk.versions.list()).toHaveLength(2)
  })
})

describe('a rollback', () => {
  test('is a version of its own; who rolls back twice goes back twice', async () => {
    await using desk = await admin()
    const first = await desk.start()
    await desk.edit(second)
    const two = await desk.changes.apply(ani)
    await desk.edit(third)
    await desk.changes.apply(ani)
    const back = await desk.changes.rollBack(budi)
    expect(back).toMatchObject({ version: 4, base: 3, restores: 2, source: two.source, rendered: two.rendered, plan: two.plan })
    expect(await desk.loaded()).toBe(two.rendered)
    expect(await desk.changes.rollBack(budi)).toMatchObject({ version: 5, restores: 1, rendered: first.rendered })
    await expect(desk.changes.rollBack(budi)).rejects.toThrow('there is no version to go back to')
    expect(await desk.changes.rollBack({ ...budi, to: 3 })).toMatchObject({ version: 6, restores: 3 })
    await expect(desk.changes.rollBack({ ...budi, to: 9 })).rejects.toThrow('there is no version 9: there are 1 to 6')
    await desk.versions.remove(await desk.versions.get(3))
    await desk.versions.remove(await desk.versions.get(1))
    await expect(desk.changes.diff(9)).rejects.toThrow('there is no version 9: there are 2, 4 to 6')
    expect(await damaged(await desk.versions.get(6))).toEqual([])
  })
})

describe('a service that runs', () => {
  /** It walks version 1, and Asterisk has loaded that. */
  async function running(desk: Awaited<ReturnType<typeof admin>>, more: Partial<ChangesOptions> = {}) {
    const first = await desk.start()
    const { exchange: asterisk, has } = exchange(desk.loaded)
    await asterisk.reload([])
    let walks = first.plan
    const watched: number[] = []
    const service = changesIn(desk.path, { exchange: asterisk, follow: plan => { walks = plan.version }, walks: () => walks, applied: ({ version }) => void watched.push(version), ...more })
    return { service, walks: () => walks, has, watched }
  }

  test('walks what somebody else made live, and Asterisk loads it', async () => {
    await using desk = await admin()
    const { service, walks, has, watched } = await running(desk)
    await desk.edit(second)
    const made = await desk.changes.apply(ani)
    await service.catchUp()
    expect([walks(), has(), watched]).toEqual([made.plan, made.rendered, [2]])
    const back = await desk.changes.rollBack(budi)
    await service.catchUp()
    expect([walks(), has(), watched]).toEqual([back.plan, back.rendered, [2]])
  })

  test('walks it also where Asterisk was started anew, and has loaded it already', async () => {
    await using desk = await admin()
    let loaded: string | undefined
    const { service, walks } = await running(desk, { exchange: { reload: async () => { throw new Error('it is asked to load it again') }, differs: async ({ rendered }) => rendered === loaded ? undefined : 'another' } })
    await desk.edit(second)
    const made = await desk.changes.apply(ani)
    loaded = made.rendered
    await service.catchUp()
    expect(walks()).toBe(made.plan)
  })

  test('goes by what is live once it has the lock, not by what was live when it looked', async () => {
    await using desk = await admin()
    let looks = 0
    await desk.start()
    const { exchange: asterisk, has } = exchange(desk.loaded)
    await desk.edit(second)
    await desk.changes.apply(ani)
    await desk.edit(third)
    let at = ''
    const late = changesIn(desk.path, { follow: plan => { at = plan.version }, walks: () => at, exchange: {
      reload: asterisk.reload,
      differs: async what => {
        if (looks++ === 0) await desk.changes.apply(budi)             // between the look and the lock
        return asterisk.differs(what)
      }
    } })
    await late.catchUp()
    const live = (await desk.versions.current())!
    expect([live.version, at, has()]).toEqual([3, live.plan, live.rendered])
  })
})

describe('killed', { timeout: 30_000 }, () => {
  const applies = (path: string, at = '') => spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'desk.ts'), path, at], { stdio: ['ignore', 'pipe', 'inherit'] })

  /** Whoever starts next finds the old or the new version, whole, and can change it. */
  async function isWhole(desk: Awaited<ReturnType<typeof admin>>, allowed: number[]) {
    const live = await desk.versions.current()
    expect(allowed).toContain(live!.version)
    expect(await damaged(live!)).toEqual([])
    await desk.edit(live!.version === 1 ? town : second)
    const started = await desk.start()
    expect(started).toEqual(live)
    expect(await desk.loaded()).toBe(live!.rendered)
    await desk.edit(third)
    expect((await desk.changes.apply({ ...ani, base: live!.version })).base).toBe(live!.version)
    expect((await readdir(join(desk.path, 'versions'))).filter(name => name.startsWith('.staging') || name.endsWith('.new'))).toEqual([])
  }

  test.each([['check', [1]], ['keep', [1]], ['swap', [1]], ['lay out', [2]]])('with -9 as it begins to %s', async (step, allowed) => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    const child = applies(desk.path, step)
    let said = ''
    while (!said.includes(`${step}\n`)) said += String((await once(child.stdout, 'data'))[0])
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
    await isWhole(desk, allowed)
  })

  test.each([0, 5, 20, 60, 150])('with -9, %i ms after it began', async ms => {
    await using desk = await admin()
    await desk.start()
    await desk.edit(second)
    const child = applies(desk.path)
    const exit = once(child, 'exit')                     // it may have ended by itself meanwhile
    await once(child.stdout, 'data')
    await new Promise(resolve => setTimeout(resolve, ms))
    child.kill('SIGKILL')
    await exit
    await isWhole(desk, [1, 2])
  })
})
