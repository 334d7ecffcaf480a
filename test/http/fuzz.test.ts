/** Requests of every kind, made from the OpenAPI document, by everybody: no 5xx, no status that is not in it, no answer of another form; and the service serves on. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import type { FastifyRequest } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import Schema from 'typebox/schema'
import { audit } from '../../src/audit.ts'
import { endCall } from '../../src/calls/end-call.ts'
import { newSecret, sign } from '../../src/delivery/signed.ts'
import { setSwitches } from '../../src/dialplan/switching.ts'
import { recorder } from '../../src/followups/gateways.ts'
import { Messages } from '../../src/followups/messages.ts'
import { takeReply } from '../../src/followups/replies.ts'
import { Metrics } from '../../src/http/metrics.ts'
import { addPerson } from '../../src/http/people-file.ts'
import { People } from '../../src/http/people.ts'
import { httpServer } from '../../src/http/server.ts'
import { SwitchFile } from '../../src/plan/switches.ts'
import { Recordings } from '../../src/records/recordings.ts'
import { WebhookSecrets } from '../../src/webhooks/secrets.ts'
import { Webhooks } from '../../src/webhooks/webhooks.ts'
import { changesIn } from '../dialplan/desk.ts'
import { folder } from '../dialplan/folder.ts'
import { ground } from '../followups/ground.ts'
import { town, townPrompts, townWith } from '../plan/town.ts'

/** So many requests of the fuzzer; SATUNOMOR_TEST_SEED has it make others. */
const requests = 3_000
const secret = newSecret()
const open = new AsyncDisposableStack()
let base: Awaited<ReturnType<typeof ground>>
let app: Awaited<ReturnType<typeof httpServer>>
let tokens: Record<'garbage' | 'desk' | 'list' | 'admin' | 'city', string>
/** Values that lead somewhere, by key. */
let known: Record<string, unknown[]>
/** The route that answered the last request, if one did. */
let answered: string | undefined

interface Json { $ref?: string, type?: string, enum?: unknown[], const?: unknown, anyOf?: Json[], pattern?: string, properties?: Record<string, Json>, required?: string[], items?: Json, minimum?: number, maximum?: number, minLength?: number, maxLength?: number }
interface Operation { name: string, method: string, path: string, parameters?: { name: string, in: 'path' | 'query', schema: Json }[], requestBody?: { content: Record<string, { schema: Json }> }, responses: Record<string, { content?: Record<string, { schema: Json }> }> }
let operations: Operation[]
let components: { schemas: Record<string, Json> }

beforeAll(async () => {
  base = open.use(await ground(['    name: BPBD\n', '    name: BPBD\n    closed: posko\n'], ['prompts:\n', 'siaga: { entry: lain }\nprompts:\n']))
  const { records, book, plan, log } = base
  const texts = Object.fromEntries([...townPrompts].flatMap(([language, names]) => [...names.keys()].map(name => [`prompts/${language}/${name}.txt`, 'Halo.'])))
  const desk = open.use(await folder({ 'plan.yaml': town, 'templates/extensions.conf.liquid': '[a]\nexten => s,1,NoOp({{ version }})\n same => n,Hangup()\n', ...texts }))
  const at = (...names: string[]) => join(desk.path, ...names)
  await mkdir(at('etc'))
  await mkdir(at('mailbox'))
  const changes = changesIn(desk.path, { smoke: async () => {} })
  await changes.start({ who: 'the set-up', warn: () => {} })
  await desk.write({ 'plan.yaml': townWith(['tries: 3', 'tries: 4']) })
  const ids = []
  for (const call of ['satunomor-1.1', 'satunomor-2.2', 'satunomor-3.3']) ids.push((await base.missed(call, { cli: `+62721555011${ids.length}` })).id)
  await writeFile(at('mailbox', 'satunomor-1.1.alaw'), Buffer.alloc(8_000))
  await records.append([{ callId: 'satunomor-1.1', key: 'mailbox', at: 1, witness: 'ledger', kind: 'mailbox', facts: { mailbox: 'pesan', agency: null } }])
  await records.db.insertInto('messages').values({ id: 'm1', followupId: ids[0]!, occasion: 'opened', name: 'dibuka', cli: '+627215550112', language: 'id', text: 'Halo.', state: 'sent', tries: 1, claimedAt: 1, madeAt: 1, dueAt: 1, endedAt: null, gatewayId: null, why: null }).execute()
  const people = at('people.json')
  const person = (name: string, role: 'desk' | 'admin', list?: string) => addPerson(people, { name, role, ...list === undefined ? {} : { list } }, 'test')
  tokens = { garbage: 'b'.repeat(43), desk: await person('Ani', 'desk'), list: await person('Wati', 'desk', 'bpbd'), admin: await person('Citra', 'admin'), city: 'a'.repeat(43) }
  known = {
    id: ids, callId: ['satunomor-1.1', 'satunomor-2.2', 'satunomor-3.3'], agency: ['bpbd', 'posko'], list: ['bpbd', 'posko'], who: ['Dewi'], number: ['+627215550110', '07215550111'],
    from: ['2026-01-31T07:00', '1', 1], to: ['2099-01-01T00:00', 1], until: [new Date(Date.now() + 3_600_000).toISOString()], reason: ['Banjir'], why: ['banjir'], search: ['dinas'], base: [1]
  }
  const idle = { log, retry: { tries: 1, wait: () => 1 } as never, queue: async () => {}, ready: () => false, records, plan: () => plan }
  const messages = new Messages({ ...idle, book, gateway: recorder })
  const switches = new SwitchFile(at('switches.json'), log)
  await switches.open()
  open.defer(() => switches.close())
  const metrics = new Metrics({
    figures: async () => ({ dispositions: [], unacknowledged: 0, owed: 0, busyLines: [], lines: [], followUps: await book.figures(Date.now()), deliveries: await messages.figures() }),
    instant: () => ({ heartbeatAge: 1, ledgerLag: 0, pendingSteps: 0, calls: 0, waiting: [], linksLost: 0, trunks: [], refused: {}, queues: {}, sipReplies: {} })
  })
  app = open.use(await httpServer({
    records, token: tokens.city, people: new People(people, log), log, ready: async () => ({ ready: true, missing: [] }), version: '0', access: records, metrics, changes, timezone: () => 'Asia/Jakarta',
    refused: () => ({ since: 0, count: 1, sources: [{ address: '203.0.113.9', count: 1, why: { acl: 1 }, first: 1, last: 1 }], elsewhere: 0 }),
    trunks: () => [{ name: 'carrier', role: 'carrier', address: '203.0.113.1:5060', up: null, since: null, delay: null }, { name: 'gateway', role: 'agencies', address: '203.0.113.2:5060', up: true, since: 1, delay: 1.5 }],
    directory: () => [{ kind: 'opd', id: 'dinkes', name: 'Dinas Kesehatan', agencies: ['ambulans'], contact: { trunk: 'gateway', number: '1' } }, { kind: 'kecamatan', id: '18.71.01', name: 'Kedaton', agencies: [] }],
    audit: (from, to) => audit({ file: at('calls.csv'), records, from, to }),
    end: ending => endCall({ records, note: step => records.append([step]), there: async () => true, hangUp: async () => {} }, ending),
    switches: { now: () => switches.now, set: (order, signedBy) => setSwitches({ file: at('switches.json'), plan, audit: (who, what) => records.audit(who, what, null, signedBy) }, order).finally(() => switches.look()) },
    messaging: { secret, messages: { list: messages.list.bind(messages), status: messages.status.bind(messages), reply: reply => takeReply(book, plan, reply, Date.now()) } },
    webhooks: new Webhooks({ ...idle, secrets: (agency: string) => new WebhookSecrets(at('webhooks')).of(agency, Date.now()) } as never),
    followUps: { book, plan: () => plan, records }, recordings: new Recordings(records, at('mailbox'))
  }))
  // A refusal has no later hook than the last, a stream no last one while it is open.
  for (const when of ['onRequest', 'onResponse'] as const) {
    app.addHook(when, async ({ method, routeOptions: { url } }: FastifyRequest) => { answered = url === undefined ? undefined : `${method === 'HEAD' ? 'GET' : method} ${url.replace(/:(\w+)/g, '{$1}')}` })
  }
  await app.ready()
  const document = (app as unknown as { swagger(): { paths: Record<string, Record<string, Omit<Operation, 'name' | 'method' | 'path'>>>, components: typeof components } }).swagger()
  components = document.components
  operations = Object.entries(document.paths).flatMap(([path, ways]) => Object.entries(ways).map(([way, operation]) => ({ ...operation, path, method: way.toUpperCase(), name: `${way.toUpperCase()} ${path}` })))
}, 60_000)
afterAll(() => open.disposeAsync())

/** JSON cannot have these as values of JavaScript: they are put into the text. */
const raw = { '@1e309@': '1e309', '@-1e309@': '-1e309', '@deep@': `${'['.repeat(2_000)}${']'.repeat(2_000)}`, '@twice@': '1,"who":"x","who":"y"', '@surrogate@': '"\\ud800"', '@nul@': '"\\u0000"' }
const hostile: unknown[] = [
  '\0', 'a\0b', '\ud800', 'x\udfff', '1e309', '-1', '0', '99999999999999999999', 'NaN', 'x'.repeat(3_000), 'é'.repeat(1_500), '', ' ', '\n', '\u202e\u2066', '٣', '../../etc/passwd', '%00', '%', '"', "' OR 1=1 --",
  '__proto__', 'constructor', 'toString', 'live', 'null', 'true', '[object Object]', null, true, false, -1, 0, 1.5, 1e21, Number.MAX_SAFE_INTEGER + 1, [], {}, [[]], ['x', 'y'], { toString: 1 }, { constructor: { prototype: {} } }, ...Object.keys(raw)
]
const wrong = fc.constantFrom(...hostile)

/** What a schema allows, now and then what it does not. */
function valuesOf(schema: Json, off: number, key = ''): fc.Arbitrary<unknown> {
  const { $ref, anyOf, type, pattern, properties, required = [], minimum = -5, maximum = 300, minLength = 0, maxLength = 60 } = schema
  const fits = (): fc.Arbitrary<unknown> => {
    const leading = (known[key] ?? []).filter(value => typeof value === (type === 'integer' ? 'number' : type))
    if (leading.length > 0 && !off) return fc.constant(leading[0])
    if ($ref !== undefined) return valuesOf(components.schemas[$ref.split('/').at(-1)!]!, off, key)
    if (anyOf) return fc.oneof(...anyOf.map(one => valuesOf(one, off)))
    if (schema.enum) return fc.constantFrom(...schema.enum)
    if (schema.const !== undefined) return fc.constant(schema.const)
    if (type === 'integer' || type === 'number') return fc.integer({ min: minimum, max: Math.min(maximum, 1_000) })
    if (type === 'boolean') return fc.boolean()
    if (type === 'object' && properties) return fc.record(Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, valuesOf(one, off, key)])), { requiredKeys: required })
    if (type === 'null') return fc.constant(null)
    if (type === 'array') return fc.array(valuesOf(schema.items ?? {}, off), { maxLength: 3 })
    const pool = fc.constantFrom(...leading.length > 0 ? leading : Object.values(known).flat())
    const text = fc.string({ minLength, maxLength: Math.min(maxLength, 60), unit: 'grapheme' })
    return pattern === undefined || pattern.includes('\\p') ? fc.oneof(pool, text) : fc.oneof(pool, fc.stringMatching(new RegExp(pattern)))
  }
  return fc.oneof({ weight: 100 - off, arbitrary: fits() }, { weight: off, arbitrary: wrong })
}

const askers = ['none', 'garbage', 'desk', 'list', 'admin', 'city'] as const
type Asker = typeof askers[number]
interface Request { asker: Asker, name: string, method: string, params: Record<string, unknown>, query: [string, unknown][], body: unknown, headers: Record<string, string>, signed: boolean }

function requestsOf({ name, method, parameters = [], requestBody }: Operation, off: number): fc.Arbitrary<Omit<Request, 'asker'>> {
  const of = (where: 'path' | 'query') => parameters.filter(one => one.in === where)
  const rarely = <T>(usual: T, ...others: T[]) => fc.oneof({ weight: 100 - off, arbitrary: fc.constant(usual) }, { weight: off, arbitrary: fc.constantFrom(usual, ...others) })
  const body = requestBody && valuesOf(Object.values(requestBody.content)[0]!.schema, off)
  return fc.record({
    name: fc.constant(name),
    method: rarely(method, 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'),
    params: fc.record(Object.fromEntries(of('path').map(({ name, schema }) => [name, valuesOf(schema, off, name)]))),
    query: fc.record(Object.fromEntries([...of('query').filter(({ name }) => off || name !== 'cursor').map(({ name, schema }): [string, fc.Arbitrary<unknown>] => [name, valuesOf(schema, off, name)]), ...off ? [['nobody', wrong] as [string, fc.Arbitrary<unknown>], ['__proto__', wrong] as [string, fc.Arbitrary<unknown>]] : []]), { requiredKeys: [] })
      .chain(query => fc.tuple(fc.boolean(), fc.subarray(Object.entries(query))).map(([some, part]) => off ? part : some ? Object.entries(query) : [])),
    body: off ? fc.oneof({ weight: 90, arbitrary: body ?? fc.constant(undefined) }, { weight: 10, arbitrary: wrong }) : body ?? fc.constant(undefined),
    headers: rarely<Record<string, string>>({}, { 'content-type': 'text/plain' }, { 'content-type': 'application/json; charset=utf-16' }, { 'content-type': 'application/x-www-form-urlencoded' }, { 'content-type': 'multipart/form-data' }, { 'content-type': 'x' }, { 'content-type': '' },
      { 'content-encoding': 'gzip' }, { accept: 'image/png' }, { 'content-type': 'application/json', 'content-length': '0' }, { 'accept-encoding': '\u00ff' }, { 'x-http-method-override': 'DELETE' }, { 'if-match': '*' }, { range: 'bytes=5-1' }, { expect: 'x' }, { host: 'evil.example' }),
    signed: fc.boolean()
  })
}

const jsonOf = (value: unknown) => Object.entries(raw).reduce((text, [word, instead]) => text.replaceAll(JSON.stringify(word), instead), JSON.stringify(value) ?? '')
const inUrl = (value: unknown) => encodeURIComponent((typeof value === 'object' ? JSON.stringify(value) : String(value)).toWellFormed())
const checks = new Map<string, ReturnType<typeof Schema.Compile>>()
/** Of each operation, the statuses that it gave. */
const given = new Map<string, Set<number>>()

async function ask({ asker, name, method, params, query, body, headers, signed }: Request) {
  const operation = operations.find(one => one.name === name)!
  const path = operation.path.replace(/\{(\w+)\}/g, (_, key: string) => inUrl(params[key]))
  const text = body === undefined ? undefined : jsonOf(body)
  answered = undefined
  const answer = await app.inject({
    method: method as 'GET', url: path + (query.length ? `?${query.flatMap(([key, value]) => (Array.isArray(value) ? value : [value]).map(one => `${encodeURIComponent(key)}=${inUrl(one)}`)).join('&')}` : ''),
    headers: { ...asker === 'none' ? {} : { authorization: `Bearer ${tokens[asker]}` }, ...text === undefined ? {} : { 'content-type': 'application/json' }, ...signed && operation.path.startsWith('/api/messages/') ? sign([secret], 'n1', text ?? '', Date.now()) : {}, ...headers },
    ...text === undefined ? {} : { payload: text }, payloadAsStream: true
  })
  const type = String(answer.headers['content-type'] ?? '').split(';')[0]!
  let said = ''
  if (type === 'text/event-stream') answer.stream().destroy()
  else for await (const piece of answer.stream()) said += piece
  return { status: answer.statusCode, type, said, operation: operations.find(one => one.name === answered), path }
}

/** Throws what is wrong with an answer. */
async function check(request: Request): Promise<void> {
  const { status, type, said, operation, path } = await ask(request)
  expect(status, said).toBeLessThan(500)
  if (!operation) {          // no route of the document: refused before, or nothing there
    expect([400, 404, 413, 414, 415, 421], `${path}: ${said}`).toContain(status)
    return
  }
  given.set(operation.name, (given.get(operation.name) ?? new Set()).add(status))
  const documented = operation.responses[status]
  expect(documented, `${operation.name} answers ${status}, which the document does not have: ${said}`).toBeDefined()
  const content = documented!.content?.[type]
  expect(content, `${operation.name} ${status} is ${type}: ${said}`).toBeDefined()
  if (type !== 'application/json' || request.method === 'HEAD') return
  const key = `${operation.name} ${status}`
  const schema = checks.get(key) ?? checks.set(key, Schema.Compile({ ...content!.schema, components } as never)).get(key)!
  const value: unknown = JSON.parse(said)
  if (!schema.Check(value)) throw new Error(`${key} is not as the document says: ${JSON.stringify(schema.Errors(value)[1])} ${said}`)
}

test('each operation does its work for who may ask, and no answer is another than the document says', async () => {
  const ask = (operation: Operation, asker: Asker, numRuns: number, n: number) => fc.assert(
    fc.asyncProperty(requestsOf(operation, 0), request => check({ asker, ...request, signed: true })), { numRuns, endOnFailure: true, seed: fc.readConfigureGlobal().seed! + n })
  const works = ({ name }: Operation) => [...given.get(name) ?? []].some(status => status < 400)
  for (const operation of operations) for (const [n, asker] of askers.entries()) await ask(operation, asker, 3, n)
  for (const operation of operations) for (let n = 100; n < 130 && !works(operation); n++) await ask(operation, 'city', 1, n)
  const never = operations.filter(operation => !works(operation)).map(({ name }) => name)
  expect(never).toEqual(['POST /api/webhooks/dead/{id}/redeliver'])          // none is dead here
}, 120_000)

test(`${requests} requests of every kind, by everybody: no 5xx, and no answer that the document does not have`, async () => {
  const any = fc.constantFrom(...operations.map((_, n) => n)).chain(n => requestsOf(operations[n]!, 15))
  await fc.assert(fc.asyncProperty(any, fc.constantFrom(...askers), (request, asker) => check({ ...request, asker })), { numRuns: requests, endOnFailure: true })
  expect([...given.values()].reduce((sum, statuses) => sum + statuses.size, 0)).toBeGreaterThan(150)
}, 240_000)

test('the service serves on: it is ready, calls are listed, and the trail of the audit is whole', async () => {
  expect((await app.inject('/readyz')).statusCode).toBe(200)
  const headers = { authorization: `Bearer ${tokens.city}` }
  expect((await app.inject({ url: '/api/calls', headers })).json().calls.length).toBe(3)
  expect((await app.inject({ url: '/api/audit', headers })).json().trail).toMatchObject({ broken: [], cut: false })
  expect(base.said.filter(({ level }) => level >= 50)).toEqual([])
})
