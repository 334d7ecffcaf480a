/** Messages to citizens: those that there are, and what their gateway tells of them (signed with the gateway's secret). */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { masked } from '../calls/masked.ts'
import { e164 } from '../calls/tell.ts'
import { refusalOf } from '../delivery/signed.ts'
import type { Status } from '../followups/messages.ts'
import type { Reply, Meaning } from '../followups/replies.ts'
import type { Message } from '../records/message.ts'
import { Refusal } from './faults.ts'
import { defaulted, Fault } from './schemas.ts'

export interface MessageOptions {
  messages: {
    list(query: { followUp?: string, limit: number }): Promise<Message[]>
    status(status: Status): Promise<boolean>
    reply(reply: Reply): Promise<{ followUp: string, meaning: Meaning } | undefined>
  }
  /** The gateway's secret; without one nothing is taken from anybody. */
  secret?: string
}

const orNull = (description: string) => Type.Union([Type.String({ description }), Type.Null()])
const time = (description: string) => Type.Integer({ description: `${description} Unix time in ms (UTC).` })
const Listed = Type.Object({
  id: Type.String({ description: 'The message.' }),
  followUp: Type.String({ description: 'The follow-up that it belongs to.' }),
  occasion: Type.String({ description: '`opened`, or `attempt-<n>`: one message for each.' }),
  name: Type.String({ description: 'Its name in the service plan.' }),
  to: Type.Union([Type.String({ description: 'The number, masked: `+62721•••0112`.' }), Type.Null()]),
  language: Type.String(), text: Type.String(),
  state: Type.String({ description: '`waiting`, `sending`, `sent` (the gateway has it), `recorded` (there is no gateway), `delivered`, `failed`, `dropped` (not to be sent after all).' }),
  why: orNull('Why it failed or was dropped.'),
  tries: Type.Integer({ description: 'How often the gateway was asked.' }),
  madeAt: time('When there was reason for it.'), dueAt: time('Not before then.')
}, { title: 'Message' })
const Query = Type.Object({
  followUp: Type.Optional(Type.String({ pattern: '^[0-9a-z]{1,40}$', description: 'Only those of this follow-up.' })),
  limit: defaulted(Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'How many at most.' }))
}, { additionalProperties: false })

/** For the command centre; behind the API's token. */
export const messageRoutes: FastifyPluginAsyncTypebox<Pick<MessageOptions, 'messages'>> = async (app, { messages }) => {
  app.get('/messages', {
    config: { desk: true },
    schema: { operationId: 'listMessages', summary: 'Messages to citizens, newest first', tags: ['follow-ups'], security: [{ token: [] }], querystring: Query, response: { 200: Type.Object({ messages: Type.Array(Listed) }, { title: 'MessageList' }), 400: Fault, 401: Fault } }
  }, async ({ query }) => ({
    messages: (await messages.list(query)).map(({ followupId, cli, ...message }) => ({ ...message, followUp: followupId, to: masked(cli) }))
  }))
}

const id = (description: string) => Type.String({ pattern: '^[\\x21-\\x7e]{1,200}$', description })
const signed = { tags: ['follow-ups'], security: [{ signature: [] }] }
const faults = { 400: Fault, 401: Fault, 404: Fault, 413: Fault, 415: Fault, 421: Fault, 500: Fault, 503: Fault }
const StatusBody = Type.Object({
  id: id('Our id of the message.'),
  state: Type.Union([Type.Literal('delivered'), Type.Literal('failed')], { description: 'What became of it.' }),
  why: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,60}$', description: 'Why it failed, in a word: it stands in the follow-up\'s history.' }))
}, { title: 'MessageStatus', examples: [{ id: 'm-1', state: 'delivered' }] })
const ReplyBody = Type.Object({
  id: id('The gateway\'s id of the answer: the same id counts once.'),
  from: Type.String({ maxLength: 40, description: 'The citizen\'s number.' }),
  text: Type.String({ maxLength: 10_000, description: 'What they wrote. `1` need help, `2` mistake, `3` cannot speak, a plain "ok, thanks" asks for nothing; a person reads all else.' })
}, { title: 'MessageReply', examples: [{ id: 'r-1', from: '+627215550112', text: '1' }] })
const Taken = Type.Object({
  taken: Type.Boolean({ description: 'false: we know no such message, or no such citizen. Do not send it again.' })
}, { title: 'Taken' })

/** For the gateway; whoever has its secret may come in. They are described where there is no gateway, too, and say so (404). */
export const gatewayRoutes: FastifyPluginAsyncTypebox<MessageOptions> = async (app, { messages, secret }) => {
  app.addHook('onRequest', async () => {
    if (secret === undefined) throw new Refusal(404, 'not-found', 'This city has no gateway for messages.', 'SATUNOMOR_MESSAGES=webhook sets one up (docs/messages.md).')
  })
  // What is signed is the body as it came.
  const plainly = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const refusal = refusalOf([secret!], request.headers, body as string, Date.now())
    if (refusal === undefined) {
      request.signed = true
      return plainly(request, body as string, done)
    }
    request.why = `signature: ${refusal}`
    done(new Refusal(401, 'unauthorized', `This is not signed as the gateway signs: ${refusal}.`, 'docs/messages.md says how.'), undefined)
  })
  app.addHook('preValidation', async request => {
    if (request.body === undefined || request.body === null) throw new Refusal(401, 'unauthorized', 'This is not signed as the gateway signs: there is no body.', 'docs/messages.md says how.')
  })

  app.post('/messages/status', {
    schema: { operationId: 'reportMessageStatus', summary: 'What became of a message, from its gateway', ...signed, body: StatusBody, response: { 200: Taken, ...faults } }
  }, async ({ body }) => ({ taken: await messages.status(body) }))

  app.post('/messages/replies', {
    schema: { operationId: 'reportMessageReply', summary: 'What a citizen has answered, from the gateway', ...signed, body: ReplyBody, response: { 200: Taken, ...faults } }
  }, async ({ body, log }) => {
    const taken = await messages.reply(body)
    log.info({ reply: body.id, from: masked(e164(body.from)), ...taken ?? { followUp: null } }, 'a citizen has answered')
    return { taken: taken !== undefined }
  })
}
