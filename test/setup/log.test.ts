/** Logs onto what takes nothing: a full disk (/dev/full), a pipe that nobody reads. What is logged may be lost; nothing else may. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { stirs } from '../../setup/alive.mjs'
import { Child } from '../../setup/children.mjs'
import { node, nodeEnv } from '../../setup/packages.mjs'
import { project } from '../../setup/project.mjs'
import { openLog } from '../../src/log.ts'
import { places } from '../../src/settings.ts'
import { FakeAmi } from '../asterisk/fake-ami.ts'
import { eventually } from '../parts/city.ts'

let folder: string
const started: Child[] = []
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'satunomor-log-')) })
afterEach(async () => {
  for (const child of started.splice(0)) {
    child.process.kill('SIGCONT')
    await child.stop()
  }
  await rm(folder, { recursive: true })
})

function run(args: string[], { output, errors = 'ignore', env = {} }: { output: string, errors?: number | 'ignore', env?: Record<string, string> }): Child {
  const fd = openSync(output, 'a')
  const child = new Child(args.at(-1)!, [node, args], { output: fd, errors, cwd: project, env: { ...nodeEnv, ...env } })
  closeSync(fd)
  started.push(child)
  return child
}

/** A program that logs and beats like the service; what it says of itself is in the file `said`. */
async function beating(output: string, ending = '') {
  const errors = openSync(join(folder, 'said'), 'w')
  await writeFile(join(folder, 'beating.ts'), `
    import { openLog } from '${project}/src/log.ts'
    const { log, written } = openLog('info')
    let beats = 0
    setInterval(() => { for (let n = 0; n < 50; n++) log.info({ beats }, 'a call goes on'); process.stderr.write(\`beat \${++beats}\\n\`) }, 20)
    process.once('SIGTERM', async () => { log.info('the end'); await written(); process.exit(0) })
    ${ending}`)
  const child = run([join(folder, 'beating.ts')], { output, errors })
  closeSync(errors)
  return { child, beats: () => readFileSync(join(folder, 'said'), 'utf8').match(/^beat/gm)?.length ?? 0, said: () => readFileSync(join(folder, 'said'), 'utf8') }
}

test('on a full disk the beats go on, and an ordinary end ends', async () => {
  const { child, beats } = await beating('/dev/full')
  await eventually('beats', async () => beats() > 50)
  const asked = performance.now()
  await child.stop()
  expect(child.exit).toEqual({ code: 0, signal: null })
  expect(performance.now() - asked).toBeLessThan(1_500)
})

test('on a full disk a fault ends the program, as ever', async () => {
  const { child, said } = await beating('/dev/full', 'setTimeout(() => { throw new Error("a fault") }, 300)')
  await child.ended
  expect(child.exit).toEqual({ code: 1, signal: null })
  expect(said()).toContain('Error: a fault')
})

test('in a file are all lines, in order, also the last before a fault', async () => {
  const file = join(folder, 'log')
  const { child } = await beating(file, `setTimeout(() => { for (let n = 0; n < 500; n++) log.info({ n }, 'quickly'); throw new Error('a fault') }, 100)`)
  await child.ended
  const lines = readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line) as { msg: string, n: number })
  expect(lines.filter(({ msg }) => msg === 'quickly').map(({ n }) => n)).toEqual(Array.from({ length: 500 }, (_, n) => n))
})

test('the last lines before a fault come after those that another thread still writes', async () => {
  const file = join(folder, 'log')
  // The one thread of the pool has something else to do for a moment: our first write waits behind it.
  await writeFile(join(folder, 'breaking.ts'), `
    import { pbkdf2 } from 'node:crypto'
    import { openLog } from '${project}/src/log.ts'
    const { log } = openLog('info')
    pbkdf2('', '', 300_000, 64, 'sha512', () => {})
    log.info('first')
    log.info('second')
    throw new Error('a fault')`)
  await run([join(folder, 'breaking.ts')], { output: file, env: { UV_THREADPOOL_SIZE: '1' } }).ended
  expect(readFileSync(file, 'utf8').trim().split('\n').map(line => (JSON.parse(line) as { msg: string }).msg)).toEqual(['first', 'second'])
})

test('the watchdog with a full disk under its log acts on a frozen service, shows that it lives, and ends', async () => {
  await using ami = await FakeAmi.open()
  ami.does = ({ Action, ActionID }) => {
    if (Action === 'Getvar') return ['Response: Success', 'Variable: SN_BEAT', 'Value: 1700000000']
    if (Action !== 'CoreShowChannels') return ['Response: Success']
    setTimeout(() => {
      ami.says('Event: CoreShowChannel', `ActionID: ${ActionID}`, 'Channel: PJSIP/carrier-1', 'Application: Stasis', 'ApplicationData: satunomor,inbound,utama', 'Linkedid: x')
      ami.says('Event: CoreShowChannelsComplete', `ActionID: ${ActionID}`, 'EventList: Complete')
    }, 5)
    return ['Response: Success', 'EventList: start']
  }
  await writeFile(places(folder).secrets, JSON.stringify({ watchdog: 'secret' }))
  const socket = join(folder, 'watchdog.sock')
  const env = { SATUNOMOR_STATE: folder, SATUNOMOR_SIP_ADDRESS: '127.0.0.1', SATUNOMOR_AMI_PORT: String(ami.port), SATUNOMOR_LOG: 'info', SATUNOMOR_WATCHDOG_SOCKET: socket }
  const child = run(['src/watchdog.ts'], { output: '/dev/full', env })
  // Twice, and each time a line of the log is in its way.
  await eventually('it sends the caller to the fallback', async () => ami.actions.filter(({ Action }) => Action === 'Redirect').length >= 2, 15_000)
  expect(await stirs({ path: socket })).toBe(true)
  child.process.kill('SIGSTOP')
  expect(await stirs({ path: socket })).toBe(false)
  child.process.kill('SIGCONT')
  expect(await stirs({ path: socket })).toBe(true)
  await child.stop()
  expect(child.exit).toEqual({ code: 0, signal: null })
})

test('what waits is bounded; when lines can be written again they are whole, and it is said once how many are lost', async () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(pipe, constants.O_WRONLY)
  const { log, written } = openLog('info', writer)
  const lines = 20_000
  for (let n = 0; n < lines; n++) log.info({ n, filler: 'x'.repeat(100) }, 'a line')
  // Once the pipe is full nobody waits for who does not read: a wait for what could be written would be over after a second.
  for (let took = Infinity; took >= 500;) {
    const before = performance.now()
    await written()
    took = performance.now() - before
  }

  let text = ''
  const buffer = Buffer.alloc(256 * 1024)
  const drain = () => { try { for (let size = 1; size > 0;) text += buffer.toString('latin1', 0, size = readSync(reader, buffer)) } catch { /* empty for now */ } }
  await eventually('it says so', async () => { drain(); return text.includes('can be written again') })
  log.info('as ever')
  await eventually('the next line', async () => { drain(); return text.includes('as ever') })
  const told = text.trim().split('\n').map(line => JSON.parse(line) as { n?: number, lost?: number, msg: string })
  const kept = told.flatMap(({ n }) => n === undefined ? [] : [n])
  expect(kept).toEqual(kept.map((_, at) => at))                          // the first ones, without a gap
  expect(kept.length).toBeGreaterThan(1000)
  expect(kept.length).toBeLessThan(10_000)
  expect(told.filter(({ msg }) => msg.includes('again')).map(({ lost }) => lost)).toEqual([lines - kept.length])
  for (const fd of [reader, writer]) closeSync(fd)
})
