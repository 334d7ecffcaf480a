import { stat } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Records } from '../../src/records/records.ts'
import { Scribe } from '../../src/records/scribe.ts'
import { aCall, aLog, tempFolder, until } from './stories.ts'

let open: AsyncDisposableStack
beforeEach(() => { open = new AsyncDisposableStack() })
afterEach(() => open.disposeAsync())

async function aStore() {
  const file = join(open.use(await tempFolder()).path, 'records.sqlite')
  const { log, said } = aLog()
  const records = open.use(await Records.open({ file }, log))
  const scribe = open.use(new Scribe(records, log))
  return { file, records, scribe, said, log }
}
const outages = (said: { msg: string }[]) => said.filter(({ msg }) => msg.startsWith('the store takes')).map(({ msg }) => msg)

test('noted steps are stored in order soon, without anybody asking', async () => {
  const { records, scribe } = await aStore()
  for (const step of aCall('c1')) scribe.note(step)
  scribe.mark({ name: 'cel', value: '5' })
  expect(scribe.pending).toBe(6)
  await until(() => scribe.pending === 0)
  expect((await records.after(0, 10)).map(({ step }) => step)).toEqual(aCall('c1'))
  expect(await records.watermark('cel')).toBe('5')
})

test('the file that holds numbers is for its owner only', async () => {
  const { file } = await aStore()
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('a store locked by another process: nothing is lost, and the log says so once', async () => {
  const { file, records, scribe, said } = await aStore()
  const holder = spawn(process.execPath, ['-e', `
    const db = new (require('node:sqlite').DatabaseSync)(process.argv[1]); db.exec('begin exclusive'); console.log('locked')
    process.stdin.on('end', () => { db.exec('rollback'); process.exit() }).resume()`, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  for (const step of aCall('c1')) scribe.note(step)
  await expect(scribe.flush()).rejects.toThrow('database is locked')
  for (const step of aCall('c2')) scribe.note(step)
  await expect(scribe.flush()).rejects.toThrow('database is locked')
  expect(scribe.failingSince).not.toBeNull()
  expect(scribe.pending).toBe(10)
  holder.stdin.end()
  await until(() => scribe.pending === 0)
  expect(scribe.failingSince).toBeNull()
  expect((await records.list({ limit: 10 })).calls.map(call => call.callId)).toEqual(['c2', 'c1'])
  expect(outages(said)).toEqual(['the store takes no steps: keeping them in memory and trying again', 'the store takes steps again'])
})

test('while the store is locked, the loop turns', async () => {
  const { file, scribe } = await aStore()
  using other = new DatabaseSync(file)
  other.exec('begin exclusive')
  scribe.note(aCall('c1')[0]!)
  const asked = performance.now()
  let longest = 0
  let turn = asked
  const watch = setInterval(() => { longest = Math.max(longest, performance.now() - turn); turn = performance.now() }, 5)
  await expect(scribe.flush()).rejects.toThrow('locked')
  clearInterval(watch)
  expect(performance.now() - asked).toBeGreaterThan(400)
  expect(longest).toBeLessThan(250)
  other.exec('rollback')
})

test('a full disk is named, and what waited is stored when there is room', async () => {
  const { file, records, scribe, said } = await aStore()
  {
    using other = new DatabaseSync(file)
    other.exec('create table filler (x); insert into filler values (zeroblob(400000))')
  }
  await sql`pragma max_page_count = 1`.execute(records.db)   // "no more than there is now"
  const many = Array.from({ length: 300 }, (_, n) => aCall(`c${n}`, { at: n })).flat()
  for (const step of many) scribe.note(step)
  await expect(scribe.flush()).rejects.toThrow('database or disk is full')
  expect(said).toContainEqual(expect.objectContaining({ reason: 'database or disk is full', code: 13 }))
  expect(scribe.pending).toBeGreaterThan(0)
  {
    using other = new DatabaseSync(file)
    other.exec('drop table filler')
  }
  await until(() => scribe.pending === 0)
  expect((await records.after(0, 10_000)).map(({ step }) => step)).toEqual(many)
})

test('one step that no store could take holds nobody up', async () => {
  const { records, scribe, said } = await aStore()
  const [first, ...rest] = aCall('c1')
  scribe.note(first!)
  scribe.note({ ...first!, key: 'broken', at: NaN })
  for (const step of rest) scribe.note(step)
  scribe.mark({ name: 'cel', value: '1' })
  await scribe.flush()
  expect((await records.get('c1'))?.steps).toEqual(aCall('c1'))
  expect(await records.watermark('cel')).toBe('1')
  expect(said).toContainEqual(expect.objectContaining({ key: 'broken', msg: 'a step cannot be stored and is left out' }))
})

test('beyond its bound it leaves out what no disposition needs, and says how much', async () => {
  const { log, said } = aLog()
  const taken: string[] = []
  let up = false
  const scribe = new Scribe({ append: async steps => { if (!up) throw new Error('away'); taken.push(...steps.map(({ kind }) => kind)) } }, log, { bound: 2 })
  const [arrived, picked] = aCall('c1')
  for (const step of [arrived!, picked!]) scribe.note(step)
  scribe.note({ ...arrived!, key: 'x', kind: 'played', facts: { prompt: 'sambutan' } })
  scribe.note({ ...arrived!, key: 'y', kind: 'hangup', facts: { by: 'caller', q850: null } })
  await expect(scribe.flush()).rejects.toThrow('away')
  up = true
  await scribe.close()
  expect(taken).toEqual(['arrived', 'picked', 'hangup'])
  expect(said).toContainEqual(expect.objectContaining({ level: 50, leftOut: 1, msg: expect.stringContaining('leaving out') }))
  expect(said.at(-1)).toMatchObject({ msg: 'the store takes steps again', leftOut: 1 })
})

test('closing over a dead store ends, and says what was lost', async () => {
  const { log, said } = aLog()
  const scribe = new Scribe({ append: () => new Promise(() => {}) }, log)
  scribe.note(aCall('c1')[0]!)
  await scribe.close(20)
  expect(said).toMatchObject([{ level: 50, lost: 1 }])
})
