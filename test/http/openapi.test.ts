/** The OpenAPI document, as programs read it: what it says of errors, of what may be left out, and that it says all. */
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { httpServer, type HttpOptions } from '../../src/http/server.ts'

interface Operation { parameters?: { name: string, in: string, required?: boolean, schema: { default?: unknown } }[], requestBody?: { content: Record<string, { schema: { required?: string[], properties?: Record<string, { default?: unknown }> } }> }, responses: Record<string, { content?: Record<string, unknown> }> }
let app: Awaited<ReturnType<typeof httpServer>>
let operations: [string, Operation][]

const nothing = {} as never
beforeAll(async () => {
  const options: HttpOptions = {
    records: nothing, token: 'a'.repeat(43), log: pino({ level: 'silent' }), ready: async () => ({ ready: true, missing: [] }), version: '0', audit: nothing, refused: nothing, changes: nothing, directory: nothing,
    switches: nothing, messaging: { messages: nothing }, webhooks: nothing, followUps: { book: nothing, plan: nothing, records: nothing }, recordings: nothing
  }
  app = await httpServer({ ...options, audit: (() => {}) as never, refused: (() => {}) as never, changes: { versions: {} } as never, directory: (() => {}) as never, switches: {} as never, recordings: {} as never, webhooks: {} as never })
  await app.ready()
  const { paths } = (app as unknown as { swagger(): { paths: Record<string, Record<string, Operation>> } }).swagger()
  operations = Object.entries(paths).flatMap(([path, ways]) => Object.entries(ways).map(([method, operation]): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation]))
  if (process.env['SATUNOMOR_OPENAPI']) (await import('node:fs')).writeFileSync(process.env['SATUNOMOR_OPENAPI'], JSON.stringify((app as unknown as { swagger(): object }).swagger(), null, 1))
})
afterAll(() => app?.close())

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
  const bodies = operations.flatMap(([name, { requestBody }]) => Object.values(requestBody?.content ?? {}).flatMap(({ schema: { required = [], properties = {} } }) => required.filter(key => properties[key]?.default !== undefined).map(key => `${name} ${key}`)))
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
