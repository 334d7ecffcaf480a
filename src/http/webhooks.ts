/** What could not be delivered to agencies' own systems, and having it delivered all the same. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Webhooks } from '../webhooks/webhooks.ts'
import { Refusal } from './faults.ts'
import { defaulted, Fault, NoQuery } from './schemas.ts'

export interface WebhookOptions { webhooks: Pick<Webhooks, 'dead' | 'redeliver'> }

const agency = Type.String({ pattern: '^[a-z0-9-]{1,40}$', description: 'Of this agency.' })
const Dead = Type.Object({
  dead: Type.Array(Type.Object({
    id: Type.String({ description: 'The event; the receiver sees it as `webhook-id`.' }), agency: Type.String(), sequence: Type.Integer({ description: 'Its number among the agency\'s events.' }),
    type: Type.String(), at: Type.Integer({ description: 'When it happened, Unix time in ms (UTC).' }), tries: Type.Integer(),
    why: Type.Union([Type.String({ description: 'What came of the last try.' }), Type.Null()]),
    endedAt: Type.Union([Type.Integer({ description: 'When it was given up, Unix time in ms (UTC).' }), Type.Null()])
  }, { title: 'DeadEvent' }), { description: 'Newest first. What the events said is not shown.' })
}, { title: 'DeadEventList' })
const Query = Type.Object({
  agency: Type.Optional(agency), limit: defaulted(Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'How many at most.' }))
}, { additionalProperties: false })
const Redelivered = Type.Object({ redelivered: Type.Integer({ description: 'How many are tried again, ten times, from now on.' }) }, { title: 'Redelivered' })
const about = { tags: ['webhooks'], security: [{ token: [] }] }

export const webhookRoutes: FastifyPluginAsyncTypebox<WebhookOptions> = async (app, { webhooks }) => {
  app.get('/webhooks/dead', {
    schema: { operationId: 'listDeadEvents', summary: 'Events that could not be delivered', ...about, querystring: Query, response: { 200: Dead, 400: Fault, 401: Fault } }
  }, async ({ query }) => ({ dead: await webhooks.dead(query) }))

  app.post('/webhooks/dead/redeliver', {
    schema: { operationId: 'redeliverAgencyEvents', summary: 'Has all of an agency\'s dead events delivered', ...about, querystring: NoQuery, body: Type.Object({ agency }, { additionalProperties: false }), response: { 200: Redelivered, 400: Fault, 401: Fault } }
  }, async ({ body }) => ({ redelivered: await webhooks.redeliver(body) }))

  app.post('/webhooks/dead/:id/redeliver', {
    schema: { operationId: 'redeliverEvent', summary: 'Has one dead event delivered', ...about, querystring: NoQuery, params: Type.Object({ id: Type.String({ maxLength: 60 }) }), response: { 200: Redelivered, 401: Fault, 404: Fault } }
  }, async ({ params }) => {
    const redelivered = await webhooks.redeliver(params)
    if (redelivered === 0) throw new Refusal(404, 'not-found', 'There is no dead event of this id.')
    return { redelivered }
  })
}
