/** `npm start` as a person has it: a whole city from the command, a call through it, and nothing left after SIGTERM. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { chown, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import { Softphone } from '../../demo/softphone.ts'
import { stirs } from '../../setup/alive.mjs'
import { node } from '../../setup/packages.mjs'
import { project } from '../../setup/project.mjs'
import { eventually } from '../parts/city.ts'
import { Disk } from '../parts/disk.ts'
import { withContainers } from '../parts/launch.ts'

const run = promisify(execFile)
const at = (last: number) => `127.77.9.${last}`
let state: string
let env: NodeJS.ProcessEnv
const started: ChildProcess[] = []

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'satunomor-start-'))
  const plan = await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8')
  await writeFile(join(state, 'plan.yaml'), plan.replaceAll('127.0.0.2', at(2)).replaceAll('127.0.0.3', at(3)).replaceAll('127.0.0.4', at(4)).replace('patience: 3 s', 'patience: 60 s'))
  await cp(join(project, 'dialplan', 'directory'), join(state, 'directory'), { recursive: true })
  await writeFile(join(state, 'settings.env'), 'SATUNOMOR_LOG=info\n')
  env = {
    ...process.env, NODE_ENV: undefined, SATUNOMOR_STATE: state, SATUNOMOR_SETTINGS: join(state, 'settings.env'), SATUNOMOR_PLAN: join(state, 'plan.yaml'), SATUNOMOR_SIP_ADDRESS: at(1),
    SATUNOMOR_HTTP_ADDRESS: at(1), SATUNOMOR_REDIS_PORT: '6390', SATUNOMOR_CARRIER: `${at(2)}:5060`, SATUNOMOR_GATEWAY: `${at(3)}:5060`, SATUNOMOR_GATEWAY_2: `${at(4)}:5060`
  }
})
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
})
afterAll(() => rm(state, { recursive: true, force: true }))

const start = (more: NodeJS.ProcessEnv = {}, [program = 'node', ...args]: string[] = []) => {
  const child = spawn(program, [...args, join(project, 'setup', 'start.mjs')], { env: { ...env, ...more }, stdio: ['ignore', 'ignore', 'pipe'] })
  started.push(child)
  let said = ''
  const serving = Promise.withResolvers<void>()
  child.stderr.on('data', chunk => {
    said += chunk
    if (said.includes('112 is served')) serving.resolve()
  })
  const ended = once(child, 'exit').then(([code]) => { serving.resolve(); return code as number | null })
  /** With or without the service: what there is to start has been started. */
  const standing = () => eventually('it stands', async () => said.includes('Ctrl-C stops everything'), 90_000).catch(error => { throw new Error(`${error.message}:\n${said}`) })
  return { child, standing, serving: serving.promise, ended, said: () => said }
}

/** The processes that have this test's state folder among their arguments, environment or mounts. */
async function ours(): Promise<string[]> {
  const { stdout } = await run('sh', ['-c', 'grep -lsF -e "$1" /proc/[0-9]*/environ /proc/[0-9]*/cmdline || true', 'sh', state])
  const pids = new Set(stdout.split('\n').map(file => file.split('/')[2]).filter(pid => pid && Number(pid) !== process.pid))
  const names: string[] = []
  for (const pid of pids) names.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').then(text => text.replaceAll('\0', ' ').trim(), () => ''))
  return names.filter(name => name !== '' && !name.startsWith('grep') && !name.startsWith('sh -c grep'))
}

/** What an older version of ours has left: the numbers of the root's users, which are somebody else's here. */
async function leftByAnOlder() {
  const ledger = join(state, 'asterisk', 'log', 'cel-custom', 'calls.csv')
  await mkdir(dirname(ledger), { recursive: true })
  await writeFile(ledger, '')
  for (const path of [join(state, 'asterisk', 'log'), dirname(ledger), ledger]) await chown(path, 103, 103)
  return ledger
}

/** Whom on this machine a file belongs to, if to anybody. */
const namesOf = async (file: string) => (await run('stat', ['-c', '%U %G', file])).stdout.trim()

test.skipIf(withContainers)('a city starts, a call goes through, and SIGTERM leaves nothing behind', { timeout: 180_000 }, async () => {
  const ledger = await leftByAnOlder()
  const city = start({}, ['sh', '-c', 'umask 077; exec node "$1"', 'sh'])          // a root whose files are nobody else's: Asterisk reads the prompts all the same
  await city.serving
  expect(city.said()).toContain('112 is served')
  const token = (await readFile(join(state, 'token'), 'utf8')).trim()
  expect(city.said()).toContain(token)                                  // shown once,
  expect((await stat(join(state, 'token'))).mode & 0o777).toBe(0o600)   // and kept for its owner alone
  expect((await stat(join(state, 'secrets.json'))).mode & 0o777).toBe(0o600)

  expect((await fetch(`http://${at(1)}:8080/healthz`)).status).toBe(200)
  expect((await fetch(`http://${at(1)}:8080/readyz`)).status).toBe(200)
  expect((await fetch(`http://${at(1)}:8080/api/calls`)).status).toBe(401)
  expect((await fetch(`http://${at(1)}:8080/docs/json`)).status).toBe(200)
  expect(await stirs({ path: join(state, 'service.sock') })).toBe(true)

  // What callers and agencies said, and who they are, is nobody else's on this machine.
  expect(await namesOf(ledger)).toBe('UNKNOWN UNKNOWN')
  expect(await namesOf(join(state, 'redis', 'appendonlydir'))).toBe('UNKNOWN UNKNOWN')
  expect((await stat(state)).mode & 0o007).toBe(0)
  for (const name of ['service.lock', join('versions', 'lock')]) expect((await stat(join(state, name))).mode & 0o077).toBe(0)
  // Redis does nothing for who does not know the password; our part of the readyz says that the service does.
  const stranger = connect(6390, '127.0.0.1', () => stranger.write('SET a b\r\n'))
  expect(String((await once(stranger, 'data'))[0])).toContain('NOAUTH')
  stranger.destroy()
  await eventually('the service, which knows it, has its queue', async () =>
    /^satunomor_queue_up\{queue="followups"\} 1$/m.test(await (await fetch(`http://${at(1)}:8080/metrics`, { headers: { authorization: `Bearer ${token}` } })).text()))

  for (const program of ['src/watchdog.ts', 'demo/telephones.ts']) {
    const status = await readFile(`/proc/${await processOf(program)}/status`, 'utf8')
    expect({ program, status }).toMatchObject({ status: expect.stringMatching(/CapEff:\t0+\nCapBnd:\t0+\nCapAmb:\t0+\nNoNewPrivs:\t1/) })
  }

  const stdout = await dial(join(state, 'sounds'))
  expect(stdout).toMatch(/heard id\/sambutan/)
  expect(stdout).toMatch(/heard id\/sambung-bpbd/)
  expect(stdout).toMatch(/The line bpbd-1 answered\./)
  const record = await eventually('the record', async () => {
    const { calls } = await (await fetch(`http://${at(1)}:8080/api/calls`, { headers: { authorization: `Bearer ${token}` } })).json() as { calls: { disposition: string | null }[] }
    return calls[0]?.disposition ? calls[0] : undefined
  })
  expect(record).toMatchObject({ disposition: 'answered', line: 'bpbd-1', endedBy: 'caller' })

  expect((await ours()).length).toBeGreaterThan(3)
  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
  expect((await run('sh', ['-c', 'mount'])).stdout).not.toContain(state)
})

/** What a citizen tells who dials 112 and presses 2. */
async function dial(sounds: string): Promise<string> {
  const { stdout } = await run(node, [join(project, 'demo', 'call.ts'), '--press', '2', '--target', `${at(1)}:5060`, '--address', at(2), '--sounds', sounds])
  return stdout
}

/** Our process that runs this. */
async function processOf(program: string): Promise<number> {
  const { stdout } = await run('sh', ['-c', 'grep -lsF -e "$1" /proc/[0-9]*/environ | cut -d/ -f3', 'sh', state])
  for (const pid of stdout.split('\n').filter(Boolean)) {
    if ((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').includes(program)) return Number(pid)
  }
  throw new Error(`nobody runs ${program}`)
}

test.skipIf(withContainers)('what freezes is killed and started again, and what runs beside it is left alone', { timeout: 120_000 }, async () => {
  const city = start({ SATUNOMOR_PHONES: 'off' })
  await city.serving
  expect(city.said()).toContain('112 is served')
  const parts = { service: 'src/main.ts', exchange: 'asterisk -f', watchdog: 'src/watchdog.ts' }
  const before = { service: await processOf(parts.service), exchange: await processOf(parts.exchange), watchdog: await processOf(parts.watchdog) }
  for (const pid of [before.service, before.exchange, before.watchdog]) process.kill(pid, 'SIGSTOP')
  // All at once: none waits for another.
  for (const name of ['the service', 'the watchdog', 'Asterisk']) {
    await eventually(`${name} is started again`, async () => new RegExp(`${name} HAS NOT ANSWERED for \\d+ s[^]*${name} ended \\(SIGKILL\\); it is started again`).test(city.said()), 60_000)
  }
  await eventually('a call made now would be served', async () => (await fetch(`http://${at(1)}:8080/readyz`)).ok, 30_000)
  expect(await processOf(parts.service)).not.toBe(before.service)
  expect(await processOf(parts.exchange)).not.toBe(before.exchange)
  expect(await processOf(parts.watchdog)).not.toBe(before.watchdog)
  expect(city.said()).not.toContain('Redis ended')

  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
  // Asterisk was started last, and is yet stopped after the service, which drains by it.
  const log = await readFile(join(state, 'log', 'service.log'), 'utf8')
  const draining = log.slice(log.lastIndexOf('"draining: '))
  expect(draining).toContain('"the service has stopped"')
  expect(draining).not.toContain('link')
})

/** `npx satunomor restart`, while it runs. */
function restart(...more: string[]) {
  const child = spawn('node', [join(project, 'setup', 'satunomor.mjs'), 'restart', ...more], { env: { ...env, SATUNOMOR_LOG: undefined }, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const output of [child.stdout, child.stderr]) output.on('data', chunk => { said += chunk })
  const ended = once(child, 'exit').then(([code]) => ({ code: code as number | null, said }))
  return { said: () => said, says: (what: string) => eventually(what, async () => said.includes(what), 90_000), ended }
}

test.skipIf(withContainers)('an upgrade in the middle of five talks and three menus ends none of them; Asterisk waits for the last call', { timeout: 400_000 }, async () => {
  const city = start({ SATUNOMOR_LOG: undefined })
  await city.serving
  expect(city.said()).toContain('112 is served')
  const sounds = join(state, 'sounds')
  const ear = new Ear(new Map([...await loadPrompts(join(sounds, 'id')), ...await loadPrompts(join(sounds, 'telephones'), 'line/')]))
  await using phone = await Softphone.open({ address: at(2) })
  const dial = async (last: number) => {
    const call = phone.dial({ to: `sip:112@${at(1)}:5060`, from: `+6272155521${last}` })
    await call.answered
    return call
  }
  const talks = await Promise.all([11, 12, 13, 14, 15].map(dial))
  for (const talk of talks) await ear.hears(talk, 'menu-utama').then(() => talk.press('0'))
  for (const talk of talks) await ear.hears(talk, 'line/posko-1', { within: 30_000 })
  const menus = await Promise.all([16, 17, 18].map(dial))
  for (const menu of menus) await ear.hears(menu, 'menu-utama')
  const before = { service: await processOf('src/main.ts'), watchdog: await processOf('src/watchdog.ts'), exchange: await processOf('asterisk -f') }

  await writeFile(join(state, 'settings.env'), 'SATUNOMOR_LOG=debug\nSATUNOMOR_RTP_FIRST=10002\n')
  const upgrade = restart()
  await upgrade.says('the service is started anew')
  await eventually('it drains', async () => !(await fetch(`http://${at(1)}:8080/readyz`)).ok)
  const newcomer = await dial(19)
  await ear.hears(newcomer, 'menu-utama', { within: 20_000 })
  await newcomer.press('2')
  await ear.hears(newcomer, 'line/bpbd-1', { within: 20_000 })
  const led = Promise.all([['1', 'ambulans-1'], ['2', 'bpbd-2'], ['3', 'hallo-1']].map(async ([key, line], n) => {
    await menus[n]!.press(key!)
    await ear.hears(menus[n]!, `line/${line}`, { within: 60_000 })
  }))
  expect(await upgrade.ended).toEqual({ code: 0, said: expect.stringMatching(/! SATUNOMOR_RTP_FIRST: as before, until npx satunomor restart --asterisk\n[^]*changed settings: SATUNOMOR_LOG\n[^]*the service is ready: a call made now is served by it/) })
  await led
  const joined = performance.now()
  const everybody = [...talks, ...menus, newcomer]
  expect(everybody.filter(({ ending }) => ending)).toEqual([])
  expect(await processOf('asterisk -f')).toBe(before.exchange)
  for (const [program, pid] of [['src/main.ts', before.service], ['src/watchdog.ts', before.watchdog]] as const) expect(await processOf(program)).not.toBe(pid)
  expect(await readFile(`/proc/${await processOf('src/main.ts')}/environ`, 'utf8')).toMatch(/\0SATUNOMOR_LOG=debug\0/)

  // What is wrong stops nothing.
  await writeFile(join(state, 'settings.env'), 'SATUNOMOR_LOG=loud\n')
  city.child.kill('SIGHUP')
  await eventually('it says why', async () => /SATUNOMOR_LOG is "loud"[^]*nothing was stopped: everything runs on as it did/.test(city.said()), 60_000)
  expect((await fetch(`http://${at(1)}:8080/readyz`)).status).toBe(200)

  // Asterisk itself waits until the last has hung up.
  await writeFile(join(state, 'settings.env'), 'SATUNOMOR_RTP_FIRST=10002\n')
  const whole = restart('--asterisk')
  await whole.says('channels of calls: it waits until none is left')
  expect(everybody.filter(({ ending }) => ending)).toEqual([])
  await eventually('each talk is long enough to count (the plan\'s `spoken`)', async () => performance.now() - joined > 6_000)
  await Promise.all(everybody.map(call => call.hangUp()))
  expect(await whole.ended).toEqual({ code: 0, said: expect.stringMatching(/everything stops, and starts again\n112 is served\n$/) })
  expect(await processOf('asterisk -f')).not.toBe(before.exchange)
  expect(await readFile(join(state, 'asterisk', 'etc', 'satunomor', 'rtp.conf'), 'utf8')).toContain('rtpstart = 10002\n')
  const token = (await readFile(join(state, 'token'), 'utf8')).trim()
  const { calls } = await (await fetch(`http://${at(1)}:8080/api/calls?limit=9`, { headers: { authorization: `Bearer ${token}` } })).json() as { calls: { disposition: string, way: string, line: string }[] }
  expect(calls.map(({ disposition }) => disposition)).toEqual(Array(9).fill('answered'))
  expect(calls.filter(({ way }) => way === 'fallback').map(({ line }) => line)).toEqual(['bpbd-1'])
  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
})

/** A machine with an address of a network (192.0.2.0/24 is nobody's), and with no network. */
const faced = ['unshare', '--net', 'sh', '-c', 'ip link set lo up && ip address add 192.0.2.2/24 dev lo && exec node "$1"', 'sh']

/** The TCP addresses that the machine listens on which a process runs on. */
async function listening(pid: number): Promise<string[]> {
  const rows = (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).trim().split('\n').slice(1).map(row => row.trim().split(/\s+/))
  return rows.filter(([, , , state]) => state === '0A').map(([, local]) => {
    const [address, port] = local!.split(':') as [string, string]
    return `${address.match(/../g)!.reverse().map(byte => parseInt(byte, 16)).join('.')}:${parseInt(port, 16)}`
  })
}

test.skipIf(withContainers)('where SIP faces a network, the service and the watchdog reach Asterisk all the same, and nobody else does', { timeout: 120_000 }, async () => {
  const city = start({ SATUNOMOR_SIP_ADDRESS: '192.0.2.2', SATUNOMOR_HTTP_ADDRESS: '127.0.0.1', SATUNOMOR_STATE: join(state, 'faced'), SATUNOMOR_PHONES: 'off' }, faced)
  await city.serving                                                    // /readyz said 200: ARI and AMI both let it in
  expect(city.said()).toContain('112 is served')
  expect((await listening(city.child.pid!)).sort()).toEqual(['127.0.0.1:5038', '127.0.0.1:6390', '127.0.0.1:8080', '127.0.0.1:8088'])
  await eventually('the watchdog sees', async () => (await readFile(join(state, 'faced', 'log', 'watchdog.log'), 'utf8')).includes('linked with Asterisk over AMI'))
  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
})

test.skipIf(withContainers)('at a boot where Redis and the store are damaged, Asterisk answers all the same; what is mended joins it', { timeout: 150_000 }, async () => {
  const damaged = join(state, 'damaged')
  await mkdir(join(damaged, 'redis', 'appendonlydir'), { recursive: true })
  await writeFile(join(damaged, 'redis', 'appendonlydir', 'appendonly.aof.manifest'), 'torn\n')
  await mkdir(join(damaged, 'records.sqlite'))
  const city = start({ SATUNOMOR_STATE: damaged })
  await city.standing()
  expect(city.said()).toMatch(/Asterisk … [^]*done[^]*Redis … FAILED\n    ! Redis: Redis ended at its start \(code 1\)\. Read .*redis\.log\.\n    ! Calls go on without it/)
  expect(city.said()).toMatch(/The service … [^]*FAILED\n    ! The service: the service ended at its start \(code 1\)\. Read .*service\.log/)
  expect(city.said()).toContain('112 IS SERVED BY ASTERISK ALONE, without Redis, the service (see above)')
  const exchange = await processOf('asterisk -f')
  expect(await dial(join(damaged, 'sounds'))).toMatch(/The line bpbd-1 answered\./)

  await rm(join(damaged, 'redis', 'appendonlydir'), { recursive: true })
  await rm(join(damaged, 'records.sqlite'), { recursive: true })
  for (const name of ['Redis', 'the service']) await eventually(`${name} joins it`, async () => city.said().includes(`${name} is ready now`), 60_000)
  expect((await fetch(`http://${at(1)}:8080/readyz`)).status).toBe(200)
  expect(await processOf('asterisk -f')).toBe(exchange)                 // and was never cut off
  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
})

test.skipIf(withContainers)('at a boot with a full disk, Asterisk and the service lead calls, and people are removed', { timeout: 300_000 }, async () => {
  const full = join(state, 'full')
  await mkdir(full)
  await using disk = await Disk.mount(full, { megabytes: 128 })
  const first = start({ SATUNOMOR_STATE: full })
  await first.serving
  expect(first.said()).toContain('112 is served')
  const person = (...words: string[]) => run(node, [join(project, 'src', 'satunomor.ts'), 'person', ...words], { env: { ...env, SATUNOMOR_STATE: full } })
  for (const name of ['Ani', 'Budi']) await person('add', name, '--role', 'desk')
  first.child.kill('SIGTERM')
  expect(await first.ended).toBe(0)

  await disk.fill()
  const city = start({ SATUNOMOR_STATE: full })
  await city.standing()
  expect(city.said()).toMatch(/ENOSPC.*\n.*Whether .*plan\.yaml or its folders were edited could not be looked at: version 1 stays live/)
  expect(city.said()).toMatch(/version 1 could not be laid out \(ENOSPC.*\): Asterisk goes on with version 1 as it is laid out already\. Make room/)
  expect(await dial(join(full, 'sounds'))).toMatch(/The line bpbd-1 answered\./)

  // The service leads calls, says what it lacks, and writes down later what it has seen.
  const ready = async () => (await fetch(`http://${at(1)}:8080/readyz`)).json()
  expect(await ready()).toMatchObject({ ready: true, warnings: [expect.stringMatching(/^the store (cannot be opened|takes nothing)/)] })
  await person('remove', 'Ani')
  expect(await readFile(join(full, 'people.json'), 'utf8')).toMatch(/^(?!.*Ani)[^]*Budi/)
  await disk.free()
  await eventually('the store is open', async () => (await ready() as { warnings: string[] }).warnings.length === 0, 30_000)
  const token = (await readFile(join(full, 'token'), 'utf8')).trim()
  const calls = await eventually('the call is on record', async () => {
    const { calls } = await (await fetch(`http://${at(1)}:8080/api/calls`, { headers: { authorization: `Bearer ${token}` } })).json() as { calls: { way: string }[] }
    return calls.length > 0 ? calls : undefined
  }, 90_000)
  expect(calls).toMatchObject([{ way: 'service' }])          // the lines rung stand in the ledger alone, which could not be written
  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
})

test.skipIf(withContainers)('a port that is taken is told at once: the API\'s keeps nobody from calling, SIP\'s stops the start', { timeout: 120_000 }, async () => {
  const other = createServer((_, answer) => answer.end()).listen(8080, at(1))     // it says 200 to anything
  await once(other, 'listening')
  const city = start({ SATUNOMOR_PHONES: 'off' })
  await city.standing()
  expect(city.said()).toMatch(/! The service: the API cannot listen on 127\.77\.9\.1:8080 \(.*EADDRINUSE.*\)\. Something else is there, .* choose another port with SATUNOMOR_HTTP_PORT\.\n/)
  expect(city.said()).toContain('112 IS SERVED BY ASTERISK ALONE, without the service (see above)')
  await eventually('it is told again', async () => city.said().split('the API cannot listen').length > 2)
  other.close()
  await eventually('the service joins it', async () => city.said().includes('the service is ready now'), 60_000)

  const second = start({ SATUNOMOR_STATE: join(state, 'second'), SATUNOMOR_PHONES: 'off' })
  expect(await second.ended).toBe(1)
  expect(second.said()).toMatch(/It did not work: Free addresses: ARI cannot listen on 127\.77\.9\.1:8088 .*\nWhat to do: Something else is there, perhaps another Satunomor/)
  expect((await fetch(`http://${at(1)}:8080/readyz`)).status).toBe(200)
  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
})

test.skipIf(withContainers)('a second start sets up nothing twice, shows no token; with a wrong plan 112 is served by the version that was live', { timeout: 120_000 }, async () => {
  const city = start({ SATUNOMOR_PHONES: 'off' })
  await city.serving
  expect(city.said()).toContain('version 1, plan')
  expect(city.said()).toContain('0 prompts made')
  expect(city.said()).not.toContain((await readFile(join(state, 'token'), 'utf8')).trim())
  city.child.kill('SIGINT')
  expect(await city.ended).toBe(0)

  const wrong = join(state, 'wrong.yaml')
  await writeFile(wrong, (await readFile(join(state, 'plan.yaml'), 'utf8')).replace('2: bpbd', '2: bpdb'))
  const kept = start({ SATUNOMOR_PLAN: wrong, SATUNOMOR_PHONES: 'off' })
  await kept.serving
  expect(kept.said()).toMatch(/    ! version 1 is live; .* has edits that are not live: npx satunomor diff, npx satunomor apply --why "…" --base 1\n/)
  expect(kept.said()).toContain('112 is served')
  kept.child.kill('SIGINT')
  expect(await kept.ended).toBe(0)
  expect(await ours()).toEqual([])

  const misset = start({ SATUNOMOR_LOG: 'loud', SATUNOMOR_PHONES: 'off' })
  await misset.standing()
  expect(misset.said()).toMatch(/SATUNOMOR_LOG is "loud"[^]*! Service plan, dialplan and prompts: .*\n    ! Asterisk goes on with what was laid out for it before\n[^]*Asterisk … /)
  expect(misset.said()).toContain('112 IS SERVED BY ASTERISK ALONE, without the service')
  misset.child.kill('SIGINT')
  expect(await misset.ended).toBe(0)
  const elsewhere = start({ SATUNOMOR_LOG: 'loud', SATUNOMOR_AMI_PORT: '5039' })                  // what was laid out is not where we look
  expect(await elsewhere.ended).toBe(1)

  const fresh = start({ SATUNOMOR_PLAN: wrong, SATUNOMOR_STATE: join(state, 'fresh') })          // nothing was live before
  expect(await fresh.ended).toBe(1)
  expect(fresh.said()).toMatch(/wrong\.yaml:\d+:\d+ menus\.utama\.keys\.2: .*did you mean "bpbd"/)
})

test.skipIf(withContainers)('on a new machine, out of a night\'s backup with a wrong edit: 112 is served by the version that was live', { timeout: 120_000 }, async () => {
  const night = join(state, 'night')
  const moved = { ...env, SATUNOMOR_PLAN: join(state, 'wrong.yaml') }
  const program = (name: string, more: NodeJS.ProcessEnv = {}) => run(node, [join(project, 'src', 'backup', `${name}.ts`), night], { env: { ...moved, ...more } })
  await program('backup')
  const fresh = { SATUNOMOR_STATE: join(state, 'moved'), SATUNOMOR_PLAN: join(state, 'wrong.yaml'), SATUNOMOR_PHONES: 'off' }
  expect((await program('restore', fresh)).stdout).toContain('Version 1 of the plan is live from the next start on')
  const city = start(fresh)
  await city.serving
  expect(city.said()).toMatch(/    ! version 1 is live; .* has edits that are not live: /)
  expect(city.said()).toContain('112 is served')
  expect((await fetch(`http://${at(1)}:8080/readyz`)).status).toBe(200)
  city.child.kill('SIGINT')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
})

test.skipIf(withContainers)('SIGTERM to npm itself stops everything, and a second start in the folder changes nothing', { timeout: 180_000 }, async () => {
  const npm = spawn('npm', ['start'], { cwd: project, env: { ...env, SATUNOMOR_PHONES: 'off', SATUNOMOR_TOKEN: 'a-token-that-asterisk-must-not-hold' }, stdio: ['ignore', 'ignore', 'pipe'] })
  started.push(npm)
  let said = ''
  npm.stderr.on('data', chunk => { said += chunk })
  await eventually('it serves', async () => said.includes('112 is served'), 90_000)

  // The token is the service's alone, and it has it from us and not in its environment.
  expect((await fetch(`http://${at(1)}:8080/api/calls`, { headers: { authorization: 'Bearer a-token-that-asterisk-must-not-hold' } })).status).toBe(200)
  for (const part of ['asterisk -f', 'src/watchdog.ts', 'src/main.ts']) expect(await readFile(`/proc/${await processOf(part)}/environ`, 'utf8')).not.toContain('must-not-hold')

  const transport = join(state, 'asterisk', 'etc', 'satunomor', 'transport.conf')
  const before = await readFile(transport, 'utf8')
  const second = start({ SATUNOMOR_SIP_ADDRESS: at(5), SATUNOMOR_HTTP_ADDRESS: at(5) })
  expect(await second.ended).toBe(1)
  expect(second.said()).toContain(`another npm start runs in ${state}`)
  expect(await readFile(transport, 'utf8')).toBe(before)

  npm.kill('SIGTERM')
  await eventually('nothing of it runs', async () => (await ours()).length === 0, 40_000)
  const log = await readFile(join(state, 'log', 'service.log'), 'utf8')
  expect(log.slice(log.lastIndexOf('"draining: '))).toContain('"the service has stopped"')
})

test.skipIf(withContainers)('when the reader of its output has gone, everything runs on, and what falls is started again', { timeout: 180_000 }, async () => {
  const city = start({ SATUNOMOR_PHONES: 'off' })
  await city.serving
  city.child.stderr!.destroy()
  const watchdog = await processOf('src/watchdog.ts')
  process.kill(watchdog, 'SIGKILL')                         // now it has something to say, to nobody
  await eventually('another watchdog runs', async () => (await processOf('src/watchdog.ts').catch(() => watchdog)) !== watchdog, 30_000)
  expect((await fetch(`http://${at(1)}:8080/readyz`)).status).toBe(200)
  city.child.kill('SIGTERM')
  expect(await city.ended).toBe(0)
  expect(await ours()).toEqual([])
})
