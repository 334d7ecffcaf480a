/** The OpenAPI document, as programs read it: what it says of errors, of what may be left out, and that it says all. */
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import Schema from 'typebox/schema'
import { byName } from '../../src/http/openapi.ts'
import { httpServer, type HttpOptions } from '../../src/http/server.ts'

type Shape = { $ref?: string, required?: string[], properties?: Record<string, { default?: unknown }> }
type Content = Record<string, { schema: Shape, example?: unknown, examples?: Record<string, { value: unknown }> }>
interface Operation { operationId?: string, summary?: string, tags?: string[], security?: object[], parameters?: { name: string, in: string, required?: boolean, schema: { default?: unknown } }[], requestBody?: { content?: Content }, responses: Record<string, { content?: Content }> }
let app: Awaited<ReturnType<typeof httpServer>>
let operations: [string, Operation][]

const nothing = {} as never
beforeAll(async () => {
  const options: HttpOptions = {
    records: nothing, token: 'a'.repeat(43), log: pino({ level: 'silent' }), ready: async () => ({ ready: true, missing: [] }), version: '0', audit: nothing, refused: nothing, changes: nothing, directory: nothing,
    switches: nothing, messaging: { messages: nothing }, webhooks: nothing, followUps: { book: nothing, plan: nothing, records: nothing }, recordings: nothing
  }
  app = await httpServer({ ...options, audit: (() => {}) as never, refused: (() => {}) as never, changes: { versions: {} } as never, directory: (() => {}) as never, switches: {} as never, recordings: {} as never, webhooks: {} as never, trunks: () => [], end: async () => {}, access: {} as never, metrics: { turnedAway() {} } as never })
  await app.ready()
  const { paths } = (app as unknown as { swagger(): { paths: Record<string, Record<string, Operation>> } }).swagger()
  operations = Object.entries(paths).flatMap(([path, ways]) => Object.entries(ways).map(([method, operation]): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation]))
  if (process.env['SATUNOMOR_OPENAPI']) (await import('node:fs')).writeFileSync(process.env['SATUNOMOR_OPENAPI'], JSON.stringify((app as unknown as { swagger(): object }).swagger(), null, 1))
})
afterAll(() => app?.close())

const followed = (schema: Shape): Shape => schema.$ref === undefined ? schema : document().components.schemas[schema.$ref.split('/').at(-1)!] as Shape
const of = (name: string) => operations.find(([one]) => one === name)?.[1] ?? expect.fail(`no ${name}`)

test('every error is JSON, also where what is asked for is sound or a stream', () => {
  const errors = operations.flatMap(([name, { responses }]) => Object.entries(responses).filter(([status]) => Number(status) >= 400).map(([status, { content }]) => [name, status, Object.keys(content ?? {}).join()]))
  expect(errors.length).toBeGreaterThan(60)
  expect(errors.filter(([, , type]) => type !== 'application/json')).toEqual([])
  expect(Object.keys(of('GET /api/followups/{id}/recordings/{callId}').responses['200']!.content!)).toEqual(['audio/wav'])
  expect(Object.keys(of('GET /api/followups/events').responses['200']!.content!)).toEqual(['text/event-stream'])
})

test('what has a default may be left out', () => {
  const queries = operations.flatMap(([name, { parameters = [] }]) => parameters.filter(({ required, schema }) => required && schema.default !== undefined).map(one => `${name} ${one.name}`))
  const bodies = operations.flatMap(([name, { requestBody }]) => Object.values(requestBody?.content ?? {}).map(({ schema }) => followed(schema)).flatMap(({ required = [], properties = {} }) => required.filter(key => properties[key]?.default !== undefined).map(key => `${name} ${key}`)))
  expect([...queries, ...bodies]).toEqual([])
  expect(of('GET /api/calls').parameters!.find(({ name }) => name === 'limit')!.schema.default).toBe(50)
})

test('the gateway\'s routes stand in it, and answer 404, also where there is no gateway', async () => {
  for (const path of ['/api/messages/status', '/api/messages/replies']) {
    expect(Object.keys(of(`POST ${path}`).responses)).toEqual(expect.arrayContaining(['200', '400', '401', '404', '415']))
    const answer = await app.inject({ method: 'POST', url: path, payload: { id: 'x' } })
    expect([answer.statusCode, answer.json().error]).toEqual([404, 'not-found'])
  }
})

test('what can be refused says so: 409 for what cannot be done now, 403 for the other role', () => {
  for (const name of ['POST /api/followups', 'PATCH /api/followups/{id}', 'POST /api/plan/apply']) expect(Object.keys(of(name).responses)).toEqual(expect.arrayContaining(['400', '401', '403', '409', '415']))
  for (const [name, { responses }] of operations) if (/ \/api\/(?!messages\/)/.test(name)) expect([name, Object.keys(responses)]).toEqual([name, expect.arrayContaining(['400', '401', '403'])])
})

interface Whole { openapi: string, servers: { url: string }[], tags: { name: string }[], paths: object, components: { schemas: Record<string, { examples?: unknown[], title?: string }> } }
const document = () => (app as unknown as { swagger(): Whole }).swagger()

test('every operation has a name of its own, a summary, a tag that is explained, and says who may ask', () => {
  const names = operations.map(([, { operationId }]) => operationId)
  expect(names.filter(name => !/^[a-z]+([A-Z][a-z]+)*$/.test(name ?? ''))).toEqual([])
  expect(new Set(names).size).toBe(names.length)
  const tags = document().tags.map(({ name }) => name)
  for (const [name, { summary, tags: [tag] = [], security }] of operations) expect([name, summary, tags.includes(tag!), security]).toEqual([name, expect.any(String), true, expect.any(Array)])
  expect(document().servers).toEqual([{ url: '/', description: expect.any(String) }])
})

test('what answers share stands once, by name, and every name leads somewhere', () => {
  const { openapi, paths, components: { schemas } } = document()
  expect(openapi).toBe('3.1.0')
  expect(Object.keys(schemas)).toEqual(expect.arrayContaining(['AuditReport', 'Call', 'CallStory', 'Fault', 'FollowUp', 'FollowUpAction', 'Message', 'PlanVersion', 'Recording', 'Switches', 'Trunk']))
  const text = JSON.stringify({ paths, schemas })
  const led = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name!)
  expect(led.length).toBeGreaterThan(200)
  expect(led.filter(name => !(name in schemas))).toEqual([])
  expect(Object.keys(schemas).filter(name => !led.includes(name))).toEqual([])
  expect(text).not.toContain('"title"')
  expect(text).not.toMatch(/"nullable"|"\$id"/)
})

test('the main schemas have examples, and each example is what its schema says', () => {
  const { components } = document()
  const examples = Object.entries(components.schemas).flatMap(([name, { examples = [] }]) => examples.map(example => [name, example] as const))
  const media = operations.flatMap(([name, { requestBody, responses }]) => [requestBody, ...Object.values(responses)].flatMap(one => Object.values(one?.content ?? {})).flatMap(({ schema, example, examples }) =>
    [...example === undefined ? [] : [example], ...Object.values(examples ?? {}).map(({ value }) => value)].map(value => [name, schema, value] as const)))
  expect(examples.map(([name]) => name)).toEqual(expect.arrayContaining(['Call', 'FollowUp']))
  expect(media.length).toBeGreaterThan(8)
  for (const [name, example] of examples) expect([name, ...Schema.Errors({ components, $ref: `#/components/schemas/${name}` }, example)[1]]).toEqual([name])
  for (const [name, schema, value] of media) expect([name, ...Schema.Errors({ ...schema, components }, value)[1]]).toEqual([name])
})

test('two schemas of one name that differ are refused', () => {
  const at = (schema: object) => ({ get: { schema } })
  expect(() => byName({ paths: { a: at({ title: 'A', type: 'object' }), b: at({ title: 'A', type: 'string' }) } })).toThrow('two schemas are named A')
  expect(byName({ paths: { a: at({ title: 'A', type: 'object' }), b: at({ title: 'A', type: 'object' }) } })).toEqual({
    paths: { a: at({ $ref: '#/components/schemas/A' }), b: at({ $ref: '#/components/schemas/A' }) }, components: { schemas: { A: { type: 'object' } } }
  })
})
