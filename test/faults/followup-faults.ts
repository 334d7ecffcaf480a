/** The faults that strike a follow-up, how each is healed, and how many attempts it may cost. */
import { execFile } from 'node:child_process'
import { access, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import type { Child } from '../../setup/children.mjs'
import { attemptId } from '../../src/followups/attempt.ts'
import { places } from '../../src/settings.ts'
import { eventually } from '../parts/city.ts'
import { comesTo, type MomentName, type Scene } from './followup-moments.ts'

export interface Fault {
  name: string
  /** Before the citizen calls. */
  before?(scene: Scene): Promise<unknown>
  strike(scene: Scene): Promise<unknown>
  /** How long it lasts, ms; `to the end`: until the follow-up has ended. Nothing: there is nothing to heal. */
  lasts?: number | 'to the end'
  heal?(scene: Scene): Promise<unknown>
  /** What must have come to pass before the moment is let go. */
  meanwhile?(scene: Scene, moment: MomentName): Promise<unknown>
  /** Whether it ends the service, and with it what was just on its way from or to it. */
  endsTheService?: true
  /** What is done while the job waits in the queue, whatever the moment is. */
  queued?(scene: Scene): Promise<unknown>
  /** How many attempts it takes at the most; one where a moment is not named. */
  attempts?: Partial<Record<MomentName, number>>
  /** Moments at which it means nothing, and why. */
  not?: Partial<Record<MomentName, string>>
  /** Why it cannot be done with parts in containers. */
  nativeOnly?: string
  /** The moments of it that the short run tries. */
  short: MomentName[]
}

const hour = 3_600_000
export const control = 'nothing (to compare with)'
const run = promisify(execFile)

export function faults(): Fault[] {
  const locks = new Map<Scene, DatabaseSync>()
  const rivals = new Map<Scene, Child>()
  const copies = new Map<Scene, string>()
  const aof = ({ ground }: Scene) => join(ground.city.state, 'redis', 'appendonlydir')
  const copyAof = async (scene: Scene) => {
    const copy = await mkdtemp(join(scene.ground.city.state, 'aof-'))
    await run('cp', ['-a', aof(scene), copy])
    copies.set(scene, copy)
  }
  const startRival = async (scene: Scene) => {
    const up = join(scene.ground.storeDisk.folder, 'rival-up')
    await rm(up, { force: true })
    rivals.set(scene, await scene.ground.city.run('test/faults/rival.ts'))
    await comesTo('the second service is at work', () => access(up).then(() => true))
  }
  return [
    { name: control, strike: async () => {}, short: [] },
    {
      name: 'the service is killed, and started again', short: ['about to dial', 'agency left', 'joined'], endsTheService: true,
      strike: ({ ground }) => ground.killService(), lasts: 0, heal: ({ ground }) => ground.startService(), attempts: { 'about to dial': 2 }
    },
    {
      name: 'the service is killed, and away for 8 s', short: ['agency\'s question'], endsTheService: true,
      strike: ({ ground }) => ground.killService(), lasts: 8_000, heal: ({ ground }) => ground.startService(), attempts: { 'about to dial': 2 }
    },
    { name: 'Redis is killed, and away for 5 s', short: ['queued'], strike: ({ ground }) => ground.city.redis!.kill(), lasts: 5_000, heal: ({ ground }) => ground.city.startRedis() },
    { name: 'Redis is frozen for 5 s', short: ['leased'], strike: ({ ground }) => ground.city.redis!.freeze(), lasts: 5_000, heal: ({ ground }) => ground.city.redis!.thaw() },
    { name: 'Redis is flushed', short: ['leased'], strike: ({ ground }) => ground.redisSays('FLUSHALL') },
    {
      name: 'Redis comes back from an old AOF, in which the job still waits', short: ['recorded'],
      not: { created: 'there is no job yet' }, queued: copyAof,
      strike: async scene => {
        await scene.ground.city.redis!.kill()
        await rm(aof(scene), { recursive: true })
        await rename(join(copies.get(scene)!, 'appendonlydir'), aof(scene))
      },
      lasts: 0,
      heal: async scene => {
        await scene.ground.city.startRedis()
        await eventually('the job waits again', scene.story.queued)
        await scene.queue.resume()                       // it was paused when the copy was made
      }
    },
    {
      name: 'the store is locked for 8 s', short: ['created'],
      strike: async scene => {
        const store = new DatabaseSync(places(scene.ground.storeDisk.folder).records, { timeout: 0 })
        await comesTo('the store is locked by us', async () => { store.exec('begin exclusive'); return true })
        locks.set(scene, store)
      },
      lasts: 8_000, heal: async scene => { locks.get(scene)!.close() }
    },
    {
      name: 'Asterisk is killed, and started again', short: ['ringing agency'],
      strike: ({ ground }) => ground.city.restartAsterisk(),
      attempts: { 'about to dial': 2, 'ringing agency': 2, 'agency\'s question': 2, 'ringing citizen': 2, 'citizen\'s question': 2, joined: 2, 'hung up': 2 }
    },
    {
      name: 'the ARI link is stuck for 8 s', short: ['citizen\'s question'],
      strike: async ({ ground }) => ground.wires.ari.stall(), lasts: 8_000, heal: ({ ground }) => ground.wires.ari.pass(), attempts: { 'about to dial': 2 }
    },
    {
      name: 'a second service works on the same store, queue and Asterisk', short: ['leased'],
      before: startRival, strike: async () => {}, lasts: 'to the end', heal: scene => rivals.get(scene)!.stop(),
      // Until BullMQ takes the job away from the worker that does not move, and gives it to the other one: then both have it.
      meanwhile: async ({ story }, moment) => moment === 'leased' && eventually('the other one has begun it', async () => !await story.attemptIs('claimed'), 60_000)
    },
    {
      name: 'the job is delivered three times more', short: ['ringing citizen'], not: { created: 'there is no job yet' },
      strike: async ({ story, queue }) => {
        const data = { followUp: await story.id(), attempt: 1 }
        for (const jobId of [attemptId(data.followUp!, 1), `again-${data.followUp}`, `once-more-${data.followUp}`]) await queue.add('callback', data, { jobId, removeOnComplete: true, removeOnFail: true })
      }
    },
    ...clocks('the service\'s clock is', ['ringing agency'], [], { step: ({ ground }, ms) => ground.step(ms) }),
    ...clocks('Asterisk\'s clock is', ['ringing citizen'], [], { ofAsterisk: true, step: stepAsterisk }),
    ...clocks('the machine\'s clock (the service\'s and Asterisk\'s) is', [], ['joined'], {
      ofAsterisk: true, step: (scene, ms) => Promise.all([scene.ground.step(ms), stepAsterisk(scene, ms)])
    })
  ]
}

/** An hour on, and an hour back. Asterisk counts ring times by the time of day: forward, they are over at once. */
function clocks(whose: string, on: MomentName[], back: MomentName[], { ofAsterisk = false, step }: { ofAsterisk?: boolean, step(scene: Scene, ms: number): Promise<unknown> }): Fault[] {
  return ([['+1 h', hour, on], ['-1 h', -hour, back]] as const).map(([by, ms, short]) => ({
    name: `${whose} stepped by ${by}`, short, strike: scene => step(scene, ms), lasts: 'to the end', heal: scene => step(scene, 0),
    ...ofAsterisk ? { before: ({ ground }) => ground.giveAsteriskAClock(), nativeOnly: 'libfaketime is preloaded into Asterisk from our root' } : {},
    ...ofAsterisk && ms > 0 ? { attempts: { 'ringing agency': 2, 'agency\'s question': 2, 'ringing citizen': 2 } } : {}
  }) satisfies Fault)
}

async function stepAsterisk({ ground }: Scene, ms: number) {
  await ground.stepAsterisk(ms)
  await comesTo('Asterisk sees it', async () => Math.abs(await ground.city.clock() - ground.asterisksTime) < 60_000)
}
