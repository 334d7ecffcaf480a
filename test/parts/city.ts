/**
 * A city for a test: real Asterisk and Redis, the service in this process, and telephones at the carrier's and the
 * agencies' addresses. Each city has addresses of its own in 127.0.0.0/8, so that several can stand side by side.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import { Softphone, type IncomingCall, type OutgoingCall } from '../../demo/softphone.ts'
import { asterisk, asteriskFolders, redis } from '../../setup/parts.mjs'
import { project } from '../../setup/project.mjs'
import { serve, type Service } from '../../src/main.ts'
import { makeReady, toolsInRoot } from '../../src/prepare.ts'
import { readSettings } from '../../src/settings.ts'
import type { StoredCall } from '../../src/records/tables.ts'
import { launch, type Running } from './launch.ts'

export interface City extends AsyncDisposable {
  readonly service: Service
  readonly asterisk: Running
  readonly redis: Running | undefined
  /** Dial from here: the carrier's side, at the carrier's address. */
  carrier: Softphone
  /** The agencies' gateway; what its lines do is said with `line`. */
  gateway: Softphone
  ear: Ear
  state: string
  address: string
  /** Dials 112. */
  dial(options?: Partial<Parameters<Softphone['dial']>[0]>): OutgoingCall
  /** What a line does when it is rung; until told otherwise it answers at once. */
  line(id: string, does: (call: IncomingCall) => unknown): void
  /** The newest call on this line that has not ended, or the next one. */
  rung(id: string): Promise<IncomingCall>
  /** All the calls that reached the gateway, in order. */
  calls: IncomingCall[]
  /** The record of a call that has ended: the newest one, by this number where one is given. */
  record(cli?: string): Promise<StoredCall>
  startRedis(): Promise<void>
  /** Stops the service, does `meanwhile`, and starts it anew. */
  restart(meanwhile: () => Promise<void>): Promise<void>
  /** Resolves when nothing is left behind anywhere: no channel, no bridge, no listener, no call in our hands. */
  quiet(): Promise<void>
}

export interface CityOptions {
  /** Of 127.77.N.x; each test file its own. */
  number: number
  withRedis?: boolean
  /** Rewrites the plan's text. */
  plan?: (text: string) => string
  env?: Record<string, string>
}

export async function openCity({ number, withRedis = false, plan: edit = text => text, env = {} }: CityOptions): Promise<City> {
  await using opened = new AsyncDisposableStack()          // should we not get to the end, nothing is left running
  const at = (last: number) => `127.77.${number}.${last}`
  const state = await mkdtemp(join(tmpdir(), 'satunomor-'))
  opened.defer(() => rm(state, { recursive: true, force: true }))
  const planFile = join(state, 'plan.yaml')
  const text = await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8')
  await writeFile(planFile, edit(text.replaceAll('127.0.0.2', at(2)).replaceAll('127.0.0.3', at(3))))
  // The prompts are spoken once for all cities; the folder is the project's own.
  const sounds = join(project, 'var', 'test-sounds')
  await mkdir(sounds, { recursive: true })

  const settings = readSettings({
    SATUNOMOR_STATE: state, SATUNOMOR_PLAN: planFile, SATUNOMOR_SIP_ADDRESS: at(1),
    SATUNOMOR_HTTP_ADDRESS: at(1), REDIS_URL: `redis://${at(1)}:6389`, SATUNOMOR_LOG: process.env['SATUNOMOR_LOG'] ?? 'silent', ...env
  }, project)
  const folder = join(state, 'asterisk')
  const owner = asteriskFolders(folder)
  await makeReady({ settings, owner, run: toolsInRoot, sounds })

  const launchRedis = () => launch('redis', redis({ folder: join(state, 'redis'), address: at(1), port: 6389 }), () => answers(at(1), 6389))
  const running = await launch('asterisk', asterisk({ folder, sounds }), () => answers(at(1), settings.asterisk.amiPort))
  opened.defer(() => running.stop())
  let redisRunning = withRedis ? await launchRedis() : undefined
  opened.defer(async () => { await redisRunning?.stop() })
  const log = pino({ level: settings.logLevel })
  const startService = async () => {
    const service = await serve(settings, log)
    await eventually('the service is ready', async () => (await service.health.ready()).ready)
    return service
  }
  let service = await startService()
  opened.defer(() => service.stop(1000))

  const gateway = opened.use(await Softphone.open({ address: at(3), port: 5060 }))
  const carrier = opened.use(await Softphone.open({ address: at(2), port: 5060 }))
  const prompts = new Map([...await loadPrompts(join(sounds, 'id')), ...await loadPrompts(join(sounds, 'telephones'), 'line/')])
  const ear = new Ear(prompts)
  const behaviours = new Map<string, (call: IncomingCall) => unknown>()
  const calls: IncomingCall[] = []
  gateway.onCall(call => {
    calls.push(call)
    const does = behaviours.get(call.line)
    return does ? does(call) : call.answer()
  })

  const parts = opened.move()
  return {
    get service() { return service },
    get redis() { return redisRunning },
    asterisk: running, carrier, gateway, ear, state, address: at(1), calls,
    dial: options => carrier.dial({ to: `sip:112@${at(1)}:5060`, from: '+627215550112', ...options }),
    line: (id, does) => { behaviours.set(id, does) },
    rung: id => eventually(`line ${id} is rung`, async () => calls.findLast(call => call.line === id && !call.ending)),
    record: cli => eventually('a record with a disposition', async () => {
      await service.scribe.flush()
      const { calls: [newest] } = await service.records.list({ limit: 1 })
      return newest?.disposition && (cli === undefined || newest.cliRaw === cli) ? newest : undefined
    }),
    startRedis: async () => { redisRunning = await launchRedis() },
    restart: async meanwhile => {
      await service.stop(1000)
      await meanwhile()
      service = await startService()
    },
    quiet: () => eventually('nothing is left behind', async () => {
      const left = await leftBehind(service)
      if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`)
      return true
    }).then(() => {}),
    [Symbol.asyncDispose]: () => parts.disposeAsync()
  }
}

/** What is still there, in words: Asterisk's channels and bridges, our listeners and calls. */
export async function leftBehind({ ari, events, switchboard, records }: Service): Promise<string[]> {
  const [channels, bridges, live] = await Promise.all([
    ari.request<{ name: string }[]>('channels', 'list'), ari.request<unknown[]>('bridges', 'list'), records.live()])
  return [
    ...channels.map(({ name }) => `channel ${name}`), ...bridges.map(() => 'a bridge'),
    ...events.listening.map(name => `listener ${String(name)}`), ...switchboard.callIds().map(id => `call ${id}`),
    ...live.map(({ callId }) => `live record ${callId}`)
  ]
}

/** Asks again and again, 20 ms apart, until the answer is something; then it is that. Throws after `within` ms with the last complaint. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined | false>, within = 15_000): Promise<T> {
  const end = performance.now() + within
  let complaint: unknown
  while (performance.now() < end) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer as T
    } catch (error) {
      complaint = error
    }
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`not within ${within} ms: ${what}${complaint ? ` (${(complaint as Error).message})` : ''}`)
}

const answers = (host: string, port: number) => new Promise<boolean>(resolve => {
  const socket = connect({ host, port }, () => { socket.destroy(); resolve(true) })
  socket.on('error', () => resolve(false))
})
