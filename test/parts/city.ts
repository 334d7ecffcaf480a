/**
 * A city for a test: real Asterisk and Redis, the service in this process, and telephones at the carrier's and the
 * agencies' addresses. Each city has addresses of its own in 127.0.0.0/8, so that several can stand side by side.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino, type Logger } from 'pino'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import { Softphone, type IncomingCall, type OutgoingCall } from '../../demo/softphone.ts'
import { Child, dyingWithUs, until } from '../../setup/children.mjs'
import { asterisk, asteriskFolders, redis } from '../../setup/parts.mjs'
import { nodeEnv, program } from '../../setup/packages.mjs'
import { project } from '../../setup/project.mjs'
import type { Program } from '../../setup/root.mjs'
import { serve, type Service } from '../../src/main.ts'
import { makeReady } from '../../src/prepare.ts'
import { secretsIn } from '../../src/secrets.ts'
import { places, readSettings } from '../../src/settings.ts'
import type { StoredCall } from '../../src/records/tables.ts'
import { launch, type Running } from './launch.ts'
import { plainPlan } from './plain-plan.ts'
import { sounds } from './sounds.ts'

export interface City extends AsyncDisposable {
  /** The service in this process; throws where there is none. */
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
  /** The settings of its parts, as the environment of a program of ours. */
  env: Record<string, string>
  /** Dials 112. */
  dial(options?: Partial<Parameters<Softphone['dial']>[0]>): OutgoingCall
  /** What a line does when it is rung; until told otherwise it answers at once. */
  line(id: string, does: (call: IncomingCall) => unknown): void
  /** The newest call on this line that has not ended (from this number), or the next one. */
  rung(id: string, from?: string): Promise<IncomingCall>
  /** All the calls that reached the gateway, in order. */
  calls: IncomingCall[]
  /** The record of a call that has ended: the newest one, by this number where one is given. */
  record(cli?: string): Promise<StoredCall>
  startRedis(): Promise<void>
  /** Starts the service in this process, and waits until it is ready. */
  serve(): Promise<Service>
  /** Starts one of our programs in a process of its own: `src/main.ts` (then it is ready), `src/watchdog.ts`. Where nothing else is said, what it prints is nobody's. */
  run(file: string, options?: { output?: 'ignore' | number }): Promise<Child>
  /** Stops the service, does `meanwhile`, and starts it anew. */
  restart(meanwhile: () => Promise<void>): Promise<void>
  /** Kills Asterisk, and starts it again. */
  restartAsterisk(): Promise<void>
  /** The channels that there are, as Asterisk says without any wire of the test's between. */
  channels(): Promise<string[]>
  /** The bridges, as Asterisk says. */
  bridges(): Promise<string[]>
  /** A global variable of Asterisk's; undefined where it is not set. */
  variable(name: string): Promise<string | undefined>
  /** What time it is to Asterisk, Unix ms. */
  clock(): Promise<number>
  /** Those of the channels that are in the service's hands. */
  inService(): Promise<string[]>
  /** Resolves when nothing is left behind anywhere: no channel, no bridge, no listener, no call in our hands. */
  quiet(): Promise<void>
}

export interface CityOptions {
  /** Of 127.77.N.x; each test file its own. */
  number: number
  withRedis?: boolean
  /** Whether citizens are rung back by themselves; otherwise every missed call goes to a person at once. Default false. */
  callbacks?: boolean
  /** Makes the tests' city of the demo city's plan; `plainPlan` if left out. */
  simple?: (text: string) => string
  /** Rewrites the plan's text. */
  plan?: (text: string) => string
  env?: Record<string, string>
  /** What the service, and it alone, has otherwise: ports of the test's own wires. */
  serviceEnv?: Record<string, string>
  /** false: none is started. */
  withService?: boolean
  /** Hears what the service in this process logs; its output if left out. */
  log?: Logger
  /** What Asterisk is started as, each time. */
  exchange?: (program: Program) => Program
}

/** The folder of the prompts has one writer at a time. */
let spoken: Promise<void> = Promise.resolve()

export async function openCity(
  { number, withRedis = false, callbacks = false, simple = plainPlan, plan: edit = text => text, env = {}, serviceEnv = {}, withService = true, log, exchange = it => it }: CityOptions
): Promise<City> {
  await using opened = new AsyncDisposableStack()          // should we not get to the end, nothing is left running
  const at = (last: number) => `127.77.${number}.${last}`
  const state = await mkdtemp(join(tmpdir(), 'satunomor-'))
  opened.defer(() => rm(state, { recursive: true, force: true }))
  const planFile = join(state, 'plan.yaml')
  const text = simple(await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8'))
  const itsOwn = text.slice(0, text.indexOf('\n# What becomes of missed calls')).replaceAll('127.0.0.2', at(2)).replaceAll('127.0.0.3', at(3)).replaceAll('127.0.0.4', at(4))
  const written = (callbacks ? '' : 'followups: { outbound: { channels: 0 }, policy: { attempts: 0 } }\n') + edit(itsOwn)
  // People in tests talk for a moment only: every talk counts, unless the test's plan says otherwise.
  await writeFile(planFile, /^spoken:/m.test(written) ? written : `spoken: 0 s\n${written}`)
  await cp(join(project, 'dialplan', 'directory'), join(state, 'directory'), { recursive: true })

  const everyone = {
    SATUNOMOR_STATE: state, SATUNOMOR_PLAN: planFile, SATUNOMOR_SIP_ADDRESS: at(1),
    SATUNOMOR_HTTP_ADDRESS: at(1), REDIS_URL: `redis://${at(1)}:6389`, SATUNOMOR_LOG: process.env['SATUNOMOR_LOG'] ?? 'silent',
    SATUNOMOR_SHED: 'off',                 // the telephones and ears of a test share the service's loop: it would shed by chance. test/real/overload.test.ts has it on
    SATUNOMOR_TOOLS: 'root', SATUNOMOR_SOUNDS: sounds, ...env
  }
  const settings = readSettings(everyone, project)
  const folder = join(state, 'asterisk')
  const owner = asteriskFolders(folder)
  const speaking = spoken.then(() => makeReady({ settings, owner }))
  spoken = speaking.then(() => {}, () => {})
  await speaking
  // They are there before Asterisk asks them whether they are.
  const gateway = opened.use(await Softphone.open({ address: at(3), port: 5060 }))
  const carrier = opened.use(await Softphone.open({ address: at(2), port: 5060 }))
  const launchRedis = () => launch('redis', redis({ folder: join(state, 'redis'), address: at(1), port: 6389 }), () => answers(at(1), 6389))
  const launchAsterisk = () => launch('asterisk', exchange(asterisk({ folder, sounds })), () => answers(settings.asterisk.control, settings.asterisk.amiPort))
  let running = await launchAsterisk()
  opened.defer(() => running.stop())
  let redisRunning = withRedis ? await launchRedis() : undefined
  opened.defer(async () => { await redisRunning?.stop() })
  const services = opened.use(new AsyncDisposableStack())
  let service: Service | undefined
  const startService = async () => {
    const started = await serve(readSettings({ ...everyone, ...serviceEnv }, project), log ?? pino({ level: settings.logLevel }))
    services.defer(async () => { if (service === started) await started.stop(1000) })
    await eventually('the service is ready', async () => (await started.health.ready()).ready)
    return service = started
  }
  if (withService) await startService()
  const theService = () => service ?? fail('there is no service in this process')

  for (const phone of [gateway, carrier]) opened.defer(() => phone[Symbol.asyncDispose]())          // before Asterisk ends
  const prompts = new Map([...await loadPrompts(join(sounds, 'id')), ...await loadPrompts(join(sounds, 'telephones'), 'line/')])
  const ear = new Ear(prompts)
  const behaviours = new Map<string, (call: IncomingCall) => unknown>()
  const calls: IncomingCall[] = []
  gateway.onCall(call => {
    calls.push(call)
    const does = behaviours.get(call.line)
    return does ? does(call) : call.answer()
  })

  const { ari: password } = await secretsIn(places(state).secrets)
  const ari = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://${at(1)}:8088/ari/${path}`, { headers: { authorization: `Basic ${btoa(`satunomor:${password}`)}` } })
    return await response.json() as T
  }
  const channels = async () => (await ari<{ id: string }[]>('channels')).map(({ id }) => id)

  const parts = opened.move()
  return {
    get service() { return theService() },
    get redis() { return redisRunning },
    get asterisk() { return running },
    carrier, gateway, ear, state, address: at(1), calls, env: everyone,
    dial: options => carrier.dial({ to: `sip:112@${at(1)}:5060`, from: '+627215550112', ...options }),
    line: (id, does) => { behaviours.set(id, does) },
    rung: (id, from) => eventually(`line ${id} is rung`, async () =>
      calls.findLast(call => call.line === id && !call.ending && (from === undefined || call.from === from))),
    record: cli => eventually('a record with a disposition', async () => {
      await theService().scribe.flush()
      const { calls: [newest] } = await theService().records.list({ limit: 1 })
      return newest?.disposition && (cli === undefined || newest.cliRaw === cli) ? newest : undefined
    }),
    startRedis: async () => { redisRunning = await launchRedis() },
    serve: startService,
    async run(file, { output = 'ignore' } = {}) {
      const child = new Child(file, dyingWithUs(program(file)), { env: { ...nodeEnv, ...everyone, ...serviceEnv }, cwd: project, output })
      services.defer(() => child.stop())
      if (file === 'src/main.ts') await until(child, async () => (await fetch(`http://${at(1)}:8080/readyz`)).ok)
      return child
    },
    restart: async meanwhile => {
      await theService().stop(1000)
      service = undefined
      await meanwhile()
      await startService()
    },
    restartAsterisk: async () => {
      await running.kill()
      running = await launchAsterisk()
    },
    channels,
    bridges: async () => (await ari<{ id: string }[]>('bridges')).map(({ id }) => id),
    variable: async name => (await ari<{ value?: string }>(`asterisk/variable?variable=${name}`)).value,
    clock: async () => Date.parse((await ari<{ timestamp: string }>('asterisk/ping')).timestamp),
    inService: async () => {
      const there = new Set(await channels())
      return (await ari<{ channel_ids?: string[] }>('applications/satunomor')).channel_ids?.filter(id => there.has(id)) ?? []
    },
    quiet: () => eventually('nothing is left behind', async () => {
      const left = await leftBehind(theService())
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
    ...channels.filter(({ name }) => name !== 'Message/ast_msg_queue').map(({ name }) => `channel ${name}`), ...bridges.map(() => 'a bridge'),
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

function fail(sentence: string): never {
  throw new Error(sentence)
}

const answers = (host: string, port: number) => new Promise<boolean>(resolve => {
  const socket = connect({ host, port }, () => { socket.destroy(); resolve(true) })
  socket.on('error', () => resolve(false))
})
