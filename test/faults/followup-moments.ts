/** The moments of a follow-up at which something can break, and how one is brought to each from outside, and held there. */
import { DatabaseSync } from 'node:sqlite'
import type { Queue } from 'bullmq'
import { places } from '../../src/settings.ts'
import { eventually } from '../parts/city.ts'
import type { CalledBack, Point } from './called-back.ts'
import type { Ground } from './ground.ts'
import type { Story } from './followup-story.ts'

export type MomentName = 'created' | 'queued' | 'leased' | 'about to dial' | 'ringing agency' | 'agency\'s question' | 'ringing citizen' | 'citizen\'s question' | 'agency left' | 'joined' | 'hung up' | 'recorded'

export interface Scene {
  ground: Ground
  phones: CalledBack
  story: Story
  /** The service's queue, as BullMQ shows it to anybody. */
  queue: Queue
}

export interface Moment {
  name: MomentName
  /** For a reader. */
  when: string
  /** How many attempts it takes without a fault; 1 if left out. */
  attempts?: number
  /** Sees to it that the follow-up is held there; called before the citizen's call. Gives back what resolves when it is there. */
  hold(scene: Scene): Promise<() => Promise<unknown>>
  /** Lets it go on; `lost`: what the service was just sending or receiving is lost with it. */
  release(scene: Scene, how: { lost: boolean }): Promise<void>
}

/** As `eventually`, for what must have come to pass before a fault strikes: of that nothing is asserted, and the machine may be loaded. */
export const comesTo = <T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> => eventually(what, ask, 60_000)

const none = async () => {}
const stopped = (name: Point, when: string, attempts = 1): Moment => ({
  name, when, attempts,
  async hold({ phones }) {
    const there = phones.stopsAt(name)
    return () => there
  },
  release: async ({ phones }) => phones.goOn()
})

export const moments: readonly Moment[] = [
  {
    name: 'created', when: 'the outbox owes it, no follow-up has been made of it (the store refuses to take one)',
    async hold({ ground, story }) {
      await inTheStore(ground, 'create trigger held before insert on followups begin select raise(abort, \'held by the crash matrix\'); end')
      return () => comesTo('the outbox owes it', story.owed)
    },
    release: ({ ground }) => inTheStore(ground, 'drop trigger if exists held')
  },
  {
    name: 'queued', when: 'its job is in Redis, and no worker takes it (the queue is paused)',
    async hold({ queue, story }) {
      await queue.pause()
      return () => comesTo('the job is in Redis', story.queued)
    },
    release: ({ queue }) => queue.resume()
  },
  {
    name: 'leased', when: 'a worker has taken the job out of the queue, and has not begun it (Redis\' answer is held on its way)',
    async hold({ ground, story }) {
      const there = ground.wires.redis.holds('"followUp":', 'back')
      return async () => { await there; await comesTo('it is claimed, not begun', () => story.attemptIs('claimed')) }
    },
    release: async ({ ground }, how) => ground.wires.redis.letGo(how)
  },
  {
    name: 'about to dial', when: 'it is begun in the store, and Asterisk has not been asked (the question is held on its way)',
    async hold({ ground, story }) {
      const there = ground.wires.ari.holds('POST /ari/channels/followup-', 'there')
      return async () => { await there; await comesTo('it is begun', () => story.attemptIs('dialling')) }
    },
    release: async ({ ground }, how) => ground.wires.ari.letGo(how)
  },
  stopped('ringing agency', 'the desk\'s telephone rings'),
  stopped('agency\'s question', 'the desk has picked up, and hears whether it takes the callback; it then presses 1'),
  stopped('ringing citizen', 'the citizen\'s telephone rings'),
  stopped('citizen\'s question', 'the citizen has picked up, and hears who calls; they then press 1'),
  stopped('agency left', 'the desk has hung up while the citizen hears the question; they press 1, are told, and are rung again', 2),
  stopped('joined', 'the two hear each other; they talk for 2.5 s more'),
  stopped('hung up', 'the citizen has just hung up'),
  {
    name: 'recorded', when: 'the store says that it is done',
    hold: async ({ story }) => () => comesTo('it is done', async () => (await story.followUp())?.state === 'done'),
    release: none
  }
]

async function inTheStore(ground: Ground, sql: string) {
  await comesTo(`the store takes "${sql}"`, async () => {
    const store = new DatabaseSync(places(ground.storeDisk.folder).records, { timeout: 500 })
    try {
      store.exec(sql)
    } finally {
      store.close()
    }
    return true
  })
}
