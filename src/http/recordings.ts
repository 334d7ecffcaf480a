/** The messages that callers have left, for whoever works on their follow-up. Listening to one is audited. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Recordings } from '../records/recordings.ts'
import type { Records } from '../records/records.ts'
import { Refusal } from './faults.ts'
import { Fault } from './schemas.ts'
import { wavOf } from './wav.ts'

export interface RecordingsOptions {
  recordings: Recordings
  records: Pick<Records, 'audit'>
}

const Id = Type.String({ pattern: '^[0-9a-z]{1,40}$', description: 'The follow-up.' })
const List = Type.Object({
  recordings: Type.Array(Type.Object({
    callId: Type.String({ description: 'The call, by which it is asked for.' }), mailbox: Type.String({ description: 'Of the plan.' }),
    at: Type.Integer({ description: 'When the caller came to the mailbox. Unix time in ms (UTC).' }),
    seconds: Type.Union([Type.Number({ description: 'How long it is.' }), Type.Null()], { description: 'null: nothing is kept of it (any more); 0: the disk was full.' }),
    left: Type.Boolean({ description: 'Whether it counts as a message: less than 1.5 s is none, but may be listened to.' })
  }, { title: 'Recording' }), { description: 'Of all calls of the follow-up, the oldest first.' })
}, { title: 'RecordingList' })

const about = { tags: ['follow-ups'], security: [{ token: [] }] }
const config = { desk: true }
const faults = { 400: Fault, 401: Fault, 404: Fault }

export const recordingRoutes: FastifyPluginAsyncTypebox<RecordingsOptions> = async (app, { recordings, records }) => {
  app.get('/followups/:id/recordings', {
    config,
    schema: { operationId: 'listRecordings', summary: 'The messages that the citizen has left', ...about, params: Type.Object({ id: Id }), response: { 200: List, ...faults } }
  }, async ({ params: { id } }) => ({ recordings: await recordings.of(id) ?? nothing('There is no such follow-up.') }))

  app.get('/followups/:id/recordings/:callId', {
    config,
    schema: {
      operationId: 'getRecording', summary: 'One of them, to be listened to', ...about, description: 'That is written into the audit.',
      params: Type.Object({ id: Id, callId: Type.String({ maxLength: 200, description: 'One of the list.' }) }),
      response: { 200: { description: 'The sound: A-law, mono, 8 kHz.', content: { 'audio/wav': { schema: Type.Unsafe<Buffer>({ type: 'string', format: 'binary' }) } } }, ...faults }
    }
  }, async ({ params: { id, callId }, asker, ip }, reply) => {
    const sound = await recordings.sound(id, callId) ?? nothing('There is no such message, or it is no longer kept.')
    await records.audit(asker.reader(ip), `listened to the message of follow-up ${id}`, callId, asker.signedBy)
    return reply.type('audio/wav').send(wavOf(sound))
  })
}

function nothing(message: string): never {
  throw new Refusal(404, 'not-found', message)
}
