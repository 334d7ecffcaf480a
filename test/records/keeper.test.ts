/** A store that is damaged, missing or out of reach: what stands afterwards, and who is rung. */
import { mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, expect, test } from 'vitest'
import { Book } from '../../src/followups/book.ts'
import { readPlan } from '../../src/plan/read.ts'
import type { Step } from '../../src/calls/story.ts'
import { Keeper, quickCheck, remadeIn } from '../../src/records/keeper.ts'
import { large, small } from '../../src/records/salvage.ts'
import { townPrompts, townWith } from '../plan/town.ts'
import { aCall, aLog, tempFolder, until } from './stories.ts'

const now = Date.now()
const minute = 60_000
const day = 24 * 60 * minute
let open_ = new AsyncDisposableStack()
afterEach(async () => {
  await open_.disposeAsync()
  open_ = new AsyncDisposableStack()
})
const { plan } = readPlan(townWith(), { file: 'plan.yaml', prompts: townPrompts })

/** The whole ledger of a city, as Asterisk has it: missed calls, by how long ago they ended, and callbacks. */
const missed = (callId: string, ago: number, cli: string): Step[] => {
  const steps = aCall(callId, { cli, ends: 'unanswered' })
  const shift = now - ago - steps[0]!.at - 10_000
  return steps.map(step => ({ ...step, at: step.at + shift }))
}
/** A callback, in which both talked for a minute. */
const callback = (id: string, ago: number): Step[] => {
  const step = (key: string, after: number) => ({ callId: id, key, at: now - ago + after, witness: 'ledger' }) as const
  return [
    { ...step('1', 0), kind: 'line', facts: { agency: 'bpbd', line: 'bpbd-1' } }, { ...step('2', 1_000), kind: 'accepted', facts: {} },
    { ...step('3', 1_001), kind: 'connected', facts: { agency: 'bpbd', line: 'bpbd-1', bridge: 'b' } }, { ...step('4', 1_100), kind: 'citizen', facts: {} },
    { ...step('5', 5_000), kind: 'citizen-up', facts: {} }, { ...step('6', 6_000), kind: 'citizen-key', facts: { key: '1' } },
    { ...step('7', 6_001), kind: 'connected', facts: { agency: 'citizen', line: 'citizen', bridge: 'b' } },
    { ...step('8', 66_000), kind: 'leg-ended', facts: { agency: 'citizen', line: 'citizen' } }, { ...step('9', 66_001), kind: 'leg-ended', facts: { agency: 'bpbd', line: 'bpbd-1' } },
    { ...step('a', 66_002), kind: 'ended', facts: {} }
  ]
}
const noted = (callId: string): Step[] => [{ callId, key: 'note', at: now, witness: 'service', kind: 'taken', facts: {} } as Step]
const calls = { spoken: 'satunomor-1795534728.0', desk: 'satunomor-1795534729.0', fresh: 'satunomor-1795534730.0', ancient: 'satunomor-1795534731.0' }
const ledger = [...missed(calls.ancient, 5 * day, '+627215550113'), ...missed(calls.desk, 3 * 60 * minute, '+627215550114'), ...missed(calls.spoken, 60 * minute, '+627215550115'), ...missed(calls.fresh, 2 * minute, '+627215550116')]

async function keep(file: string, { tells = true }: { tells?: boolean } = {}) {
  const { log, said } = aLog()
  const keeper = open_.use(await Keeper.open({ file, ledgerTells: async () => tells, log }))
  return { keeper, said, book: new Book(keeper.records, () => plan) }
}

/** As the bookkeeper does. */
async function readLedger({ keeper, book }: Awaited<ReturnType<typeof keep>>, steps: Step[] = ledger) {
  await keeper.ready
  await keeper.records.append(steps, { watermark: { name: 'ledger', value: '{"inode":1,"offset":1}' } })
  await keeper.ledgerIsRead()
  while (await book.takeOutbox(now) > 0);
}

const followUps = async ({ keeper: { records: { db } } }: Awaited<ReturnType<typeof keep>>) => {
  const rows = await db.selectFrom('followupCalls').innerJoin('followups', 'followups.id', 'followupCalls.followupId').select(['callId', 'id', 'state', 'why', 'attempt', 'endedBy']).execute()
  const nameOf = (callId: string) => Object.entries(calls).find(([, id]) => id === callId)![0]
  return Object.fromEntries(rows.map(({ callId, ...row }) => [nameOf(callId), row]))
}

/** A city that worked: one follow-up is done, a person has closed another, one is open; the store is closed. */
async function city() {
  const folder = open_.use(await tempFolder()).path
  const file = join(folder, 'records.sqlite')
  const it = await keep(file, { tells: false })
  await readLedger(it)
  const before = await followUps(it)
  await it.book.act(before['desk']!.id, 'Ani', () => ({ happening: 'closed', what: 'closed', set: { why: 'came by' } }), now)
  await it.book.act(before['ancient']!.id, 'Ani', () => ({ happening: 'closed', what: 'closed', set: { why: 'came by' } }), now)
  await it.book.act(before['spoken']!.id, 'Ani', () => ({ happening: 'spoke', what: 'spoke', set: { why: 'spoken' } }), now)
  const talk = callback(`followup-${before['spoken']!.id}-1`, 50 * minute)
  await it.keeper.records.append([...talk, ...noted(calls.fresh)])
  for (let i = 0; i < 20; i++) await it.keeper.records.audit('Ani', `read number ${i}`, calls.spoken)
  const pages = new Map((await sql<{ name: string, rootpage: number }>`select name, rootpage from sqlite_schema`.execute(it.keeper.records.db)).rows.map(({ name, rootpage }) => [name, rootpage]))
  await sql`pragma wal_checkpoint(truncate)`.execute(it.keeper.records.db)
  await it.keeper[Symbol.asyncDispose]()
  return { folder, file, pages, whole: [...ledger, ...talk] }
}

async function overwrite(file: string, page: number, bytes = 4096) {
  await using handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(bytes, 0xa5), 0, bytes, (page - 1) * 4096)
}

const settled = { desk: { state: 'closed', endedBy: 'Ani' }, ancient: { state: 'closed', endedBy: 'Ani' }, spoken: { state: 'done', endedBy: 'Ani' }, fresh: { state: 'open', attempt: 0 } }

test.each(['outbox', 'steps', 'calls'])('with the first page of %s overwritten, every follow-up stands as it did, and every call', async table => {
  const { folder, file, pages, whole } = await city()
  await overwrite(file, pages.get(table)!)
  const it = await keep(file)
  await readLedger(it, whole)
  expect(await followUps(it)).toMatchObject(settled)
  expect((await it.keeper.records.list({ limit: 10 })).calls).toHaveLength(4)
  expect(await it.keeper.records.auditTrail()).toMatchObject({ entries: 20, broken: [], cut: false })
  expect(await it.keeper.records.pendingOutbox(9)).toEqual([])
  expect((await remadeIn(it.keeper.records.db))).toMatchObject({ unreadable: [table], read: true })
  expect(it.keeper.warnings).toEqual([expect.stringMatching(/made anew .*damaged-\d{8}T\d{6}Z.*not whole/)])
  expect(it.said.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['store is damaged; setting it aside', 'store made anew; ledger read again']))
  expect((await readdir(folder)).filter(name => /damaged-\d{8}T\d{6}Z$/.test(name))).toHaveLength(1)
  expect(await quickCheck(file)).toBe('ok')
})

const nothingLeft: [string, (file: string) => Promise<void>][] = [
  ['its header overwritten', file => overwrite(file, 1)],
  ['its file deleted', file => rm(file)]
]
test.each(nothingLeft)('with %s, the ledger tells who was spoken with, and only the newest are rung', async (_, harm) => {
  const { file, whole } = await city()
  await harm(file)
  const it = await keep(file)
  await readLedger(it, whole)
  expect(await followUps(it)).toMatchObject({
    spoken: { state: 'done', endedBy: 'callback', attempt: 1 }, desk: { state: 'person', why: 'records-lost' },
    ancient: { state: 'closed', why: 'records-lost', endedBy: 'policy' }, fresh: { state: 'open', attempt: 0 }
  })
})

test('with half of the file gone, what can be read is kept, and nobody is rung who was not to be', async () => {
  const { file, whole } = await city()
  await truncate(file, Math.floor((await stat(file)).size / 4096 / 2) * 4096)
  const it = await keep(file)
  await readLedger(it, whole)
  const found = await followUps(it)
  expect(Object.keys(found).toSorted()).toEqual(Object.keys(calls).toSorted())
  for (const name of ['spoken', 'desk', 'ancient']) expect(['done', 'closed', 'person']).toContain(found[name]!.state)
})

test('a call that came after the talk is owed all the same', async () => {
  const { file, whole } = await city()
  await rm(file)
  const again = missed('satunomor-1795534732.0', 40 * minute, '+627215550115')
  const it = await keep(file)
  await readLedger(it, [...whole, ...again])
  const rows = await it.keeper.records.db.selectFrom('followups').select(['state', 'why']).where('cli', '=', '+627215550115').execute()
  expect(rows).toEqual([{ state: 'person', why: 'records-lost' }])
})

test('damage that shows while the service runs is mended without a restart, and what is written meanwhile stays', async () => {
  const { file, pages, whole } = await city()
  const it = await keep(file)
  await it.keeper.ready
  let renewed = 0
  it.keeper.onRenewed(() => renewed++)
  await overwrite(file, pages.get('outbox')!)
  expect(await it.keeper.check()).toBe(false)
  await until(() => renewed === 1)
  await it.keeper.records.audit('Ani', 'afterwards', null)
  await readLedger(it, whole)
  expect(await followUps(it)).toMatchObject(settled)
  expect(await it.keeper.records.auditTrail()).toMatchObject({ entries: 21, broken: [], cut: false })
}, 20_000)

test('a store that is deleted while it is open is put back whole', async () => {
  const { file } = await city()
  const it = await keep(file)
  await it.keeper.ready
  for (const ending of ['', '-wal', '-shm']) await rm(`${file}${ending}`, { force: true })
  await until(() => stat(file).then(() => true, () => false))
  expect(await followUps(it)).toMatchObject(settled)
  await it.keeper[Symbol.asyncDispose]()
  expect(await followUps(await keep(file))).toMatchObject(settled)
}, 20_000)

test('a store that cannot be opened yet holds up nothing, and is opened as soon as it can be', async () => {
  const folder = open_.use(await tempFolder()).path
  const file = join(folder, 'records.sqlite')
  await mkdir(`${file}-wal`)                              // SQLite says CANTOPEN, as where the disk has no room for the files beside it
  const it = await keep(file, { tells: false })
  expect(it.keeper.warnings).toEqual([expect.stringMatching(/^the store cannot be opened \(/)])
  await rm(`${file}-wal`, { recursive: true })
  await it.keeper.ready
  expect(it.keeper.warnings).toEqual([])
  await it.keeper.records.append(aCall('later'))
}, 20_000)

test('each table of the store is one of those that are copied', async () => {
  const it = await keep(join(open_.use(await tempFolder()).path, 'records.sqlite'), { tells: false })
  const { rows } = await sql<{ name: string }>`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' and name not like 'kysely_%'`.execute(it.keeper.records.db)
  expect(rows.map(({ name }) => name).toSorted()).toEqual([...small, ...large].toSorted())
})
