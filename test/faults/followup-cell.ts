/** One cell of the follow-ups' crash matrix: a missed call's follow-up comes to the moment, the fault strikes, and all must end well. */
import { setTimeout as pause } from 'node:timers/promises'
import { audit } from '../../src/audit.ts'
import type { Queue } from 'bullmq'
import { eventually } from '../parts/city.ts'
import type { CalledBack } from './called-back.ts'
import type { Fault } from './followup-faults.ts'
import { comesTo, type Moment, type Scene } from './followup-moments.ts'
import { Story } from './followup-story.ts'
import type { Ground } from './ground.ts'

export interface Place { ground: Ground, phones: CalledBack, queue: Queue }

export interface Cell {
  fault: string
  moment: string
  number: string
  /** How each attempt ended. */
  outcomes: string[]
  /** How often the citizen's telephone rang. */
  rings: number
  /** Seconds from the strike until the citizen's telephone rang (null: it did not after it), and until all was written down. */
  rang: number | null
  done: number | null
  state: string
  why: string
  complaints: string[]
}

/** Until a follow-up has ended: a lease of BullMQ's must first be over, ms. */
const patience = 75_000

export async function runFollowUpCell({ ground, phones, queue }: Place, fault: Fault, moment: Moment, number: string): Promise<Cell> {
  await using records = await ground.records()
  const story = new Story(ground, records, number)
  const scene: Scene = { ground, phones, story, queue }
  const complaints: string[] = []
  const should = async (what: string, work: () => Promise<unknown>) => {
    await work().catch((error: Error) => { complaints.push(`${what}: ${error.message}`) })
  }
  await fault.before?.(scene)
  await ground.ready()
  const began = Date.now() - 1000
  if (fault.queued && moment.name !== 'queued') await queue.pause()
  const arrives = await moment.hold(scene)
  await missesThem(ground, number)
  if (fault.queued) {
    await comesTo('the job is in Redis', story.queued)
    await fault.queued(scene)
    if (moment.name !== 'queued') await queue.resume()
  }
  await arrives()

  const struck = Date.now()
  await fault.strike(scene)
  await Promise.all([
    should('the moment is over', async () => { await fault.meanwhile?.(scene, moment.name); await moment.release(scene, { lost: fault.endsTheService ?? false }) }),
    typeof fault.lasts === 'number' ? pause(fault.lasts).then(() => fault.heal?.(scene)) : undefined
  ])
  await should('somebody speaks with the citizen', () => eventually('it is done', async () => {
    const followUp = await story.followUp()
    if (followUp?.state !== 'done') throw new Error(`it is ${followUp?.state} (${followUp?.why})`)
    return true
  }, patience))
  const done = Date.now()
  if (fault.lasts === 'to the end') await fault.heal?.(scene)
  await should('the service is ready', () => ground.ready())
  await should('nothing is left behind', () => eventually('all is gone', async () => {
    const left = [...await ground.city.channels(), ...(await records.live()).map(({ callId }) => `live record ${callId}`)]
    if (left.length > 0) throw new Error(left.join(', '))
    return true
  }, 30_000))
  await should('the books are balanced', async () => {
    const { balanced, missing, unfinished, orphans } = await audit({ file: ground.ledger, records, from: began, to: Date.now() + 1000 })
    if (!balanced) throw new Error(JSON.stringify({ missing, unfinished, orphans }))
  })

  const rings = phones.of(number)
  complaints.push(...await story.faults(rings))
  const [followUp, attempts] = [await story.followUp(), await story.attempts()]
  const most = (fault.attempts?.[moment.name] ?? 1) + (moment.attempts ?? 1) - 1
  if (attempts.length > most) complaints.push(`it took ${attempts.length} attempts, not ${most}`)
  if (!rings.at(-1)?.talked) complaints.push('the citizen\'s last call was no talk')
  const rang = rings.find(({ at }) => at > struck)?.at
  const seconds = (at: number | undefined) => at === undefined ? null : Math.round((at - struck) / 100) / 10
  return {
    fault: fault.name, moment: moment.name, number, outcomes: attempts.map(({ outcome }) => outcome ?? 'none'), rings: rings.length,
    rang: seconds(rang), done: moment.name === 'recorded' ? null : seconds(done), state: followUp?.state ?? 'none', why: followUp?.why ?? '', complaints
  }
}

/** Calls 112, and gives up in the greeting: nobody has spoken with them. */
async function missesThem(ground: Ground, number: string) {
  const call = ground.city.dial({ from: number })
  await call.answered
  await ground.ear.hears(call, 'sambutan', { within: 60_000 })
  await call.hangUp()
}
