/** The faults: how each strikes a city, how it is healed, and what a caller may notice of it at each moment. */
import { rename, statfs } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { places } from '../../src/settings.ts'
import { eventually } from '../parts/city.ts'
import type { Ground } from './ground.ts'
import type { MomentName } from './moments.ts'

/**
 * How a call went, seen by the caller: `later` is as ever, only later; `menu again` is the whole menu from its greeting on;
 * `another human` is one whom they did not choose, or one instead of the apology; `lost` is silence, and the call gone.
 */
export type Course = 'as ever' | 'later' | 'menu again' | 'another human' | 'lost'

/** The courses that are allowed, and how many seconds after the strike it goes on at the latest. */
export interface Expectation {
  courses: Course[]
  within: number
  /** true: Asterisk may have had no time to write even the call's arrival into the ledger; then it is on no record. */
  untraced?: true
}

export interface Fault {
  name: string
  /** Before the call. */
  before?(ground: Ground): Promise<unknown>
  strike(ground: Ground): Promise<unknown>
  heal?(ground: Ground): Promise<unknown>
  /** Whether it has really broken what it should: asked before it is healed. */
  bites?(ground: Ground): Promise<boolean>
  /** What a caller may notice; where a moment is not named, nothing. */
  notices?: Partial<Record<MomentName, Expectation>>
  /** true: what happens meanwhile need not be on record, or not as it was. */
  losesTheLedger?: true
  /** true: a call that it ends is one whose caller has gone, to Asterisk, and is on record as that. */
  losesAsIfGone?: true
  /** Why it cannot be done with parts in containers. */
  nativeOnly?: string
  /** The moments of it that the short run tries. */
  short: MomentName[]
}

const nothing: Expectation = { courses: ['as ever'], within: Infinity }
export const expectation = ({ notices = {} }: Fault, moment: MomentName): Expectation => notices[moment] ?? nothing

const within = (seconds: number, ...courses: Course[]): Expectation => ({ courses, within: seconds })
/** The beat must first be old (4 s), and the watchdog must see it (0.5 s); then the fallback has the caller. */
const untilTheFallback = 6
/** The service is away or powerless while the call goes on: whoever is in its hands then comes to the fallback. */
const serviceAway: Fault['notices'] = {
  'ringing in': within(untilTheFallback, 'as ever', 'later'),
  greeting: within(untilTheFallback, 'menu again'),
  menu: within(untilTheFallback, 'menu again'),
  choice: within(untilTheFallback, 'as ever', 'menu again'),
  returned: within(untilTheFallback, 'another human')
}
const lost = within(0, 'lost')
const inACall = ['ringing in', 'greeting', 'menu', 'choice', 'silent gateway', 'line rings', 'short answer', 'accept question', 'answer', 'talking', 'hold', 'returned'] as const
/**
 * Asterisk counts how long no sound has come (`rtp_timeout`, 300 s) by the time of day. Stepped forward by more, it ends every call for
 * which it happens to ask before their next sound is in, 20 ms later: it asks when another call begins or is answered just then.
 */
const soundSeemsLongGone: Fault['notices'] = Object.fromEntries(
  inACall.map(name => [name, within(Infinity, 'as ever', 'lost')])
)
/** Where the clocks differ, the dialplan takes the service for frozen: who comes back from an agency's lines gets whoever can be had. */
const beatLooksOld = (courses: Course[]) => within(Infinity, ...courses, 'another human')
const hour = 3_600_000

const readyz = async (ground: Ground) => (await ground.ask('/readyz'))?.status
const stepsWait = async (ground: Ground) => (await ground.figure('satunomor_store_pending_steps') ?? 0) > 0
/** Taken from outside, as a backup or an admin's tool may: nobody else can write. */
const lock = async (ground: Ground) => {
  const store = new DatabaseSync(places(ground.storeDisk.folder).records, { timeout: 0 })
  await eventually('the store is locked by us', async () => { store.exec('begin exclusive'); return true })
  return store
}

/** What SQLite has written ahead goes into its file, so that its log has no room left of its own. */
async function emptyTheLog(ground: Ground) {
  const store = new DatabaseSync(places(ground.storeDisk.folder).records, { timeout: 0 })
  await eventually('nobody is in the way', async () => store.prepare('pragma wal_checkpoint(truncate)').get()?.['busy'] === 0)
  store.close()
}

/** And a new file is begun, so that the last page of the old one does not still have room. */
async function fillTheLedger({ ledgerDisk, ledger }: Ground) {
  await ledgerDisk!.fill()
  await rename(ledger, `${ledger}.${Date.now()}`).catch(error => { if (error.code !== 'ENOENT') throw error })          // none was begun since the last time
}

/** No fault: what the others are compared with. */
export const control = 'nothing (to compare with)'

export function faults(): Fault[] {
  const locks = new Map<Ground, DatabaseSync>()
  const slowing = new Map<Ground, { stop: AbortController, done: Promise<void> }>()
  return [
    { name: control, strike: async () => {}, short: [] },
    {
      name: 'the service is killed, and stays away', short: ['menu', 'hold', 'returned'],
      strike: ground => ground.killService(), heal: ground => ground.startService(),
      bites: async ground => await readyz(ground) === undefined, notices: serviceAway
    },
    {
      name: 'the service is killed, and started again', short: ['choice', 'talking'],
      strike: async ground => { await ground.killService(); await ground.startService() },
      notices: {
        ...serviceAway,
        greeting: within(untilTheFallback, 'as ever', 'menu again'), menu: within(untilTheFallback, 'as ever', 'menu again'),
        returned: within(untilTheFallback, 'as ever', 'later', 'another human')
      }
    },
    {
      name: 'the service is frozen', short: ['greeting', 'answer'],
      strike: async ground => { ground.service.process.kill('SIGSTOP') },
      heal: async ground => { ground.service.process.kill('SIGCONT') },
      bites: async ground => await readyz(ground) === undefined, notices: serviceAway
    },
    {
      name: 'Asterisk is killed, and started again', short: ['talking', 'menu'],
      strike: ground => ground.city.restartAsterisk(),
      notices: { ...Object.fromEntries(inACall.map(name => [name, lost])), 'ringing in': { ...lost, untraced: true } }
    },
    {
      name: 'the ARI link is cut', short: ['line rings', 'accept question'],
      strike: ({ wires }) => wires.ari.refuse(), heal: ({ wires }) => wires.ari.pass(),
      bites: async ground => await readyz(ground) === 503, notices: serviceAway
    },
    {
      name: 'the ARI link is stuck', short: ['menu'],
      strike: async ({ wires }) => wires.ari.stall(), heal: ({ wires }) => wires.ari.pass(),
      bites: async ground => await readyz(ground) === 503, notices: serviceAway
    },
    {
      name: 'the ARI link is reset, once', short: ['returned'],
      strike: async ({ wires }) => wires.ari.cut(),
      notices: {
        // A key that is pressed while the link is away is heard by nobody: that is silence, and silence leads to the desk.
        menu: within(10, 'as ever', 'another human'), choice: within(10, 'as ever', 'menu again', 'another human'),
        returned: within(untilTheFallback, 'as ever', 'another human')
      }
    },
    {
      name: 'the AMI link is cut', short: ['choice'],
      strike: ({ wires }) => wires.ami.refuse(), heal: ({ wires }) => wires.ami.pass(),
      bites: async ground => await readyz(ground) === 503
    },
    { name: 'Redis is killed', short: ['returned'], strike: ({ city }) => city.redis!.kill(), heal: ({ city }) => city.startRedis() },
    {
      name: 'Redis is flushed', short: ['hanging up'], strike: ground => ground.redisSays('FLUSHALL'),
      heal: ground => eventually('the nightly audit is planned again', async () => await ground.redisSays('ZSCORE', 'bull:followups:repeat', 'nightly-audit') !== null)
    },
    { name: 'Redis is frozen', short: ['silent gateway'], strike: ({ city }) => city.redis!.freeze(), heal: ({ city }) => city.redis!.thaw() },
    {
      name: 'Redis is out of memory', short: ['returned'],
      strike: ground => ground.redisSays('CONFIG', 'SET', 'maxmemory', '1'), heal: ground => ground.redisSays('CONFIG', 'SET', 'maxmemory', '0'),
      bites: ground => ground.redisSays('SET', 'crash-matrix', '1').then(() => false, (error: Error) => error.message.startsWith('OOM'))
    },
    {
      name: 'the store is locked', short: ['ringing in'],
      strike: async ground => { locks.set(ground, await lock(ground)) },
      heal: async ground => { locks.get(ground)?.close() }, bites: stepsWait
    },
    {
      name: 'the store is slow (locked nine tenths of the time)', short: ['short answer'],
      strike: async ground => {
        const stop = new AbortController()
        slowing.set(ground, { stop, done: slowDown(ground, stop.signal) })
      },
      heal: async ground => { slowing.get(ground)?.stop.abort(); await slowing.get(ground)?.done }
    },
    {
      name: 'the store\'s disk is full', short: ['greeting'],
      strike: async ground => { await emptyTheLog(ground); await ground.storeDisk.fill() }, heal: ({ storeDisk }) => storeDisk.free(), bites: stepsWait
    },
    {
      name: 'the ledger\'s disk is full', short: ['talking'], nativeOnly: 'Asterisk\'s log folder is put on a disk of its own, which its container does not see',
      strike: fillTheLedger,
      heal: async ({ ledgerDisk }) => ledgerDisk!.free(), losesTheLedger: true
    },
    {
      // The ledger has nothing of it: what the service saw is on record, as a call that nobody has written down, and is followed up.
      name: 'the ledger\'s disk has been full since before the call', short: ['choice', 'talking'], nativeOnly: 'Asterisk\'s log folder is put on a disk of its own, which its container does not see',
      before: fillTheLedger, strike: async () => {}, heal: async ({ ledgerDisk }) => ledgerDisk!.free(), losesTheLedger: true
    },
    {
      // And the service is frozen, so that the watchdog must act, and would say so in its log.
      name: 'the logs\' disk is full, and the service is frozen', short: ['hold', 'returned'],
      strike: async ({ logDisk, service }) => { await logDisk.fill(); service.process.kill('SIGSTOP') },
      heal: async ({ logDisk, service }) => { service.process.kill('SIGCONT'); await logDisk.free() },
      bites: async ({ logDisk }) => (await statfs(logDisk.folder)).bavail === 0, notices: serviceAway
    },
    {
      // Each attempt of the store's is a line of the log, and neither can be written.
      name: 'the disk of the store and of the logs is full', short: ['choice'],
      strike: async ground => { await emptyTheLog(ground); await Promise.all([ground.storeDisk.fill(), ground.logDisk.fill()]) },
      heal: ({ storeDisk, logDisk }) => Promise.all([storeDisk.free(), logDisk.free()]), bites: stepsWait
    },
    {
      name: 'PostgreSQL is killed', short: ['accept question'],
      strike: ({ database }) => database.kill(), 
      // Until the last process of the one that was killed has seen that it is alone, a new one refuses to start.
      heal: ({ database }) => eventually('PostgreSQL starts again', async () => { await database.start(); return true })
    },
    ...clocks('the service\'s clock is', ['greeting'], ['returned'], { step: (ground, ms) => ground.step(ms) }),
    ...clocks('Asterisk\'s clock is', ['talking'], ['silent gateway'], { ofAsterisk: true, step: (ground, ms) => ground.stepAsterisk(ms) }),
    ...clocks('the machine\'s clock (the service\'s and Asterisk\'s) is', ['line rings'], ['short answer'], {
      ofAsterisk: true, step: (ground, ms) => Promise.all([ground.step(ms), ground.stepAsterisk(ms)])
    })
  ]
}

/** Asterisk has written down its end: a clock that is put right before that has been stepped twice in one call. */
const isOver = ({ city }: Ground) => eventually('the call is over', async () => (await city.channels()).length === 0, 30_000)

/** An hour on, and an hour back. */
function clocks(whose: string, on: MomentName[], back: MomentName[], { ofAsterisk = false, step }: { ofAsterisk?: boolean, step(ground: Ground, ms: number): Promise<unknown> }): Fault[] {
  return ([['+1 h', hour, on], ['-1 h', -hour, back]] as const).map(([by, ms, short]) => ({
    name: `${whose} stepped by ${by}`, short, strike: ground => step(ground, ms), heal: async ground => { await isOver(ground); await step(ground, 0) },
    ...ofAsterisk ? {
      before: ground => ground.giveAsteriskAClock(), nativeOnly: 'libfaketime is preloaded into Asterisk from our root',
      bites: async ground => Math.abs(await ground.city.clock() - (Date.now() + ms)) < 60_000
    } : {},
    notices: {
      ...ofAsterisk && ms > 0 ? { ...soundSeemsLongGone, 'short answer': beatLooksOld(['as ever', 'lost']) } : {},          // both lines seem to fall silent
      returned: beatLooksOld(ofAsterisk && ms > 0 ? ['as ever', 'lost'] : ['as ever'])
    },
    ...ofAsterisk && ms > 0 ? { losesAsIfGone: true } : {}
  }) satisfies Fault)
}

async function slowDown(ground: Ground, stop: AbortSignal) {
  while (!stop.aborted) {
    const store = await lock(ground)
    await pause(450, undefined, { signal: stop }).catch(() => {})
    store.close()
    await pause(50, undefined, { signal: stop }).catch(() => {})
  }
}
