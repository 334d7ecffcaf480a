import { join } from 'node:path'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Step } from '../../src/calls/story.ts'
import { Records } from '../../src/records/records.ts'
import { BadCursor } from '../../src/records/cursor.ts'
import { postgres } from '../parts/postgres.ts'
import { aCall, aLog, start, tempFolder } from './stories.ts'

const { log } = aLog()
const stores = new AsyncDisposableStack()
afterAll(() => stores.disposeAsync())

async function onSqlite() {
  const folder = stores.use(await tempFolder())
  return { file: join(folder.path, 'records.sqlite') }
}
const onPostgres = async () => ({ url: stores.use(await postgres()).url })

/** What any store must do. */
describe.each([['sqlite', onSqlite], ['postgresql', onPostgres]])('the store on %s', (_name, make) => {
  let records: Records
  let where: Parameters<typeof Records.open>[0]
  beforeAll(async () => {
    where = await make()
    records = stores.use(await Records.open(where, log))
  }, 60_000)

  test('steps become a call, whose times are numbers', async () => {
    await records.append(aCall('whole', { ends: 'answered' }), { plan: () => 'v7' })
    const whole = await records.get('whole')
    expect(whole?.call).toEqual({
      callId: 'whole', did: '112', trunk: 'carrier', cliRaw: '07215550112', cli: '+627215550112', arrivedAt: start, pickedAt: start + 1,
      connectedAt: start + 3, endedAt: start + 10_000, agency: 'bpbd', line: 'bpbd-1', endedBy: 'caller', q850: 16, disposition: 'answered', detail: null, plan: 'v7', way: null
    })
    expect(whole?.steps).toEqual(aCall('whole', { ends: 'answered' }))
    expect(whole?.lines).toMatchObject([{ line: 'bpbd-1', outcome: 'answered', answeredAt: start + 3 }])
    expect(await records.get('nobody')).toBeNull()
  })

  test('told twice, in pieces and backwards, it is the same call, and the first plan stays', async () => {
    const steps = aCall('pieces', { ends: 'answered' })
    for (const step of steps.toReversed()) await records.append([step], { plan: () => 'v1' })
    await records.append([...steps, ...steps], { plan: () => 'v2' })
    const whole = await records.get('pieces')
    expect(whole?.steps).toEqual(steps)
    expect(whole?.call).toMatchObject({ disposition: 'answered', plan: 'v1' })
  })

  test('a call is live until it has ended', async () => {
    await records.append(aCall('live', { ends: null }))
    expect((await records.live()).map(call => call.callId)).toContain('live')
    await records.append(aCall('live'))
    expect((await records.live()).map(call => call.callId)).not.toContain('live')
  })

  test('the watermark is set with the steps, or neither is', async () => {
    expect(await records.watermark('cel')).toBeNull()
    await records.append(aCall('marked'), { watermark: { name: 'cel', value: '17' } })
    await records.append([], { watermark: [{ name: 'cel', value: '18' }, { name: 'other', value: 'x' }] })
    expect([await records.watermark('cel'), await records.watermark('other')]).toEqual(['18', 'x'])
    const broken = [...aCall('half'), { ...aCall('half')[0]!, key: 'nan', at: NaN }]
    await expect(records.append(broken, { watermark: { name: 'cel', value: '19' } })).rejects.toThrow()
    expect(await records.watermark('cel')).toBe('18')
    expect(await records.get('half')).toBeNull()
  })

  test('who was missed is owed a call back, once', async () => {
    for (const { id } of await records.pendingOutbox(1_000)) await records.outboxDone(id)
    for (const ends of ['answered', 'callback', 'blocked-challenge', 'abandoned', 'unanswered', 'failed', null] as const) {
      for (let twice = 0; twice < 2; twice++) await records.append(aCall(`owed-${ends}`, { ends }))
    }
    const cutOff = (by: 'us' | 'carrier') => aCall(`owed-cut-by-${by}`, { ends: 'answered' }).map(step => step.kind === 'hangup' ? { ...step, facts: { ...step.facts, by } } : step) as Step[]
    for (const by of ['us', 'carrier'] as const) await records.append(cutOff(by))
    await records.append(aCall('owed-elsewhere'), { outbox: false })
    const owed = await records.pendingOutbox(10)
    expect(owed.map(item => [item.topic, item.callId])).toEqual(['callback', 'abandoned', 'unanswered', 'failed'].map(ends => `owed-${ends}`).concat('owed-cut-by-us', 'owed-cut-by-carrier').map(id => ['missed-call', id]))
    expect(owed[1]!.payload).toEqual({ callId: 'owed-abandoned', disposition: 'abandoned', detail: 'ringing:bpbd-1', agency: 'bpbd', arrivedAt: start })
    await records.outboxDone(owed[1]!.id)
    await records.append(aCall('owed-abandoned'))
    expect((await records.pendingOutbox(10)).length).toBe(5)
  })

  test('a call that came in a second time is on no list, also where it was taken for a call at first', async () => {
    const steps = aCall('twin', { ends: 'abandoned' })
    await records.append(steps.slice(0, 1))
    expect(await records.get('twin')).not.toBeNull()
    await records.append([{ callId: 'twin', key: 'repeat', at: steps[0]!.at + 1, witness: 'ledger', kind: 'repeat', facts: { why: 'twin' } }])
    expect(await records.get('twin')).toBeNull()
    await records.append(steps)
    expect(await records.get('twin')).toBeNull()
    expect((await records.pendingOutbox(1_000)).map(({ callId }) => callId)).not.toContain('twin')
  })

  test('whatever a caller sends is stored as text and nothing else', async () => {
    const hostile = ["'; drop table calls; --", '"\\', 'a\0b\\u0000', '${SHELL(id)}', '🚒 é Łódź \u202e', '\ud800 half', 'x'.repeat(300), '%_', '{"a":1}']
    const arbitrary = fc.sample(fc.string({ unit: 'binary', maxLength: 60 }), 50)
    for (const [number, cli] of [...hostile, ...arbitrary].entries()) {
      const clean = cli.replaceAll('\0', '\uFFFD').toWellFormed()
      await records.append(aCall(`${number} ${cli}`, { cli, agency: cli, ends: 'answered', at: -1e9 }))
      const whole = await records.get(`${number} ${cli}`)
      expect(whole?.call).toMatchObject({ callId: `${number} ${clean}`, cliRaw: clean, agency: clean })
      expect(whole?.steps[0]?.facts).toMatchObject({ cli: clean })
      expect((await records.list({ agency: cli, limit: 5 })).calls.map(call => call.callId)).toContain(`${number} ${clean}`)
    }
  })

  test('lists are newest first and filtered', async () => {
    const day = 86_400_000 * 100
    await records.append([aCall('f1', { at: day, agency: 'a', ends: 'answered' }), aCall('f2', { at: day + 1, agency: 'b', ends: 'failed' }), aCall('f3', { at: day + 2, agency: 'a' })].flat())
    const ids = async (query: object) => (await records.list({ from: start + day, limit: 10, ...query })).calls.map(call => call.callId)
    expect(await ids({})).toEqual(['f3', 'f2', 'f1'])
    expect(await ids({ agency: 'a' })).toEqual(['f3', 'f1'])
    expect(await ids({ disposition: 'failed' })).toEqual(['f2'])
    expect(await ids({ from: start + day + 1, to: start + day + 2 })).toEqual(['f2'])
  })

  test('paging shows every call once while new ones come in', async () => {
    const day = 86_400_000 * 200
    const agency = 'paged'
    const wanted = Array.from({ length: 60 }, (_, n) => `p${n}`)
    await records.append(wanted.flatMap((callId, n) => aCall(callId, { at: day + Math.floor(n / 7), agency, ends: 'answered' })))   // many share a millisecond
    const seen: string[] = []
    let cursor: string | undefined
    for (let page = 0; ; page++) {
      const { calls, next } = await records.list({ agency, limit: 7, ...cursor ? { cursor } : {} })
      seen.push(...calls.map(call => call.callId))
      await records.append(aCall(`new-${page}`, { at: day + 1_000 + page, agency }))
      if (!next) break
      cursor = next
    }
    expect(seen.toSorted()).toEqual(wanted.toSorted())
  })

  test.each(['', 'x', 'W10', Buffer.from('["1","x"]').toString('base64url'), Buffer.from('[1,"x",2]').toString('base64url'), '\0'])('cursor %j is refused', async cursor => {
    await expect(records.list({ cursor, limit: 1 })).rejects.toBeInstanceOf(BadCursor)
  })

  test('what must be answered for is written down', async () => {
    await records.audit('api 127.0.0.1', 'read\0', 'whole')
    expect(await records.db.selectFrom('audit').select(['who', 'what', 'callId']).execute()).toContainEqual({ who: 'api 127.0.0.1', what: 'read\uFFFD', callId: 'whole' })
  })

  test('two that write the same call at once tell it whole', async () => {
    await using other = await Records.open(where, log)
    for (let round = 0; round < 20; round++) {
      const steps = aCall(`race-${round}`, { ends: 'answered' })
      await Promise.all([records.append(steps.slice(0, 3)), other.append(steps.slice(3))])
      expect((await records.get(`race-${round}`))?.call).toMatchObject({ disposition: 'answered', pickedAt: start + 1 })
    }
  })

  test('steps are read back in the order in which they were stored, with their plan', async () => {
    const last = (await records.after(0, 100_000)).at(-1)!.seq
    await records.append(aCall('later', { at: 5 }), { plan: () => 'v9' })
    await records.append(aCall('earlier', { at: -5 }))
    const got = await records.after(last, 7)
    expect(got.map(({ step }) => step)).toEqual([...aCall('later', { at: 5 }), ...aCall('earlier', { at: -5 })].slice(0, 7))
    expect(got.map(({ plan }) => plan)).toEqual(['v9', 'v9', 'v9', 'v9', 'v9', null, null])
  })

  test('a table that has got another column meanwhile is read with it', async () => {
    const ask = async () => (await sql`select * from growing`.execute(records.db)).rows
    await sql`create table growing (one integer)`.execute(records.db)
    await sql`insert into growing values (1)`.execute(records.db)
    expect(await ask()).toEqual([{ one: 1 }])
    await sql`alter table growing add column two integer default 2`.execute(records.db)
    expect(await ask()).toEqual([{ one: 1, two: 2 }])
    await sql`drop table growing`.execute(records.db)
  })

  test('opening again keeps what is there', async () => {
    await using again = await Records.open(where, log)
    expect((await again.get('whole'))?.call.callId).toBe('whole')
  })
})

test('a store that cannot be opened says which and why', async () => {
  await using folder = await tempFolder()
  await expect(Records.open({ file: join(folder.path, 'no', 'such', 'folder.sqlite') }, log)).rejects.toThrow(/cannot open the store .*folder\.sqlite: ENOENT.*does its folder exist/)
  await expect(Records.open({ file: folder.path }, log)).rejects.toThrow(/cannot open the store/)
  const error = await Records.open({ url: 'postgres://me:secret@127.0.0.1:1/city' }, log).catch(error => error)
  expect(error.message).toMatch(/cannot open the store postgres:\/\/127\.0\.0\.1:1\/city: .*ECONNREFUSED/)
  expect(error.message).not.toContain('secret')
})
