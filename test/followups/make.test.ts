/** What a missed call makes of itself, and by which policy. */
import { DateTime } from 'luxon'
import { describe, expect, test } from 'vitest'
import { agencyIn, followUpOf, kindOf, make, type MissedCall } from '../../src/followups/make.ts'
import { deskOf, outboundTrunk, policyOf } from '../../src/plan/follow-up-policy.ts'
import { readPlan } from '../../src/plan/read.ts'
import { noSwitches } from '../../src/plan/switches.ts'
import { townPrompts, townWith } from '../plan/town.ts'
import { citizen, minute, missedAt, planWith } from './town.ts'

const call = (facts: Partial<MissedCall>): MissedCall => ({
  callId: 'call', did: '112', trunk: 'carrier', cliRaw: citizen(1), cli: citizen(1), arrivedAt: missedAt - 10_000, pickedAt: null, connectedAt: null,
  endedAt: missedAt, agency: 'bpbd', line: null, endedBy: 'caller', q850: 16, disposition: 'abandoned', detail: 'greeting', plan: null, way: 'service', served: true, ...facts
})

describe('the kind of follow-up', () => {
  test.each<[Partial<MissedCall>, string]>([
    [{ detail: 'before-answer' }, 'abandoned-greeting'], [{ detail: 'greeting' }, 'abandoned-greeting'], [{ detail: 'menu:utama' }, 'abandoned-menu'],
    [{ detail: 'ringing:bpbd-1' }, 'abandoned-ringing'], [{ detail: 'agency:bpbd' }, 'abandoned-ringing'], [{ detail: 'returned:bpbd' }, 'abandoned-ringing'], [{ detail: 'waiting:bpbd' }, 'abandoned-waiting'],
    [{ disposition: 'unanswered', detail: 'lines-exhausted' }, 'unanswered'], [{ disposition: 'failed', detail: 'hung-up-by-us' }, 'failed'],
    [{ disposition: 'answered', endedBy: 'us', detail: null }, 'failed'], [{ disposition: 'callback', detail: 'asked' }, 'asked'],
    [{ detail: 'mailbox:pesan' }, 'abandoned-menu'], [{ disposition: 'callback', detail: 'message-left' }, 'message'], [{ disposition: 'failed', detail: 'message-not-recorded' }, 'failed'],
    [{ disposition: 'callback', detail: 'message-left', served: false }, 'message'], [{ served: false }, 'late'], [{ disposition: 'unanswered', served: false }, 'late'], [{ disposition: 'callback', served: false }, 'asked']
  ])('%o: %s', (facts, kind) => { expect(kindOf(call(facts), missedAt + 1_000)).toBe(kind) })

  test('what the ledger tells late was an outage', () => {
    expect(kindOf(call({}), missedAt + 5 * minute)).toBe('abandoned-greeting')
    expect(kindOf(call({}), missedAt + 5 * minute + 1)).toBe('late')
  })
})

describe('a follow-up that is made', () => {
  const reason = { key: 'call', kind: 'unanswered', agency: 'bpbd', cli: citizen(1), did: '112', arrivedAt: missedAt - 10_000, missedAt } as const
  const plan = planWith('{ policy: { delay: 2 min, deadline: 20 min, priority: 4 }, desk: posko }')

  test.each(['+62721555010', '62721555010', '0721555010', '0062721555010', '721555010'])('of our own number, written %s, is a person\'s', did => {
    const own = { ...plan, numbers: new Map([...plan.numbers, [did, plan.numbers.get('112')!]]) }
    expect(make(own, { ...reason, cli: '+62721555010' }, missedAt)).toMatchObject({ state: 'person', why: 'own-number', list: 'posko' })
    expect(make(own, { ...reason, cli: '+627215550101' }, missedAt)).toMatchObject({ state: 'open' })
  })

  test('of an agency\'s line is a person\'s', () => {
    const { plan } = readPlan(townWith(['number: bpbd-1', 'number: "0721555017"']), { file: 'plan.yaml', prompts: townPrompts })
    expect(make(plan, { ...reason, cli: '+62721555017' }, missedAt)).toMatchObject({ state: 'person', why: 'own-number' })
  })

  test('waits for its first attempt, on its agency\'s list', () => {
    expect(make(plan, reason, missedAt)).toMatchObject({
      state: 'open', why: 'unanswered', rings: 'bpbd', list: 'bpbd', priority: 4, dueAt: missedAt + 2 * minute, deadlineAt: missedAt + 20 * minute, language: 'id', attempt: 0
    })
  })
  test('of a call that the clock of Asterisk puts into the future waits from now on', () => {
    expect(make(plan, reason, missedAt - 60 * minute)).toMatchObject({ state: 'open', dueAt: missedAt - 58 * minute, deadlineAt: missedAt - 40 * minute })
  })
  test('is the same one whenever it is made, and holds no dash', () => {
    expect(make(plan, reason, missedAt).id).toBe(make(plan, { ...reason, kind: 'late' }, missedAt + minute).id)
    expect(make(plan, reason, missedAt).id).toMatch(/^[0-9a-f]{16}$/)
    expect(make(plan, { ...reason, key: 'other' }, missedAt).id).not.toBe(make(plan, reason, missedAt).id)
  })
  test('of a call that came later has an id that comes later', () => {
    const ids = ['satunomor-1795534728.0', 'satunomor-1795534729.0', 'satunomor-1795534730.15'].map(key => make(plan, { ...reason, key }, missedAt).id)
    expect(ids).toEqual(ids.toSorted())
    expect(make(plan, { ...reason, key: 'satunomor-1795534728.1' }, missedAt).id).not.toBe(ids[0])
  })
  test('where no agency was chosen, or the plan has it no more, the desk rings', () => {
    expect(agencyIn(plan, 'damkar')).toBeNull()
    expect(agencyIn(plan, 'utama')).toBeNull()                     // a menu
    expect(make(plan, { ...reason, agency: null }, missedAt)).toMatchObject({ agency: null, rings: 'posko', list: 'posko', state: 'open' })
  })
  test.each([null, '+6590001234', '+62112', '+628091234567', '+6272155501'])('the number %s is never rung: a person has it at once', cli => {
    const expected = cli === '+6272155501' ? { state: 'open' } : { state: 'person', why: 'no-number', list: 'posko' }
    expect(make(plan, { ...reason, cli }, missedAt)).toMatchObject(expected)
  })
  test('of a message is rung back, or a person\'s at once where there is no number', () => {
    expect(make(plan, { ...reason, kind: 'message' }, missedAt)).toMatchObject({ state: 'open', kind: 'message' })
    expect(make(plan, { ...reason, kind: 'message', cli: null }, missedAt)).toMatchObject({ state: 'person', why: 'no-number', list: 'posko' })
  })
  test('of a call that was never acknowledged is a person\'s, whoever\'s number that is', () => {
    expect(followUpOf(plan, call({ detail: 'never-acknowledged' }), missedAt)).toMatchObject({ state: 'person', why: 'never-acknowledged', list: 'posko' })
    expect(followUpOf(plan, call({ detail: 'greeting' }), missedAt)).toMatchObject({ state: 'open' })
  })
  test('that is learned of too late is a person\'s: nobody is rung out of the blue', () => {
    expect(make(plan, reason, missedAt + 121 * minute)).toMatchObject({ state: 'person', why: 'learned-of-too-late' })
  })
  test('is a person\'s where the policy makes no attempts, or no citizen is rung at all', () => {
    expect(make(planWith('{ agencies: { bpbd: { attempts: 0 } } }'), reason, missedAt)).toMatchObject({ state: 'person', why: 'by-policy' })
    expect(make(planWith('{ outbound: { channels: 0 }, policy: { attempts: 2 } }'), reason, missedAt)).toMatchObject({ state: 'person', why: 'by-policy' })
  })
})

describe('a callback that was promised for when the agency is open', () => {
  const { plan } = readPlan(`${townWith(
    ['  posko:\n', '  kantor:\n    name: Kantor\n    connecting: sambung\n    hours: kerja\n    closed: { offer: callback, to: posko }\n    lines: [{ id: kantor-1, trunk: gateway, number: kantor-1 }]\n  posko:\n'],
    ['      2: lain\n', '      2: lain\n      3: kantor\n'])}hours:
  kerja: [{ days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00 }]
  siang: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: 09:30, to: 21:00 }]
exceptions: [{ date: 2027-03-16, agencies: [kantor], is: closed, reason: Pindah }]
followups:
  policy: { deadline: 20 min }
  agencies: { kantor: { kinds: { asked: { delay: 2 min } } } }
`, { file: 'plan.yaml' })
  const at = (time: string) => DateTime.fromISO(time, { zone: plan.timezone }).toMillis()
  const night = at('2027-03-15T23:00')
  const [opens, hour] = [at('2027-03-17T08:00'), 60 * minute] as const
  const asked = (facts: Partial<MissedCall> = {}) => call({ agency: 'kantor', disposition: 'callback', detail: 'closed:kantor', arrivedAt: night - minute, endedAt: night, ...facts })

  test('counts from its next opening: the delay, and the deadline', () => {
    expect(followUpOf(plan, asked(), night)).toMatchObject({ kind: 'asked', state: 'open', rings: 'kantor', dueAt: opens + 2 * minute, deadlineAt: opens + 20 * minute, arrivedAt: night - minute })
  })
  test('waits for the end of what is closed by hand, and for the opening after it', () => {
    const until = (time: string) => ({ ...noSwitches, closed: new Map([['kantor', { until: at(time), reason: 'Banjir' }]]) })
    expect(followUpOf(plan, asked(), night, until('2027-03-17T10:15')).dueAt).toBe(at('2027-03-17T10:17'))
    expect(followUpOf(plan, asked(), night, until('2027-03-19T18:00')).dueAt).toBe(at('2027-03-22T08:02'))
  })
  test('keeps to the policy\'s hours', () => {
    const its = { ...plan, followups: { ...plan.followups, agencies: new Map([['kantor', { hours: 'siang' }]]) } }
    expect(followUpOf(its, asked(), night)).toMatchObject({ dueAt: opens + 1.5 * hour, deadlineAt: opens + 20 * minute })
  })
  test('is not stale as long as the agency has not been open for long', () => {
    expect(followUpOf(plan, asked(), opens + hour)).toMatchObject({ state: 'open', dueAt: opens + hour })
    expect(followUpOf(plan, asked(), opens + 3 * hour)).toMatchObject({ state: 'person', why: 'learned-of-too-late' })
  })
  test('begins at once where it has opened while they were on the telephone', () => {
    expect(followUpOf(plan, asked({ arrivedAt: opens - minute, endedAt: opens + 1 }), opens + 2).dueAt).toBe(opens + 1 + 2 * minute)
  })
  test('no other follow-up of the agency waits: not of who did not ask, of who left a message, of who was not answered', () => {
    expect(followUpOf(plan, asked({ disposition: 'unanswered' }), night)).toMatchObject({ kind: 'unanswered', dueAt: night + 20_000, deadlineAt: night + 20 * minute })
    expect(followUpOf(plan, asked({ detail: 'message-left' }), night)).toMatchObject({ kind: 'message', dueAt: night + 20_000 })
    expect(followUpOf(plan, asked({ detail: 'asked:kantor' }), night)).toMatchObject({ kind: 'asked', dueAt: night + 2 * minute })
  })
})

describe('the policy', () => {
  const plan = planWith('{ policy: { delay: 1 min, attempts: 4, kinds: { late: { delay: 2 min }, asked: { priority: 2 } } }, agencies: { bpbd: { delay: 3 min, kinds: { late: { delay: 4 min } } } } }')

  test('the agency\'s word goes before the city\'s, and a kind\'s before both their general ones', () => {
    expect(policyOf(plan, null, 'failed').delay).toBe(minute)
    expect(policyOf(plan, null, 'late').delay).toBe(2 * minute)
    expect(policyOf(plan, 'bpbd', 'failed').delay).toBe(3 * minute)
    expect(policyOf(plan, 'bpbd', 'late').delay).toBe(4 * minute)
    expect(policyOf(plan, 'bpbd', 'late').attempts).toBe(4)
  })
  test('ours is what nobody says otherwise', () => {
    expect(policyOf(planWith(), 'bpbd', 'unanswered')).toEqual({
      delay: 20_000, attempts: 3, spacing: [2 * minute, 10 * minute], first: 'agency', ringTime: 30_000, agencyTries: 5, later: 30 * minute, spoken: 4_000, deadline: 30 * minute, priority: 5
    })
    expect(policyOf(planWith(), 'bpbd', 'asked')).toMatchObject({ delay: 0, priority: 4 })
    expect(policyOf(plan, 'bpbd', 'asked').priority).toBe(2)
    expect(policyOf(planWith(), 'bpbd', 'message')).toMatchObject({ delay: 20_000, priority: 4 })
    expect(policyOf(planWith('{ policy: { kinds: { message: { delay: 5 min } } } }'), 'bpbd', 'message').delay).toBe(5 * minute)
  })
  test('the desk is the one that silence leads to, where the plan names none', () => {
    expect(deskOf(planWith())).toBe('posko')
    expect(deskOf(planWith('{ desk: bpbd }'))).toBe('bpbd')
  })
  test('citizens are rung by the carrier, or by nobody', () => {
    expect(outboundTrunk(planWith())).toBe('carrier')
    expect(outboundTrunk(planWith('{ outbound: { channels: 0 }, policy: { attempts: 0 } }'))).toBeUndefined()
  })
})
