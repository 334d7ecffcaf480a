// `npm start`: sets up what is missing, then runs Asterisk, Redis, the demo's telephones and the service in the
// foreground, starts again what falls and what no longer answers, and stops everything on Ctrl-C or SIGTERM.
// Calls need Asterisk alone: it is first, and whatever else cannot be started is told, and tried again beside it.
// `npx satunomor restart` has it start the service anew, or everything (docs/operations.md, "Restart").
import { faultsAtStart, ownEnvironment, readAgain } from './settings-file.mjs'
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { connect } from 'node:net'
import { createSocket } from 'node:dgram'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { killWhenFrozen, stirs } from './alive.mjs'
import { Child, until, withFewRights, withoutRights } from './children.mjs'
import { complaint } from './complaints.mjs'
import { controlAddress } from './control-address.mjs'
import { layOutPlan } from './lay-out.mjs'
import { takeOrders } from './orders.mjs'
import { ownCode } from './own-code.mjs'
import { installPackages, node, nodeEnv, program } from './packages.mjs'
import { asterisk, redis } from './parts.mjs'
import { project, state } from './project.mjs'
import { fewOpenFiles } from './open-files.mjs'
import { inRoot, makeRoot, root, usersOfOurOwn } from './root.mjs'
import { holdFolder } from './hold-folder.mjs'
import { whyOff } from '../demo/wanted.mjs'
import { addresses, environment, secrets, telephones } from './environment.mjs'
import { keepShort } from './short-log.mjs'
import { step, StepFailed, steps } from './steps.mjs'

// Asterisk, under a user of its own, reads the prompts that root's umask might close to it. The state folder itself is closed.
process.umask(0o022)

const env = process.env
/** The one address that a restart may change. */
const httpNow = () => ({ host: env['SATUNOMOR_HTTP_ADDRESS'] || '127.0.0.1', port: Number(env['SATUNOMOR_HTTP_PORT'] || 8080) })
let http = httpNow()
const sip = { host: env['SATUNOMOR_SIP_ADDRESS'] || '127.0.0.1', port: Number(env['SATUNOMOR_SIP_PORT'] || 5060) }
const ari = { host: controlAddress(sip.host), port: Number(env['SATUNOMOR_ARI_PORT'] || 8088) }
const ami = { host: ari.host, port: Number(env['SATUNOMOR_AMI_PORT'] || 5038) }
const redisPort = Number(env['SATUNOMOR_REDIS_PORT'] || 6389)
const asteriskFolder = join(state, 'asterisk')
const messagesFile = join(asteriskFolder, 'log', 'messages.log')
const sounds = join(state, 'sounds')
const watchdogSocket = join(state, 'watchdog.sock')
const serviceSocket = join(state, 'service.sock')

/** @type {Map<Part, Child>} */
const running = new Map()
/** What was told not to run, or not to be ready. @type {Set<Part>} */
const amiss = new Set()
/** What is to be said of them once the steps of the start, each a line, have been said. @type {string[] | undefined} */
let toSay = []
const stopping = new AbortController()
const stopped = new Promise(resolve => stopping.signal.addEventListener('abort', () => resolve(undefined), { once: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopping.abort())
const code = ownCode()
/** How these are run: a restart may bring another Node, at another place. */
let programs = { service: program('src/main.ts'), watchdog: program('src/watchdog.ts') }
/** What runs us, and runs us anew. */
let ownNode = process.execPath
/** What is to be started anew now, and who waits for it. @type {Map<Part, (failed: Error | undefined) => void>} */
const renewals = new Map()
/** Ends the pause before a part is tried again. @type {Map<Part, () => void>} */
const hurry = new Map()
/** Resolves with what the welcome says first, once all that can be started has been. @type {(served: string) => void} */
let begun = () => {}
const standing = new Promise(resolve => { begun = resolve })
let restarting = false
/** Everything is to be started anew, this program too. @type {'now' | 'no call is left' | undefined} */
let again
// At a terminal SIGHUP says that the terminal has gone. From a process manager, which has none, it means a restart of what can be restarted without a call noticing.
const atTerminal = [process.stdin, process.stdout, process.stderr].some(stream => stream.isTTY)
process.on('SIGHUP', () => {
  if (atTerminal) stopping.abort()
  else void restart({ do: 'restart' }, say, new AbortController().signal).catch(error => say(sentence(error)))
})
// The reader of our output may go (`npm start | tee log`), and a fault in one part must not end the others: 112 goes on.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {})
process.on('uncaughtException', error => {
  say(`npm start had a fault of its own: ${error.stack}`)
  if (stopping.signal.aborted) process.exitCode = 1          // everything else is stopped: a process manager must see that it failed
})
if (env['npm_lifecycle_event'] === 'start') stopWithParent()

/** A process manager sends SIGTERM to npm, and npm ends without passing it on. When our parent has gone, we stop as on SIGTERM. */
function stopWithParent() {
  const parent = process.ppid
  const look = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(look)
    stopping.abort()
  }, 250)
  look.unref()
}

/** Lets another `npm start` have the state folder. @type {() => Promise<void>} */
let letGo = async () => {}
/** @type {{ close: () => void } | undefined} */
let orders

async function setUp() {
  mkdirSync(join(state, 'log'), { recursive: true })
  chmodSync(state, statSync(state).mode & 0o770)          // callers' numbers, passwords: nobody else looks in
  for (const fault of faultsAtStart) process.stderr.write(`    ! ${fault} It counts for nothing.\n`)
  letGo = await holdFolder(state, stopping.signal)
  orders = takeOrders(state, carryOut, error => say(`npx satunomor restart cannot reach this npm start (${error.message}). SIGHUP restarts the service, too.`))
  await installPackages()
  await makeRoot()
  await usersOfOurOwn()
  const warnings = await layOutPlan().catch(error => {
    if (!laidOutBefore()) throw error
    return [sentence(error), 'Asterisk goes on with what was laid out for it before']
  })
  for (const warning of [...warnings, fewOpenFiles() ?? []].flat()) process.stderr.write(`    ! ${warning}\n`)
}

/** Whether Asterisk has all that it reads, and would listen where we look for it. */
function laidOutBefore() {
  const etc = join(asteriskFolder, 'etc')
  try {
    return existsSync(join(etc, 'asterisk.conf')) && existsSync(join(etc, 'plan', 'current', 'extensions.conf')) &&
      readFileSync(join(etc, 'satunomor', 'manager.conf'), 'utf8').startsWith(`bindaddr = ${ami.host}\nport = ${ami.port}\n`)
  } catch {
    return false
  }
}

async function start() {
  await step('Free addresses', 'a moment', async () => {
    await freeTcp(ari, 'ARI', 'SATUNOMOR_ARI_PORT')
    await freeTcp(ami, 'AMI', 'SATUNOMOR_AMI_PORT')
    await freeUdp(sip, 'SIP', 'SATUNOMOR_SIP_PORT')
  })
  phonesOff = whyOff(env['SATUNOMOR_PHONES'], sounds)
  if (phonesOff !== undefined) parts = parts.filter(part => part !== phonesPart)
  const before = messages().length
  for (const part of parts) {
    if (stopping.signal.aborted) return
    try {
      await step(part.name.replace(/^./, first => first.toUpperCase()), 'a few seconds', () => launch(part))
    } catch (error) {
      if (part === asteriskPart && !lives(part)) throw error
      process.stderr.write(`    ! ${sentence(error)}\n    ! ${part === asteriskPart ? 'It is waited for' : 'Calls go on without it, and it is tried again'}\n`)
    }
    void keepRunning(part)
  }
  keepLogsShort()
  tellComplaints(before)          // it has loaded everything by now: the service waits for that
}

/** What Asterisk does not understand of its settings counts for nothing, and nothing else would say so. @param {number} before what its log held */
function tellComplaints(before) {
  const lines = messages().slice(before).split('\n').filter(line => complaint.test(line))
  for (const line of lines.slice(0, 10)) process.stderr.write(`    ! Asterisk does not understand a setting: ${line}\n`)
  if (lines.length > 10) process.stderr.write(`    ! and ${lines.length - 10} more lines: ${messagesFile}\n`)
  if (lines.length > 0) process.stderr.write('    ! Mend asterisk-config/ (npx satunomor validate), and start again\n')
}

/** Asterisk's two logs: each datagram that is no SIP is a line in both. */
function keepLogsShort() {
  const look = setInterval(() => {
    for (const file of [messagesFile, join(state, 'log', asteriskPart.log)]) {
      void keepShort(file).catch(error => say(`${file} could not be kept short: ${error.message}`))
    }
  }, 10_000)
  look.unref()
}

/** Asterisk's own log. */
function messages() {
  try {
    return readFileSync(messagesFile, 'latin1')
  } catch {
    return ''
  }
}

/**
 * `reads`: the variables of our environment that it gets. `free` throws where somebody else has its address. `alive`: whether it answers, which is not whether it is ready; after
 * `patience` ms without it is killed and started again.
 * @typedef {{ name: string, command: () => [string, string[]], log: string, reads?: string[] | 'all', env?: NodeJS.ProcessEnv, free?: () => Promise<unknown>,
 *   ready: () => Promise<boolean>, alive?: () => Promise<boolean>, patience?: number }} Part
 */

/** @type {Part} */
const redisPart = {
  name: 'Redis', log: 'redis.log',
  command: () => inRoot(redis({ folder: join(state, 'redis'), address: '127.0.0.1', port: redisPort, password: redisPassword() })),
  free: () => freeTcp({ host: '127.0.0.1', port: redisPort }, 'Redis', 'SATUNOMOR_REDIS_PORT'),
  ready: async () => await redisSays() === '+PONG',
  alive: async () => /^(\+|-(?!NOAUTH|WRONGPASS))/.test(await redisSays()), patience: 30_000
}
/** @type {Part} */
const asteriskPart = {
  name: 'Asterisk', log: 'asterisk.log',
  command: () => inRoot(asterisk({ folder: asteriskFolder, sounds })),
  ready: () => answers(ami),
  alive: () => stirs(ami), patience: 30_000
}
/** @type {Part} */
const phonesPart = {
  name: 'the demo\'s telephones', log: 'telephones.log',
  command: () => withoutRights([node, [join(project, 'demo', 'telephones.ts')]]),
  reads: telephones, env: { ...nodeEnv, SATUNOMOR_SOUNDS: sounds, SATUNOMOR_PHONES: 'on' },
  ready: async () => true
}
/** @type {Part} */
const watchdogPart = {
  name: 'the watchdog', log: 'watchdog.log',
  command: () => withoutRights(programs.watchdog),
  reads: addresses, env: { ...nodeEnv, NODE_ENV: 'production', SATUNOMOR_WATCHDOG_SOCKET: watchdogSocket },
  ready: async () => true,
  alive: async () => !existsSync(watchdogSocket) || await stirs({ path: watchdogSocket }), patience: 15_000          // none: it could not be made
}
/** @type {Part} */
const servicePart = {
  name: 'the service', log: 'service.log',
  command: () => withFewRights(programs.service),
  reads: 'all', env: { ...nodeEnv, NODE_ENV: 'production', SATUNOMOR_TOOLS: 'root' },
  free: () => freeTcp(http, 'the API', 'SATUNOMOR_HTTP_PORT'),
  ready: () => says200('/readyz'),
  // Not over HTTP, where strangers may stand in the way; only while there is no socket, at its start and where none could be made.
  alive: () => existsSync(serviceSocket) ? stirs({ path: serviceSocket }) : says200('/healthz'), patience: 15_000
}

/** In the order in which they are started. They are stopped the other way round: the service drains while everything else still runs. */
let parts = [asteriskPart, ...env['REDIS_URL'] ? [] : [redisPart], phonesPart, watchdogPart, servicePart]
/** Why the demo's telephones are off. @type {string | undefined} */
let phonesOff

/** @param {Part} part */
const lives = part => { const child = running.get(part); return child !== undefined && child.exit === undefined }

/** Starts a part, and waits until it is ready; throws when it is not. One that lives then may be so later: it is told. @param {Part} part */
async function launch(part) {
  running.delete(part)
  try {
    await part.free?.()
    if (stopping.signal.aborted) return
    const child = spawned(part)
    running.set(part, child)
    await Promise.race([stopped, until(child, part.ready)]).finally(() => {
      if (part.alive) void killWhenFrozen(child, part.alive, part.patience ?? 30_000, stopping.signal)
    })
    if (amiss.delete(part)) say(`${part.name} is ready now`)
  } catch (error) {
    amiss.add(part)
    if (lives(part)) void tellWhenReady(part)
    throw error instanceof StepFailed ? error : new StepFailed(/** @type {Error} */ (error).message, `Read ${join(state, 'log', part.log)}.`)
  }
}

/** @param {Part} part */
function spawned(part) {
  const output = logOf(part)
  const errors = part === servicePart ? 'inherit' : output        // it shows the token that it made, once
  try {
    return new Child(part.name, part.command(), { output, errors, cwd: project, only: true, env: { ...environment(part.reads), ...part.env }, ...part.reads === 'all' ? { secrets: secrets() } : {} })
  } finally {
    if (output !== 'ignore') closeSync(output)
  }
}

/** A full disk may have no room for a log that is not there yet; its part runs without. @param {Part} part */
function logOf({ log }) {
  try {
    return openSync(join(state, 'log', log), 'a', 0o640)
  } catch {
    return 'ignore'
  }
}

/** @param {Part} part */
async function tellWhenReady(part) {
  const child = running.get(part)
  while (lives(part) && running.get(part) === child && !stopping.signal.aborted) {
    if (await part.ready().catch(() => false)) {
      if (amiss.delete(part)) say(`${part.name} is ready now`)
      return
    }
    await Promise.race([stopped, new Promise(resolve => setTimeout(resolve, 2_000))])
  }
}

function welcome() {
  if (stopping.signal.aborted) return
  const served = amiss.has(asteriskPart) ? '112 IS NOT SERVED YET' : amiss.has(servicePart) ? '112 IS SERVED BY ASTERISK ALONE' : '112 is served'
  const without = amiss.size > 0 ? `, without ${[...amiss].map(({ name }) => name).join(', ')} (see above)` : ''
  process.stderr.write(`
${served}${without}. Dial it:   npm run call -- --press 2        (another terminal)
                or with a softphone: README.md, "Dial in yourself"
The API:                  http://${http.host}:${http.port}/docs
The agencies' telephones: ${phonesOff === undefined ? 'the demo\'s, answer by themselves (SATUNOMOR_PHONES=off leaves them off)' : `the demo's are off (${phonesOff})`}
Logs:                     ${join(state, 'log')}
Ctrl-C stops everything.
`)
  if (existsSync(join(state, 'held.json'))) process.stderr.write('! A backup was restored: callbacks, messages and webhooks are held. If this machine serves the city: npx satunomor go-live\n')
  begun(`${served}${without}`)
}

/** Starts a part again when it has ended or could not be started: at once at first, then ever more slowly; one that falls again and again holds up no other. @param {Part} part */
async function keepRunning(part) {
  let falls = 0
  for (;;) {
    const child = running.get(part)
    const since = performance.now()
    await Promise.race([stopped, child?.ended])
    if (stopping.signal.aborted) return
    if (!renewals.has(part)) {
      falls = performance.now() - since > 60_000 ? 1 : falls + 1
      const wait = Math.min(30_000, falls === 1 ? 0 : 250 * 2 ** falls)
      const what = child ? `ended (${child.exit?.signal ?? `code ${child.exit?.code}`}); it` : 'does not run; it'
      say(`${part.name} ${what} is started again${wait ? ` in ${wait / 1000} s` : ''}`)
      await Promise.race([stopped, new Promise(resolve => { hurry.set(part, () => resolve(undefined)); setTimeout(resolve, wait) })])
      if (stopping.signal.aborted) return
    }
    const renewed = renewals.get(part)
    renewals.delete(part)
    if (renewed) falls = 0
    const failed = await launch(part).then(() => undefined, error => error)
    if (failed) say(sentence(failed))
    renewed?.(failed)
  }
}

/** Has a part end as it does at a stop, and start anew. Resolves when it is ready. @param {Part} part @returns {Promise<void>} */
async function renew(part) {
  const renewed = new Promise((resolve, reject) => renewals.set(part, failed => failed ? reject(failed) : resolve(undefined)))
  const ended = running.get(part)?.stop()
  hurry.get(part)?.()
  await ended
  await Promise.race([stopped, renewed])
}

/** @param {import('./orders.mjs').Order} order @param {(line: string) => void} tell @param {AbortSignal} gone @returns {Promise<number>} */
async function carryOut(order, tell, gone) {
  if (order.do === 'restart') return restart(order, line => { tell(line); say(line) }, gone)
  const served = await Promise.race([standing, stopped])
  tell(served ?? 'it stops')
  return served === '112 is served' ? 0 : 1
}

/**
 * Starts the service and the watchdog anew, with the code and the settings as they are now, or everything. What can fail, fails before anything is stopped.
 * @param {Extract<import('./orders.mjs').Order, { do: 'restart' }>} order @param {(line: string) => void} tell
 * @param {AbortSignal} gone whoever waits for calls to end no longer does @returns {Promise<number>}
 */
async function restart({ asterisk = false, now = false }, tell, gone) {
  if (restarting) throw new StepFailed('another restart is under way', 'Wait until it is done.')
  restarting = true
  try {
    await Promise.race([standing, stopped])
    if (asterisk) {
      if (!await madeReady(tell, ownEnvironment, ['--whole'])) return 1
      if (!now && !await noCallIsLeft(tell, gone)) return 1
      tell('everything stops, and starts again')
      again = now ? 'now' : 'no call is left'
      orders?.close()                                     // who asks from here on is for the next one
      stopping.abort()
      return 0
    }
    const { changed, waiting, masked, undo } = readAgain()
    for (const name of masked) tell(`! ${name} is set in the environment of npm start, too: the file's value does not count`)
    if (waiting.length > 0) tell(`! ${waiting.join(', ')}: as before, until npx satunomor restart --asterisk`)
    if (changed.length > 0) tell(`changed settings: ${changed.join(', ')}`)
    if (!await madeReady(tell, env)) {
      undo()
      return 1
    }
    http = httpNow()
    for (const part of [servicePart, watchdogPart]) {
      tell(`${part.name} is started anew${part === servicePart ? ': talks go on, new callers get the menu from Asterisk, calls in a menu are led to their choice' : ''}`)
      await renew(part)
    }
    if (stopping.signal.aborted) return 1
    tell('the service is ready: a call made now is served by it')
    return 0
  } catch (error) {
    tell(sentence(error))
    return 1
  } finally {
    restarting = false
  }
}

/**
 * What a restart needs, made by the new code: packages, Asterisk's root, the rendered plan. Says whether it is there; if not, nothing has been stopped.
 * @param {(line: string) => void} tell @param {NodeJS.ProcessEnv} environment @param {string[]} [how]
 */
async function madeReady(tell, environment, how = []) {
  const child = spawn(ownNode, [join(project, 'setup', 'ready.mjs'), ...how], { cwd: project, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise(resolve => child.on('close', resolve).on('error', error => { tell(error.message); resolve(1) }))
  let made = ''
  child.stdout.on('data', text => { made += text })
  createInterface({ input: child.stderr }).on('line', line => { if (line.trim() !== '') tell(line) })
  if (await ended !== 0) {
    tell('nothing was stopped: everything runs on as it did')
    return false
  }
  const next = JSON.parse(made)
  programs = { service: next.service, watchdog: next.watchdog }
  if (!existsSync(ownNode)) ownNode = next.node
  if (how.length === 0 && next.root !== root) tell('! another Asterisk is installed, and the old one runs on until npx satunomor restart --asterisk')
  if (how.length === 0 && next.ownCode !== code) tell('! npm start itself has changed (setup/), and the old one runs on until npx satunomor restart --asterisk')
  return true
}

/** Waits until Asterisk has no call. Says whether that came about. @param {(line: string) => void} tell @param {AbortSignal} gone */
async function noCallIsLeft(tell, gone) {
  let told
  while (lives(asteriskPart)) {
    const calls = await channels().catch(error => { throw new StepFailed(`Asterisk does not say which calls there are (${error.message})`, 'With --now it is restarted all the same, and ends those that there are.') })
    if (calls === 0) return true
    if (calls !== told) tell(`${calls} channel${calls === 1 ? '' : 's'} of calls: it waits until none is left (Ctrl-C: nothing is restarted; --now ends them)`)
    told = calls
    await Promise.race([stopped, new Promise(resolve => setTimeout(resolve, 200))])
    if (gone.aborted || stopping.signal.aborted) return false
  }
  return true
}

/** How many channels Asterisk has. */
async function channels() {
  const { ari: password } = JSON.parse(readFileSync(join(state, 'secrets.json'), 'utf8'))
  const response = await fetch(`http://${ari.host}:${ari.port}/ari/channels`, { headers: { authorization: `Basic ${btoa(`satunomor:${password}`)}` }, signal: AbortSignal.timeout(5_000) })
  if (!response.ok) throw new Error(`ARI says ${response.status}`)
  const all = /** @type {{ name: string }[]} */ (await response.json())
  return all.filter(({ name }) => name !== 'Message/ast_msg_queue').length
}

/** This program, anew, in our place: where Node can do that, as the same process. */
function becomeNew() {
  const args = [...process.execArgv, ...process.argv.slice(1)]
  const execve = /** @type {{ execve?: (file: string, args: string[], env: NodeJS.ProcessEnv) => void }} */ (process).execve
  if (execve) execve.call(process, ownNode, [ownNode, ...args], ownEnvironment)
  const child = spawn(ownNode, args, { stdio: 'inherit', env: ownEnvironment })
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.removeAllListeners(signal)
    process.on(signal, () => child.kill(signal))
  }
  child.on('exit', (code, signal) => process.exit(signal ? 1 : code ?? 1))
}

/** @param {string} line */
function say(line) {
  if (toSay) toSay.push(line)
  else process.stderr.write(`${line}\n`)
}

function sayAll() {
  for (const line of toSay ?? []) process.stderr.write(`${line}\n`)
  toSay = undefined
}

/** @param {any} error */
const sentence = error => `${error.message}. ${error.advice ?? ''}`.trim()

async function stop() {
  if (running.size > 0 && again !== 'no call is left') process.stderr.write('Stopping: calls that are being decided are led to their choice first\n')
  // Where no call is left, Asterisk takes no new one: it would only be cut off later.
  const order = again === 'no call is left' ? [asteriskPart, ...parts.filter(part => part !== asteriskPart).reverse()] : [...parts].reverse()
  for (const part of order) await running.get(part)?.stop()
}

/** @param {string} path */
async function says200(path) {
  return (await fetch(`http://${http.host.includes(':') ? `[${http.host}]` : http.host}:${http.port}${path}`, { signal: AbortSignal.timeout(3_000) })).ok
}

/** @param {{ host: string, port: number }} address */
function answers({ host, port }) {
  return new Promise(resolve => {
    const socket = connect({ host, port }, () => { socket.destroy(); resolve(true) })
    socket.on('error', () => resolve(false))
  })
}

/** What the set-up made. Throws where it could not: Redis never runs without a password. @returns {string} */
function redisPassword() {
  const file = join(state, 'secrets.json')
  try {
    const { redis } = JSON.parse(readFileSync(file, 'utf8'))
    if (redis) return redis
  } catch (error) {
    throw new StepFailed(`the password of Redis cannot be read (${/** @type {Error} */ (error).message})`, 'Do what the step "Service plan, dialplan and prompts" says, and start again.')
  }
  throw new StepFailed(`${file} has no password of Redis`, 'Do what the step "Service plan, dialplan and prompts" says, and start again.')
}

/** What our own Redis answers to a PING after the password: "+PONG", or e.g. "-LOADING…" while it reads its data; nothing where it does not. @returns {Promise<string>} */
async function redisSays() {
  const password = redisPassword()
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port: redisPort }, () => { socket.write(`AUTH ${password}\r\nPING\r\n`) })
    let said = ''
    socket.setTimeout(3_000, () => socket.destroy())
    socket.on('data', answer => {
      said += answer
      const [, second] = said.split('\r\n')
      if (second) { resolve(second); socket.destroy() }
    })
    socket.on('error', () => resolve(''))
    socket.on('close', () => resolve(''))
  })
}

/** @param {{ host: string, port: number }} address @param {string} what @param {string} variable */
function freeTcp(address, what, variable) {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', error => reject(taken(address, what, variable, error)))
    server.listen(address, () => server.close(resolve))
  })
}

/** @param {{ host: string, port: number }} address @param {string} what @param {string} variable */
function freeUdp(address, what, variable) {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4').on('error', error => reject(taken(address, what, variable, error)))
    socket.bind(address.port, address.host, () => socket.close(() => resolve(undefined)))
  })
}

/** @param {{ host: string, port: number }} address @param {string} what @param {string} variable @param {Error} error */
const taken = ({ host, port }, what, variable, error) => new StepFailed(
  `${what} cannot listen on ${host}:${port} (${error.message})`,
  `Something else is there, perhaps another Satunomor: end it, or choose another port with ${variable}.`)

await steps(async () => {
  process.stderr.write('Satunomor\n')
  try {
    await setUp()
    await start()
    welcome()
    sayAll()
    await stopped
  } finally {
    stopping.abort()
    sayAll()
    await stop()
    orders?.close()
    await letGo()
  }
})
if (again) becomeNew()
