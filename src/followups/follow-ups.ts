/** What we owe a caller who reached nobody. It is opened here; how it is worked off is the follow-ups' policy. */
import type { Records } from '../records/records.ts'

/** Opens the follow-up of a missed call, unless it is open already, or the call turned out to have been answered. */
export async function openFollowUp(records: Records, callId: string): Promise<void> {
  const call = await records.db.selectFrom('calls').select(['disposition', 'agency']).where('callId', '=', callId).executeTakeFirst()
  if (!call || call.disposition === 'answered') return
  await records.db.insertInto('followups')
    .values({ callId, agency: call.agency, state: 'open', madeAt: Date.now() })
    .onConflict(conflict => conflict.column('callId').doNothing())
    .execute()
}
