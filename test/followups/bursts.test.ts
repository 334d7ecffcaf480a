/** A burst of calls that hang up at once has no stranger rung, and takes nobody's turn. */
import { beforeEach, afterEach, expect, test } from 'vitest'
import { inBurst } from '../../src/followups/bursts.ts'
import { messageFor } from '../../src/followups/messages.ts'
import type { Step } from '../../src/calls/story.ts'
import { ground } from './ground.ts'

let town: Awaited<ReturnType<typeof ground>>
let now: number
beforeEach(async () => { town = await ground(); now = Date.now() })
afterEach(() => town[Symbol.asyncDispose]())

const forged = (n: number) => `+628127770${String(n).padStart(4, '0')}`
let calls = 0
/** A call that was hung up after so many ms, in the greeting or after a key. */
function hungUp(cli: string, { at, after = 500, key = false }: { at: number, after?: number, key?: boolean }): Step[] {
  const callId = `burst-${++calls}`
  const seen = (key: string, ms: number) => ({ callId, key, at: at + ms, witness: 'ledger' }) as const
  return [
    { ...seen('a', 0), kind: 'arrived', facts: { did: '112', trunk: 'carrier', cli } }, { ...seen('b', 1), kind: 'picked', facts: {} }, { ...seen('t', 2), witness: 'service', kind: 'taken', facts: {} },
    ...key ? [{ ...seen('k', 100), kind: 'key', facts: { digit: '2', node: 'utama', means: 'lain' } } as Step] : [],
    { ...seen('h', after), kind: 'hangup', facts: { by: 'caller', q850: 16 } }, { ...seen('e', after + 1), kind: 'ended', facts: {} }
  ]
}
const take = async (...stories: Step[][]) => {
  for (const steps of stories) await town.records.append(steps)
  while (await town.book.takeOutbox(now) > 0);
}
const all = () => town.records.db.selectFrom('followups').selectAll().orderBy('arrivedAt').execute()
const of = async (cli: string) => (await all()).filter(one => one.cli === cli)
const states = async () => Object.fromEntries([...Map.groupBy(await all(), ({ state, why }) => `${state} ${why}`)].map(([what, those]) => [what, those.length]))
const claimed = async (later = 3_600_000) => Promise.all((await town.book.claim(now + later, { allowance: 500, free: new Map([['bpbd', 500], ['posko', 500]]), busy: new Set() }))
  .map(async ({ followUp: { id } }) => (await town.book.get(id))!.followUp.cli))
const flood = (from: number, count: number, each: (n: number) => Partial<Parameters<typeof hungUp>[1]> = () => ({})) =>
  Array.from({ length: count }, (_, n) => hungUp(forged(from + n), { at: now - 60_000 + n * 150, ...each(n) }))

test('150 forged calls in 23 seconds have nobody rung, also not the first ones; a caller who waited is rung', async () => {
  await take(...flood(0, 10))
  expect(await states()).toEqual({ 'open abandoned-greeting': 10 })
  await take(...flood(10, 140, n => ({ at: now - 58_000 + n * 150 })), hungUp('+627215550131', { at: now - 30_000, after: 20_000 }))
  expect(await states()).toEqual({ 'person burst': 150, 'open abandoned-greeting': 1 })
  expect(await claimed()).toEqual(['+627215550131'])
  expect(await town.book.parked()).toMatchObject({ parked: 150 })
  expect((await town.book.figures(now)).parked).toBe(150)
  const [first] = await of(forged(0))
  expect((await town.history(first!.id)).map(({ who, what }) => `${who} ${what}`)).toEqual(['policy opened', 'policy burst-parked'])
})

test('twenty people who hang up at once are no burst, nor are many who hang up over an hour, or who pressed a key', async () => {
  await take(...flood(0, 21), ...flood(100, 100, n => ({ at: now - 3_700_000 + n * 30_000 })), ...flood(300, 60, () => ({ key: true })))
  expect((await states())['person burst']).toBeUndefined()
})

test('a citizen of a burst who calls again, and stays, is followed up as ever', async () => {
  await take(...flood(0, 50))
  await take(hungUp(forged(7), { at: now - 20_000, after: 9_000 }))
  expect((await of(forged(7))).map(({ state, why }) => `${state} ${why}`)).toEqual(['person burst', 'open abandoned-greeting'])
  await take(hungUp(forged(8), { at: now - 20_000 }))
  expect(await of(forged(8))).toHaveLength(1)
})

test('who has called for longer, too, stays as they were', async () => {
  await take(hungUp(forged(1), { at: now - 70_000, after: 8_000 }))
  await take(...flood(0, 50))
  expect((await of(forged(1))).map(({ state }) => state)).toEqual(['open'])
})

test('the desk releases a burst: it is rung after all others, in time; or parks what was none', async () => {
  await take(...flood(0, 30), hungUp('+627215550131', { at: now - 5_000, after: 4_500 }))
  const [mine] = await of(forged(3))
  await town.book.act(mine!.id, 'Ani', () => ({ what: 'claimed', set: { claimedBy: 'Ani', claimedAt: now } }), now)
  expect(await town.book.releaseBurst('Ani', 'they did call', now, { signedBy: 'own-token' })).toBe(29)
  expect(await states()).toEqual({ 'open burst-released': 29, 'person burst': 1, 'open abandoned-greeting': 1 })
  expect((await town.book.list({ order: 'newest', limit: 200, burst: true })).followUps).toHaveLength(30)
  const released = (await of(forged(4)))[0]!
  expect(released).toMatchObject({ priority: 9, list: released.rings, escalated: 0 })
  expect((await town.history(released.id)).at(-1)).toMatchObject({ who: 'Ani', what: 'burst-released', facts: { reason: 'they did call', signedBy: 'own-token' } })
  // The burst goes on: what the desk has released stays so.
  await take(...flood(40, 5))
  expect(await states()).toEqual({ 'open burst-released': 29, 'person burst': 6, 'open abandoned-greeting': 1 })
  expect((await claimed(60_000))[0]).toBe('+627215550131')

  expect(await town.book.parkBurst(now - 3_600_000, now, 'Ani', 'forged after all')).toBe(0)          // they are being rung
})

test('what the service did not see as a burst is parked by hand, and nobody else is', async () => {
  await take(...flood(0, 10), hungUp('+627215550131', { at: now - 30_000, after: 20_000 }))
  expect(await town.book.parkBurst(now - 3_600_000, now, 'Ani', 'forged')).toBe(10)
  expect(await states()).toEqual({ 'person burst': 10, 'open abandoned-greeting': 1 })
})

test('nobody of a burst gets a message, and it is not escalated; a person closes each', async () => {
  await take(...flood(0, 40))
  const [one] = await all()
  expect(messageFor(town.plan, one!, 'opened', now, now)).toBeDefined()          // the plan has one for others
  expect((await town.history(one!.id))[0]).toMatchObject({ what: 'opened', facts: { why: 'burst' } })
  expect(await town.book.escalate(now + 48 * 3_600_000)).toBe(0)
  await town.book.act(one!.id, 'Ani', () => ({ happening: 'closed', what: 'closed', set: { why: 'forged' } }), now)
  expect(await town.book.parked()).toMatchObject({ parked: 39 })
})

test('who calls again goes before who hung up at once, and who waited for a line before both', async () => {
  await take(hungUp('+627215550101', { at: now - 90_000 }), hungUp('+627215550102', { at: now - 80_000 }), hungUp('+627215550102', { at: now - 70_000 }))
  const waiting = hungUp('+627215550103', { at: now - 60_000, after: 30_000 })
  await take([...waiting.slice(0, 3), { ...waiting[0]!, key: 'w', at: waiting[0]!.at + 3_000, witness: 'service', kind: 'waiting', facts: { agency: 'posko' } } as Step, ...waiting.slice(3)])
  expect((await all()).map(({ cli, priority }) => [cli!.slice(-3), priority])).toEqual([['101', 6], ['102', 5], ['103', 4]])
  expect(await claimed()).toEqual(['+627215550103', '+627215550102', '+627215550101'])
})

test('calls of one number alone are no burst, however many; times count on either side', () => {
  const limits = { calls: 2, within: 1_000 }
  const at = (...calls: [string, number][]) => inBurst(calls.map(([cli, arrivedAt]) => ({ cli, arrivedAt })), limits).map(({ cli }) => cli)
  expect(at(['a', 0], ['a', 1], ['a', 2], ['a', 3])).toEqual([])
  expect(at(['a', 0], ['b', 500], ['c', 900], ['d', 1_000])).toEqual(['a', 'b', 'c', 'd'])
  expect(at(['a', 0], ['b', 500], ['c', 900], ['d', 1_400])).toEqual(['b', 'c'])
  expect(at(['a', 0], ['b', 2_000], ['c', 4_000], ['d', 6_000])).toEqual([])
})
