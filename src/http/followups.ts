/** What we owe citizens, as the desk and the city's own programs see and work it. Lists mask the number; reading it in full is audited. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type TSchema } from 'typebox'
import { masked } from '../calls/masked.ts'
import { e164 } from '../calls/tell.ts'
import { burst, burstReleased } from '../followups/bursts.ts'
import { NeverCalled, NotNow, type Act, type Book } from '../followups/book.ts'
import { callNow, claim, close, hand, note, release, reopen, spoken, staleAfter, takeOver } from '../followups/desk.ts'
import { deskOf } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import { kinds } from '../plan/schema-followups.ts'
import type { FollowUp } from '../records/follow-up.ts'
import { BadCursor } from '../records/cursor.ts'
import type { Records } from '../records/records.ts'
import { Refusal } from './faults.ts'
import type { Asker } from './guard.ts'
import { hides } from './hidden.ts'
import { Misses } from './misses.ts'
import { liveStream } from './live-stream.ts'
import { defaulted, Fault, NoQuery } from './schemas.ts'

export interface FollowUpsOptions {
  book: Book
  plan: () => Plan
  records: Pick<Records, 'audit'>
  /** Nobody is rung back (src/outbound-hold.ts). */
  held?: () => boolean
}

const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const words = <const T extends string>(description: string, ...values: readonly T[]) => Type.Unsafe<T>({ type: 'string', enum: values, description })
const time = (description: string) => Type.Integer({ description: `${description} Unix time in ms (UTC).` })
const states = ['open', 'calling', 'person', 'done', 'closed'] as const
const Id = Type.Object({ id: Type.String({ pattern: '^[0-9a-z]{1,40}$', description: 'The follow-up.' }) })
const name = (description: string) => Type.String({ pattern: '^[a-z0-9-]{1,40}$', description })
const person = Type.Optional(Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\p{C}]+$', description: 'Who does it; stands in the history. Left out with a token of one\'s own.' }))
const text = (description: string) => Type.String({ minLength: 1, maxLength: 1000, pattern: '^[^\\p{C}]+$', description })

const shape = {
  id: Type.String(), kind: words('Why we owe the citizen something.', ...kinds),
  agency: orNull(Type.String({ description: 'The agency that the citizen chose.' })),
  rings: Type.String({ description: 'Whose lines a callback rings.' }),
  cli: orNull(Type.String({ description: 'The citizen\'s number: masked in lists, whole in one. null: there is none to ring.' })),
  did: Type.String({ description: 'The number that was dialled.' }), language: Type.String(),
  state: words('Where it stands.', ...states), why: Type.String({ description: 'Why it stands there, in a word or two, or a person\'s reason.' }),
  priority: Type.Integer({ description: '1 goes before 2; 0: a person wants it now.' }),
  dueAt: time('When the next attempt is due.'), deadlineAt: time('Until when somebody should have spoken with the citizen.'),
  overdue: Type.Boolean({ description: 'That is over, and nobody has.' }),
  burst: Type.Boolean({ description: 'It is of a burst of calls that hung up at once: `why` is `burst` (nobody is rung) or `burst-released` (the desk has it rung, after all others).' }),
  arrivedAt: time('When the citizen called (first).'), madeAt: time('When it was opened.'),
  attempt: Type.Integer({ description: 'How many attempts were begun.' }), tried: Type.Integer({ description: 'How many of them did not reach the citizen.' }),
  agencyFailed: Type.Integer({ description: 'How many did not reach the agency.' }),
  list: Type.String({ description: 'Whose list it stands on.' }), escalated: Type.Integer({ description: 'How far it has been escalated; 0: not.' }),
  claimedBy: orNull(Type.String({ description: 'Who has it in hand.' })), claimedAt: orNull(time('Since when.')), claimStale: Type.Boolean({ description: `For longer than ${staleAfter / 60_000} minutes.` }),
  endedAt: orNull(time('When it ended.')), endedBy: orNull(Type.String({ description: '`callback`, `call <id>`, `citizen`, or a person.' }))
}
const example = {
  id: 'mdk3v0a1', kind: 'abandoned-menu', agency: null, rings: 'posko', cli: '+62721•••0112', did: '112', language: 'id', state: 'open', why: 'abandoned-menu', priority: 5, dueAt: 1796078645853, deadlineAt: 1796080315853,
  overdue: false, arrivedAt: 1796078515853, madeAt: 1796078531200, attempt: 0, tried: 0, agencyFailed: 0, list: 'posko', escalated: 0, claimedBy: null, claimedAt: null, claimStale: false, endedAt: null, endedBy: null, burst: false
}
const Shown = Type.Object(shape, { title: 'FollowUp', examples: [example] })
const List = Type.Object({ followUps: Type.Array(Shown), next: orNull(Type.String({ description: 'Pass it as `cursor` for what follows; null at the end.' })) }, { title: 'FollowUpPage' })
const Whole = Type.Object({
  followUp: Shown,
  calls: Type.Array(Type.String(), { description: 'The calls that it is about, by id.' }),
  attempts: Type.Array(Type.Object({
    attempt: Type.Integer(), state: words('', 'claimed', 'dialling', 'ended'), agency: Type.String(), by: Type.String({ description: '`policy`, or the person who asked for it.' }),
    madeAt: time('When it was decided.'), begunAt: orNull(time('When the exchange was asked.')), endedAt: orNull(time('When it had ended.')), joinedAt: orNull(time('Since when the two heard each other.')),
    outcome: orNull(Type.String({ description: '`spoken`, `unconfirmed`, `voicemail`, `later`, `not-needed`, `wrong-number`, `silent`, `citizen-left`, `no-answer`, `busy`, `unreachable`, `agency-unreached`, `agency-left`, `gave-way`, `withdrawn`, `refused`, `cut-off`, `void`.' })), line: orNull(Type.String({ description: 'The agency\'s line that accepted.' }))
  }, { title: 'FollowUpAttempt' })),
  history: Type.Array(Type.Object({ at: time('When.'), who: Type.String(), what: Type.String(), facts: Type.Unsafe<object>({ type: 'object', additionalProperties: true, description: '`signedBy` of what a person did: `own-token`, they signed in; `city-token`, a bearer of the city\'s token named them.' }) }, { title: 'FollowUpEntry' }), { description: 'Everything that happened to it, in order.' })
}, { title: 'FollowUpStory' })
const Query = Type.Object({
  state: Type.Optional(Type.String({ pattern: `^(${states.join('|')})(,(${states.join('|')}))*$`, description: 'One or more states, with commas. Default: all that have not ended.' })),
  agency: Type.Optional(name('Only of this agency.')), list: Type.Optional(name('Only what stands on this list.')),
  kind: Type.Optional(words('Only this kind.', ...kinds)), claimedBy: Type.Optional(Type.String({ maxLength: 100, description: 'Only what this person has.' })),
  overdue: Type.Optional(Type.Boolean({ description: 'Only what is overdue.' })),
  burst: Type.Optional(Type.Boolean({ description: 'Only what is of a burst, parked or released.' })),
  order: Type.Optional(words('Most urgent first (who is to be reached now, then by deadline; so if left out), or newest first.', 'deadline', 'newest')),
  cursor: Type.Optional(Type.String({ maxLength: 2_000, pattern: '^[\\w-]+$', description: '`next` of the page before. Keep the other keys the same.' })),
  limit: defaulted(Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'How many at most.' }))
}, { additionalProperties: false })
const Ask = Type.Object({
  call: Type.Optional(Type.String({ minLength: 1, maxLength: 100, pattern: '^[\\w.-]+$', description: 'Whom to ring back: the caller of this call, by its id. Either this or `number`.' })),
  number: Type.Optional(Type.String({ maxLength: 40, description: 'Whom to ring back: a number that has called us.' })),
  agency: Type.Optional(name('Whose lines; the desk\'s if left out.')), who: person, reason: text('Why.'),
  key: Type.Optional(Type.String({ pattern: '^[\\w.-]{1,100}$', description: 'Asked again with the same key by the same asker (the person, or with the city\'s token whom `who` names), it is the same follow-up. With another number or agency it is refused (409).' }))
}, { title: 'FollowUpRequest', examples: [{ call: 'satunomor-1796078515.42', agency: 'bpbd', reason: 'Banjir di Telukbetung, telepon terputus.' }], additionalProperties: false })
const actions = ['claim', 'take-over', 'release', 'note', 'call-now', 'spoken', 'close', 'reopen', 'hand'] as const
const Action = Type.Object({
  action: words('What is done.', ...actions), who: person,
  reason: Type.Optional(text('Why; `take-over`, `close`, `reopen` and `hand` want one.')), text: Type.Optional(text('Of a `note`; of `spoken`: how.')),
  agency: Type.Optional(name('Of `call-now`: whose lines ring. Of `hand`: whose list.'))
}, { title: 'FollowUpAction', examples: [{ action: 'claim' }, { action: 'close', reason: 'Warga sudah ditolong.' }], additionalProperties: false })

const Parked = Type.Object({
  parked: Type.Integer({ description: 'How many follow-ups.' }), from: orNull(time('When the first of their citizens called.')), to: orNull(time('When the last of them called.'))
}, { title: 'ParkedBursts' })
const BurstOrder = Type.Object({
  action: words('What is done.', 'park', 'release'), who: person, reason: text('Why; stands in the history of each.'),
  minutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 1440, description: 'Of `park`: the calls of so many minutes until now; 60 if left out.' }))
}, { title: 'BurstOrder', examples: [{ action: 'park', reason: 'Ratusan panggilan dari satu operator.' }], additionalProperties: false })
const Moved = Type.Object({ moved: Type.Integer({ description: 'How many follow-ups.' }) }, { title: 'MovedBursts' })

const about = { tags: ['follow-ups'], security: [{ token: [] }] }
const config = { desk: true }
const faults = { 400: Fault, 401: Fault, 409: Fault }

export const followUpRoutes: FastifyPluginAsyncTypebox<FollowUpsOptions> = async (app, { book, plan, records, held = () => false }) => {
  const misses = new Misses()
  const refuseWhileHeld = () => {
    if (held()) throw new Refusal(409, 'held', 'This machine rings nobody back: a backup was restored on it.', 'If it serves the city, have an admin run: npx satunomor go-live')
  }
  const shown = (followUp: FollowUp, asker: Asker, full = false) => {
    const now = Date.now()
    const cli = hides(asker, [followUp.agency, followUp.rings], plan()) ? null : followUp.cli
    return { ...followUp, cli: full ? cli : masked(cli), overdue: followUp.endedAt === null && followUp.deadlineAt <= now, burst: followUp.why === burst || followUp.why === burstReleased,
      claimStale: followUp.endedAt === null && followUp.claimedAt !== null && now - followUp.claimedAt > staleAfter }
  }

  app.get('/followups', {
    config,
    schema: { operationId: 'listFollowUps', summary: 'What we owe citizens', ...about, querystring: Query, response: { 200: List, ...faults } }
  }, async ({ query: { state, overdue, ...query }, asker }) => {
    const wanted = (state?.split(',') ?? (overdue ? undefined : ['open', 'calling', 'person'])) as FollowUp['state'][] | undefined
    const { followUps, next } = await answered(() => book.list({ ...query, order: query.order ?? 'deadline', ...wanted ? { state: wanted } : {}, ...overdue ? { overdueAt: Date.now() } : {} }))
    return { followUps: followUps.map(followUp => shown(followUp, asker)), next }
  })

  app.get('/followups/events', {
    config: { ...config, stream: true },
    schema: { operationId: 'streamFollowUps', summary: 'Every change, as it happens (server-sent events)', ...about, querystring: NoQuery, description: 'Each event `change` has the follow-up (number masked) and what happened: `who`, `what`, `facts`.',
      response: { 200: { description: 'For as long as somebody listens, and their token holds.', content: { 'text/event-stream': { schema: Type.String() } } }, 401: Fault } }
  }, (request, reply) => liveStream(request, reply, send => book.onChanged(({ followUp, event }) => send('change', { followUp: shown(followUp, request.asker), ...event }))))

  app.get('/followups/burst', {
    config,
    schema: { operationId: 'getBurst', summary: 'What of bursts nobody is rung for', ...about, querystring: NoQuery, description: 'Bursts of calls that hung up at once, from many numbers (`followups.burst` of the plan). `GET /api/followups?burst=true` lists them.', response: { 200: Parked, 401: Fault } }
  }, () => book.parked())

  app.post('/followups/burst', {
    config,
    schema: { operationId: 'moveBurst', summary: 'Parks or releases bursts', ...about, body: BurstOrder, description: '`release`: all that are parked are rung by the policy, after all others. `park`: nobody is rung for the calls of the last minutes that hung up at once. What a person has in hand stays theirs. For the desk, not for who works another list.', response: { 200: Moved, ...faults } }
  }, async ({ body: { action, who, reason, minutes = 60 }, asker, log }) => {
    onTheirList(asker, deskOf(plan()))
    const by = asker.who(who)
    const now = Date.now()
    const facts = { signedBy: asker.signedBy }
    const moved = await (action === 'park' ? book.parkBurst(now - minutes * 60_000, now, by, reason, facts) : book.releaseBurst(by, reason, now, facts))
    log.warn({ who: by, signedBy: asker.signedBy, moved }, action === 'park' ? 'burst parked' : 'burst released')
    return { moved }
  })

  app.get('/followups/:id', {
    config,
    schema: { operationId: 'getFollowUp', summary: 'One, with every attempt and its history', ...about, querystring: NoQuery, params: Id, description: 'With the citizen\'s number in full: that is written into the audit.', response: { 200: Whole, 404: Fault, ...faults } }
  }, async ({ params: { id }, asker, ip }) => {
    const whole = await book.get(id) ?? nothing()
    await records.audit(asker.reader(ip), `read the number of follow-up ${id}`, whole.calls[0] ?? null, asker.signedBy)
    return { ...whole, followUp: shown(whole.followUp, asker, true) }
  })

  app.post('/followups', {
    config,
    schema: { operationId: 'askForFollowUp', summary: 'Has somebody rung back', ...about, body: Ask, description: 'Only the caller of a call, or a number that has called us, and that may be rung. Each try is written into the audit. A number has one such follow-up at most that is open (409). Who names ten numbers within an hour that have never called may name none for the rest of it (429), and asks by call.', response: { 201: Shown, 404: Fault, 429: Fault, ...faults } }
  }, async ({ body: { call, number, agency = null, who, reason, key }, asker, log }, reply) => {
    refuseWhileHeld()
    if ((call === undefined) === (number === undefined)) throw new Refusal(400, 'bad-request', 'The body has one of the keys \'call\' and \'number\'.', 'Take the call\'s id from GET /api/calls.')
    if (agency !== null && plan().nodes.get(agency)?.kind !== 'agency') throw new Refusal(404, 'not-found', `The plan has no agency "${agency}".`)
    onTheirList(asker, agency ?? deskOf(plan()))
    const by = asker.who(who)
    const asked = { ...key === undefined ? {} : { key }, agency }
    const ask = (whom: { cli: string, did: string }) => book.ask({ ...asked, ...whom }, by, reason, Date.now(), { signedBy: asker.signedBy })
    if (call !== undefined) {
      const { cli, did } = await book.callerOf(call) ?? nothing('There is no such call.')
      await records.audit(by, `asked to ring back ${masked(cli) ?? 'a caller without a number'}`, call, asker.signedBy)
      if (cli === null) throw new Refusal(409, 'not-now', 'It cannot be done: this call has no number that can be rung back.')
      return reply.code(201).send(shown(await answered(() => ask({ cli, did })), asker))
    }
    const cli = e164(number!)
    if (cli === null) throw new Refusal(400, 'bad-request', 'The body key \'number\' is no telephone number.', 'For example +627215550112.')
    // With the city's token anybody may be named: it has one count, whoever that is.
    const bearer = asker.person?.name ?? ''
    if (misses.tooMany(bearer)) throw new Refusal(429, 'too-many-misses', `${asker.person?.name ?? 'The city\'s token'} has named too many numbers that have never called.`, 'Ask by call (the key \'call\', from GET /api/calls), or in an hour.')
    await records.audit(by, `asked to ring back ${masked(cli)}`, null, asker.signedBy)          // whether it has called us is learnt by asking
    const followUp = await answered(() => ask({ cli, did: [...plan().numbers.keys()][0]! })).catch(async error => {
      if (error instanceof Refusal && error.cause instanceof NeverCalled && misses.missed(bearer)) {
        log.warn({ who: by, signedBy: asker.signedBy }, 'too many unknown numbers asked for; blocked for an hour')
        await records.audit(by, 'named too many numbers that have never called: may name none for an hour', null, asker.signedBy)
      }
      throw error
    })
    return reply.code(201).send(shown(followUp, asker))
  })

  app.patch('/followups/:id', {
    config,
    schema: { operationId: 'actOnFollowUp', summary: 'What a person does with it', ...about, params: Id, body: Action, response: { 200: Shown, 404: Fault, ...faults } }
  }, async ({ params: { id }, body, asker }) => {
    const who = asker.who(body.who)
    if (body.action === 'call-now') refuseWhileHeld()
    const does = act({ ...body, who }, plan())
    const signed = (followUp: FollowUp) => {
      onTheirList(asker, followUp.list)
      if (body.action === 'call-now') onTheirLines(asker, plan(), followUp, body.agency)
      const { facts, ...rest } = does(followUp)
      return { ...rest, facts: { ...facts, signedBy: asker.signedBy } }
    }
    return shown(await answered(() => book.act(id, who, signed, Date.now())) ?? nothing(), asker)
  })
}

interface Body { action: typeof actions[number], who: string, reason?: string, text?: string, agency?: string }

function act({ action, who, reason, text, agency }: Body, plan: Plan): (followUp: FollowUp) => Act {
  const now = Date.now()
  const wanted = (key: string, value: string | undefined) => value ?? refuse(`The body key '${key}' is missing: '${action}' wants one.`)
  switch (action) {
    case 'claim': return claim(who, now)
    case 'take-over': return takeOver(who, wanted('reason', reason), now)
    case 'release': return release(who)
    case 'note': return note(wanted('text', text))
    case 'call-now': return callNow(plan, who, agency, now)
    case 'spoken': return spoken(who, wanted('text', text))
    case 'close': return close(who, wanted('reason', reason))
    case 'reopen': return reopen(deskOf(plan), wanted('reason', reason))
    case 'hand': return hand(plan, who, wanted('agency', agency), wanted('reason', reason))
  }
}

/** Who works one list leaves the others alone. */
function onTheirList({ person }: Asker, list: string) {
  if (person?.list !== undefined && person.list !== list) throw new Refusal(403, 'forbidden', `This is on the list of ${list}, and ${person.name} works that of ${person.list}.`, 'Ask the desk to hand it over.')
}

/** Nor does who works one list ring another's lines; the desk's people ring those that the follow-up is for. */
function onTheirLines({ person }: Asker, plan: Plan, { rings }: FollowUp, agency = rings) {
  if (person?.list === undefined || agency === person.list || (person.list === deskOf(plan) && agency === rings)) return
  throw new Refusal(403, 'forbidden', `This rings the lines of ${agency}, and ${person.name} works the list of ${person.list}.`, `Ring your own lines ("agency": "${person.list}"), or ask the desk.`)
}

function refuse(message: string): never {
  throw new Refusal(400, 'bad-request', message)
}

function nothing(message = 'There is no such follow-up.'): never {
  throw new Refusal(404, 'not-found', message)
}

async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof NotNow) throw Object.assign(new Refusal(409, 'not-now', `It cannot be done: ${error.message}.`), { cause: error })
    if (error instanceof BadCursor) throw new Refusal(400, 'bad-request', error.message)
    throw error
  }
}
