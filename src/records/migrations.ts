/** The store's shape, version by version. A migration that has been released is never edited: add the next one. */
import { sql, type Kysely, type Migration } from 'kysely'

export type StoreKind = 'sqlite' | 'postgres'

/** The migrations, in order of their names; the same for both stores but for how a row is numbered. */
export function migrations(store: StoreKind): Record<string, Migration> {
  return {
    '001-calls': { up: db => calls(db, store) },
    '002-followups': { up: followups }
  }
}

/** One follow-up a missed call. `state`: open, until somebody has spoken with the citizen or a person has closed it. */
async function followups(db: Kysely<any>) {
  await db.schema.createTable('followups')
    .addColumn('call_id', 'text', c => c.primaryKey().notNull())
    .addColumn('agency', 'text')
    .addColumn('state', 'text', c => c.notNull())
    .addColumn('made_at', 'bigint', c => c.notNull())
    .execute()
}

async function calls(db: Kysely<any>, store: StoreKind) {
  // AUTOINCREMENT: a number is never used twice, so that the relay's watermark stays true after rows were deleted.
  const numbered = (table: string, id: string) => store === 'sqlite'
    ? db.schema.createTable(table).addColumn(id, 'integer', c => c.primaryKey().autoIncrement())
    : db.schema.createTable(table).addColumn(id, 'bigserial', c => c.primaryKey())

  await numbered('steps', 'seq')
    .addColumn('call_id', 'text', c => c.notNull())
    .addColumn('key', 'text', c => c.notNull())
    .addColumn('at', 'bigint', c => c.notNull())
    .addColumn('witness', 'text', c => c.notNull())
    .addColumn('kind', 'text', c => c.notNull())
    .addColumn('facts', 'text', c => c.notNull())
    .addUniqueConstraint('steps_once', ['call_id', 'key'])
    .execute()

  await db.schema.createTable('calls')
    .addColumn('call_id', 'text', c => c.primaryKey().notNull())
    .addColumn('did', 'text', c => c.notNull())
    .addColumn('trunk', 'text', c => c.notNull())
    .addColumn('cli_raw', 'text', c => c.notNull())
    .addColumn('cli', 'text')
    .addColumn('arrived_at', 'bigint', c => c.notNull())
    .addColumn('picked_at', 'bigint')
    .addColumn('connected_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('agency', 'text')
    .addColumn('line', 'text')
    .addColumn('ended_by', 'text')
    .addColumn('q850', 'integer')
    .addColumn('disposition', 'text')
    .addColumn('detail', 'text')
    .addColumn('plan', 'text')
    .execute()
  await db.schema.createIndex('calls_newest').on('calls').columns(['arrived_at', 'call_id']).execute()
  await db.schema.createIndex('calls_by_agency').on('calls').columns(['agency', 'arrived_at', 'call_id']).execute()
  await db.schema.createIndex('calls_by_disposition').on('calls').columns(['disposition', 'arrived_at', 'call_id']).execute()
  await db.schema.createIndex('calls_live').on('calls').columns(['arrived_at']).where(sql.ref('ended_at'), 'is', null).execute()

  await db.schema.createTable('watermarks')
    .addColumn('name', 'text', c => c.primaryKey().notNull())
    .addColumn('value', 'text', c => c.notNull())
    .execute()

  await numbered('audit', 'id')
    .addColumn('at', 'bigint', c => c.notNull())
    .addColumn('who', 'text', c => c.notNull())
    .addColumn('what', 'text', c => c.notNull())
    .addColumn('call_id', 'text')
    .execute()
  await db.schema.createIndex('audit_by_call').on('audit').column('call_id').execute()

  await numbered('outbox', 'id')
    .addColumn('topic', 'text', c => c.notNull())
    .addColumn('call_id', 'text', c => c.notNull())
    .addColumn('payload', 'text', c => c.notNull())
    .addColumn('made_at', 'bigint', c => c.notNull())
    .addColumn('done_at', 'bigint')
    .addUniqueConstraint('outbox_once', ['topic', 'call_id'])
    .execute()
  await db.schema.createIndex('outbox_pending').on('outbox').columns(['id']).where(sql.ref('done_at'), 'is', null).execute()
}
