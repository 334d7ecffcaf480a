/** What the API takes and gives, as TypeBox schemas: they check, they serialise, and they are the OpenAPI document. */
import { Type, type Static, type TSchema } from 'typebox'
import { dispositions, type LineOutcome, type Owner, type Way } from '../calls/story.ts'

/** One of these words. */
const words = <T extends string>(description: string, ...values: T[]) =>
  Type.Unsafe<T>({ type: 'string', enum: values, description })
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const time = (description: string) => Type.Integer({ description: `${description} Unix time in ms (UTC).` })
const at = (description: string) => orNull(time(description))
const name = (description: string) => orNull(Type.String({ description }))

/** May be left out; its default is then there for the handler. */
export const defaulted = <T extends TSchema>(schema: T) => Type.Optional(schema) as unknown as T

const outcomes: LineOutcome[] = ['answered', 'too-short', 'busy', 'noanswer', 'nonexistent', 'unavailable', 'full', 'declined', 'cancelled', 'off-duty']
const ways: Way[] = ['service', 'shed', 'fallback']
const owners: Owner[] = ['caller', 'agency', 'us', 'carrier']

const call = {
  callId: Type.String({ description: 'The call: Asterisk\'s linked id.' }),
  did: Type.String({ description: 'The number that was dialled.' }),
  trunk: Type.String({ description: 'The trunk that it came in on.' }),
  arrivedAt: time('When it came in.'),
  pickedAt: at('When we picked up. A greeting is not an answer.'),
  connectedAt: at('When caller and agency heard each other first, in a talk that counts or goes on.'),
  endedAt: at('When its last channel was gone; null while it goes on.'),
  agency: name('The agency chosen last.'),
  line: name('The line that answered.'),
  endedBy: orNull(words('Who hung up.', ...owners)),
  q850: orNull(Type.Integer({ description: 'The hang-up cause (ITU-T Q.850).' })),
  disposition: orNull(words('How it ended; null while it goes on.', ...dispositions)),
  detail: name('Where or why, in a word or two.'),
  way: orNull(words('Which way it went at first. service: the service led it. shed: the dialplan\'s own menu did, since the service was overloaded. fallback: the same, since no service was there. null: not known yet, or the ledger alone does not tell.', ...ways)),
  plan: name('The version of the service plan that it ran under.')
}

const example = {
  callId: 'satunomor-1796078515.42', did: '112', trunk: 'carrier', arrivedAt: 1796078515853, pickedAt: 1796078515871, connectedAt: 1796078527004, endedAt: 1796078611340, agency: 'bpbd', line: 'bpbd-1',
  endedBy: 'caller', q850: 16, disposition: 'answered', detail: null, way: 'service', plan: '3f2a9c0d71be', cli: '+62721•••0112'
}

export const ListedCall = Type.Object({
  ...call,
  cli: orNull(Type.String({ description: 'The caller\'s number, masked: `+62721•••0112`. null where it is not a number.' }))
}, { title: 'Call', examples: [example] })

export const FullCall = Type.Object({
  ...call,
  cli: orNull(Type.String({ description: 'The caller\'s number, E.164. null where it is not a number.' })),
  cliRaw: Type.String({ description: 'The caller\'s number as it arrived, unfiltered: never trust it.' })
}, { title: 'CallWithNumber' })

const localOnly = Type.Optional(Type.Boolean({ description: 'true: PostgreSQL is away or lacks this call yet. What you see is what this machine has: other nodes\' calls are missing. Else left out.' }))

export const CallList = Type.Object({
  localOnly,
  calls: Type.Array(ListedCall, { description: 'Newest first.' }),
  next: orNull(Type.String({ description: 'Pass it as `cursor` for what follows; null at the end.' }))
}, { title: 'CallPage' })

export const LiveCalls = Type.Object({ calls: Type.Array(ListedCall, { description: 'Newest first.' }) }, { title: 'LiveCalls' })

export const WholeCall = Type.Object({
  localOnly,
  call: FullCall,
  steps: Type.Array(Type.Object({
    key: Type.String({ description: 'Identifies the step within its call.' }),
    at: time('When it happened.'),
    witness: words('Who saw it: Asterisk\'s ledger, or the service.', 'ledger', 'service'),
    kind: Type.String({ description: 'What happened.' }),
    facts: Type.Unsafe<object>({ type: 'object', additionalProperties: true, description: 'The facts of this kind of step.' })
  }, { title: 'CallStep' }), { description: 'Everything that is known, in order of time.' }),
  lines: Type.Array(Type.Object({
    line: Type.String({ description: 'The line tried.' }),
    agency: Type.String({ description: 'Whose line it is.' }),
    triedAt: time('When it began to be tried.'),
    outcome: orNull(words('How that went; null while it rings.', ...outcomes)),
    q850: orNull(Type.Integer({ description: 'The hang-up cause (ITU-T Q.850).' })),
    answeredAt: at('When it answered.')
  }, { title: 'CallLine' }), { description: 'Every attempt at a line, in order of time.' })
}, { title: 'CallStory' })

const moment = (description: string) => Type.Optional(Type.String({
  maxLength: 40,
  description: `${description} ISO 8601 (\`2026-01-31T07:00:00+07:00\`; the city\'s time where it names no zone) or Unix time in ms.`
}))

export const ListQuery = Type.Object({
  from: moment('Calls that arrived at or after this.'),
  to: moment('Calls that arrived before this.'),
  agency: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Only calls whose last agency was this.' })),
  disposition: Type.Optional(words('Only calls that ended so.', ...dispositions)),
  cursor: Type.Optional(Type.String({ maxLength: 2_000, pattern: '^[\\w-]+$', description: '`next` of the page before. Keep the other keys the same.' })),
  limit: defaulted(Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'How many calls at most.' }))
}, { additionalProperties: false })

export const NoQuery = Type.Object({}, { additionalProperties: false })

export const CallId = Type.Object({ callId: Type.String({ maxLength: 400, description: 'Asterisk\'s linked id.' }) })

export const Fault = Type.Object({
  error: Type.String({ description: 'A word for programs.' }),
  message: Type.String({ description: 'A sentence for people.' }),
  hint: Type.Optional(Type.String({ description: 'What to do about it.' }))
}, { title: 'Fault' })

export const Health = Type.Object({ status: Type.Literal('ok') }, { title: 'Health' })

export const Readiness = Type.Object({
  ready: Type.Boolean({ description: 'Whether calls can be served.' }),
  missing: Type.Array(Type.String(), { description: 'What is not there yet, each in words.' }),
  warnings: Type.Array(Type.String(), { description: 'What is broken although calls can be served, each in words.' })
}, { title: 'Readiness', examples: [{ ready: true, missing: [], warnings: ['trunk gateway is down: nobody can be rung on it (GET /api/trunks)'] }] })

export type ListedCall = Static<typeof ListedCall>
export type Fault = Static<typeof Fault>
