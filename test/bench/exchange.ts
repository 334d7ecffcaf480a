/** The bench's exchange: the project's Asterisk, configuration and plan, with room on its lines and two more numbers. */
import { closeSync, openSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child, dyingWithUs, until } from '../../setup/children.mjs'
import { asterisk, asteriskFolders, redis } from '../../setup/parts.mjs'
import { nodeEnv, program } from '../../setup/packages.mjs'
import { project } from '../../setup/project.mjs'
import { inRoot } from '../../setup/root.mjs'
import { makeReady } from '../../src/prepare.ts'
import { secretsIn } from '../../src/secrets.ts'
import { places, readSettings } from '../../src/settings.ts'
import { plainPlan } from '../parts/plain-plan.ts'
import { addresses, variants } from './places.ts'

export interface LoopDelay { p50: number, p99: number, max: number }

/** An app that answers calls: its process, and what it says of its event loop (ms, since it was last asked). */
export interface App {
  child: Child
  /** Besides: what runs with it. */
  beside: Child[]
  /** ms from its start until it is ready for calls (asked every 50 ms). */
  readyAfter: number
  loopDelay(): Promise<LoopDelay | undefined>
  stop(): Promise<void>
}

export interface Exchange extends AsyncDisposable {
  pid: number
  folder: string
  /** Bytes of the ledger so far. */
  ledger: string
  /** The plan that it serves, and its API. */
  planFile: string
  url: string
  token: string
  startService(nodeFlags?: string[]): Promise<App>
  startAriApp(): Promise<App>
  /** The service's figures by name, labels included. */
  metrics(): Promise<Map<string, number>>
}

// The prompt is the same one that the service plays: what is compared is who decides.
const extraNumbers = `
[trunk-in]
exten => ${variants.dialplan.number},1,Goto(bench-dialplan,s,1)
exten => ${variants.ari.number},1,Goto(bench-ari,s,1)

[bench-dialplan]
exten => s,1,Answer()
 same => n,Read(KEY,sambutan&menu-utama,1,,1,5)
 same => n,Dial(PJSIP/ambulans-1@gateway,20)
 same => n,Hangup()

[bench-ari]
exten => s,1,Stasis(bench,inbound)
 same => n,Hangup()
`

export async function openExchange({ cel = true }: { cel?: boolean } = {}): Promise<Exchange> {
  await using opened = new AsyncDisposableStack()
  const at = addresses.asterisk
  const state = await mkdtemp(join(tmpdir(), 'satunomor-bench-'))
  opened.defer(() => rm(state, { recursive: true, force: true }))
  const folder = join(state, 'bench')
  await mkdir(folder)
  const planFile = join(state, 'plan.yaml')
  const plan = plainPlan(await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8'))
  await writeFile(planFile, `spoken: 0 s\n${plan}`.replaceAll('127.0.0.2', addresses.carrier).replaceAll('127.0.0.3', addresses.gateway)
    // Each run has telephones of its own: what Asterisk found out between two runs must not keep it from ringing them.
    .replace(`address: ${addresses.gateway}, port: 5060 }`, `address: ${addresses.gateway}, port: 5060, qualify: off }`).replace(/capacity: \d+/g, 'capacity: 1000'))
  await cp(join(project, 'dialplan', 'directory'), join(state, 'directory'), { recursive: true })
  const sounds = join(project, 'var', 'test-sounds')
  await mkdir(sounds, { recursive: true })
  const token = 'bench-bench-bench-bench'
  const env = {
    SATUNOMOR_STATE: state, SATUNOMOR_PLAN: planFile, SATUNOMOR_SIP_ADDRESS: at, SATUNOMOR_HTTP_ADDRESS: at,
    REDIS_URL: `redis://${at}:6389`, SATUNOMOR_LOG: 'info', SATUNOMOR_TOKEN: token, NODE_ENV: 'production', SATUNOMOR_TOOLS: 'root', SATUNOMOR_SOUNDS: sounds
  }
  const settings = readSettings(env, project)
  const asteriskFolder = join(state, 'asterisk')
  const owner = asteriskFolders(asteriskFolder)
  await makeReady({ settings, owner })
  const edit = async (name: string, change: (text: string) => string) => {
    const file = join(asteriskFolder, 'etc', name)
    await writeFile(file, change(await readFile(file, 'utf8')))
  }
  await edit('extensions.conf', text => `${text}\n${extraNumbers}`)
  await edit('pjsip.conf', text => text.replaceAll('127.0.0.3', addresses.gateway))
  if (!cel) await edit('cel.conf', text => text.replace('enable = yes', 'enable = no'))

  const start = async (name: string, commandLine: [string, string[]], ready: () => Promise<boolean>, extra: NodeJS.ProcessEnv = {}) => {
    const output = openSync(join(folder, `${name}.log`), 'a')
    const child = new Child(name, commandLine, { output, cwd: project, env: extra })
    closeSync(output)
    opened.defer(() => child.stop())
    try {
      await until(child, ready)
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${(await readFile(join(folder, `${name}.log`), 'utf8')).slice(-2000)}`)
    }
    return child
  }
  await start('redis', inRoot(redis({ folder: join(state, 'redis'), address: at, port: 6389 })), () => answers(at, 6389))
  const exchange = await start('asterisk', inRoot(asterisk({ folder: asteriskFolder, sounds })), () => answers(settings.asterisk.control, settings.asterisk.amiPort))
  const { ari: password } = await secretsIn(places(state).secrets)

  const metrics = async () => {
    const page = await (await fetch(`http://${at}:8080/metrics`, { headers: { authorization: `Bearer ${token}` } })).text()
    return new Map(page.split('\n').filter(line => line && !line.startsWith('#')).map(line => {
      const cut = line.lastIndexOf(' ')
      return [line.slice(0, cut), Number(line.slice(cut + 1))] as const
    }))
  }
  const parts = opened.move()
  return {
    pid: exchange.process.pid!, folder, ledger: settings.asterisk.cel, metrics, planFile, url: `http://${at}:8080`, token,
    async startService(nodeFlags = []) {
      const output = openSync(join(folder, 'service.log'), 'a')
      const run = (name: string, file: string, flags: string[] = []) => new Child(name, dyingWithUs(program(file, flags)), { output, cwd: project, env: { ...nodeEnv, ...env } })
      const started = performance.now()
      const child = run('the service', 'src/main.ts', nodeFlags)
      const watchdog = run('the watchdog', 'src/watchdog.ts')
      parts.defer(async () => { await watchdog.stop(); await child.stop() })
      closeSync(output)
      await until(child, async () => (await fetch(`http://${at}:8080/readyz`)).ok)
      const readyAfter = performance.now() - started
      // What was written to the ledger while it was away is read before anything is measured.
      await until(child, async () => {
        const figures = await metrics()
        return figures.get('satunomor_ledger_lag_bytes') === 0 && figures.get('satunomor_store_pending_steps') === 0
      })
      return {
        child, beside: [watchdog], readyAfter,
        async loopDelay() {
          const figures = await metrics()
          const of = (name: string) => (figures.get(`satunomor_nodejs_eventloop_lag_${name}_seconds`) ?? NaN) * 1000
          return { p50: of('p50'), p99: of('p99'), max: of('max') }
        },
        async stop() { await watchdog.stop(); await child.stop() }
      }
    },
    async startAriApp() {
      const output = openSync(join(folder, 'ari-app.log'), 'a')
      const place = `http://${at}:8081`
      const started = performance.now()
      const child = new Child('the ARI app', dyingWithUs([process.execPath, [join(project, 'test', 'bench', 'ari-app.ts'), `http://${at}:8088`, 'satunomor', password, at, '8081']]), { output, cwd: project, env: nodeEnv })
      parts.defer(() => child.stop())
      closeSync(output)
      await until(child, async () => (await fetch(place)).ok)
      return {
        child, beside: [], readyAfter: performance.now() - started,
        loopDelay: async () => await (await fetch(place)).json() as LoopDelay,
        stop: () => child.stop()
      }
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync()
  }
}

const answers = (host: string, port: number) => new Promise<boolean>(resolve => {
  const socket = connect({ host, port }, () => { socket.destroy(); resolve(true) })
  socket.on('error', () => resolve(false))
})
