/** Who has seen what is on record, and a record that somebody changes or deletes shows. */
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { audit, inWords } from '../../src/audit.ts'
import { Records } from '../../src/records/records.ts'
import { postgres } from '../parts/postgres.ts'
import { aCall, aLog, tempFolder } from './stories.ts'

const { log } = aLog()
const stores = new AsyncDisposableStack()
afterAll(() => stores.disposeAsync())

const onSqlite = async () => ({ file: join(stores.use(await tempFolder()).path, 'records.sqlite') })
const onPostgres = async () => ({ url: stores.use(await postgres()).url })

describe.each([['sqlite', onSqlite], ['postgresql', onPostgres]])('the audit on %s', (_name, make) => {
  let where: Parameters<typeof Records.open>[0]
  let records: Records
  beforeAll(async () => {
    where = await make()
    records = stores.use(await Records.open(where, log))
  }, 60_000)
  beforeEach(async () => {
    await records.db.deleteFrom('audit').execute()
    await records.db.deleteFrom('watermarks').execute()
  })

  const write = async (count: number) => {
    for (let n = 1; n <= count; n++) await records.audit('Ani', `read number ${n}`, `call-${n}`, 'own-token')
  }
  const ids = async () => (await records.db.selectFrom('audit').select('id').orderBy('id').execute()).map(({ id }) => id)

  test('as it was written, it is whole', async () => {
    expect(await records.auditTrail()).toEqual({ entries: 0, head: null, broken: [], cut: false })
    await write(3)
    await records.audit('retention', 'half a \ud83d surrogate\0', null)
    expect(await records.auditTrail()).toEqual({ entries: 4, head: expect.stringMatching(/^[0-9a-f]{64}$/), broken: [], cut: false })
  })

  test('two that write at once write one trail', async () => {
    await using other = await Records.open(where, log)
    await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? records : other).audit('Ani', `${n}`, null)))
    expect(await records.auditTrail()).toMatchObject({ entries: 40, broken: [], cut: false })
  })

  test.each(['who', 'what', 'callId', 'signedBy', 'at'] as const)('an entry whose %s is changed shows', async column => {
    await write(5)
    const id = (await ids())[2]!
    await records.db.updateTable('audit').set({ [column]: column === 'at' ? 1 : column === 'signedBy' ? null : 'Budi' }).where('id', '=', id).execute()
    expect(await records.auditTrail()).toMatchObject({ entries: 5, broken: [id], cut: false })
  })

  test('entries that are deleted show: the first, one in the middle, the newest, all', async () => {
    await write(6)
    const [first, second, third, fourth, , newest] = await ids()
    const remove = (id: number) => records.db.deleteFrom('audit').where('id', '=', id).execute()
    await remove(third!)
    expect(await records.auditTrail()).toMatchObject({ broken: [fourth], cut: false })
    await remove(first!)
    expect(await records.auditTrail()).toMatchObject({ broken: [second, fourth], cut: false })
    await remove(newest!)
    expect(await records.auditTrail()).toMatchObject({ broken: [second, fourth], cut: true })
    await records.db.deleteFrom('audit').execute()
    expect(await records.auditTrail()).toEqual({ entries: 0, head: null, broken: [], cut: true })
  })

  test('one that is put in shows', async () => {
    await write(2)
    const { sum } = await records.db.selectFrom('audit').select('sum').orderBy('id', 'desc').limit(1).executeTakeFirstOrThrow()
    await records.db.insertInto('audit').values({ at: 1, who: 'Budi', what: 'read number 9', callId: null, signedBy: null, sum }).execute()
    expect(await records.auditTrail()).toMatchObject({ broken: [(await ids()).at(-1)] })
  })

  test('the program that proves the sums tells of it', async () => {
    await using folder = await tempFolder()
    await write(3)
    const report = () => audit({ file: join(folder.path, 'calls.csv'), records, from: 0, to: 1 })
    expect(await report()).toMatchObject({ balanced: true, trail: { entries: 3, broken: [], cut: false } })
    expect(inWords(await report())).toContain(`who has seen what: 3 entries, the last one's sum is ${(await records.auditTrail()).head}`)
    const [, second, third] = await ids()
    await records.db.deleteFrom('audit').where('id', '=', second!).execute()
    expect(await report()).toMatchObject({ balanced: false, trail: { entries: 2, broken: [third] } })
    expect(inWords(await report())).toMatch(new RegExp(`ONE IS MISSING: 1\n  ${third}\n[^]*THE SUMS DIFFER`))
  })

  test('entries of before are part of it, from the first start on', async () => {
    await write(1)
    await sql`alter table audit drop column sum`.execute(records.db)
    await sql`delete from watermarks where name = 'audit'`.execute(records.db)
    await sql`delete from kysely_migration where name = '011-audit-trail'`.execute(records.db)
    await sql`insert into audit (at, who, what) values (1, 'Budi', 'of before')`.execute(records.db)
    await using later = await Records.open(where, log)
    expect(await later.auditTrail()).toMatchObject({ entries: 2, broken: [], cut: false })
    await later.audit('Ani', 'after it', null)
    expect(await later.auditTrail()).toMatchObject({ entries: 3, broken: [], cut: false })
  })

  test('is read newest first, page by page, with the caller\'s number', async () => {
    await records.append(aCall('call-2'))
    await write(5)
    await records.audit('Budi', 'ended the call', 'call-2')
    const first = await records.audited({ limit: 4 })
    expect(first.entries.map(({ who, what, callId, cli, signedBy }) => [who, what, callId, cli, signedBy])).toEqual([
      ['Budi', 'ended the call', 'call-2', '+627215550112', null], ...[5, 4, 3].map(n => ['Ani', `read number ${n}`, `call-${n}`, null, 'own-token'])
    ])
    const rest = await records.audited({ limit: 4, cursor: first.next! })
    expect(rest).toMatchObject({ entries: [{ what: 'read number 2', cli: '+627215550112' }, { what: 'read number 1' }], next: null })
    expect((await records.audited({ limit: 9, who: 'Ani', callId: 'call-2' })).entries).toHaveLength(1)
    const { at } = rest.entries[1]!
    expect((await records.audited({ limit: 9, to: at })).entries).toEqual([])
    expect((await records.audited({ limit: 9, from: at })).entries).toHaveLength(6)
  })
})
