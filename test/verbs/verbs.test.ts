/** The admin's verbs as they are typed: what they print, and the code that they end with. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Versions } from '../../src/dialplan/versions.ts'
import { read, type Usage } from '../../src/verbs/usage.ts'
import { plainPlan } from '../parts/plain-plan.ts'

// Each verb is a process of its own.
vi.setConfig({ testTimeout: 60_000 })

/** The demo city whose mayor's hotline has office hours, with expected calls and holidays beside the plan. */
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'satunomor-verbs-'))
  const text = plainPlan(await readFile('dialplan/plan.yaml', 'utf8'))
  await writeFile(join(folder, 'plan.yaml'), text
    .replace('    connecting: sambung-wali-kota\n', '    connecting: sambung-wali-kota\n    hours: kantor\n    closed: posko\n')
    .replace('prompts:\n', 'hours:\n  kantor: [{ days: [mon, tue, wed, thu, fri], from: 07:30, to: 16:00 }]\n\nprompts:\n'))
  await cp('dialplan/directory', join(folder, 'directory'), { recursive: true })
  await writeFile(join(folder, 'calls.yaml'), 'calls:\n  - { name: Weekend, number: 112, at: 2027-03-20 10:00, press: [3], reaches: wali-kota }\n')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const satunomor = (...args: string[]) => satunomorIn({ SATUNOMOR_STATE: join(folder, 'state') }, ...args)

const program = join(process.cwd(), 'src', 'satunomor.ts')

async function satunomorIn(env: Record<string, string>, ...args: string[]) {
  return satunomorAs({ env }, ...args)
}

async function satunomorAs({ env = {}, ...how }: { env?: Record<string, string>, cwd?: string, uid?: number, gid?: number }, ...args: string[]) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], { env: { ...process.env, ...env }, ...how })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', chunk => { said.stdout += chunk })
  child.stderr.on('data', chunk => { said.stderr += chunk })
  const [code] = await once(child, 'close')
  return { code, ...said }
}

test('simulate prints the way, with the prompts\' texts and the reasons', async () => {
  const { code, stdout } = await satunomor('simulate', '--plan', join(folder, 'plan.yaml'), '--number', '112', '--at', '2027-03-20 02:30', '--press', '3')
  expect(stdout.replace(/plan [0-9a-f]{12}/, 'plan X').split('\n')).toEqual([
    '112 on Sat 20 March 2027, 02:30 (Asia/Jakarta), plan X',
    '  dials    112                    → utama, in "id"',
    '  menu     utama',
    '  hears    id/sambutan            Darurat satu satu dua, Bandar Lampung.',
    '  hears    id/menu-utama          Ambulans, tekan satu. Bencana, tekan dua. Halo Wali Kota, tekan tiga. Petugas, tunggu.',
    '  presses  3                      → wali-kota',
    '  passes   wali-kota              closed (hours: kantor) → posko',
    '  agency   posko                  open (at all times)',
    '  hears    id/ke-petugas          Anda kami sambungkan ke petugas. Mohon jangan tutup telepon.',
    '  rings    posko-1                is picked up',
    'A human picks up: posko, on the line posko-1.', ''
  ])
  expect(code).toBe(0)
})

test('simulate tells what a closed agency offers, and for when', async () => {
  const offering = join(folder, 'offering.yaml')
  await writeFile(offering, (await readFile(join(folder, 'plan.yaml'), 'utf8')).replace('closed: posko', 'closed: { offer: callback, to: posko }'))
  const call = ['simulate', '--plan', offering, '--number', '112', '--at', '2027-03-20 02:30', '--press', '3,7']
  const { code, stdout } = await satunomor(...call)
  expect(stdout.split('\n').slice(6)).toEqual([
    '  offers   wali-kota              closed (hours: kantor): a callback when it opens, Mon 22 March, 07:30',
    '  hears    id/tutup               Maaf, layanan ini sedang tutup.',
    '  hears    id/tawaran-saat-buka   Untuk kami telepon saat buka kembali, tekan tujuh.',
    '  hears    id/tawaran-pesan       Untuk meninggalkan pesan, tekan delapan.',
    '  hears    id/telepon-saat-buka   Nomor Anda sudah kami catat. Petugas akan menelepon Anda saat layanan buka.',
    'NOBODY picks up: the caller is called back by wali-kota when it is open.', ''
  ])
  expect(code).toBe(1)
  expect((await satunomor(...call, '--withheld')).stdout).toContain('A human picks up: posko')
})

test('simulate ends with 1 where the caller hears an apology, and with 2 where the question makes no sense', async () => {
  const apology = await satunomor('simulate', '--number', '112', '--at', '2027-03-20 02:30', '--press', '2', '--busy', 'bpbd-1,bpbd-2,posko-1')
  expect(apology.code).toBe(1)
  expect(apology.stdout).toContain('NOBODY picks up')
  const nonsense = await satunomor('simulate', '--number', '911', '--at', '2027-02-30 02:30', '--dead', 'ambulans-7')
  expect(nonsense).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('dialplan/plan.yaml: no version is live yet.\n--number: "911" is no number of the plan — there are 112\n--dead: "ambulans-7" is no line or trunk of the plan — did you mean "ambulans-1"?\n--at: "2027-02-30 02:30" is no time — as in "2027-03-20 02:30"\n') })
})

test('expect tells the call that does not get there, and ends with 1; the repository\'s own do', async () => {
  const broken = await satunomor('expect', '--plan', join(folder, 'plan.yaml'))
  expect(broken.code).toBe(1)
  expect(broken.stdout).toContain('calls.yaml:2:69 calls.0.reaches: gets to posko, not to wali-kota (utama, key 3, wali-kota closed, posko) — "Weekend" is expected')
  expect(await satunomor('expect')).toMatchObject({ code: 0, stdout: expect.stringContaining('every call gets where it is expected') })
})

test('calendar lists what opens and closes', async () => {
  const { code, stdout } = await satunomor('calendar', '--plan', join(folder, 'plan.yaml'), '--from', '2027-03-19', '--days', '3')
  expect(stdout).toBe('Fri 2027-03-19 07:30  wali-kota  is open (hours: kantor)\nFri 2027-03-19 16:00  wali-kota  is closed (hours: kantor)\nNo change: ambulans, bpbd, posko\n')
  expect(code).toBe(0)
  expect(await satunomor('calendar', '--days', 'x')).toMatchObject({ code: 2 })
})

test('switch closes an agency until a time, and a call made now is led on', async () => {
  const plan = join(folder, 'plan.yaml')
  const refused = await satunomor('switch', 'siaga', '--plan', plan)
  expect(refused).toMatchObject({ code: 2, stderr: 'the plan has no siaga: say there at which node all calls begin while it is on\n' })
  const until = '2999-12-31 18:00'
  const closed = await satunomor('switch', 'close', 'wali-kota', '--until', until, '--reason', 'Banjir', '--who', 'Ani', '--plan', plan)
  expect(closed).toEqual({ code: 0, stdout: `wali-kota is closed until ${until}: Banjir\n`, stderr: '' })
  expect((await satunomor('simulate', '--press', '3', '--plan', plan)).stdout).toContain('passes   wali-kota              closed (switch: Banjir) → posko')
  expect(await satunomor('switch', 'open', 'wali-kota', '--plan', plan)).toMatchObject({ code: 0, stdout: 'Nothing is set by hand.\n' })
  const audit = new DatabaseSync(join(folder, 'state', 'records.sqlite'), { readOnly: true }).prepare('select who, what from audit order by id').all()
  expect(audit).toMatchObject([{ who: 'Ani', what: 'close wali-kota until 2999-12-31T11:00:00.000Z: Banjir' }, { who: expect.stringContaining('@'), what: 'open wali-kota' }])
})

/** Version 1 is the demo city with a menu for siaga and a mayor who can be closed; what is edited is somebody's unfinished work. */
async function nightOf(edited: string) {
  const desk = await mkdtemp(join(tmpdir(), 'satunomor-night-'))
  const plan = `${(await readFile(join(folder, 'plan.yaml'), 'utf8'))}siaga: { entry: utama }\n`
  const env = { SATUNOMOR_STATE: join(desk, 'state'), SATUNOMOR_PLAN: join(desk, 'plan.yaml') }
  const versions = new Versions(join(desk, 'state/versions'))
  {
    await using staged = await versions.stage()
    for (const name of ['directory', 'prompts']) await cp(`dialplan/${name}`, join(staged.folder, 'dialplan', name), { recursive: true })
    await writeFile(join(staged.folder, 'dialplan/plan.yaml'), plan)
    await versions.makeCurrent(await versions.keep(staged.folder, { plan: '0123456789ab', who: 'Ani', why: 'x', base: null, restores: null, from: null }))
  }
  await cp('dialplan/directory', join(desk, 'directory'), { recursive: true })
  await writeFile(join(desk, 'plan.yaml'), edited)
  return { satunomor: (...args: string[]) => satunomorIn(env, ...args), versions, [Symbol.asyncDispose]: () => rm(desk, { recursive: true }) }
}
const until = ['--until', '2999-12-31 18:00', '--reason', 'Banjir']

test('on the night itself a colleague\'s unfinished edit holds up nobody: switch goes by what is live', async () => {
  await using night = await nightOf('numbers:\n  "112": {\n')
  const by = 'By version 1, which is live.\n'
  expect(await night.satunomor('switch')).toEqual({ code: 0, stdout: 'Nothing is set by hand.\n', stderr: by })
  expect(await night.satunomor('switch', 'siaga', ...until)).toEqual({ code: 0, stdout: 'SIAGA until 2999-12-31 18:00: Banjir\n', stderr: by })
  expect(await night.satunomor('switch', 'close', 'wali-kota', ...until)).toMatchObject({ code: 0, stderr: by })
  expect(await night.satunomor('switch', 'normal')).toEqual({ code: 0, stdout: 'wali-kota is closed until 2999-12-31 18:00: Banjir\n', stderr: by })
  expect(await night.satunomor('directory', '--search', 'telukbetung timur')).toMatchObject({ code: 0, stderr: by })
  expect(await night.satunomor('person', 'add', 'Wati', '--role', 'desk', '--list', 'wali-kota')).toMatchObject({ code: 0 })
  expect(await night.satunomor('simulate')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^This is what is edited: --live looks at version 1, which is live\.\n.*plan\.yaml:/) })
  expect(await night.satunomor('simulate', '--press', '3', '--live')).toMatchObject({ code: 0, stderr: by, stdout: expect.stringContaining('closed (switch: Banjir) → posko') })
  expect(await night.satunomor('calendar', '--live', '--from', '2027-03-19', '--days', '1')).toMatchObject({ code: 0, stderr: by, stdout: expect.stringContaining('No change: ') })
})

test('what only the edit has cannot be closed, as nobody would notice; simulate and calendar are of the edit, and say so', async () => {
  const text = await readFile(join(folder, 'plan.yaml'), 'utf8')
  await using night = await nightOf(text.replaceAll('wali-kota:\n', 'walikota:\n').replace('3: wali-kota', '3: walikota'))
  expect(await night.satunomor('switch', 'close', 'walikota', ...until)).toMatchObject({ code: 2, stderr: expect.stringContaining('"walikota" is no agency of the plan — did you mean "wali-kota"?') })
  expect(await night.satunomor('simulate', '--press', '3')).toMatchObject({ stdout: expect.stringContaining('→ walikota'), stderr: expect.stringMatching(/plan\.yaml as it is edited, which is not live: --live looks at version 1, which is\.\n$/) })
  expect((await night.satunomor('calendar', '--from', '2027-03-19')).stdout).toContain('walikota')
  expect(await night.satunomor('simulate', '--live', '--plan', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no file ') })
  expect(await night.satunomor('simulate', '--live', '--plan', 'package.json')).toMatchObject({ code: 2, stderr: expect.stringContaining('say --live or --plan, not both\n') })
})

test('what is set is shown and ended without any plan', async () => {
  await using night = await nightOf('')
  await night.satunomor('switch', 'siaga', ...until)
  await night.satunomor('switch', 'close', 'wali-kota', ...until)
  await rm(join((await night.versions.current())!.folder, 'dialplan'), { recursive: true })
  expect(await night.satunomor('switch')).toMatchObject({ code: 0, stdout: 'SIAGA until 2999-12-31 11:00 UTC: Banjir\nwali-kota is closed until 2999-12-31 11:00 UTC: Banjir\n', stderr: expect.stringContaining('The plan cannot be read, and is not needed for this.') })
  expect(await night.satunomor('switch', 'normal')).toMatchObject({ code: 0 })
  expect(await night.satunomor('switch', 'open', 'bpbd')).toMatchObject({ code: 2, stderr: expect.stringContaining('"bpbd" is not closed by hand') })
  expect(await night.satunomor('switch', 'open', 'wali-kota')).toMatchObject({ code: 0, stdout: 'Nothing is set by hand.\n' })
  expect(await night.satunomor('switch', 'siaga', ...until)).toMatchObject({ code: 1 })
})

test('directory finds a kecamatan, however it is spelt', async () => {
  expect(await satunomor('directory', '--search', 'telukbetung timur')).toMatchObject({ code: 0, stdout: '18.71.19       kecamatan  Telukbetung Timur\n' })
  expect(await satunomor('directory', '--search', 'atlantis')).toMatchObject({ code: 1, stdout: expect.stringContaining('Nobody') })
})

test('schema prints what lies in dialplan/plan.schema.json', async () => {
  expect(await satunomor('schema')).toEqual({ code: 0, stdout: await readFile('dialplan/plan.schema.json', 'utf8'), stderr: '' })
})

const verbs = [...(await readFile('src/satunomor.ts', 'utf8')).matchAll(/^ {2}'?([\w-]+)'?: \{ does:/gm)].map(([, verb]) => verb!)

test('the help names every verb, and each has its own: how to type it, what it does, its options, an example', async () => {
  const help = await satunomor('--help')
  expect([help.code, help.stderr, await satunomor()]).toEqual([0, '', help])
  expect(verbs.length).toBeGreaterThan(10)
  for (const verb of verbs) {
    expect(help.stdout).toMatch(new RegExp(`^  ${verb} +\\w`, 'm'))
    const { code, stdout, stderr } = await satunomor(verb, '--help')
    expect([verb, code, stderr]).toEqual([verb, 0, ''])
    expect(stdout).toMatch(new RegExp(`^(  npx satunomor ${verb}.*\\n)+\\n[A-Z].*\\.\\n\\n(  --.*\\n)+\\nFor example: npx satunomor ${verb}`))
  }
  expect(await satunomor('help', 'apply')).toEqual(await satunomor('apply', '--help'))
})

test('what an example says is taken as it stands there', async () => {
  for (const verb of verbs) {
    const { usage } = await import(`../../src/verbs/${verb}.ts`) as { usage: Usage }
    const words = [...usage.example.replace(/ >.*/, '').matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
    expect([verb, words[0]]).toEqual([verb, verb])
    expect(() => read(usage, words.slice(1))).not.toThrow()
    // Each option of its lines is one, and each of its options is named there.
    const lines = usage.lines.map(line => typeof line === 'string' ? line : line[0]).join(' ')
    for (const [, option] of lines.matchAll(/--([a-z-]+)/g)) expect([verb, Object.keys(usage.options)]).toEqual([verb, expect.arrayContaining([option])])
    for (const option of Object.values(usage.ways ?? {}).flatMap(way => way.options)) expect([verb, Object.keys(usage.options)]).toEqual([verb, expect.arrayContaining([option])])
  }
})

test.each([
  [['validate', '--plan', 'nonsense.yaml'], 'validate: there is no option --plan: it has none'], [['validate', 'x'], 'validate: "x" is one word too many'],
  [['simulate', '--plan', 'nonsense.yaml'], `simulate: --plan: there is no file ${join(process.cwd(), 'nonsense.yaml')}`], [['expect', '--calls', 'src'], 'expect: --calls: there is no file '],
  [['apply'], 'apply: say why: --why "'], [['apply', '--wy', 'x'], 'apply: there is no option --wy: there are --why, --who, --base, --no-smoke; did you mean "--why"?'],
  [['apply', '--why'], 'apply: a value is missing: --why "…"'], [['apply', '--why', '--who'], 'apply: a value is missing: --why "…"'], [['apply', '--no-smoke=x', '--why', 'x'], 'apply: --no-smoke takes no value'],
  [['apply', '--why', 'x', '--base', 'y'], 'apply: "y" is no version'], [['rollback', '1', '2', '--why', 'x'], 'rollback: "2" is one word too many'], [['diff', '1', '2', '3'], 'diff: "3" is one word too many'],
  [['render', '--out'], 'render: a value is missing: --out FOLDER'], [['schema', '--x'], 'schema: there is no option --x: it has none'], [['versions', '1'], 'versions: "1" is one word too many'],
  [['directory', 'tanjung'], 'directory: "tanjung" is one word too many'], [['calendar', '-d', '3'], 'calendar: there is no option -d: there are --days, --from, --live, --plan'],
  [['switch', 'shut', 'x'], 'switch: "shut" is none of close, open, siaga, normal'], [['switch', 'close'], 'switch: say which agency'], [['switch', 'normal', 'x'], 'switch: "x" is one word too many'],
  [['switch', 'open', 'x', '--until', '2999-01-01 10:00'], 'switch: --until means nothing for switch open'], [['call', 'end'], 'call: say which call'], [['call', 'end', 'x'], 'call: say why'], [['call'], 'call: say list or end'],
  [['webhook', 'secret'], 'webhook: say of which agency'], [['webhook', 'dead', '--rotate'], 'webhook: --rotate means nothing for webhook dead'], [['aply', '--why', 'x'], 'there is no verb "aply"; did you mean "apply"?']
])('%j is refused before anything is done', async (args, sentence) => {
  const { code, stdout, stderr } = await satunomor(...args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr.startsWith(sentence)).toBe(true)
  expect(stderr).toContain(args[0] === 'aply' ? 'npx satunomor <verb>' : `npx satunomor ${args[0]} --help`)
})

test('a rollback to a version that there is not says which there are', async () => {
  await using night = await nightOf('')
  expect(await night.satunomor('rollback', '99', '--why', 'x')).toMatchObject({ code: 1, stderr: 'there is no version 99: there is 1\n' })
})

test('it runs from any folder: settings are relative to the project\'s, what is typed to one\'s own', async () => {
  const env = { SATUNOMOR_STATE: join(folder, 'state'), SATUNOMOR_PLAN: 'dialplan/plan.yaml' }
  expect((await satunomorAs({ env, cwd: folder }, 'simulate', '--press', '2')).stdout).toContain('A human picks up: bpbd')
  expect((await satunomorAs({ env, cwd: folder }, 'calendar', '--plan', 'plan.yaml')).stdout).toContain('wali-kota')
  expect(await satunomorAs({ env, cwd: folder }, 'expect')).toMatchObject({ code: 0 })
  expect(await satunomorAs({ env, cwd: folder }, 'expect', '--plan', 'nonsense.yaml')).toMatchObject({ code: 2, stderr: expect.stringContaining(`there is no file ${join(await realpath(folder), 'nonsense.yaml')}`) })
})

const nobody = { uid: 65534, gid: 65534 }
test.skipIf(process.getuid?.() !== 0 || spawnSync('test', ['-r', program], nobody).status !== 0)('who is not root is told so in one sentence, with what to do', async () => {
  const state = await mkdtemp(join(tmpdir(), 'satunomor-roots-'))          // only for root
  try {
    for (const args of [['validate'], ['person', 'list'], ['versions']]) {
      const { code, stderr } = await satunomorAs({ env: { SATUNOMOR_STATE: state }, ...nobody }, ...args)
      expect([args, code, stderr]).toEqual([args, 1, expect.stringMatching(/^This needs root: run it as root, for example with sudo \(EACCES: permission denied, .*\)\.\n$/)])
    }
  } finally {
    await rm(state, { recursive: true })
  }
})

test('a plan that is refused is refused here, too, with its places', async () => {
  const file = join(folder, 'bad.yaml')
  await writeFile(file, (await readFile('dialplan/plan.yaml', 'utf8')).replace('silence: posko', 'silence: poskoo'))
  const { code, stderr } = await satunomor('simulate', '--plan', file)
  expect(code).toBe(1)
  expect(stderr).toContain('menus.utama.silence: leads to "poskoo", which is no menu or agency — did you mean "posko"?')
})
