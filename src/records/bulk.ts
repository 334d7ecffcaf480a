/**
 * The writer's three statements, many rows in each: the rows go as one parameter of JSON, so that the text of a statement is
 * always the same (prepared once), however many there are. Kysely's own way builds a tree of a node for each value.
 */
import { sql, type Kysely, type RawBuilder, type Transaction } from 'kysely'
import type { StoreKind } from './migrations.ts'
import type { StepRow, StoredCall, Tables } from './tables.ts'

type Db = Transaction<Tables>

/** The elements of a JSON array as rows with one column, `value`: JSON where the element is an array, else its text. */
export function each(kind: StoreKind, elements: readonly unknown[]): RawBuilder<unknown> {
  const json = JSON.stringify(elements)
  if (kind === 'sqlite') return sql`json_each(${json}) as entry`
  return Array.isArray(elements[0]) ? sql`json_array_elements(${json}::json) as entry(value)` : sql`json_array_elements_text(${json}::json) as entry(value)`
}

/** Stores steps; one that is known changes nothing. */
export async function storeSteps(db: Db, kind: StoreKind, rows: readonly StepRow[]): Promise<void> {
  const values = rows.map(({ callId, key, at, witness, kind, facts }) => [callId, key, at, witness, kind, facts])
  await sql`insert into steps (call_id, key, at, witness, kind, facts)
    select value->>0, value->>1, cast(value->>2 as bigint), value->>3, value->>4, value->>5 from ${each(kind, values)} where true
    on conflict (call_id, key) do nothing`.execute(db)
}

/** All steps of these calls, in no order. */
export async function stepsOf(db: Kysely<Tables>, kind: StoreKind, callIds: readonly string[]): Promise<StepRow[]> {
  const { rows } = await sql<StepRow>`select call_id, key, at, witness, kind, facts from steps
    where call_id in (select value from ${each(kind, callIds)})`.execute(db)
  return rows
}

/** Stores calls, or what has become of them; the plan that a call began with stays. */
export async function storeCalls(db: Db, kind: StoreKind, calls: readonly StoredCall[]): Promise<void> {
  const values = calls.map(call => [
    call.callId, call.did, call.trunk, call.cliRaw, call.cli, call.arrivedAt, call.pickedAt, call.connectedAt, call.endedAt,
    call.agency, call.line, call.endedBy, call.q850, call.disposition, call.detail, call.plan, call.way])
  await sql`insert into calls (call_id, did, trunk, cli_raw, cli, arrived_at, picked_at, connected_at, ended_at, agency, line, ended_by, q850, disposition, detail, plan, way)
    select value->>0, value->>1, value->>2, value->>3, value->>4, cast(value->>5 as bigint), cast(value->>6 as bigint), cast(value->>7 as bigint),
      cast(value->>8 as bigint), value->>9, value->>10, value->>11, cast(value->>12 as integer), value->>13, value->>14, value->>15, value->>16 from ${each(kind, values)} where true
    on conflict (call_id) do update set
      did = excluded.did, trunk = excluded.trunk, cli_raw = excluded.cli_raw, cli = excluded.cli, arrived_at = excluded.arrived_at,
      picked_at = excluded.picked_at, connected_at = excluded.connected_at, ended_at = excluded.ended_at, agency = excluded.agency, line = excluded.line,
      ended_by = excluded.ended_by, q850 = excluded.q850, disposition = excluded.disposition, detail = excluded.detail, way = excluded.way,
      plan = coalesce(calls.plan, excluded.plan)`.execute(db)
}
