// `npm start`: sets up what is missing, then runs Redis, Asterisk, the demo's telephones and the service in the
// foreground, starts again what falls and what no longer answers, and stops everything on Ctrl-C or SIGTERM.
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { createServer } from 'node:net'
import { connect } from 'node:net'
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import { killWhenFrozen, stirs } from './alive.mjs'
import { Child, dyingWithUs, until } from './children.mjs'
import { installPackages, node, nodeEnv, program } from './packages.mjs'
import { asterisk, asteriskFolders, redis } from './parts.mjs'
import { project, state } from './project.mjs'
import { inRoot, makeRoot } from './root.mjs'
import { run, step, StepFailed, steps } from './steps.mjs'

const env = process.env
const http = { host: env['SATUNOMOR_HTTP_ADDRESS'] ?? '127.0.0.1', port: Number(env['SATUNOMOR_HTTP_PORT'] ?? 8080) }
const sip = { host: env['SATUNOMOR_SIP_ADDRESS'] ?? '127.0.0.1', port: Number(env['SATUNOMOR_SIP_PORT'] ?? 5060) }
const ariPort = Number(env['SATUNOMOR_ARI_PORT'] ?? 8088)
const amiPort = Number(env['SATUNOMOR_AMI_PORT'] ?? 5038)
const redisPort = Number(env['SATUNOMOR_REDIS_PORT'] ?? 6389)
const phones = env['SATUNOMOR_PHONES'] !== 'off'
const asteriskFolder = join(state, 'asterisk')
const sounds = join(state, 'sounds')
const watchdogSocket = join(state, 'watchdog.sock')

/** What runs, in the order in which it was started at first: a part keeps its place when it is started again. @type {Map<Part, Child>} */
const running = new Map()
const stopping = new AbortController()
process.on('SIGINT', () => stopping.abort())
process.on('SIGTERM', () => stopping.abort())
process.on('SIGHUP', () => stopping.abort())

async function setUp() {
  mkdirSync(join(state, 'log'), { recursive: true })
  await installPackages()
  await makeRoot()
  const owner = asteriskFolders(asteriskFolder)
  /** @type {string[]} */
  const warnings = []
  await step('Service plan, dialplan and prompts', 'half a minute the first time', () =>
    run(node, [join(project, 'src', 'prepare.ts')], {
      env: { ...nodeEnv, SATUNOMOR_TOOLS: 'root', SATUNOMOR_ASTERISK_USER: `${owner.uid}:${owner.gid}` },
      advice: 'Mend what the lines above name (file:line:column); nothing of it went live.'
    }).then(said => {
      const lines = said.trim().split('\n')
      warnings.push(...lines.slice(0, -1))
      return lines.at(-1) ?? ''
    }))
  for (const warning of warnings) process.stderr.write(`    ! ${warning}\n`)
}

async function start() {
  await step('Free addresses', 'a moment', async () => {
    await freeTcp(http, 'the API', 'SATUNOMOR_HTTP_PORT')
    await freeTcp({ host: sip.host, port: ariPort }, 'ARI', 'SATUNOMOR_ARI_PORT')
    await freeTcp({ host: sip.host, port: amiPort }, 'AMI', 'SATUNOMOR_AMI_PORT')
    if (!env['REDIS_URL']) await freeTcp({ host: '127.0.0.1', port: redisPort }, 'Redis', 'SATUNOMOR_REDIS_PORT')
    await freeUdp(sip, 'SIP', 'SATUNOMOR_SIP_PORT')
  })
  if (!env['REDIS_URL']) await step('Redis', 'a moment', async () => { await launch(redisPart) })
  await step('Asterisk', 'a few seconds', async () => { await launch(asteriskPart) })
  if (phones) await step('The demo\'s telephones', 'a moment', async () => { await launch(phonesPart) })
  await step('The watchdog', 'a moment', async () => { await launch(watchdogPart) })
  await step('The service', 'a few seconds', async () => { await launch(servicePart) })
}

/**
 * `alive`: whether it answers, which is not whether it is ready; after `patience` ms without it is killed and started again.
 * @typedef {{ name: string, command: () => [string, string[]], log: string, env?: NodeJS.ProcessEnv, ready: () => Promise<boolean>,
 *   alive?: () => Promise<boolean>, patience?: number }} Part
 */

/** @type {Part} */
const redisPart = {
  name: 'Redis', log: 'redis.log',
  command: () => inRoot(redis({ folder: join(state, 'redis'), address: '127.0.0.1', port: redisPort })),
  ready: () => answers({ host: '127.0.0.1', port: redisPort }),
  alive: () => stirs({ host: '127.0.0.1', port: redisPort }, 'PING\r\n'), patience: 30_000
}
/** @type {Part} */
const asteriskPart = {
  name: 'Asterisk', log: 'asterisk.log',
  command: () => inRoot(asterisk({ folder: asteriskFolder, sounds })),
  ready: () => answers({ host: sip.host, port: amiPort }),
  alive: () => stirs({ host: sip.host, port: amiPort }), patience: 30_000
}
/** @type {Part} */
const phonesPart = {
  name: 'the demo\'s telephones', log: 'telephones.log',
  command: () => dyingWithUs([node, [join(project, 'demo', 'telephones.ts')]]),
  env: { ...nodeEnv, SATUNOMOR_SOUNDS: sounds },
  ready: async () => true
}
/** @type {Part} */
const watchdogPart = {
  name: 'the watchdog', log: 'watchdog.log',
  command: () => dyingWithUs(program('src/watchdog.ts')),
  env: { ...nodeEnv, NODE_ENV: 'production', SATUNOMOR_WATCHDOG_SOCKET: watchdogSocket },
  ready: async () => true,
  alive: async () => !existsSync(watchdogSocket) || await stirs({ path: watchdogSocket }), patience: 15_000          // none: it could not be made
}
/** @type {Part} */
const servicePart = {
  name: 'the service', log: 'service.log',
  command: () => dyingWithUs(program('src/main.ts')),
  env: { ...nodeEnv, REDIS_URL: env['REDIS_URL'] ?? `redis://127.0.0.1:${redisPort}`, NODE_ENV: 'production', SATUNOMOR_TOOLS: 'root' },
  ready: () => says200('/readyz'),
  alive: () => says200('/healthz'), patience: 15_000
}

/** Starts a part, and says so when it is ready; throws when it is not. @param {Part} part */
async function launch(part) {
  const output = openSync(join(state, 'log', part.log), 'a', 0o640)
  const errors = part === servicePart ? 'inherit' : output        // it shows the token that it made, once
  const child = new Child(part.name, part.command(), { output, errors, cwd: project, ...part.env ? { env: part.env } : {} })
  closeSync(output)
  running.set(part, child)
  try {
    await until(child, part.ready)
  } catch (error) {
    throw new StepFailed(/** @type {Error} */ (error).message, `Read ${join(state, 'log', part.log)}.`)
  } finally {
    if (part.alive) void killWhenFrozen(child, part.alive, part.patience ?? 30_000, stopping.signal)
  }
}

function welcome() {
  process.stderr.write(`
112 is served. Dial it:   npm run call -- --press 2        (another terminal)
                or with a softphone: README.md, "Dial in yourself"
The API:                  http://${http.host}:${http.port}/docs
The agencies' telephones: ${phones ? 'answer by themselves (SATUNOMOR_PHONES=off leaves them off)' : 'are off: stand at 127.0.0.2 and 127.0.0.3 yourself'}
Logs:                     ${join(state, 'log')}
Ctrl-C stops everything.
`)
}

/** Starts again what falls, each part for itself, until we are told to stop. */
async function watch() {
  const stopped = new Promise(resolve => { if (stopping.signal.aborted) resolve(undefined); else stopping.signal.addEventListener('abort', () => resolve(undefined), { once: true }) })
  for (const part of running.keys()) void keepRunning(part, stopped)
  await stopped
}

/** At once at first, then ever more slowly; one that falls again and again holds up no other. @param {Part} part @param {Promise<unknown>} stopped */
async function keepRunning(part, stopped) {
  let falls = 0
  for (;;) {
    const child = /** @type {Child} */ (running.get(part))
    const since = performance.now()
    await Promise.race([stopped, child.ended])
    if (stopping.signal.aborted) return
    falls = performance.now() - since > 60_000 ? 1 : falls + 1
    const wait = Math.min(30_000, falls === 1 ? 0 : 250 * 2 ** falls)
    process.stderr.write(`${part.name} ended (${child.exit?.signal ?? `code ${child.exit?.code}`}); it is started again${wait ? ` in ${wait / 1000} s` : ''}\n`)
    await Promise.race([stopped, new Promise(resolve => setTimeout(resolve, wait))])
    if (stopping.signal.aborted) return
    await launch(part).catch(error => process.stderr.write(`${error.message}. ${error.advice ?? ''}\n`))
  }
}

/** In the order in which they need each other: the service drains while everything else still runs. */
async function stop() {
  if (running.size > 0) process.stderr.write('Stopping: calls that are being decided are led to their choice first\n')
  for (const child of [...running.values()].reverse()) await child.stop()
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
    await watch()
  } finally {
    await stop()
  }
})
