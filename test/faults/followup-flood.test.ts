/**
 * A thousand citizens who reached nobody are rung back, over one agency's twenty lines, while others call: a real Asterisk, a real
 * Redis, the whole service, SIP and keys. What was at once, and in what order, is counted from SIP and from the store. It takes some minutes.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IncomingCall } from '../../demo/softphone.ts'
import type { Step } from '../../src/calls/story.ts'
import { aCall } from '../records/stories.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

const count = Number(process.env['SATUNOMOR_FLOOD'] ?? 1_000)
const onEachLine = 10
const lines = 2 * onEachLine
/** So long until the flood is due: all of it is known by then. */
const delay = 30
/** What people need to pick up, and how often they press a key until it is taken, ms. */
const reaction = 2_000
const insistence = 1_500
const policy = `spoken: 0 s
followups:
  outbound: { channels: ${lines}, cityHourly: 100000 }
  policy: { delay: ${delay} s, spacing: [10 s], attempts: 2, ringTime: 20 s, kinds: { failed: { priority: 1 } } }
`

let city: City
beforeAll(async () => {
  city = await openCity({
    number: 115, withRedis: true, callbacks: true,
    plan: text => policy + text.replaceAll(/(id: bpbd-\d.*)capacity: 1/g, `$1capacity: ${onEachLine}`)
  })
})
afterAll(() => city?.[Symbol.asyncDispose]())

/** Counts those that go on at once. */
class AtOnce {
  #now = 0
  most = 0
  begins(call: IncomingCall) {
    this.most = Math.max(this.most, ++this.#now)
    void call.ended.then(() => this.#now--)
  }
}

/** Presses a key, again and again until the call has ended, or it is enough. */
function insists(call: Pick<IncomingCall, 'press' | 'ended'>, key: string) {
  const pressing = setInterval(() => { void call.press(key) }, insistence)
  const enough = () => clearInterval(pressing)
  void call.ended.then(enough)
  void call.press(key)
  return enough
}

const citizen = (n: number) => `+6272155501${String(n).padStart(3, '0')}`
/** Those who call meanwhile, one after the other. */
const callers = Array.from({ length: 10 }, (_, n) => `+62721555019${n}`)
/** Those who call while one of the others talks: the place that is kept free is taken. */
const besides = callers.map(cli => cli.replace('5019', '5018'))
const isLive = (cli: string) => callers.includes(cli) || besides.includes(cli)

/** A call that nobody answered, or that was our fault (every fifth): it came in `n` × 5 ms after the first, and all have ended now. */
function missed(n: number, ended: number): Step[] {
  const arrived = ended - 9_900 + n * 5
  const steps = aCall(`missed-${n}`, { cli: citizen(n), ends: n % 5 === 4 ? 'failed' : 'unanswered' })
  const first = steps[0]!.at
  const told = steps.map(step => ({ ...step, at: step.kind === 'ended' ? ended : Math.min(arrived + step.at - first, ended) }))
  return [...told, { callId: `missed-${n}`, key: 'taken', at: arrived + 1, witness: 'service', kind: 'taken', facts: {} }]
}

test(`${count} callbacks are worked off in order, no more at once than there are lines, while every live caller reaches the agency`, async () => {
  const { records } = city.service
  const rings = new Map<string, number>()
  const [citizens, ...places] = [new AtOnce(), new AtOnce(), new AtOnce()]
  const liveLegs = new Map<string, IncomingCall>()
  city.carrier.onCall(async call => {
    if (!isLive(call.line)) rings.set(call.line, (rings.get(call.line) ?? 0) + 1)
    citizens.begins(call)
    call.ring()
    if (!await call.answer()) return
    insists(call, '1')
    // They are joined when the agency's key is heard.
    await Promise.race([eventually(`${call.line} hears the agency`, async () => call.keys.length > 0, 60_000), call.ended])
    await call.hangUp()
  })
  for (const [at, id] of ['bpbd-1', 'bpbd-2'].entries()) city.line(id, async call => {
    places[at]!.begins(call)
    if (isLive(call.from)) {
      liveLegs.set(call.from, call)
      return call.answer()
    }
    call.ring()
    await Promise.race([pause(reaction), call.ended])
    if (await call.answer()) insists(call, '1')
  })

  const ended = Date.now()
  for (let n = 0; n < count; n += 100) await records.append(Array.from({ length: Math.min(100, count - n) }, (_, at) => missed(n + at, ended)).flat())
  const theirs = () => records.db.selectFrom('followups').where('cli', 'not in', [...callers, ...besides])
  await eventually('all are known', async () => (await theirs().select('id').execute()).length === count, 30_000)
  expect(Date.now(), 'nothing was due before all were known').toBeLessThan(ended + delay * 1000)

  // One live caller after the other while the flood lasts; how long each waits from the key until the agency is there is noted. Beside every third one calls a second.
  const undone = () => theirs().select('id').where('state', 'not in', ['done', 'closed', 'person']).limit(1).executeTakeFirst()
  const waits: number[] = []
  const unheard: string[] = []
  const turnedAway = new Set<string>()
  const live = async (from: string, { heard, unheard }: { heard: (ms: number) => unknown, unheard: (why: string) => unknown }) => {
    const call = city.dial({ from })
    await call.answered
    const pressed = performance.now()
    liveLegs.delete(from)
    const enough = insists(call, '2')
    try {
      await eventually(`the agency is there for ${from}`, async () => liveLegs.get(from)?.answered.then(() => true), 20_000)
      await heard(performance.now() - pressed)
      enough()
      await pause(1_000)
    } catch (error) {
      unheard((error as Error).message)
    }
    await call.hangUp()
  }
  await eventually('the flood has begun', async () => citizens.most > 0, 120_000)
  let [calls, besidesHeard] = [0, 0]
  while (await undone()) {
    const [at, another] = [calls % callers.length, calls % 3 === 2]
    await live(callers[at]!, {
      heard: async ms => {
        waits.push(ms)
        if (another) await live(besides[at]!, { heard: () => besidesHeard++, unheard: () => turnedAway.add(besides[at]!) })
      },
      unheard: why => unheard.push(why)
    })
    calls++
    await pause(500)
  }

  const states = await theirs().select(['state', 'why']).execute()
  expect(Object.fromEntries(Map.groupBy(states, ({ state, why }) => `${state}: ${why}`).entries().map(([name, them]) => [name, them.length]))).toEqual({ 'done: spoken': count })
  // Each citizen's telephone rang once: the attempt that came so far was the last.
  expect(rings.size).toBe(count)
  expect([...rings.values()].filter(times => times !== 1)).toEqual([])
  expect(citizens.most).toBeLessThanOrEqual(lines)
  for (const { most } of places) expect(most).toBeLessThanOrEqual(onEachLine)

  // In order: those who were let down by us first, then who called first. What gave way to a caller comes again at its turn.
  const attempts = await records.db.selectFrom('attempts').select(['cli', 'attempt', 'outcome', 'begunAt', 'endedAt']).where('cli', 'not in', [...callers, ...besides]).execute()
  const begins = await records.db.selectFrom('followupEvents').innerJoin('followups', 'followups.id', 'followupEvents.followupId').select(['cli', 'facts'])
    .where('what', '=', 'begins').where('cli', 'not in', [...callers, ...besides]).orderBy('followupEvents.id').execute()
  const all = Array.from({ length: count }, (_, n) => n)
  const turn = [...all.filter(n => n % 5 === 4), ...all.filter(n => n % 5 !== 4)].map(citizen)
  expect(begins.filter(({ facts }) => (JSON.parse(String(facts)) as { attempt: number }).attempt === 1).map(({ cli }) => cli)).toEqual(turn)
  expect(new Set(attempts.map(({ outcome }) => outcome)).difference(new Set(['spoken', 'gave-way']))).toEqual(new Set())
  const gaveWay = attempts.filter(({ outcome }) => outcome === 'gave-way').length

  // Live callers first: callbacks hold all other places, and yet whoever called was there at once. A second one at the same time, too, if a callback rang
  // that nobody had accepted; who found only people who talk is followed up.
  expect(unheard).toEqual([])
  expect(gaveWay).toBeGreaterThan(0)
  expect(besidesHeard).toBeGreaterThan(0)
  const owed = await records.db.selectFrom('followups').select('cli').distinct().where('cli', 'in', besides).execute()
  expect(new Set(owed.map(({ cli }) => cli))).toEqual(turnedAway)
  expect(Math.max(...waits)).toBeLessThan(5_000)
  const took = (Math.max(...attempts.map(({ endedAt }) => endedAt!)) - Math.min(...attempts.map(({ begunAt }) => begunAt!))) / 1000
  process.stdout.write(`${JSON.stringify({ count, seconds: Math.round(took), most: citizens.most, gaveWay, calls, besides: { heard: besidesHeard, turnedAway: turnedAway.size }, waits: { median: Math.round(waits.toSorted((a, b) => a - b)[waits.length >> 1]!), highest: Math.round(Math.max(...waits)) } })}\n`)
  await city.quiet()
}, 1_200_000)
