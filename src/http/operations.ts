/** For whoever operates the service: the audit, who was refused, which trunks answer, and who has seen what. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type TSchema } from 'typebox'
import type { LastHour } from '../asterisk/refusals.ts'
import type { TrunkState } from '../asterisk/trunks.ts'
import type { AuditReport } from '../audit.ts'
import { masked } from '../calls/masked.ts'
import type { Records } from '../records/records.ts'
import type { SignedBy } from '../records/tables.ts'
import { ask, moment } from './calls.ts'
import { defaulted, Fault, NoQuery } from './schemas.ts'

export interface OperationsOptions {
  audit: (from: number, to: number) => Promise<AuditReport>
  /** Who was refused in the last hour: so many addresses, most refused first. */
  refused: (limit: number) => LastHour
  /** The plan's trunks. */
  trunks?: () => TrunkState[]
  /** Who has seen or done what. */
  records?: Pick<Records, 'audited'>
  /** The city's, in which times without a zone are read; UTC if left out. */
  timezone?: () => string
}

const Period = Type.Object({
  from: Type.Optional(Type.String({ description: 'Beginning of the period: ISO 8601 (a time without a zone is the city\'s) or Unix ms. Default: 24 hours before `to`.' })),
  to: Type.Optional(Type.String({ description: 'End of the period, not in it, written likewise. Default: now.' }))
}, { additionalProperties: false })

const orNull = <T extends TSchema>(schema: T, description: string) => Type.Union([schema, Type.Null()], { description })
const ids = (description: string) => Type.Array(Type.String(), { description })
const Report = Type.Object({
  from: Type.Integer(), to: Type.Integer(),
  arrived: Type.Integer({ description: 'Calls that came in on a trunk, as Asterisk\'s ledger has them.' }),
  dispositions: Type.Record(Type.String(), Type.Integer(), { description: 'How many records ended how.' }),
  live: Type.Integer({ description: 'Calls that have not ended.' }),
  turnedAway: Type.Integer({ description: 'Calls that Asterisk refused before they had a channel: the service saw it, and no ledger tells of them.' }),
  backfilled: ids('Calls that ran without the service and were written down from the ledger.'),
  untold: ids('Calls whose arrival the service alone has seen: the ledger could not be written.'),
  missing: ids('Calls in the ledger without a record.'),
  unfinished: ids('Calls that ended in the ledger and have no disposition.'),
  orphans: ids('Records without a call in the ledger.'),
  forgotten: ids('Missed calls without a follow-up, and none has been on its way for less than five minutes.'),
  unsigned: ids('Follow-ups that ended, and nobody says by whom.'),
  followUps: Type.Record(Type.String(), Type.Integer(), { description: 'What became of those who were missed: how many follow-ups stand where.' }),
  unwritten: Type.Array(Type.Object({ from: Type.Integer({ description: 'Unix ms of the channel before.' }), to: Type.Integer({ description: 'Unix ms of the channel after.' }), channels: Type.Integer({ description: 'How many are missing between them.' }) }),
    { description: 'Times in which Asterisk could not write its ledger: calls that came in, and lines that were rung, stand in no record.' }),
  unreadable: Type.Integer({ description: 'Lines of the ledger that cannot be read.' }),
  trail: Type.Object({
    entries: Type.Integer({ description: 'How many entries GET /api/access has.' }),
    head: orNull(Type.String(), 'The sum of the last one, which every one before is part of. null: there is none.'),
    broken: Type.Array(Type.Integer(), { description: 'Entries that were changed, or before which one is missing.' }),
    cut: Type.Boolean({ description: 'The newest entries are missing.' })
  }, { description: 'Whether the entries of GET /api/access are as they were written: all of them, whatever the period.' }),
  balanced: Type.Boolean({ description: 'The sums are the same, nothing is in the five lists, and the trail is whole.' })
}, { title: 'AuditReport' })

const figure = (description: string) => Type.Integer({ description })
const Refused = Type.Object({
  since: figure('The beginning of the hour, Unix ms.'),
  count: figure('Requests that Asterisk refused since then, as far as the service lived.'),
  sources: Type.Array(Type.Object({
    address: Type.String({ description: 'The IP address that the request came from; that of a UDP packet can be forged.' }),
    count: figure('How many.'),
    why: Type.Record(Type.String(), Type.Integer(), { description: 'How many for which reason: `unknown-address` (SIP of an address in no trunk), `wrong-password` (the same, guessing one), `acl`, `login` (Asterisk\'s manager interface), `other`; of a trunk, `no-such-number` (a call to none of the plan\'s numbers, 404), `no-common-codec` (488), `no-common-media` (SRTP or no sound, 488, 415), `unsupported-extension` (420), `session-timer` (422), `not-taken` (any other refusal before there was a channel), `too-many-calls` (more than the plan\'s `maxCalls`, 503); `unreadable` (no SIP that can be read).' }),
    first: figure('The first of them, Unix ms.'), last: figure('The last of them, Unix ms.')
  }, { title: 'RefusedAddress' }), { description: 'Most refused first, at most 100.' }),
  elsewhere: figure('Refusals whose address was not kept: more than 1,000 others came in the same minute.')
}, { title: 'Refusals' })

const TrunkList = Type.Object({
  trunks: Type.Array(Type.Object({
    name: Type.String({ description: 'Its name in the service plan.' }),
    role: Type.Unsafe<TrunkState['role']>({ type: 'string', enum: ['carrier', 'agencies'], description: 'Whom it leads to.' }),
    address: Type.String({ description: 'Its address and port.' }),
    up: orNull(Type.Boolean(), 'Whether it answered when Asterisk asked it last (SIP OPTIONS). null: Asterisk does not ask it (`qualify` in the plan), or has no answer yet, or is away itself.'),
    since: orNull(Type.Integer(), 'Since when that is so, as far as this service has seen, Unix ms. null where `up` is.'),
    delay: orNull(Type.Number(), 'How long the last answer took, ms. null where there is none.')
  }, { title: 'Trunk' }), { description: 'In the plan\'s order.' })
}, { title: 'TrunkList' })

const AccessQuery = Type.Object({
  from: Type.Optional(Type.String({ maxLength: 40, description: 'Entries of this time or later: ISO 8601 (a time without a zone is the city\'s) or Unix ms.' })),
  to: Type.Optional(Type.String({ maxLength: 40, description: 'Entries before this time, written likewise.' })),
  who: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Only what this person did, or this program (`api 127.0.0.1`).' })),
  callId: Type.Optional(Type.String({ minLength: 1, maxLength: 400, description: 'Only what is about this call.' })),
  cursor: Type.Optional(Type.String({ maxLength: 2_000, pattern: '^[\\w-]+$', description: '`next` of the page before. Keep the other keys the same.' })),
  limit: defaulted(Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'How many entries at most.' }))
}, { additionalProperties: false })
const Access = Type.Object({
  entries: Type.Array(Type.Object({
    id: Type.Integer({ description: 'The entry\'s number.' }),
    at: Type.Integer({ description: 'When, Unix ms.' }),
    who: Type.String({ description: 'The person whose token it was. With the city\'s token: who was named, or `api` and the address that asked.' }),
    what: Type.String({ description: 'What they saw or did.' }),
    callId: orNull(Type.String(), 'The call that it is about.'),
    number: orNull(Type.String(), 'The number of that call\'s caller, masked.'),
    signedBy: orNull(Type.Unsafe<SignedBy>({ type: 'string', enum: ['own-token', 'city-token'] }), 'own-token: they signed in. city-token: its bearer named them. null: a command, or the service itself.')
  }, { title: 'AccessEntry' }), { description: 'Newest first.' }),
  next: orNull(Type.String(), 'Pass it as `cursor` for what follows; null at the end.')
}, { title: 'AccessPage' })

export const operationsRoutes: FastifyPluginAsyncTypebox<OperationsOptions> = async (app, { audit, refused, trunks, records, timezone = () => 'utc' }) => {
  app.get('/audit', {
    schema: {
      operationId: 'getAudit', summary: 'Whether every call is accounted for', tags: ['operations'], security: [{ token: [] }], querystring: Period,
      response: { 200: Report, 400: Fault, 401: Fault, 503: Fault }
    }
  }, async ({ query }) => {
    const to = query.to === undefined ? Date.now() : moment('to', query.to, timezone())
    return audit(query.from === undefined ? to - 24 * 3600_000 : moment('from', query.from, timezone()), to)
  })

  app.get('/refusals', {
    schema: {
      operationId: 'listRefusals', summary: 'Who was refused in the last hour', tags: ['operations'], security: [{ token: [] }], querystring: NoQuery,
      response: { 200: Refused, 401: Fault }
    }
  }, async () => refused(100))

  if (trunks) {
    app.get('/trunks', {
      schema: {
        operationId: 'listTrunks', summary: 'Which trunks answer', tags: ['operations'], security: [{ token: [] }], querystring: NoQuery,
        response: { 200: TrunkList, 401: Fault }
      }
    }, async () => ({ trunks: trunks() }))
  }

  if (records) {
    app.get('/access', {
      schema: {
        operationId: 'listAccess', summary: 'Who has seen which number or recording, and who did what', tags: ['operations'], security: [{ token: [] }], querystring: AccessQuery,
        description: 'Every look at a full number or at a recording, every try to have a number rung back, and what admins did by hand. `GET /api/audit` says whether an entry was changed or deleted.',
        response: { 200: Access, 400: Fault, 401: Fault, 503: Fault }
      }
    }, async ({ query: { from, to, ...query }, log }) => {
      const range = { ...from === undefined ? {} : { from: moment('from', from, timezone()) }, ...to === undefined ? {} : { to: moment('to', to, timezone()) } }
      const { entries, next } = await ask(log, () => records.audited({ ...query, ...range }))
      return { entries: entries.map(({ cli, ...entry }) => ({ ...entry, number: masked(cli) })), next }
    })
  }
}
