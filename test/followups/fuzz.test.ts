/** Whatever happens to follow-ups, in whatever order and however often: they never leave their states, and nobody is forgotten. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Outcome } from '../../src/followups/attempt.ts'
import { Book, NotNow, type Act } from '../../src/followups/book.ts'
import { callNow, claim, close, hand, reopen, spoken, takeOver } from '../../src/followups/desk.ts'
import { transitions } from '../../src/followups/states.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { Records } from '../../src/records/records.ts'
import { aCall, aLog, tempFolder } from '../records/stories.ts'
import { citizen, minute, missedAt, missedCall, planWith } from './town.ts'

const plan = planWith('{ policy: { delay: 0 s, spacing: [1 min], attempts: 2, agencyTries: 2, deadline: 20 min }, outbound: { channels: 3, hourly: 4 }, escalate: [{ to: bpbd }] }')
const opened = new AsyncDisposableStack()
let records: Records
beforeAll(async () => {
  const folder = opened.use(await tempFolder())
  records = opened.use(await Records.open({ file: `${folder.path}/records.sqlite` }, aLog().log))
})
afterAll(() => opened.disposeAsync())

const outcomes: Outcome[] = ['spoken', 'not-needed', 'later', 'wrong-number', 'silent', 'no-answer', 'busy', 'unreachable', 'agency-unreached', 'agency-left', 'refused', 'cut-off', 'void']
const deeds: Record<string, (who: string, now: number) => (followUp: FollowUp) => Act> = {
  claim, spoken: who => spoken(who, 'by hand'), close: who => close(who, 'a prank'), reopen: () => reopen('posko', 'not so'),
  hand: who => hand(plan, who, 'bpbd', 'theirs'), callNow: (who, now) => callNow(plan, who, undefined, now), takeOver: (who, now) => takeOver(who, 'away', now)
}

const pick = fc.nat(1_000)
const happening = fc.oneof(
  fc.record({ does: fc.constant('misses' as const), number: fc.nat(2), agency: fc.constantFrom('bpbd', 'posko', 'damkar'), late: fc.boolean() }),
  fc.record({ does: fc.constant('reaches' as const), number: fc.nat(2), agency: fc.constantFrom('bpbd', 'posko'), late: fc.boolean() }),
  fc.record({ does: fc.constant('claims' as const), lines: fc.nat(3) }),
  fc.record({ does: fc.constantFrom('begins' as const, 'begins-twice' as const), pick }),
  fc.record({ does: fc.constant('settles' as const), pick, outcome: fc.constantFrom(...outcomes) }),
  fc.record({ does: fc.constantFrom('escalates' as const, 'hands-all' as const, 'follows-plan' as const) }),
  fc.record({ does: fc.constant('waits' as const), ms: fc.constantFrom(1_000, minute, 15 * minute, 61 * minute, -61 * minute) }),
  fc.record({ does: fc.constant('acts' as const), deed: fc.constantFrom(...Object.keys(deeds)), who: fc.constantFrom('dewi', 'budi'), pick }))
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never

let calls = 0
async function happen(book: Book, it: Happening, now: number): Promise<void> {
  const nth = <T>(all: readonly T[], index: number): T | undefined => all[index % Math.max(1, all.length)]
  switch (it.does) {
    case 'misses': await records.append(missedCall(`call-${++calls}`, { cli: citizen(it.number), agency: it.agency, at: now - missedAt })); break
    case 'reaches': await records.append(aCall(`call-${++calls}`, { cli: citizen(it.number), agency: it.agency, at: now - missedAt, ends: 'answered' })); break
    case 'claims': await book.claim(now, { allowance: 3, free: new Map([['bpbd', it.lines], ['posko', it.lines]]), busy: new Set() }); break
    case 'begins': case 'begins-twice': {
      const attempt = nth(await records.db.selectFrom('attempts').selectAll().orderBy('madeAt').execute(), it.pick)
      if (!attempt) break
      const key = { followUp: attempt.followupId, attempt: attempt.attempt }
      const begun = await Promise.all(Array.from({ length: it.does === 'begins' ? 1 : 3 }, () => book.begin(key, now)))
      expect(begun.filter(followUp => followUp !== undefined).length).toBeLessThanOrEqual(attempt.state === 'claimed' ? 1 : 0)
      break
    }
    case 'settles': {
      const attempt = nth(await records.db.selectFrom('attempts').selectAll().orderBy('madeAt').execute(), it.pick)
      if (attempt?.begunAt) await book.settle([{ followUp: attempt.followupId, attempt: attempt.attempt, result: { outcome: it.outcome, line: null, rung: true, joinedAt: null, endedAt: now } }], now)
      break
    }
    case 'escalates': await book.escalate(now); break
    case 'hands-all': await book.handAll(now); break
    case 'follows-plan': await book.followPlan(); break
    case 'acts': {
      const followUp = nth(await records.db.selectFrom('followups').selectAll().orderBy('id').execute(), it.pick)
      if (followUp) await book.act(followUp.id, it.who, deeds[it.deed]!(it.who, now), now).catch(error => { if (!(error instanceof NotNow)) throw error })
    }
  }
  // Late: it is learned of together with what comes after it.
  if (!('late' in it && it.late)) await learn(book, now)
}

const learn = async (book: Book, now: number) => { while (await book.takeOutbox(now) > 0); }

async function allIsWell(book: Book) {
  const followUps = await records.db.selectFrom('followups').selectAll().execute()
  for (const { id } of followUps) {
    const { followUp, attempts, history, calls } = (await book.get(id))!
    const { state, endedAt, endedBy, attempt } = followUp
    let walked: FollowUp['state'] | undefined
    for (const { what } of history) {
      if (what === 'opened') walked = 'open'
      else if (what in { begins: 1, again: 1, handed: 1, spoke: 1, closed: 1, reopened: 1, 'call-now': 1 }) walked = (transitions[walked!] as Record<string, FollowUp['state']>)[what]
      expect(walked, `${what} in ${history.map(it => it.what).join(', ')}`).toBeDefined()
    }
    expect(walked).toBe(state)
    expect([endedAt !== null, endedBy !== null]).toEqual(Array(2).fill(state === 'done' || state === 'closed'))
    expect(attempts.map(it => it.attempt)).toEqual(Array.from({ length: attempt }, (_, index) => index + 1))
    // A talk settles what came before it, and nothing that came after.
    const [, talk] = /^call (call-\d+)$/.exec(endedBy ?? '') ?? []
    if (talk !== undefined) for (const call of calls) expect(Number(call.slice(5)), `${call} in ${id}`).toBeLessThan(Number(talk.slice(5)))
    // Whoever is being called has an attempt under way: nothing waits for what will never come.
    if (state === 'calling') expect(attempts.at(-1)!.state).not.toBe('ended')
  }
  const legs = await records.db.selectFrom('attempts').select('cli').where('state', '<>', 'ended').execute()
  expect(new Set(legs.map(({ cli }) => cli)).size).toBe(legs.length)
  const missed = await records.db.selectFrom('calls').leftJoin('followupCalls', 'followupCalls.callId', 'calls.callId').select('followupCalls.followupId').where('disposition', '=', 'unanswered').execute()
  expect(missed.filter(({ followupId }) => followupId === null)).toEqual([])
}

test('never leave the states, whatever happens', async () => {
  await fc.assert(fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 40 }), async happenings => {
    for (const table of ['followupEvents', 'attempts', 'followupCalls', 'followups', 'outbox', 'steps', 'calls'] as const) await records.db.deleteFrom(table).execute()
    const book = new Book(records, () => plan)
    let now = missedAt
    for (const it of happenings) {
      if (it.does === 'waits') now += it.ms
      else await happen(book, it, now)
    }
    await learn(book, now)
    await allIsWell(book)
  }), { numRuns: 60 })
}, 60_000)
