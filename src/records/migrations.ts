/** The store's shape, version by version. A migration that has been released is never edited: add the next one. */
import { sql, type Kysely, type Migration } from 'kysely'
import { sealAudit } from './audit-trail.ts'
import { urgency } from './follow-up.ts'

export type StoreKind = 'sqlite' | 'postgres'

/** The migrations, in order of their names; the same for both stores but for how a row is numbered. */
export function migrations(store: StoreKind): Record<string, Migration> {
  return {
    '001-calls': { up: db => calls(db, store) },
    '002-followups': { up: followups },
    '003-nobody-is-forgotten': { up: db => nobodyIsForgotten(db, store) },
    '004-messages': { up: messages },
    '005-webhooks': { up: webhooks },
    '006-signed-by': { up: signedBy },
    '007-counted-by-index': { up: countedByIndex },
    '008-urgent-first': { up: urgentFirst },
    '009-of-a-number': { up: ofANumber },
    '010-which-way': { up: whichWay },
    '011-audit-trail': { up: auditTrail }
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

/** Follow-ups with a state, attempts and a history of their own; those of before are made anew from the missed calls. */
async function nobodyIsForgotten(db: Kysely<any>, store: StoreKind) {
  await db.schema.dropTable('followups').execute()
  await db.updateTable('outbox').set({ done_at: null }).where('topic', '=', 'missed-call').execute()

  await db.schema.createTable('followups')
    .addColumn('id', 'text', c => c.primaryKey().notNull())
    .addColumn('kind', 'text', c => c.notNull())
    .addColumn('agency', 'text')
    .addColumn('rings', 'text', c => c.notNull())
    .addColumn('cli', 'text')
    .addColumn('did', 'text', c => c.notNull())
    .addColumn('language', 'text', c => c.notNull())
    .addColumn('state', 'text', c => c.notNull())
    .addColumn('why', 'text', c => c.notNull())
    .addColumn('priority', 'integer', c => c.notNull())
    .addColumn('due_at', 'bigint', c => c.notNull())
    .addColumn('deadline_at', 'bigint', c => c.notNull())
    .addColumn('arrived_at', 'bigint', c => c.notNull())
    .addColumn('made_at', 'bigint', c => c.notNull())
    .addColumn('attempt', 'integer', c => c.notNull())
    .addColumn('tried', 'integer', c => c.notNull())
    .addColumn('agency_failed', 'integer', c => c.notNull())
    .addColumn('list', 'text', c => c.notNull())
    .addColumn('escalated', 'integer', c => c.notNull())
    .addColumn('claimed_by', 'text')
    .addColumn('claimed_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('ended_by', 'text')
    .execute()
  const unended = sql<boolean>`ended_at is null`
  await db.schema.createIndex('followups_next').on('followups').columns(['rings', 'priority', 'arrived_at', 'due_at']).where(sql<boolean>`state = 'open'`).execute()
  await db.schema.createIndex('followups_due').on('followups').columns(['due_at']).where(sql<boolean>`state = 'open'`).execute()
  await db.schema.createIndex('followups_overdue').on('followups').columns(['deadline_at']).where(unended).execute()
  await db.schema.createIndex('followups_by_caller').on('followups').columns(['cli']).where(unended).execute()
  await db.schema.createIndex('followups_newest').on('followups').columns(['arrived_at', 'id']).execute()
  await db.schema.createIndex('calls_by_caller').on('calls').columns(['cli', 'arrived_at']).execute()

  await db.schema.createTable('followup_calls')
    .addColumn('call_id', 'text', c => c.primaryKey().notNull())
    .addColumn('followup_id', 'text', c => c.notNull())
    .execute()
  await db.schema.createIndex('followup_calls_of').on('followup_calls').columns(['followup_id']).execute()

  await db.schema.createTable('attempts')
    .addColumn('followup_id', 'text', c => c.notNull())
    .addColumn('attempt', 'integer', c => c.notNull())
    .addColumn('state', 'text', c => c.notNull())
    .addColumn('agency', 'text', c => c.notNull())
    .addColumn('cli', 'text', c => c.notNull())
    .addColumn('by', 'text', c => c.notNull())
    .addColumn('made_at', 'bigint', c => c.notNull())
    .addColumn('begun_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('outcome', 'text')
    .addColumn('line', 'text')
    .addColumn('joined_at', 'bigint')
    .addPrimaryKeyConstraint('attempts_once', ['followup_id', 'attempt'])
    .execute()
  await db.schema.createIndex('attempts_going_on').on('attempts').columns(['state']).where(sql<boolean>`state <> 'ended'`).execute()
  await db.schema.createIndex('attempts_by_caller').on('attempts').columns(['cli', 'begun_at']).execute()
  await db.schema.createIndex('attempts_by_time').on('attempts').columns(['begun_at']).execute()

  const numbered = store === 'sqlite'
    ? db.schema.createTable('followup_events').addColumn('id', 'integer', c => c.primaryKey().autoIncrement())
    : db.schema.createTable('followup_events').addColumn('id', 'bigserial', c => c.primaryKey())
  await numbered
    .addColumn('followup_id', 'text', c => c.notNull())
    .addColumn('at', 'bigint', c => c.notNull())
    .addColumn('who', 'text', c => c.notNull())
    .addColumn('what', 'text', c => c.notNull())
    .addColumn('facts', 'text', c => c.notNull())
    .execute()
  await db.schema.createIndex('followup_events_of').on('followup_events').columns(['followup_id', 'id']).execute()
}

/** Messages to citizens, and which answers have been taken. */
async function messages(db: Kysely<any>) {
  await db.schema.createTable('messages')
    .addColumn('id', 'text', c => c.primaryKey().notNull())
    .addColumn('followup_id', 'text', c => c.notNull())
    .addColumn('occasion', 'text', c => c.notNull())
    .addColumn('name', 'text', c => c.notNull())
    .addColumn('cli', 'text', c => c.notNull())
    .addColumn('language', 'text', c => c.notNull())
    .addColumn('text', 'text', c => c.notNull())
    .addColumn('state', 'text', c => c.notNull())
    .addColumn('tries', 'integer', c => c.notNull())
    .addColumn('claimed_at', 'bigint')
    .addColumn('made_at', 'bigint', c => c.notNull())
    .addColumn('due_at', 'bigint', c => c.notNull())
    .addColumn('ended_at', 'bigint')
    .addColumn('gateway_id', 'text')
    .addColumn('why', 'text')
    .addUniqueConstraint('messages_once', ['followup_id', 'occasion'])
    .execute()
  await db.schema.createIndex('messages_due').on('messages').columns(['due_at']).where(sql<boolean>`state in ('waiting', 'sending')`).execute()
  await db.schema.createIndex('messages_by_number').on('messages').columns(['cli', 'claimed_at']).execute()
  await db.schema.createIndex('messages_newest').on('messages').columns(['made_at', 'id']).execute()

  await db.schema.createTable('replies')
    .addColumn('id', 'text', c => c.primaryKey().notNull())
    .addColumn('followup_id', 'text', c => c.notNull())
    .addColumn('at', 'bigint', c => c.notNull())
    .addColumn('meaning', 'text', c => c.notNull())
    .execute()
}

/** What agencies' own systems are told. */
async function webhooks(db: Kysely<any>) {
  await db.schema.createTable('deliveries')
    .addColumn('id', 'text', c => c.primaryKey().notNull())
    .addColumn('agency', 'text', c => c.notNull())
    .addColumn('sequence', 'bigint', c => c.notNull())
    .addColumn('key', 'text', c => c.notNull())
    .addColumn('type', 'text', c => c.notNull())
    .addColumn('at', 'bigint', c => c.notNull())
    .addColumn('data', 'text', c => c.notNull())
    .addColumn('state', 'text', c => c.notNull())
    .addColumn('tries', 'integer', c => c.notNull())
    .addColumn('made_at', 'bigint', c => c.notNull())
    .addColumn('due_at', 'bigint', c => c.notNull())
    .addColumn('ended_at', 'bigint')
    .addColumn('why', 'text')
    .addUniqueConstraint('deliveries_once', ['agency', 'key'])
    .execute()
  await db.schema.createIndex('deliveries_waiting').on('deliveries').columns(['agency', 'sequence']).where(sql<boolean>`state = 'waiting'`).execute()
  await db.schema.createIndex('deliveries_ended').on('deliveries').columns(['state', 'ended_at']).execute()
}

/** Whether a name in the audit is its owner's word: see `SignedBy`. */
async function signedBy(db: Kysely<any>) {
  await db.schema.alterTable('audit').addColumn('signed_by', 'text').execute()
}

/** What is counted at each claim is counted in the index alone. */
async function countedByIndex(db: Kysely<any>) {
  await db.schema.dropIndex('attempts_going_on').execute()
  await db.schema.createIndex('attempts_going_on').on('attempts').columns(['state', 'made_at', 'agency']).where(sql<boolean>`state <> 'ended'`).execute()
  await db.schema.dropIndex('attempts_by_time').execute()
  await db.schema.createIndex('attempts_by_time').on('attempts').columns(['begun_at', 'outcome']).execute()
}

/** Lists begin with whom it is urgent to reach, what is overdue is found by its step, and only what may have rung a citizen counts for the hour. */
async function urgentFirst(db: Kysely<any>) {
  const unended = sql<boolean>`ended_at is null`
  await db.schema.createIndex('followups_by_urgency').on('followups').expression(sql`(${urgency}), id`).where(unended).execute()
  await db.schema.dropIndex('followups_overdue').execute()
  await db.schema.createIndex('followups_overdue').on('followups').columns(['escalated', 'deadline_at']).where(unended).execute()

  await db.schema.alterTable('attempts').addColumn('rung', 'integer').execute()
  await db.updateTable('attempts').set({ rung: sql`case when outcome = 'gave-way' then 0 else 1 end` }).where('outcome', 'is not', null).execute()
  await db.schema.dropIndex('attempts_by_time').execute()
  await db.schema.createIndex('attempts_by_time').on('attempts').columns(['begun_at', 'rung']).execute()
}

/** An answer finds its follow-up also where that has ended. */
async function ofANumber(db: Kysely<any>) {
  await db.schema.createIndex('followups_of_number').on('followups').columns(['cli', 'arrived_at']).execute()
}

/** Which way a call went: see `Way`. */
async function whichWay(db: Kysely<any>) {
  await db.schema.alterTable('calls').addColumn('way', 'text').execute()
}

/** Each entry of the audit holds the sum of itself and of the one before: see audit-trail.ts. */
async function auditTrail(db: Kysely<any>) {
  await db.schema.alterTable('audit').addColumn('sum', 'text').execute()
  await sealAudit(db)
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
