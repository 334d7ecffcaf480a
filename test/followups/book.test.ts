/** The book of follow-ups, on both stores. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Outcome, Result } from '../../src/followups/attempt.ts'
import { Book, NotNow, type Changed, type Claim } from '../../src/followups/book.ts'
import { idOf } from '../../src/followups/make.ts'
import type { Step } from '../../src/calls/story.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { Metrics } from '../../src/http/metrics.ts'
import { readPlan } from '../../src/plan/read.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { Records } from '../../src/records/records.ts'
import { postgres } from '../parts/postgres.ts'
import { townWith } from '../plan/town.ts'
import { aCall, aLog, start, tempFolder } from '../records/stories.ts'
import { citizen, minute, missedAt, missedCall, planWith } from './town.ts'

const { log } = aLog()
const stores = new AsyncDisposableStack()
afterAll(() => stores.disposeAsync())

const onSqlite = async () => ({ file: `${stores.use(await tempFolder()).path}/records.sqlite` })
const onPostgres = async () => ({ url: stores.use(await postgres()).url })
const quick = '{ policy: { delay: 0 s, spacing: [1 min], attempts: 2, deadline: 20 min }, window: 30 min, outbound: { channels: 10, hourly: 3 }, escalate: [{ to: bpbd, after: 10 min }] }'
const now = missedAt + 1_000
const planAfterHours = readPlan(`${townWith(
  ['  "+62721555": { entry: bpbd }\n', ''], ['    name: BPBD\n', '    name: BPBD\n    hours: kerja\n    closed: { offer: callback, to: posko }\n']
)}hours:\n  kerja: [{ days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00 }]\nfollowups: ${quick}\n`, { file: 'plan.yaml' }).plan
const result = (outcome: Outcome): Result => ({ outcome, line: 'bpbd-1', rung: true, joinedAt: null, endedAt: now })

describe.each([['sqlite', onSqlite], ['postgresql', onPostgres]])('the book on %s', (_name, make) => {
  let records: Records
  let plan: Plan
  let book: Book
  beforeAll(async () => { records = stores.use(await Records.open(await make(), log)) }, 60_000)
  beforeEach(async () => {
    for (const table of ['followupEvents', 'attempts', 'followupCalls', 'followups', 'outbox', 'steps', 'calls'] as const) await records.db.deleteFrom(table).execute()
    plan = planWith(quick)
    book = new Book(records, () => plan)
  })

  const takeAll = async (at = now) => { while (await book.takeOutbox(at) > 0); }
  const all = () => records.db.selectFrom('followups').selectAll().orderBy('arrivedAt').execute()
  const only = async (): Promise<FollowUp> => {
    const found = await all()
    expect(found).toHaveLength(1)
    return found[0]!
  }
  const misses = async (callId: string, how: Parameters<typeof missedCall>[1] = {}) => { await records.append(missedCall(callId, how)); await takeAll() }
  const lines = (free: Record<string, number> = { bpbd: 10, posko: 10 }) => new Map(Object.entries(free))
  const claim = (at = now, { allowance = 10, free = lines(), busy = new Set<string>() } = {}) => book.claim(at, { allowance, free, busy })
  const words = async (id: string) => (await book.get(id))!.history.map(({ what }) => what)

  describe('what makes one', () => {
    test('a missed call makes one, once, however often its outbox is read', async () => {
      await misses('a')
      await records.db.updateTable('outbox').set({ doneAt: null }).execute()
      await takeAll()
      const followUp = await only()
      expect(followUp).toMatchObject({ kind: 'unanswered', agency: 'bpbd', cli: citizen(12), state: 'open', attempt: 0, arrivedAt: start })
      expect(await words(followUp.id)).toEqual(['opened'])
    })
    describe('after hours, at an agency that offers a callback', () => {
      // The calls of these tests are of Saturday, 07:00 in Jakarta.
      const opens = Date.UTC(2026, 1, 2, 1)
      beforeEach(() => { plan = planAfterHours })
      const closedAt = (callId: string, { at = 0, asks = true } = {}): Step[] => {
        const seen = (offset: number, witness: 'ledger' | 'service') => ({ callId, key: `${witness}-${offset}`, at: start + at + offset, witness }) as const
        return [
          { ...seen(0, 'ledger'), kind: 'arrived', facts: { did: '112', trunk: 'carrier', cli: citizen(12) } },
          { ...seen(1, 'service'), kind: 'closed', facts: { agency: 'bpbd', why: 'closed (hours: kerja)', to: null } },
          { ...seen(2, 'service'), kind: 'decided', facts: { disposition: 'unanswered', why: 'closed:bpbd' } },
          ...asks ? [{ ...seen(3, 'service'), kind: 'decided', facts: { disposition: 'callback', why: 'closed:bpbd' } } as const] : [],
          { ...seen(9_000, 'ledger'), kind: 'hangup', facts: { by: 'us', q850: 16 } }, { ...seen(10_000, 'ledger'), kind: 'ended', facts: {} }
        ]
      }
      const happens = async (...calls: Step[][]) => { for (const steps of calls) { await records.append(steps); await takeAll(steps.at(-1)!.at) } }

      test('who asks for it waits for the opening, and nothing begins before', async () => {
        await happens(closedAt('a'))
        expect(await only()).toMatchObject({ kind: 'asked', agency: 'bpbd', state: 'open', dueAt: opens, deadlineAt: opens + 20 * minute })
        expect(await claim(opens - 1)).toEqual([])
        expect(await book.escalate(opens + 20 * minute - 1)).toBe(0)
        expect(await claim(opens)).toHaveLength(1)
      })
      test('by what is closed by hand, too', async () => {
        const until = opens + 90 * minute
        book = new Book(records, () => plan, () => ({ closed: new Map([['bpbd', { until, reason: 'Banjir' }]]) }))
        await happens(closedAt('a'))
        expect((await only()).dueAt).toBe(until)
      })
      test('who calls again before has one follow-up still, however much later, whether they ask again or not', async () => {
        await happens(closedAt('a'), closedAt('b', { at: 300 * minute }), closedAt('c', { at: 900 * minute, asks: false }))
        expect(await only()).toMatchObject({ kind: 'asked', dueAt: opens, deadlineAt: opens + 20 * minute, arrivedAt: start })
        expect(await words((await only()).id)).toEqual(['opened', 'called-again', 'called-again'])
      })
      test('who first did not ask, and then does, is promised the opening: what was planned for before is not done', async () => {
        await happens(closedAt('a', { asks: false }))
        expect(await only()).toMatchObject({ kind: 'unanswered', dueAt: start + 10_000 })
        await happens(closedAt('b', { at: 5_000 }))
        expect(await only()).toMatchObject({ kind: 'asked', dueAt: opens, deadlineAt: opens + 20 * minute })
        expect(await claim(opens - 1)).toEqual([])
      })
      test('who calls when it has opened has another', async () => {
        await happens(closedAt('a'), missedCall('b', { at: opens - start + minute }))
        expect(await all()).toHaveLength(2)
      })
    })
    test('several missed calls of one person about one agency within the window are one; it knows them all', async () => {
      await records.append([...missedCall('a'), ...missedCall('b', { at: 20 * minute }), ...missedCall('c', { at: 31 * minute }), ...missedCall('d', { agency: 'posko' }), ...missedCall('e', { cli: citizen(13) })])
      await takeAll(now + 32 * minute)
      expect((await all()).map(({ cli, agency, arrivedAt }) => [cli, agency, (arrivedAt - start) / minute])).toEqual(
        expect.arrayContaining([[citizen(12), 'bpbd', 0], [citizen(12), 'bpbd', 31], [citizen(12), 'posko', 0], [citizen(13), 'bpbd', 0]]))
      expect(await all()).toHaveLength(4)
      const [first] = (await all()).filter(({ agency, cli, arrivedAt }) => agency === 'bpbd' && cli === citizen(12) && arrivedAt === start)
      expect((await book.get(first!.id))!.calls.sort()).toEqual(['a', 'b'])
      expect(await words(first!.id)).toEqual(['opened', 'called-again'])
    })
    test('a call that was never acknowledged, which may be forged, takes nobody their callback', async () => {
      const seen = (offset: number) => ({ callId: 'forged', key: `x-${offset}`, at: start + offset, witness: 'ledger' }) as const
      await records.append([
        { ...seen(0), kind: 'arrived', facts: { did: '112', trunk: 'carrier', cli: citizen(12) } }, { ...seen(1), kind: 'picked', facts: {} }, { ...seen(2), kind: 'agency', facts: { agency: 'bpbd' } },
        { ...seen(12_801), kind: 'hangup', facts: { by: 'caller', q850: 18 } }, { ...seen(12_802), kind: 'ended', facts: {} }, ...missedCall('b', { at: minute })])
      await takeAll(now + 2 * minute)
      expect((await all()).map(({ state, why }) => [state, why]).toSorted()).toEqual([['open', expect.any(String)], ['person', 'never-acknowledged']])
    })
    test('a later batch finds the one that an earlier batch has made', async () => {
      await misses('a')
      await misses('b', { at: minute })
      expect((await book.get((await only()).id))!.calls.sort()).toEqual(['a', 'b'])
    })
    test('seven hundred at once, in two batches', async () => {
      await records.append(Array.from({ length: 700 }, (_, n) => missedCall(`many-${n}`, { cli: '', at: n })).flat())
      await takeAll()
      expect(await all()).toHaveLength(700)
      const { told } = await records.db.selectFrom('followupEvents').select(({ fn }) => fn.countAll<number>().as('told')).executeTakeFirstOrThrow()
      expect(Number(told)).toBe(700)
    })
    test('nobody hears of a change before it is committed', async () => {
      const heard: Changed[] = []
      const stop = book.onChanged(change => heard.push(change))
      await misses('a')
      expect(heard.map(({ event: { what }, followUp: { state } }) => [what, state])).toEqual([['opened', 'open']])
      await expect(book.act(heard[0]!.followUp.id, 'dewi', () => ({ happening: 'reopened', what: 'reopened' }), now)).rejects.toThrow(NotNow)
      expect(heard).toHaveLength(1)
      stop()
    })
  })

  describe('spoken with already', () => {
    const reaches = async (callId: string, { cli = citizen(12), agency = 'bpbd', at = minute } = {}) => { await records.append(aCall(callId, { cli, agency, at, ends: 'answered' })); await takeAll(now + 2 * minute) }

    test('whoever reaches the agency is owed nothing any more', async () => {
      await misses('a')
      await reaches('b')
      expect(await only()).toMatchObject({ state: 'done', why: 'already-spoken-with', endedBy: 'call b' })
    })
    test('also where they had reached it before the missed call was learned of', async () => {
      await records.append([...missedCall('a'), ...aCall('b', { cli: citizen(12), at: minute, ends: 'answered' })])
      await takeAll(now + 2 * minute)
      expect(await only()).toMatchObject({ state: 'done', endedBy: 'call b' })
      expect(await words((await only()).id)).toEqual(['opened', 'spoke'])
    })
    test('the desk speaks for every agency, another agency does not', async () => {
      await misses('a')
      await misses('p', { agency: 'posko', cli: citizen(13) })
      await reaches('b', { agency: 'posko' })
      await reaches('q', { agency: 'bpbd', cli: citizen(13) })
      expect((await all()).map(({ cli, state }) => [cli, state]).sort()).toEqual([[citizen(12), 'done'], [citizen(13), 'open']])
    })
    test('a talk before the missed call counts for nothing, nor does somebody else\'s', async () => {
      await misses('a', { at: 10 * minute })
      await reaches('b', { at: 0 })
      await reaches('c', { cli: citizen(13), at: 11 * minute })
      expect(await only()).toMatchObject({ state: 'open' })
    })
    test('also where the clock was put back between the two', async () => {
      await reaches('a', { at: 60 * minute })
      await misses('b')
      expect(await only()).toMatchObject({ state: 'open' })
    })
    test('and where it was put back while another of that number still talked', async () => {
      const talk = aCall('a', { cli: citizen(12), at: 60 * minute, ends: 'answered' })
      await records.append(talk.slice(0, 4))
      await misses('b')
      await records.append(talk.slice(4))
      await takeAll()
      expect(await only()).toMatchObject({ state: 'open' })
    })
    test('who called again after the talk, in vain, is owed that call, though all of it is learned of at once', async () => {
      await misses('a')
      await records.append([...aCall('b', { cli: citizen(12), at: minute, ends: 'answered' }), ...missedCall('c', { at: 5 * minute })])
      await takeAll(now + 6 * minute)
      const followUp = await only()
      expect(followUp).toMatchObject({ state: 'open' })
      expect((await book.get(followUp.id))!.calls.toSorted()).toEqual(['a', 'c'])
      await reaches('d', { at: 7 * minute })
      expect(await only()).toMatchObject({ state: 'done', endedBy: 'call d' })
    })
    test.each(['us', 'carrier'] as const)('who was cut off (by %s) was not spoken with', async by => {
      const talk = aCall('b', { cli: citizen(12), at: minute, ends: 'answered' }).map(step => step.kind === 'hangup' ? { ...step, facts: { by, q850: 41 } } as Step : step)
      await records.append([...missedCall('a'), ...talk])
      await takeAll(now + 2 * minute)
      const followUp = await only()
      expect(followUp).toMatchObject({ state: 'open' })
      expect((await book.get(followUp.id))!.calls.toSorted()).toEqual(['a', 'b'])
    })
    test('a claim that has not begun is then not begun any more', async () => {
      await misses('a')
      const [claimed] = await claim()
      await reaches('b')
      expect(await book.begin({ followUp: claimed!.followUp.id, attempt: 1 }, now)).toBeUndefined()
      expect((await book.get(claimed!.followUp.id))!.attempts).toMatchObject([{ state: 'ended', outcome: 'void' }])
      expect(await only()).toMatchObject({ state: 'done' })
    })
  })

  describe('whose turn it is', () => {
    const who = async (...args: Parameters<typeof claim>) => (await claim(...args)).map(({ followUp }) => (followUp as FollowUp).cli)

    test('emergency first, then who called first; not before they are due', async () => {
      plan = planWith('{ policy: { delay: 0 s, kinds: { failed: { priority: 1 } } } }')
      await misses('late', { cli: citizen(3), at: 3_000 })
      await misses('early', { cli: citizen(1), at: 1_000 })
      await records.append([...aCall('urgent', { cli: citizen(2), at: 2_000, ends: 'failed' }), { callId: 'urgent', key: 'taken', at: start, witness: 'service', kind: 'taken', facts: {} }])
      await takeAll()
      expect(await who(start)).toEqual([])
      expect(await who(now + minute)).toEqual([citizen(2), citizen(1), citizen(3)])
    })
    test('as many as there are free lines of each agency, and not more than the allowance', async () => {
      for (let n = 0; n < 6; n++) await misses(`call-${n}`, { cli: citizen(n), at: n, agency: n % 2 ? 'posko' : 'bpbd' })
      expect(await who(now + minute, { free: lines({ bpbd: 2, posko: 0 }) })).toEqual([citizen(0), citizen(2)])
      expect(await who(now + minute, { free: lines({ bpbd: 2, posko: 2 }), allowance: 1 })).toEqual([citizen(1)])
      expect(await who(now + minute, { allowance: 0 })).toEqual([])
    })
    test('of very many, too', async () => {
      plan = planWith('{ policy: { delay: 0 s }, stale: 1440 min, outbound: { channels: 10 } }')
      const later = now + 400 * minute
      await records.append(Array.from({ length: 1_200 }, (_, n) => missedCall(`many-${n}`, { cli: citizen(n % 100), at: n + Math.floor(n / 100) * 31 * minute, agency: n % 2 ? 'posko' : 'bpbd' })).flat())
      await takeAll(later)
      expect(await all()).toHaveLength(1_200)
      expect(await who(later, { free: lines({ bpbd: 2, posko: 3 }), allowance: 4 })).toEqual([0, 1, 2, 3].map(citizen))
      expect(await who(later, { free: lines({ bpbd: 1, posko: 0 }), busy: new Set([citizen(4)]) })).toEqual([citizen(6)])
    })
    test('whoever is on the telephone with us, or is being rung, is passed over: one leg a number', async () => {
      await misses('a', { cli: citizen(1) })
      await misses('b', { cli: citizen(1), agency: 'posko', at: 1 })
      await misses('c', { cli: citizen(2), at: 2 })
      expect(await who(now + minute, { busy: new Set([citizen(2)]) })).toEqual([citizen(1)])
      expect(await who(now + minute)).toEqual([citizen(2)])
      expect(await who(now + minute)).toEqual([])
    })
    test('nobody is rung more often than the hour allows; a person then has it', async () => {
      plan = planWith('{ policy: { delay: 0 s, spacing: [1 min], attempts: 9 }, outbound: { channels: 10, hourly: 2 } }')
      await misses('a')
      for (let n = 1; n <= 2; n++) {
        const [claimed] = await claim(now + n * 2 * minute)
        await book.begin({ followUp: claimed!.followUp.id, attempt: n }, now + n * 2 * minute)
        await book.settle([{ followUp: claimed!.followUp.id, attempt: n, result: result('busy') }], now + n * 2 * minute)
      }
      expect(await claim(now + 6 * minute)).toEqual([])
      expect(await only()).toMatchObject({ state: 'person', why: 'rung-too-often', list: 'posko' })
    })
    test.each(['gave-way', 'agency-unreached'] as const)('%s rang nobody: it counts for no hour', async outcome => {
      plan = planWith('{ policy: { delay: 0 s, spacing: [1 min], attempts: 9, agencyTries: 9 }, outbound: { channels: 10, hourly: 1, cityHourly: 1 } }')
      await misses('a')
      for (let n = 1; n <= 3; n++) {
        const [claimed] = await claim(now + n * minute)
        await book.begin({ followUp: claimed!.followUp.id, attempt: n }, now + n * minute)
        await book.settle([{ followUp: claimed!.followUp.id, attempt: n, result: { ...result(outcome), rung: false } }], now + n * minute)
      }
      expect(await only()).toMatchObject({ state: 'open', why: outcome, attempt: 3, tried: 0 })
    })
    test('an agency that did not accept, after the citizen had been rung, counts', async () => {
      plan = planWith('{ policy: { delay: 0 s, spacing: [1 min], attempts: 9 }, outbound: { channels: 10, hourly: 1 } }')
      await misses('a')
      const [claimed] = await claim()
      await book.begin({ followUp: claimed!.followUp.id, attempt: 1 }, now)
      await book.settle([{ followUp: claimed!.followUp.id, attempt: 1, result: result('agency-unreached') }], now)
      expect(await claim(now + 2 * minute)).toEqual([])
      expect(await only()).toMatchObject({ state: 'person', why: 'rung-too-often' })
    })
    test('at an hour at which the policy has nobody rung, what is due waits; not what somebody asked for, nor other agencies\'', async () => {
      plan = planWith('{ policy: { delay: 0 s, kinds: { asked: { hours: pagi } } }, agencies: { bpbd: { hours: pagi } }, outbound: { channels: 10 } }', 'hours:\n  pagi: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: 06:00, to: 08:00 }]\n')
      for (let n = 0; n < 3; n++) await misses(`call-${n}`, { cli: citizen(n), at: n, agency: n === 2 ? 'posko' : 'bpbd' })
      await records.db.updateTable('followups').set({ dueAt: now }).execute()               // 07:00: due before the hour came
      await records.db.updateTable('followups').set({ priority: 0 }).where('cli', '=', citizen(1)).execute()
      const at = start + 60 * minute                                                         // 08:00
      expect((await claim(at)).length).toBe(2)
      expect(await all()).toMatchObject([{ state: 'open', dueAt: start + 23 * 60 * minute }, { state: 'calling' }, { state: 'calling' }])
    })
    test('the city has an hourly budget: beyond it all wait', async () => {
      plan = planWith('{ policy: { delay: 0 s }, outbound: { channels: 10, cityHourly: 2 } }')
      for (let n = 0; n < 4; n++) await misses(`call-${n}`, { cli: citizen(n), at: n })
      const first = await claim(now + minute)
      expect(first).toHaveLength(2)
      for (const { followUp: { id }, attempt } of first) await book.begin({ followUp: id, attempt }, now + minute)
      expect(await claim(now + minute)).toEqual([])
      expect((await all()).filter(({ state }) => state === 'open')).toHaveLength(2)
      expect(await claim(now + 62 * minute)).toHaveLength(2)
    })
    test('a number that never called is never rung', async () => {
      await misses('a')
      await records.db.deleteFrom('calls').execute()
      expect(await claim()).toEqual([])
      expect(await only()).toMatchObject({ state: 'person', why: 'never-called' })
      await expect(book.ask({ key: 'x', agency: null, cli: citizen(77), did: '112' }, 'dewi', 'asked at the counter', now)).rejects.toThrow(/never called/)
    })
    test('whoever called may be rung at somebody\'s wish, once for the same key', async () => {
      await misses('a')
      const ask = () => book.ask({ key: 'x', agency: 'posko', cli: citizen(12), did: '112' }, 'dewi', 'asked at the counter', now)
      expect((await ask()).id).toBe((await ask()).id)
      expect(await all()).toHaveLength(2)
    })
    const ends = (id: string) => records.db.updateTable('followups').set({ state: 'closed', endedAt: now, endedBy: 'dewi' }).where('id', '=', id).execute()
    test('a number has one open follow-up that was asked for, whoever asks, with a key or without', async () => {
      await misses('a')
      const ask = (who: string, key: { key?: string } = {}) => book.ask({ ...key, agency: 'posko', cli: citizen(12), did: '112' }, who, 'asked', now)
      const { id } = await ask('dewi', { key: 'x' })
      for (const [who, key] of [['dewi', {}], ['ani', {}], ['ani', { key: 'y' }]] as const) await expect(ask(who, key)).rejects.toThrow(`asked for already, and open: work follow-up ${id} (list posko)`)
      await ends(id)
      expect((await ask('ani')).id).not.toBe(id)
    })
    test('a key is one person\'s: of another token, or of one who names somebody, it is another', async () => {
      await misses('a')
      const ask = (who: string, by: { signedBy?: 'own-token' | 'city-token' } = {}) => book.ask({ key: 'x', agency: 'posko', cli: citizen(12), did: '112' }, who, 'asked', now, by)
      const made: string[] = []
      for (const [who, signedBy] of [['Dewi', 'own-token'], ['Dewi', 'city-token'], ['Ani', 'own-token']] as const) {
        made.push((await ask(who, { signedBy })).id)
        await ends(made.at(-1)!)
      }
      expect(new Set(made).size).toBe(3)
      expect((await ask('Dewi', { signedBy: 'own-token' })).id).toBe(made[0])
    })
    test('a key of before, which knew no asker, still finds what its asker asked for', async () => {
      await misses('a')
      const old = idOf('asked x')
      const { id } = await book.ask({ key: 'x', agency: 'posko', cli: citizen(12), did: '112' }, 'dewi', 'asked', now)
      await records.db.updateTable('followups').set({ id: old }).where('id', '=', id).execute()
      await records.db.updateTable('followupEvents').set({ followupId: old }).where('followupId', '=', id).execute()
      const ask = (who: string, n: number) => book.ask({ key: 'x', agency: 'posko', cli: citizen(n), did: '112' }, who, 'asked', now)
      expect((await ask('dewi', 12)).id).toBe(old)
      await expect(ask('dewi', 13)).rejects.toThrow(/another number/)
      await ends(old)
      expect((await ask('ani', 12)).id).not.toBe(old)
    })
  })

  describe('once', () => {
    const claimed = async () => {
      await misses('a')
      const [{ followUp: { id } }] = await claim() as [Awaited<ReturnType<typeof claim>>[number]]
      return { followUp: id, attempt: 1 }
    }

    test('an attempt begins once, of however many who want to at once', async () => {
      const attempt = await claimed()
      const other = new Book(records, () => plan)
      const begun = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? book : other).begin(attempt, now)))
      expect(begun.filter(followUp => followUp !== undefined)).toMatchObject([{ id: attempt.followUp, state: 'calling', attempt: 1 }])
      expect(await book.begin(attempt, now)).toBeUndefined()
      expect(await book.begin({ ...attempt, attempt: 2 }, now)).toBeUndefined()
      expect(await book.begin({ followUp: 'nobody', attempt: 1 }, now)).toBeUndefined()
    })
    test('many begin in one go', async () => {
      for (let n = 0; n < 8; n++) await misses(`call-${n}`, { cli: citizen(n), at: n })
      const claims = await claim(now + minute)
      const begun = await Promise.all(claims.map(({ followUp: { id }, attempt }) => book.begin({ followUp: id, attempt }, now)))
      expect(begun.map(followUp => followUp?.id)).toEqual(claims.map(({ followUp: { id } }) => id))
      expect((await book.dialling()).map(({ followUp: { id } }) => id).sort()).toEqual(claims.map(({ followUp: { id } }) => id).sort())
    })
    test('it is settled once', async () => {
      const attempt = await claimed()
      await book.begin(attempt, now)
      const other = new Book(records, () => plan)
      await Promise.all([book.settle([{ ...attempt, result: result('busy') }], now), other.settle([{ ...attempt, result: result('spoken') }], now)])
      const after = await words(attempt.followUp)
      await book.settle([{ ...attempt, result: result('spoken') }], now + minute)
      expect(await words(attempt.followUp)).toEqual(after)
      expect(after.filter(what => what === 'attempt-ended')).toHaveLength(1)
      expect(await book.dialling()).toEqual([])
    })
    test('busy, then nobody, then a person: what is tried is counted', async () => {
      const attempt = await claimed()
      await book.begin(attempt, now)
      await book.settle([{ ...attempt, result: result('busy') }], now)
      expect(await only()).toMatchObject({ state: 'open', tried: 1, why: 'busy', dueAt: now + minute, endedAt: null })
      expect(await claim(now + minute - 1)).toEqual([])
      await claim(now + minute)
      await book.begin({ ...attempt, attempt: 2 }, now + minute)
      await book.settle([{ ...attempt, attempt: 2, result: result('no-answer') }], now + minute)
      expect(await only()).toMatchObject({ state: 'person', tried: 2, why: 'attempts-used-up', list: 'posko', attempt: 2 })
      expect(await words(attempt.followUp)).toEqual(['opened', 'begins', 'attempt-ended', 'again', 'begins', 'attempt-ended', 'handed'])
    })
    test.each([[now - 61_400, 61], [now + 60 * minute, null]])('how long they have talked is told, unless the clock was put back meanwhile: joined at %d', async (joinedAt, seconds) => {
      const attempt = await claimed()
      await book.begin(attempt, now)
      await book.settle([{ ...attempt, result: { ...result('spoken'), joinedAt } }], now)
      expect((await book.get(attempt.followUp))!.history.find(({ what }) => what === 'attempt-ended')!.facts).toMatchObject({ outcome: 'spoken', seconds })
    })
    test('what they have said stands, whatever became of the follow-up meanwhile', async () => {
      const attempt = await claimed()
      await book.begin(attempt, now)
      await book.act(attempt.followUp, 'dewi', () => ({ happening: 'closed', what: 'closed', set: { why: 'a prank' } }), now)
      await book.settle([{ ...attempt, result: result('spoken') }], now)
      expect(await only()).toMatchObject({ state: 'closed', why: 'a prank', endedBy: 'dewi' })
      expect((await book.get(attempt.followUp))!.attempts).toMatchObject([{ state: 'ended', outcome: 'spoken' }])
    })
  })

  describe('overdue', () => {
    test('goes to a person at the deadline, then to one after the other, and no further', async () => {
      await misses('a')
      expect(await book.escalate(missedAt + 20 * minute - 1)).toBe(0)
      expect(await book.escalate(missedAt + 20 * minute)).toBe(1)
      expect(await only()).toMatchObject({ state: 'person', why: 'overdue', list: 'posko', escalated: 1 })
      expect(await book.escalate(missedAt + 30 * minute - 1)).toBe(0)
      expect(await book.escalate(missedAt + 30 * minute)).toBe(1)
      expect(await only()).toMatchObject({ list: 'bpbd', escalated: 2 })
      expect(await book.escalate(missedAt + 300 * minute)).toBe(0)
    })
    test('not while it is being rung, and not after its end', async () => {
      await misses('a')
      await misses('b', { cli: citizen(13), at: 1 })
      const [claimed] = await claim(now, { allowance: 1 })
      await book.begin({ followUp: claimed!.followUp.id, attempt: 1 }, now)
      await book.act((await all())[1]!.id, 'dewi', () => ({ happening: 'closed', what: 'closed', set: { why: 'a prank' } }), now)
      expect(await book.escalate(missedAt + 60 * minute)).toBe(0)
    })
    test('an attempt that is decided and does not begin holds up no deadline, and does not begin later', async () => {
      await misses('a')
      const [claimed] = await claim(now + 20 * minute)
      expect(await book.escalate(now + 20 * minute + 4_000)).toBe(0)           // it has only just been decided
      expect(await book.escalate(now + 20 * minute + 6_000)).toBeGreaterThan(0)
      expect(await only()).toMatchObject({ state: 'person', why: 'overdue', list: 'posko', escalated: 1 })
      expect(await book.begin({ followUp: claimed!.followUp.id, attempt: 1 }, now + 21 * minute)).toBeUndefined()
      expect((await book.get(claimed!.followUp.id))!.attempts).toMatchObject([{ state: 'ended', outcome: 'void', rung: 0 }])
    })
    test('what is to be rung now, and is not within ten minutes, is a person\'s again', async () => {
      await misses('a')
      const { id } = await only()
      await records.db.updateTable('followups').set({ state: 'person', escalated: 9 }).execute()
      await book.act(id, 'dewi', () => ({ happening: 'call-now', what: 'call-now', set: { priority: 0, dueAt: now, claimedBy: 'dewi', claimedAt: now } }), now)
      expect(await book.escalate(now + 10 * minute - 1)).toBe(0)
      expect(await book.escalate(now + 10 * minute)).toBe(1)
      expect(await only()).toMatchObject({ state: 'person', why: 'not-rung', priority: 0, claimedBy: 'dewi' })
    })
  })

  describe('when the plan changes', () => {
    test('whose agency it has no more is rung by the desk\'s lines, and stands on its list', async () => {
      await misses('a')
      await misses('b', { cli: citizen(13), at: 1 })
      await records.db.updateTable('followups').set({ rings: 'gone', list: 'gone' }).where('cli', '=', citizen(12)).execute()
      expect([await book.followPlan(), await book.followPlan()]).toEqual([1, 0])
      expect(await all()).toMatchObject([{ rings: 'posko', list: 'posko', state: 'open' }, { rings: 'bpbd', list: 'bpbd' }])
      expect(await words((await all())[0]!.id)).toEqual(['opened', 'agency-gone'])
      expect((await claim()).length).toBe(2)
    })
    test('where it has nobody rung any more, what waits is a person\'s, and what was decided does not begin', async () => {
      await misses('a')
      const [claimed] = await claim()
      await misses('b', { cli: citizen(13), at: 1 })
      expect([await book.handAll(now), await book.handAll(now)]).toEqual([2, 0])
      expect(await all()).toMatchObject([{ state: 'person', why: 'by-policy', list: 'posko' }, { state: 'person', why: 'by-policy', list: 'posko' }])
      expect(await book.begin({ followUp: claimed!.followUp.id, attempt: 1 }, now)).toBeUndefined()
    })
  })

  describe('what a callback has settled', () => {
    const hour = 60 * minute
    /** A callback of this number's first follow-up is under way, the agency and the citizen have been joined, and this was said by key. */
    const talks = async (key: '1' | '3' = '1') => {
      const [{ followUp: { id }, attempt }] = await claim(now + hour, { allowance: 1 }) as [Claim]
      await book.begin({ followUp: id, attempt }, now + hour)
      const seen = (n: number) => ({ callId: `followup-${id}-${attempt}`, key: `${n}`, at: now + hour + n, witness: 'ledger' }) as const
      await records.append([
        { ...seen(1), kind: 'connected', facts: { agency: 'bpbd', line: 'bpbd-1' } }, { ...seen(2), kind: 'connected', facts: { agency: 'citizen', line: 'citizen' } },
        { ...seen(3), kind: 'citizen-key', facts: { key } }
      ])
      return { followUp: id, attempt }
    }
    const settle = (attempt: { followUp: string, attempt: number }, outcome: Outcome = 'spoken') =>
      book.settle([{ ...attempt, result: { ...result(outcome), joinedAt: now + hour + 2, endedAt: now + hour + 5 } }], now + hour + 10)
    const states = async () => (await all()).map(({ agency, state, why }) => [agency, state, why])

    test('who called again while the talk was not written down yet is owed that call', async () => {
      await misses('a')
      const attempt = await talks()
      await records.append(missedCall('b', { at: 10 * minute }))          // its clock is behind: the ledger's order tells
      await takeAll(now + hour)
      await settle(attempt)
      expect(await only()).toMatchObject({ state: 'open', why: 'called-again', tried: 0 })
      expect(await words(attempt.followUp)).toEqual(['opened', 'begins', 'called-again', 'attempt-ended', 'again'])
    })
    test.each([['spoken', '1', 'done', 'already-spoken-with'], ['not-needed', '3', 'closed', 'not-needed']] as const)('%s holds for all that they were owed by this agency, and by none', async (outcome, key, state, why) => {
      await misses('a')
      await misses('b', { at: 40 * minute })
      await misses('c', { at: 41 * minute, agency: 'posko' })
      await misses('d', { at: 42 * minute, cli: citizen(13) })
      await settle(await talks(key), outcome)
      expect(await states()).toEqual([['bpbd', state, outcome], ['bpbd', state, why], ['posko', 'open', 'unanswered'], ['bpbd', 'open', expect.any(String)]])
    })
    test('but not for a call that came after it', async () => {
      await misses('a')
      const attempt = await talks()
      await records.append(missedCall('b', { at: 50 * minute }))
      await takeAll(now + hour)
      await settle(attempt)
      expect(await states()).toEqual([['bpbd', 'done', 'spoken'], ['bpbd', 'open', expect.any(String)]])
    })
  })

  test('lists begin with whom somebody has asked to reach now, and go on where the page before ended', async () => {
    for (let n = 0; n < 5; n++) await misses(`call-${n}`, { cli: citizen(n), at: n })
    await records.db.updateTable('followups').set({ priority: 0 }).where('cli', 'in', [citizen(2), citizen(4)]).execute()
    const numbers: (string | null)[] = []
    for (let cursor: string | null | undefined; cursor !== null;) {
      const { followUps, next } = await book.list({ state: ['open', 'person'], order: 'deadline', limit: 2, ...cursor ? { cursor } : {} })
      numbers.push(...followUps.map(({ cli }) => cli))
      cursor = next
    }
    expect(numbers).toEqual([2, 4, 0, 1, 3].map(citizen))
  })

  test('what Prometheus reads of them: what is open by its age, what is past its deadline, what ended in time, and attempts to success', async () => {
    const metrics = new Metrics({
      figures: async () => ({ dispositions: [], unacknowledged: 0, owed: 0, busyLines: [], lines: [], deliveries: [], followUps: await book.figures(missedAt + 35 * minute) }),
      instant: () => ({ refused: {}, queues: {}, sipReplies: {}, waiting: [], trunks: [] }) as never
    })
    await metrics.begin()
    for (const [n, at] of [0, 3 * minute, 18 * minute, 19 * minute].entries()) {
      await records.append(missedCall(`call-${n}`, { cli: citizen(n), at }))
      await takeAll(missedAt + at)
    }
    await claim(now, { allowance: 1 })
    const { id } = (await all())[0]!
    await book.begin({ followUp: id, attempt: 1 }, now)
    await book.settle([{ followUp: id, attempt: 1, result: result('spoken') }], now + minute)
    await book.act((await all())[3]!.id, 'dewi', () => ({ happening: 'closed', what: 'closed', set: { why: 'a prank' } }), now + 60 * minute)
    const page = (await metrics.page()).split('\n').filter(line => /^satunomor_followups_(open|overdue|ended|attempts|budget)/.test(line))
    expect(page.toSorted()).toEqual([
      'satunomor_followups_attempts_total{attempts="1"} 1',
      'satunomor_followups_budget_left 299',
      'satunomor_followups_ended_total{state="closed",in_time="no"} 1',
      'satunomor_followups_ended_total{state="closed",in_time="yes"} 0',
      'satunomor_followups_ended_total{state="done",in_time="no"} 0',
      'satunomor_followups_ended_total{state="done",in_time="yes"} 1',
      'satunomor_followups_open{kind="unanswered",state="open",age="under-2h"} 1',
      'satunomor_followups_open{kind="unanswered",state="open",age="under-30m"} 1',
      'satunomor_followups_overdue{kind="unanswered",state="open"} 1'
    ])
    const oldest = /^satunomor_followups_oldest_seconds\{kind="unanswered",state="open"\} (.+)$/m.exec(await metrics.page())
    expect(Math.abs(Date.now() / 1000 - Number(oldest![1]) - (start + 3 * minute) / 1000)).toBeLessThan(60)
  })

  describe('what a person does', () => {
    test('is done where it can be, and refused in words where not', async () => {
      await misses('a')
      const { id } = await only()
      expect(await book.act(id, 'dewi', () => ({ what: 'note', facts: { text: 'rang her neighbour' } }), now)).toMatchObject({ state: 'open' })
      expect(await book.act(id, 'dewi', () => ({ happening: 'spoke', what: 'spoke', set: { why: 'spoken' } }), now)).toMatchObject({ state: 'done', endedBy: 'dewi', endedAt: now })
      await expect(book.act(id, 'budi', () => ({ happening: 'closed', what: 'closed' }), now)).rejects.toThrow('it is done: that cannot be done')
      expect(await book.act(id, 'budi', () => ({ happening: 'reopened', what: 'reopened', set: { endedAt: null, endedBy: null } }), now)).toMatchObject({ state: 'person' })
      expect(await book.act('nobody', 'budi', () => ({ what: 'note' }), now)).toBeUndefined()
      expect(await words(id)).toEqual(['opened', 'note', 'spoke', 'reopened'])
    })
    test('a call now goes before all others, once, and its end is theirs', async () => {
      await misses('first', { cli: citizen(1) })
      await misses('a', { at: 1 })
      const { id } = (await all())[1]!
      await book.act(id, 'dewi', () => ({ happening: 'call-now', what: 'call-now', set: { priority: 0, dueAt: now, claimedBy: 'dewi', claimedAt: now } }), now)
      expect((await claim(now + minute, { allowance: 1 })).map(({ followUp }) => followUp.id)).toEqual([id])
      await book.begin({ followUp: id, attempt: 1 }, now)
      await book.settle([{ followUp: id, attempt: 1, result: result('busy') }], now)
      expect((await book.get(id))!.followUp).toMatchObject({ state: 'person', why: 'busy', priority: 5 })
    })
  })
})
