/**
 * A city in which everything can be made to fail: the service and the watchdog in processes of their own, over wires that
 * can be cut, with a clock that can be stepped, and disks that can be filled under the store, the ledger and the logs.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, rename, rm, symlink, writeFile, chown, copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import type { IncomingCall } from '../../demo/softphone.ts'
import type { Child } from '../../setup/children.mjs'
import { userInRoot } from '../../setup/root.mjs'
import { places } from '../../src/settings.ts'
import { Records } from '../../src/records/records.ts'
import { openTown, type Town } from '../asterisk/town.ts'
import { stepAsterisk, withItsOwnClock } from '../parts/asterisk-clock.ts'
import { eventually, type City } from '../parts/city.ts'
import { Disk } from '../parts/disk.ts'
import { withContainers } from '../parts/launch.ts'
import { postgres, type TestPostgres } from '../parts/postgres.ts'
import { Proxy } from '../parts/proxy.ts'
import { sounds } from '../parts/sounds.ts'
import { voice } from '../real/stage.ts'

const lines = ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1', 'sunyi-2']
/** The shortest talk that counts here, ms. */
const spoken = 1_000
/** How long a talk with this line must last: the desk may have been rung by the last resort, which knows no plan, and counts from 4 s on. */
export const countsFrom = (line: string) => line === 'posko-1' ? 4_000 : spoken
/** The line that asks who picks up, and its key. */
export const accepting = { line: 'ambulans-1', key: '1', prompt: 'konfirmasi-petugas' }

/** The demo's plan; but one line has an accept key, and behind key 5 is an agency whose first line has a gateway that says nothing. */
const planOf = (number: number) => (text: string) => `spoken: ${spoken} ms\n${text}`
  .replaceAll('patience: 3 s', 'patience: 1 s')
  .replace(`number: ${accepting.line},`, `number: ${accepting.line}, acceptKey: ${accepting.key},`)
  .replace('\nnumbers:', `\n  silent: { role: agencies, address: 127.77.${number}.5, qualify: off }\n\nnumbers:`)
  .replace('      3: wali-kota\n', '      3: wali-kota\n      5: sunyi\n')
  .replace('  posko:\n    name', `  sunyi:
    name: Whose first line has a silent gateway
    connecting: sambung-wali-kota
    lines:
      - { id: sunyi-1, trunk: silent, number: sunyi-1 }
      - { id: sunyi-2, trunk: gateway, number: sunyi-2 }
  posko:
    name`)

/** What a citizen's voice is called, and a line's. */
export const citizensVoice = 'the citizen'
export const voiceOf = (line: string) => `the line ${line}`

export class Ground implements AsyncDisposable {
  readonly city: City
  readonly wires: Town['wires'] & { redis: Proxy }
  readonly database: TestPostgres
  /** Under the store alone. */
  readonly storeDisk: Disk
  /** Under Asterisk's log folder; none where Asterisk runs in a container. */
  readonly ledgerDisk: Disk | undefined
  /** Under the logs of the service and of the watchdog. */
  readonly logDisk: Disk
  readonly ear: Ear
  /** The gateway that says nothing to what it is asked. */
  readonly silent: Silent
  /** The calls that an agency has picked up. */
  readonly answered = new WeakSet<IncomingCall>()
  readonly #opened: AsyncDisposableStack
  readonly #exchange: { itsOwnClock: boolean }
  #service: Child | undefined
  #asteriskIsOff = 0

  private constructor({ city }: Town, parts: Pick<Ground, 'wires' | 'database' | 'storeDisk' | 'ledgerDisk' | 'logDisk' | 'ear' | 'silent'>, exchange: { itsOwnClock: boolean }, opened: AsyncDisposableStack) {
    this.city = city
    this.wires = parts.wires
    this.database = parts.database
    this.storeDisk = parts.storeDisk
    this.ledgerDisk = parts.ledgerDisk
    this.logDisk = parts.logDisk
    this.ear = parts.ear
    this.silent = parts.silent
    this.#opened = opened
    this.#exchange = exchange
  }

  /** At 127.77.`number`.x; the service is ready, and every line answers. `followups`: how missed calls are rung back (the plan's section); otherwise none is. */
  static async open(number: number, { followups }: { followups?: string } = {}): Promise<Ground> {
    await using opened = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'satunomor-store-'))
    opened.defer(() => rm(folder, { recursive: true, force: true }))
    const storeDisk = opened.use(await Disk.mount(folder, { megabytes: 32 }))          // SQLite's log alone grows to 16 MB
    await mkdir(join(folder, 'log'))
    const logDisk = opened.use(await Disk.mount(join(folder, 'log'), { megabytes: 8 }))
    await writeFile(join(folder, 'clock'), '0')
    const database = opened.use(await postgres())
    const silent = opened.use(await Silent.open(`127.77.${number}.5`))
    const address = `127.77.${number}.1`
    const redis = opened.use(await Proxy.open({ at: { address, port: 16389 }, to: { address, port: 6389 } }))
    const exchange = { itsOwnClock: false }
    const town = opened.use(await openTown(number, {
      withRedis: true, exchange: program => exchange.itsOwnClock ? withItsOwnClock(program) : program,
      callbacks: followups !== undefined, plan: text => (followups ?? '') + planOf(number)(text),
      serviceEnv: {
        ...followups === undefined ? {} : { REDIS_URL: `redis://${address}:16389` },
        SATUNOMOR_STATE: folder, SATUNOMOR_CEL: join(folder, 'ledger', 'calls.csv'), SATUNOMOR_LOG: 'info', DATABASE_URL: database.url,
        NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import=${join(import.meta.dirname, 'clock.mjs')}`,
        SATUNOMOR_TEST_CLOCK: join(folder, 'clock')
      }
    }))
    const { city } = town
    const { secrets, versions } = places(city.state)
    await copyFile(secrets, join(folder, basename(secrets)))
    await symlink(versions, join(folder, basename(versions)))
    const log = join(city.state, 'asterisk', 'log')
    await symlink(join(log, 'cel-custom'), join(folder, 'ledger'))
    const ledgerDisk = withContainers ? undefined : opened.use(await underTheLedger(city, log))
    const ear = new Ear(new Map([...await loadPrompts(join(sounds, 'id')), [citizensVoice, voice(citizensVoice)], ...lines.map(line => [voiceOf(line), voice(line)] as const)]))
    const ground = new Ground(town, { wires: { ...town.wires, redis }, database, storeDisk, ledgerDisk, logDisk, ear, silent }, exchange, opened.move())
    try {
      await ground.#run('src/watchdog.ts')
      await ground.startService()
    } catch (error) {
      await ground[Symbol.asyncDispose]()
      throw error
    }
    return ground
  }

  /** The file that Asterisk writes it to, as the service sees it. */
  get ledger() { return join(this.storeDisk.folder, 'ledger', 'calls.csv') }

  get service(): Child {
    if (!this.#service) throw new Error('the service was never started')
    return this.#service
  }

  /** As `npm start` does when it has ended. Resolves when it is ready. */
  async startService() {
    this.#service = await this.#run('src/main.ts')
  }

  async #run(file: string): Promise<Child> {
    await using log = await open(join(this.logDisk.folder, `${basename(file, '.ts')}.log`), 'a')
    return await this.city.run(file, { output: log.fd })
  }

  async killService() {
    this.service.process.kill('SIGKILL')
    await this.service.ended
  }

  /** Steps the clock of the service and of the watchdog, to `ms` from the true time. */
  async step(ms: number) {
    const clock = join(this.storeDisk.folder, 'clock')
    await writeFile(`${clock}.new`, String(ms))
    await rename(`${clock}.new`, clock)
  }

  /** From now on Asterisk has a clock of its own, and is started anew for it. */
  async giveAsteriskAClock() {
    if (this.#exchange.itsOwnClock) return
    await this.stepAsterisk(0)
    this.#exchange.itsOwnClock = true
    await this.city.restartAsterisk()
  }

  /** Steps the clock of Asterisk alone, to `ms` from the true time. */
  async stepAsterisk(ms: number) {
    await stepAsterisk(join(this.city.state, 'asterisk'), ms)
    this.#asteriskIsOff = ms
  }

  /** What time it is to Asterisk now, Unix ms, as it was stepped. */
  get asterisksTime() { return Date.now() + this.#asteriskIsOff }

  async redisSays(command: string, ...args: string[]) {
    const link = new Redis(`redis://${this.city.address}:6389`, { maxRetriesPerRequest: 1, enableReadyCheck: false })
    try {
      return await link.call(command, ...args)
    } finally {
      link.disconnect()
    }
  }

  /** What it says at an HTTP address; undefined where it does not, within a second. */
  async ask(path: string): Promise<{ status: number, text: string } | undefined> {
    try {
      const answer = await fetch(`http://${this.city.address}:8080${path}`, { signal: AbortSignal.timeout(1000) })
      return { status: answer.status, text: await answer.text() }
    } catch {
      return undefined
    }
  }

  /** One of its figures for Prometheus; undefined while it gives none. */
  async figure(name: string): Promise<number | undefined> {
    const found = new RegExp(`^${name} (\\S+)$`, 'm').exec((await this.ask('/metrics'))?.text ?? '')
    return found ? Number(found[1]) : undefined
  }

  /** A call made now would be served by the service: it says so, and so does its beat in Asterisk; and it is not overloaded (a full machine makes it so, for up to 2 min). */
  async ready() {
    await eventually('the service is ready', async () =>
      (await this.ask('/readyz'))?.status === 200 && Math.abs(Date.now() / 1000 - Number(await this.city.variable('SN_BEAT'))) < 3, 30_000)
    await eventually('the service is calm', async () => !(Number(await this.city.variable('SN_SHED')) > Date.now() / 1000), 120_000)
  }

  /** The store, from outside. */
  records(): Promise<Records> {
    return Records.open({ file: places(this.storeDisk.folder).records }, pino({ level: 'silent' }))
  }

  /** The disposition that PostgreSQL has of a call. */
  async copied(callId: string): Promise<string | null | undefined> {
    await using records = Records.at({ url: this.database.url }, pino({ level: 'silent' }))
    return (await records.get(callId))?.call.disposition
  }

  /** Answers, and says who it is until the call ends. */
  async answers(leg: IncomingCall) {
    if (!await leg.answer()) return
    if (leg.line === accepting.line) {
      const asked = await this.isAsked(leg)
      if (!asked || !await leg.press(accepting.key)) return
    } else this.answered.add(leg)
    await this.speaks(leg)
  }

  /** Whether it hears the question, before the call ends. */
  isAsked(leg: IncomingCall) {
    return this.ear.hears(leg, accepting.prompt).then(() => true, () => false)
  }

  /** Says who it is until the call ends. */
  async speaks(leg: IncomingCall) {
    while (await leg.say(voice(leg.line)));
  }

  /** Every line answers again. */
  calm() {
    for (const id of lines) this.city.line(id, leg => this.answers(leg))
  }

  async [Symbol.asyncDispose]() {
    this.#service?.process.kill('SIGCONT')
    await this.city.redis?.thaw().catch(() => {})
    await this.#opened.disposeAsync()
  }
}

/** A gateway that takes what it is sent, and says nothing. */
class Silent implements AsyncDisposable {
  readonly #socket: Socket
  #heard: (text: string) => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', datagram => this.#heard(datagram.toString('latin1')))
  }

  static async open(address: string) {
    const socket = createSocket('udp4')
    socket.bind(5060, address)
    await once(socket, 'listening')
    return new Silent(socket)
  }

  /** Resolves when it is asked to take this caller. (An INVITE that was given up is repeated for a while.) */
  asked(number: string): Promise<void> {
    return new Promise(resolve => {
      this.#heard = text => { if (text.startsWith('INVITE ') && text.includes(number)) resolve() }
    })
  }

  async [Symbol.asyncDispose]() {
    this.#socket.close()
    await once(this.#socket, 'close')
  }
}

/** Asterisk is started anew on it: natively, it sees what is mounted when it starts. */
async function underTheLedger(city: City, log: string): Promise<Disk> {
  const owner = userInRoot('asterisk')
  const disk = await Disk.mount(log, { megabytes: 4, owner })
  const folder = join(log, 'cel-custom')
  await mkdir(folder, { mode: 0o750 })
  await writeFile(join(folder, 'calls.csv'), '')
  for (const made of [folder, join(folder, 'calls.csv')]) await chown(made, owner.uid, owner.gid)
  await city.restartAsterisk()
  return disk
}
