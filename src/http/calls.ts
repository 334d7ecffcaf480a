/** The calls, as the command centre reads them. Lists mask the caller's number; reading it in full is audited. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { NotEnded, type Ending } from '../calls/end-call.ts'
import { masked } from '../calls/masked.ts'
import type { CallRecord, Step } from '../calls/story.ts'
import type { Plan } from '../plan/plan.ts'
import { momentExample, momentIn } from '../plan/moment.ts'
import { BadCursor } from '../records/cursor.ts'
import { plainly } from '../records/faults.ts'
import type { Records } from '../records/records.ts'
import type { Local } from '../records/shared.ts'
import type { StoredCall } from '../records/tables.ts'
import { Refusal, storeAway } from './faults.ts'
import { hides } from './hidden.ts'
import type { Asker } from './guard.ts'
import { CallId, CallList, Fault, ListQuery, LiveCalls, NoQuery, WholeCall, type ListedCall } from './schemas.ts'

export { masked }

export interface CallsOptions {
  records: Pick<Records, 'live' | 'audit'> & {
    list(...query: Parameters<Records['list']>): Promise<Awaited<ReturnType<Records['list']>> & Local>
    get(callId: string): Promise<Awaited<ReturnType<Records['get']>> & Local | null>
  }
  /** The calls going on, if somebody knows better than the records do; `plan` may be left out. */
  live?: () => Promise<LiveCall[]> | LiveCall[]
  /** Ends a call from outside; throws `NotEnded`. Left out, nobody can. */
  end?: (ending: Ending) => Promise<void>
  /** By it some agencies' callers stay without a number for the desk. */
  plan?: () => Plan
  /** The city's, in which times without a zone are read; UTC if left out. */
  timezone?: () => string
}

export type LiveCall = CallRecord & { plan?: string | null }

const line = (most: number, description: string) => Type.String({ minLength: 1, maxLength: most, pattern: '^[^\\p{C}]+$', description })
const EndIt = Type.Object({
  who: Type.Optional(line(100, 'Who wants it; kept in the audit and the record. Left out with a token of one\'s own.')),
  reason: line(200, 'Why; kept in the audit and the record.')
}, { title: 'CallEnding', examples: [{ reason: 'Saluran macet.' }], additionalProperties: false })

const config = { desk: true }
const faults = { 400: Fault, 401: Fault, 503: Fault }
const tags = ['calls']
const security = [{ token: [] }]

export const callRoutes: FastifyPluginAsyncTypebox<CallsOptions> = async (app, { records, live = () => records.live(), end, plan, timezone = () => 'utc' }) => {
  const isHidden = (asker: Asker, agency: string | null) => plan !== undefined && hides(asker, [agency], plan())
  app.get('/calls', {
    config,
    schema: { operationId: 'listCalls', summary: 'Calls, newest first', tags, security, querystring: ListQuery, response: { 200: CallList, ...faults } }
  }, async ({ query: { from, to, ...query }, asker, log }) => {
    const range = { ...from === undefined ? {} : { from: moment('from', from, timezone()) }, ...to === undefined ? {} : { to: moment('to', to, timezone()) } }
    const { calls, ...more } = await ask(log, () => records.list({ ...query, ...range }))
    return { ...more, calls: calls.map(call => listed(call, isHidden(asker, call.agency))) }
  })

  app.get('/calls/live', {
    config,
    schema: { operationId: 'listLiveCalls', summary: 'Calls going on', tags, security, querystring: NoQuery, response: { 200: LiveCalls, ...faults } }
  }, async ({ asker, log }) => ({ calls: (await ask(log, async () => live())).map(call => listed(call, isHidden(asker, call.agency))) }))

  app.get('/calls/:callId', {
    config,
    schema: {
      operationId: 'getCall', summary: 'One call, whole', tags, security, querystring: NoQuery, params: CallId,
      description: 'With every step, and with the caller\'s number in full: that is written into the audit.',
      response: { 200: WholeCall, 404: Fault, ...faults }
    }
  }, async ({ params: { callId }, asker, ip, log }) => {
    const whole = await ask(log, () => records.get(callId))
    if (!whole) throw new Refusal(404, 'not-found', 'There is no such call.')
    if ([whole.call.agency, ...whole.lines.map(({ agency }) => agency)].some(agency => isHidden(asker, agency))) return withoutNumber(whole)
    await ask(log, () => records.audit(asker.reader(ip), 'read the caller\'s number', callId, asker.signedBy))
    return whole
  })

  if (end) {
    app.post('/calls/:callId/end', {
      schema: {
        operationId: 'endCall', summary: 'Ends a call that goes on', tags, security, querystring: NoQuery, params: CallId, body: EndIt,
        description: 'Hangs up the caller, and so everybody. The audit and the record say by whom and why, and the citizen is owed a call. A callback is ended by its channel\'s id (`followup-…`).',
        response: { 200: Type.Object({ ended: Type.String({ description: 'The call, by its id.' }) }, { title: 'CallEnded' }), 404: Fault, 409: Fault, ...faults }
      }
    }, async ({ params: { callId }, body: { who, reason }, asker }) => {
      try {
        await end({ callId, who: asker.who(who), reason, signedBy: asker.signedBy })
      } catch (error) {
        if (error instanceof NotEnded) throw new Refusal({ unknown: 404, over: 409, away: 503 }[error.why], { unknown: 'not-found', over: 'over', away: 'asterisk-away' }[error.why], error.message)
        throw error
      }
      return { ended: callId }
    })
  }
}

function listed({ cliRaw: _, cli, ...call }: LiveCall | StoredCall, hidden: boolean): ListedCall {
  return { plan: null, ...call, cli: hidden ? null : masked(cli) }
}

/** A call, and its steps, without what tells who called. */
function withoutNumber<T extends { call: StoredCall, steps: Step[] }>({ call, ...whole }: T) {
  const steps = whole.steps.map(step => step.kind === 'arrived' || step.kind === 'caller' ? { ...step, facts: { ...step.facts, cli: '' } } : step.kind === 'headers' ? { ...step, facts: { headers: {} } } : step)
  return { ...whole, call: { ...call, cli: null, cliRaw: '' }, steps }
}

/** ISO 8601 (without a zone: the city's) or Unix ms. Throws a `Refusal` that names the query key. */
export function moment(key: string, value: string, zone: string): number {
  const time = momentIn(zone, value)
  if (time === undefined) throw new Refusal(400, 'bad-request', `The query key '${key}' is neither ISO 8601 nor Unix time in ms.`, `For example ${momentExample}.`)
  return time
}

/** Whatever the store says, also PostgreSQL's driver without a code, is that it is away. */
export async function ask<T>(log: { error(facts: object, message: string): void }, question: () => Promise<T>): Promise<T> {
  try {
    return await question()
  } catch (error) {
    if (error instanceof BadCursor) throw new Refusal(400, 'bad-request', error.message)
    log.error(plainly(error), 'the records cannot be read')
    throw storeAway()
  }
}
