/** One follow-up's change, in the transaction of whoever makes it: states.ts says what may follow what. */
import type { Kysely, Transaction } from 'kysely'
import { from, type Happening } from './states.ts'
import { anyOf } from '../records/bulk-followups.ts'
import type { FollowUp } from '../records/follow-up.ts'
import type { StoreKind } from '../records/migrations.ts'
import type { Tables } from '../records/tables.ts'

export type Db = Transaction<Tables>

/** A transaction that changes follow-ups. */
export interface Change {
  db: Db
  tell: Tell
  kind: StoreKind
}

/** Writes a line of history: the follow-up as it is then, who, what, and the facts. */
export type Tell = (followUp: FollowUp, who: string, what: string, facts: Record<string, unknown>) => void

/** Takes a follow-up from the state that it is in to the next; false where it cannot go there. */
export async function move(db: Db, tell: Tell, followUp: FollowUp, happening: Happening, set: Partial<FollowUp>, who: string, facts: Record<string, unknown> = {}, what: string = happening): Promise<boolean> {
  const { states, to } = from(happening)
  const { numUpdatedRows } = await db.updateTable('followups').set({ ...set, state: to }).where('id', '=', followUp.id).where('state', 'in', states).executeTakeFirst()
  if (numUpdatedRows !== 1n) return false
  tell({ ...followUp, ...set, state: to }, who, what, { ...facts, why: set.why ?? followUp.why })
  return true
}

export async function byId(db: Kysely<Tables>, kind: StoreKind, ids: readonly string[]): Promise<Map<string, FollowUp>> {
  return new Map((await db.selectFrom('followups').selectAll().where('id', 'in', anyOf(kind, ids)).execute()).map(followUp => [followUp.id, followUp]))
}

/** The numbers of these, each once. */
export const numbersOf = (all: readonly { cli: string | null }[]) => [...new Set(all.flatMap(({ cli }) => cli ?? []))]
