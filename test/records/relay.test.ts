import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Records } from '../../src/records/records.ts'
import { Relay } from '../../src/records/relay.ts'
import { postgres } from '../parts/postgres.ts'
import { aCall, aLog, tempFolder, until } from './stories.ts'

let open: AsyncDisposableStack
beforeEach(() => { open = new AsyncDisposableStack() })
afterEach(() => open.disposeAsync(), 30_000)

async function aLocalStore() {
  const { log, said } = aLog()
  const from = open.use(await Records.open({ file: join(open.use(await tempFolder()).path, 'records.sqlite') }, log))
  return { from, log, said }
}

test('what the local store has, postgresql gets: in order, with its plan, and without a second follow-up', async () => {
  const { from, log } = await aLocalStore()
  const { url } = open.use(await postgres())
  const to = open.use(Records.at({ url }, log))
  await from.append(Array.from({ length: 300 }, (_, n) => aCall(`c${n}`, { at: n })).flat(), { plan: () => 'v3' })
  const relay = open.use(new Relay({ from, to, log }).start())
  await until(async () => relay.failingSince === null && await from.watermark(`relay ${to.address}`) === '1500')
  expect((await to.after(0, 2_000)).map(({ step }) => step)).toEqual((await from.after(0, 2_000)).map(({ step }) => step))
  expect((await to.list({ limit: 500 })).calls).toEqual((await from.list({ limit: 500 })).calls)
  expect((await to.get('c7'))?.call.plan).toBe('v3')
  expect(await to.pendingOutbox(10)).toEqual([])
  expect((await from.pendingOutbox(1_000)).length).toBe(300)

  await from.append([], { watermark: { name: `relay ${to.address}`, value: '0' } })   // a crash before the watermark: all again
  await relay.copy()
  expect((await to.after(0, 2_000)).length).toBe(1_500)
}, 60_000)

test('postgresql away at the start, and in between: copied when it is there', async () => {
  const { from, log, said } = await aLocalStore()
  const server = open.use(await postgres())
  const to = open.use(Records.at({ url: server.url }, log))
  await server.stop()
  await from.append(aCall('c1'))
  const relay = open.use(new Relay({ from, to, log }).start())
  await until(() => relay.failingSince !== null)
  await server.start()
  await until(() => relay.failingSince === null)
  expect((await to.get('c1'))?.call.disposition).toBe('abandoned')

  await server.stop()
  await from.append(aCall('c2'))
  await until(() => relay.failingSince !== null)
  await expect(to.list({ limit: 1 })).rejects.toThrow()
  await server.start()
  await until(() => relay.failingSince === null)
  expect((await to.get('c2'))?.call.disposition).toBe('abandoned')
  expect(said.filter(({ msg }) => msg.startsWith('records ')).map(({ msg }) => msg)).toEqual([
    'records cannot be copied to postgresql: trying again', 'records are copied to postgresql again',
    'records cannot be copied to postgresql: trying again', 'records are copied to postgresql again'
  ])
}, 60_000)

test('a connection that dies between two questions of a transaction costs that transaction, and not the process', async () => {
  const { log, said } = aLog()
  const { url } = open.use(await postgres())
  const to = open.use(await Records.open({ url }, log))
  const killer = open.use(Records.at({ url }, log))
  const dying = to.db.transaction().execute(async db => {
    const { rows: [own] } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
    await sql`select pg_terminate_backend(${own!.pid})`.execute(killer.db)
    await until(async () => said.some(({ msg }) => msg === 'a connection to postgresql was lost'))
    await sql`select 1`.execute(db)
  })
  await expect(dying).rejects.toThrow()
  await to.append(aCall('after it', {}))
})
