/** What is written down of a call, with Redis, without it, and with PostgreSQL beside the local store. */
import { open } from 'node:fs/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCity, eventually, type City } from '../parts/city.ts'
import { postgres, type TestPostgres } from '../parts/postgres.ts'

let city: City
let database: TestPostgres
beforeAll(async () => {
  database = await postgres()
  city = await openCity({ number: 3, withRedis: true, env: { DATABASE_URL: database.url } })
})
afterAll(async () => {
  await city?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

const api = async (path: string) => {
  const answer = await fetch(`${city.service.url}/api${path}`, { headers: { authorization: `Bearer ${city.service.token}` } })
  return { status: answer.status, body: await answer.json() as any }
}

/** Dials, presses at once, and waits for the record in the API (which reads PostgreSQL here). */
async function called(digit: string, { number, until }: { number: string, until: (city: City) => Promise<unknown> }) {
  const call = city.dial({ from: number })
  await call.answered
  await call.press(digit)
  await until(city)
  await call.hangUp()
  return eventually('the record', async () => {
    const { body } = await api('/calls?limit=20')
    const found = body.calls?.find((it: any) => it.cli?.endsWith(number.slice(-4)) && it.disposition)
    return found && (await api(`/calls/${found.callId}`)).body
  })
}

test('a call is told step by step, in order, with its times', async () => {
  city.line('bpbd-1', call => call.refuse(486))
  city.line('bpbd-2', call => call.answer())
  const { call, steps, lines } = await called('2', { number: '+627215550131', until: async () => { const leg = await city.rung('bpbd-2'); await eventually('they hear each other', async () => leg.heard.length > 5) } })
  expect(steps.map(({ kind }: any) => kind)).toEqual([
    'arrived', 'picked', 'taken', 'menu', 'key', 'agency', 'line', 'line-outcome', 'line', 'connected', 'joined', 'parted', 'hangup', 'ended'])
  expect(call).toMatchObject({ did: '112', trunk: 'carrier', cli: '+627215550131', agency: 'bpbd', line: 'bpbd-2', disposition: 'answered', endedBy: 'caller', q850: 16 })
  expect(lines).toMatchObject([{ line: 'bpbd-1', outcome: 'busy', q850: 17 }, { line: 'bpbd-2', outcome: 'answered' }])
  const times = steps.map(({ at }: any) => at)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(call.connectedAt - call.arrivedAt).toBeGreaterThan(0)
  expect(Math.abs(Date.now() - call.arrivedAt)).toBeLessThan(60_000)
  // Read from PostgreSQL; who has read it stands in the store of this machine, where it is asked for.
  expect((await api(`/access?callId=${encodeURIComponent(call.callId)}`)).body.entries).toMatchObject([{ what: 'read the caller\'s number', number: '+62721•••0131', signedBy: 'city-token' }])
  expect((await api('/audit')).body.trail).toMatchObject({ broken: [], cut: false })
})

test('a call that goes on is in the list of live ones, and in no other after its end', async () => {
  city.line('hallo-1', call => call.answer())
  const call = city.dial({ from: '+627215550132' })
  await call.answered
  await call.press('3')
  const live = await eventually('a live call that is connected', async () => (await api('/calls/live')).body.calls.find((it: any) => it.connectedAt))
  expect(live).toMatchObject({ agency: 'wali-kota', line: 'hallo-1', cli: '+62721•••0132', disposition: null })
  await call.hangUp()
  await eventually('no live call', async () => (await api('/calls/live')).body.calls.length === 0)
})

test('with Redis stopped a call is as ever, and so is what is owed for a missed one', async () => {
  await city.redis!.stop()
  city.line('hallo-1', call => call.answer())
  const answered = await called('3', { number: '+627215550133', until: async () => (await city.rung('hallo-1')).answered })
  expect(answered.call.disposition).toBe('answered')
  const missed = await called('9', { number: '+627215550134', until: async () => {} })
  expect(missed.call).toMatchObject({ disposition: 'abandoned', detail: 'menu:utama' })
  expect((await city.service.health.ready()).missing).toEqual([])

  const made = await eventually('the follow-up', () => city.service.records.db.selectFrom('followups').selectAll('followups')
    .innerJoin('followupCalls', 'followupCalls.followupId', 'followups.id').where('callId', '=', missed.call.callId).executeTakeFirst())
  expect(made).toMatchObject({ kind: 'abandoned-menu', state: 'person', why: 'by-policy', cli: '+627215550134', list: 'posko' })
  await eventually('the outbox owes nothing', async () => (await city.service.records.pendingOutbox(10)).length === 0)
  await city.startRedis()
})

test('with PostgreSQL away calls are served and written down here, and copied when it is back', async () => {
  const before = (await api('/calls')).body
  expect(before).not.toHaveProperty('localOnly')
  await database.stop()
  const { status, body } = await api('/calls')
  expect({ status, body }).toMatchObject({ status: 200, body: { localOnly: true, calls: before.calls } })
  expect((await api(`/calls/${before.calls[0].callId}`)).body).toMatchObject({ localOnly: true, call: { callId: before.calls[0].callId } })
  await eventually('the metric says so', async () => /^satunomor_postgresql_up\{.*\} 0$/m.test(await (await fetch(`${city.service.url}/metrics`)).text()))
  city.line('hallo-1', call => call.answer())
  const call = city.dial({ from: '+627215550135' })
  await call.answered
  await call.press('3')
  await (await city.rung('hallo-1')).answered
  await call.hangUp()
  expect(await city.record('+627215550135')).toMatchObject({ disposition: 'answered' })
  await database.start()
  const copied = await eventually('the copy', async () => {
    const { localOnly, calls } = (await api('/calls')).body
    return localOnly ? undefined : calls.find((it: any) => it.cli?.endsWith('0135'))
  }, 30_000)
  expect(copied.disposition).toBe('answered')
})

test('the ledger is read on after the service was away: a call that ran meanwhile has its record', async () => {
  city.line('posko-1', call => call.answer())
  await city.restart(async () => {
    const call = city.dial({ from: '+627215550136' })
    await call.answered
    await city.ear.hears(call, 'sambutan')          // the fallback's: no service is there
    await call.press('0')
    await (await city.rung('posko-1')).answered
    await call.hangUp()
  })
  const record = await city.record('+627215550136')
  expect(record).toMatchObject({ disposition: 'answered', agency: 'posko', line: 'posko-1', endedBy: 'caller' })
  expect((await city.service.records.get(record.callId))!.steps.every(({ witness }) => witness === 'ledger')).toBe(true)
})

test('a store that is damaged during a talk is made anew: the talk goes on, and nothing is missing in the audit', async () => {
  city.line('hallo-1', call => call.answer())
  const call = city.dial({ from: '+627215550137' })
  await call.answered
  await call.press('3')
  await (await city.rung('hallo-1')).answered
  const { records, keeper, health } = city.service
  const followUps = () => records.db.selectFrom('followups').select(['id', 'state', 'why']).orderBy('id').execute()
  const before = await followUps()
  expect(before.length).toBeGreaterThan(0)
  const { rows: [outbox] } = await sql<{ rootpage: number }>`select rootpage from sqlite_schema where name = 'outbox'`.execute(records.db)
  await sql`pragma wal_checkpoint(truncate)`.execute(records.db)
  await using file = await open(records.address, 'r+')
  await file.write(Buffer.alloc(4096, 0xa5), 0, 4096, (outbox!.rootpage - 1) * 4096)

  expect(await keeper.check()).toBe(false)
  await eventually('it is made anew, and the ledger is read', async () => (await health.ready()).warnings.some(warning => /made anew/.test(warning) && !/still being read/.test(warning)), 30_000)
  expect((await health.ready()).ready).toBe(true)
  expect(await followUps()).toEqual(before)
  const heard = call.heard.length
  await eventually('they still talk', async () => call.heard.length > heard + 10)
  await call.hangUp()
  expect(await city.record('+627215550137')).toMatchObject({ disposition: 'answered', line: 'hallo-1', way: 'service' })
  expect((await api('/audit')).body).toMatchObject({ balanced: true, trail: { broken: [], cut: false } })
})
