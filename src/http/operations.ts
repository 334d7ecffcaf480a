/** For whoever operates the service: the figures, and the audit. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { AuditReport } from '../audit.ts'
import { moment } from './calls.ts'
import { Fault } from './schemas.ts'

export interface OperationsOptions {
  audit: (from: number, to: number) => Promise<AuditReport>
}

const Period = Type.Object({
  from: Type.Optional(Type.String({ description: 'Beginning of the period: ISO 8601 or Unix ms. Default: 24 hours before `to`.' })),
  to: Type.Optional(Type.String({ description: 'End of the period, not in it. Default: now.' }))
}, { additionalProperties: false })

const ids = (description: string) => Type.Array(Type.String(), { description })
const Report = Type.Object({
  from: Type.Integer(), to: Type.Integer(),
  arrived: Type.Integer({ description: 'Calls that came in on a trunk, as Asterisk\'s ledger has them.' }),
  dispositions: Type.Record(Type.String(), Type.Integer(), { description: 'How many records ended how.' }),
  live: Type.Integer({ description: 'Calls that have not ended.' }),
  backfilled: ids('Calls that ran without the service and were written down from the ledger.'),
  missing: ids('Calls in the ledger without a record.'),
  unfinished: ids('Calls that ended in the ledger and have no disposition.'),
  orphans: ids('Records without a call in the ledger.'),
  unreadable: Type.Integer({ description: 'Lines of the ledger that cannot be read.' }),
  balanced: Type.Boolean({ description: 'The sums are the same, and nothing is in the three lists.' })
})

export const operationsRoutes: FastifyPluginAsyncTypebox<OperationsOptions> = async (app, { audit }) => {
  app.get('/audit', {
    schema: {
      summary: 'Whether every call is accounted for', tags: ['operations'], security: [{ token: [] }], querystring: Period,
      response: { 200: Report, 400: Fault, 401: Fault, 503: Fault }
    }
  }, async ({ query }) => {
    const to = query.to === undefined ? Date.now() : moment('to', query.to)
    return audit(query.from === undefined ? to - 24 * 3600_000 : moment('from', query.from), to)
  })
}
