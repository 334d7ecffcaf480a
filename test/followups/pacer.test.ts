/** When citizens are rung, and what gives way to live callers: the pacer on a real store, with a stub for the queue and the exchange. */
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { attemptId } from '../../src/followups/attempt.ts'
import { Book, type Claim } from '../../src/followups/book.ts'
import { Pacer } from '../../src/followups/pacer.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { Records } from '../../src/records/records.ts'
import { aCall, aLog, tempFolder } from '../records/stories.ts'
import { townWith } from '../plan/town.ts'
import { citizen, missedAt, missedCall } from './town.ts'

// BPBD has three places on its lines, the trunk six, and two of these stay free.
const planWith = (outbound: string) => readPlan(`${townWith(['{ role: carrier, address: 127.0.0.2 }', '{ role: carrier, address: 127.0.0.2, channels: 6 }'])}
followups: { policy: { delay: 0 s }, outbound: { channels: 10, ${outbound} } }\n`, { file: 'plan.yaml' }).plan
const now = missedAt + 1_000

let open: AsyncDisposableStack
let records: Records
let book: Book
let pacer: Pacer
let plan: Plan
/** What rings, the last one at the end. */
let rings: string[]
beforeEach(async () => {
  open = new AsyncDisposableStack()
  const { log } = aLog()
  plan = planWith('reserve: 2, agencyReserve: 0')
  records = open.use(await Records.open({ file: join(open.use(await tempFolder()).path, 'records.sqlite') }, log))
  book = new Book(records, () => plan)
  rings = []
  const queue = async (claims: Claim[]) => {
    await Promise.all(claims.map(({ followUp: { id }, attempt }) => book.begin({ followUp: id, attempt }, now)))
    rings.push(...claims.map(({ followUp: { id }, attempt }) => attemptId(id, attempt)))
  }
  pacer = new Pacer({ book, plan: () => plan, live: () => records.live(), ready: () => true, queue, giveWay: async () => rings.pop(), log })
})
afterEach(() => open.disposeAsync())

const look = async () => { while (await pacer.look(now)); await pacer.close() }
const missed = (n: number, agency = 'bpbd') => records.append(missedCall(`missed-${n}`, { cli: citizen(n), agency, at: n }))
const calls = (callId: string, agency: string) => records.append(aCall(callId, { agency, ends: null, cli: citizen(90) }))
const talks = async (callId: string, agency: string) => records.append(aCall(callId, { agency, ends: 'answered', cli: citizen(91) }).slice(0, -2))

test('as many ring as the agency has free lines; none while somebody waits for it', async () => {
  for (let n = 0; n < 5; n++) await missed(n)
  await talks('talks', 'bpbd')
  await look()
  expect(rings).toHaveLength(2)
  await missed(7, 'posko')
  await calls('waits', 'posko')
  await look()
  expect(rings).toHaveLength(2)
})

test('who calls finds a place that no callback has, wherever the agency has more than one', async () => {
  plan = planWith('reserve: 0')
  for (let n = 0; n < 4; n++) await missed(n)
  await look()
  expect(rings).toHaveLength(2)
  for (let n = 4; n < 6; n++) await missed(n, 'posko')                 // which has a single place
  await look()
  expect(rings).toHaveLength(3)
})

test('no callback begins on the place that a live caller has left free', async () => {
  plan = planWith('reserve: 0')
  for (const n of [1, 2]) await talks(`live-${n}`, 'bpbd')
  await missed(0)
  await look()
  expect(rings).toHaveLength(0)
})

test('of the trunk\'s channels the reserve stays free beside the calls that have come in', async () => {
  for (let n = 0; n < 3; n++) await missed(n)
  await missed(7, 'posko')
  await talks('elsewhere', 'kantor')                 // which takes none of the four lines
  await look()
  expect(rings).toHaveLength(3)
})

test('calls that come in on the reserve make callbacks give way that nobody has accepted: the last ones, and each once', async () => {
  for (let n = 0; n < 3; n++) await missed(n)
  await look()
  const [first] = rings
  expect(rings).toHaveLength(3)
  for (const n of [1, 2, 3]) await talks(`live-${n}`, 'posko')
  await look()
  expect(rings).toEqual([first])
  await look()                                       // the ends of the two are not read yet: that does not cost a third
  expect(rings).toEqual([first])
})

test('where the plan has nobody rung any more, what waits is a person\'s', async () => {
  for (let n = 0; n < 3; n++) await missed(n)
  await book.takeOutbox(now)
  plan = { ...plan, followups: { ...plan.followups, outbound: { ...plan.followups.outbound, channels: 0 } } }
  await look()
  expect(rings).toEqual([])
  expect((await book.list({ order: 'newest', limit: 9 })).followUps.map(({ state, why }) => [state, why])).toEqual(Array(3).fill(['person', 'by-policy']))
})

test('whose agency the plan has no more is rung by the desk\'s lines', async () => {
  await missed(0)
  await look()
  await missed(1)
  await records.db.updateTable('followups').set({ rings: 'gone' }).where('state', '=', 'open').execute()
  plan = { ...plan }
  await look()
  expect(rings).toHaveLength(2)
})
