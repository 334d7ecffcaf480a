/** A city whose service reaches Asterisk over wires that a test can cut. Without a service until one is started. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import { Softphone, type IncomingCall, type OutgoingCall } from '../../demo/softphone.ts'
import { asterisk, asteriskFolders } from '../../setup/parts.mjs'
import { Child, dyingWithUs, until } from '../../setup/children.mjs'
import { project } from '../../setup/project.mjs'
import { serve, type Service } from '../../src/main.ts'
import { makeReady, places, toolsInRoot } from '../../src/prepare.ts'
import { secretsIn } from '../../src/secrets.ts'
import { readSettings } from '../../src/settings.ts'
import { eventually } from '../parts/city.ts'
import { launch, type Running } from '../parts/launch.ts'
import { Proxy } from '../parts/proxy.ts'

export interface Town extends AsyncDisposable {
  address: string
  /** The wires, and where Asterisk's own ends of them are. */
  wires: { ari: Proxy, ami: Proxy }
  ports: { ari: number, ami: number }
  secrets: { ari: string, ami: string }
  carrier: Softphone
  ear: Ear
  dial(from?: string): OutgoingCall
  /** What a line does when it is rung; until told otherwise it answers at once. */
  line(id: string, does: (call: IncomingCall) => unknown): void
  rung(id: string, from: string): Promise<IncomingCall>
  /** The service, in this process or in its own. */
  serve(): Promise<Service>
  serveApart(): Promise<void>
  /** The calls that are in the service's hands, and all channels there are, as Asterisk says without any wire between. */
  inService(): Promise<string[]>
  channels(): Promise<string[]>
  /** Kills Asterisk, and starts it again. */
  restart(): Promise<void>
}

const ports = { ari: 18088, ami: 15038 }

export async function openTown(number: number): Promise<Town> {
  await using opened = new AsyncDisposableStack()
  const at = (last: number) => `127.77.${number}.${last}`
  const address = at(1)
  const state = await mkdtemp(join(tmpdir(), 'satunomor-'))
  opened.defer(() => rm(state, { recursive: true, force: true }))
  const plan = join(state, 'plan.yaml')
  const text = await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8')
  await writeFile(plan, text.replaceAll('127.0.0.2', at(2)).replaceAll('127.0.0.3', at(3)).replaceAll('patience: 3 s', 'patience: 1 s'))
  const sounds = join(project, 'var', 'test-sounds')
  await mkdir(sounds, { recursive: true })

  const env = {
    SATUNOMOR_STATE: state, SATUNOMOR_PLAN: plan, SATUNOMOR_SIP_ADDRESS: address, SATUNOMOR_HTTP_ADDRESS: address,
    REDIS_URL: `redis://${address}:6389`, SATUNOMOR_LOG: process.env['SATUNOMOR_LOG'] ?? 'silent'
  }
  const folder = join(state, 'asterisk')
  await makeReady({ settings: readSettings(env, project), owner: asteriskFolders(folder), run: toolsInRoot, sounds })
  const secrets = await secretsIn(places(state).secrets)

  const start = () => launch('asterisk', asterisk({ folder, sounds }), () => answers(address, 5038))
  let running: Running = await start()
  opened.defer(() => running.stop())
  const wires = {
    ari: opened.use(await Proxy.open({ at: { address, port: ports.ari }, to: { address, port: 8088 } })),
    ami: opened.use(await Proxy.open({ at: { address, port: ports.ami }, to: { address, port: 5038 } }))
  }
  const services = opened.use(new AsyncDisposableStack())
  const carrier = opened.use(await Softphone.open({ address: at(2), port: 5060 }))
  const gateway = opened.use(await Softphone.open({ address: at(3), port: 5060 }))
  const behaviours = new Map<string, (call: IncomingCall) => unknown>()
  const calls: IncomingCall[] = []
  gateway.onCall(call => {
    calls.push(call)
    const does = behaviours.get(call.line)
    return does ? does(call) : call.answer()
  })

  const overTheWires = { ...env, SATUNOMOR_ARI_PORT: String(ports.ari), SATUNOMOR_AMI_PORT: String(ports.ami) }
  const ari = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://${address}:8088/ari/${path}`, { headers: { authorization: `Basic ${btoa(`satunomor:${secrets.ari}`)}` } })
    return response.json() as T
  }
  const channels = async () => (await ari<{ id: string }[]>('channels')).map(({ id }) => id)
  const all = opened.move()
  return {
    address, wires, ports, secrets, carrier, channels,
    ear: new Ear(await loadPrompts(join(sounds, 'id'))),
    dial: (from = '+627215550112') => carrier.dial({ to: `sip:112@${address}:5060`, from }),
    line: (id, does) => { behaviours.set(id, does) },
    rung: (id, from) => eventually(`line ${id} is rung by ${from}`, async () => calls.find(call => call.line === id && call.from === from)),
    async serve() {
      const settings = readSettings(overTheWires, project)
      const service = await serve(settings, pino({ level: settings.logLevel }))
      services.defer(() => service.stop(1000))
      await eventually('the service is ready', async () => (await service.health.ready()).ready)
      return service
    },
    async serveApart() {
      const child = new Child('the service', dyingWithUs([process.execPath, [join(project, 'src', 'main.ts')]]), { env: overTheWires, cwd: project, output: 'ignore' })
      services.defer(() => child.stop())
      await until(child, async () => (await fetch(`http://${address}:8080/readyz`)).ok)
    },
    inService: async () => {
      const there = new Set(await channels())
      return (await ari<{ channel_ids?: string[] }>('applications/satunomor')).channel_ids?.filter(id => there.has(id)) ?? []
    },
    async restart() {
      await running.kill()
      running = await start()
    },
    [Symbol.asyncDispose]: () => all.disposeAsync()
  }
}

const answers = (host: string, port: number) => new Promise<boolean>(resolve => {
  const socket = connect({ host, port }, () => { socket.destroy(); resolve(true) })
  socket.on('error', () => resolve(false))
})
