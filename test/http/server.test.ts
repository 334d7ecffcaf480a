import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { httpServer } from '../../src/http/server.ts'
import { masked } from '../../src/http/calls.ts'
import { Records } from '../../src/records/records.ts'
import { aCall, aLog, start, tempFolder } from '../records/stories.ts'

const token = 'a'.repeat(43)
const { log, said, text } = aLog()
const open = new AsyncDisposableStack()
let records: Records
let app: Awaited<ReturnType<typeof httpServer>>
let state: () => Promise<{ ready: boolean, missing: string[], warnings?: string[] }> = async () => ({ ready: true, missing: [] })

beforeAll(async () => {
  records = open.use(await Records.open({ file: join(open.use(await tempFolder()).path, 'records.sqlite') }, log))
  app = open.use(await httpServer({ records, token, log, ready: () => state(), version: '1.2.3' }))
  await records.append(Array.from({ length: 5 }, (_, n) => aCall(`${n}.1`, { at: n * 1_000, ends: n === 4 ? null : n % 2 ? 'answered' : 'failed' })).flat())
})
afterAll(() => open.disposeAsync())

const get = (url: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }) => app.inject({ url, headers })
const ids = async (url: string) => (await get(url)).json().calls.map((call: { callId: string }) => call.callId)

describe('health', () => {
  test('alive and ready, for anybody', async () => {
    const alive = await get('/healthz', {})
    expect([alive.statusCode, alive.json()]).toEqual([200, { status: 'ok' }])
    const ready = await get('/readyz', {})
    expect([ready.statusCode, ready.json()]).toEqual([200, { ready: true, missing: [], warnings: [] }])
    state = async () => ({ ready: true, missing: [], warnings: ['trunk gateway is down'] })
    const warned = await get('/readyz', {})
    expect([warned.statusCode, warned.json()]).toEqual([200, { ready: true, missing: [], warnings: ['trunk gateway is down'] }])
  })
  test('not ready says what is missing, also when finding out fails', async () => {
    state = async () => ({ ready: false, missing: ['asterisk: no connection'] })
    const not = await get('/readyz', {})
    expect([not.statusCode, not.json().missing]).toEqual([503, ['asterisk: no connection']])
    state = async () => { throw new Error('deep inside') }
    const broken = await get('/readyz', {})
    expect(broken.statusCode).toBe(503)
    expect(broken.body).not.toContain('deep inside')
  })
})

describe('who may ask', () => {
  test.each<[string, Record<string, string>]>([['no token', {}], ['another token', { authorization: `Bearer ${'b'.repeat(43)}` }],
    ['a longer one', { authorization: `Bearer ${token}a` }], ['another scheme', { authorization: `Basic ${token}` }]])('%s: 401', async (_name, headers) => {
    for (const url of ['/api/calls', '/api/calls/live', '/api/calls/0.1']) {
      const answer = await get(url, headers)
      expect(answer.statusCode).toBe(401)
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="satunomor"/)
      expect(answer.json()).toEqual({ error: 'unauthorized', message: expect.any(String), hint: expect.any(String) })
    }
  })
})

describe('calls', () => {
  test('newest first, paged, the number masked', async () => {
    const first = (await get('/api/calls?limit=3')).json()
    expect(first.calls.map((call: { callId: string }) => call.callId)).toEqual(['4.1', '3.1', '2.1'])
    expect(first.calls[0]).toMatchObject({ cli: '+62721•••0112', disposition: null, endedAt: null, plan: null, arrivedAt: start + 4_000 })
    expect(JSON.stringify(first)).not.toContain('5550112')
    expect(await ids(`/api/calls?limit=3&cursor=${first.next}`)).toEqual(['1.1', '0.1'])
  })

  test('filtered, by time in ms or ISO 8601 with any zone', async () => {
    expect(await ids('/api/calls?disposition=failed')).toEqual(['2.1', '0.1'])
    expect(await ids('/api/calls?agency=nobody')).toEqual([])
    const from = start + 3_000
    expect(await ids(`/api/calls?from=${from}`)).toEqual(['4.1', '3.1'])
    for (const iso of ['2026-01-31T00:00:03Z', '2026-01-31T00:00:03', '2026-01-31T07:00:03%2B07:00', '2026-01-31T07:00:03+07:00']) {
      expect(await ids(`/api/calls?from=${iso}`)).toEqual(['4.1', '3.1'])
    }
  })

  test('a time without a zone is the city\'s, in the list of calls and in the audit', async () => {
    const asked: number[][] = []
    await using city = await httpServer({ records, token, log, ready: async () => ({ ready: true, missing: [] }), version: '0', timezone: () => 'Asia/Makassar', refused: () => { throw new Error('nobody asks') }, audit: async (from, to) => {
      asked.push([from, to])
      throw new Error('enough')
    } })
    const get = (url: string) => city.inject({ url, headers: { authorization: `Bearer ${token}` } })
    for (const local of ['2026-01-31T08:00:03', '2026-01-31%2008:00:03', '2026-01-31T00:00:03Z', '2026-01-31T07:00:03+07:00', String(start + 3_000)]) {
      expect([local, (await get(`/api/calls?from=${local}`)).json().calls.map(({ callId }: { callId: string }) => callId)]).toEqual([local, ['4.1', '3.1']])
    }
    await get('/api/audit?from=2026-01-31T08:00&to=2026-01-31%2009:00')
    expect(asked).toEqual([[start, start + 3_600_000]])
  })

  test('those going on', async () => {
    expect(await ids('/api/calls/live')).toEqual(['4.1'])
    expect((await get('/api/calls/live')).body).not.toContain('5550112')
  })

  test('one call whole, and reading its number is written down', async () => {
    const whole = (await get('/api/calls/0.1')).json()
    expect(whole.call).toMatchObject({ cli: '+627215550112', cliRaw: '07215550112', disposition: 'failed' })
    expect(whole.steps[0]).toEqual({ key: '0', at: start, witness: 'ledger', kind: 'arrived', facts: { did: '112', trunk: 'carrier', cli: '07215550112' } })
    expect(whole.lines).toMatchObject([{ line: 'bpbd-1', outcome: 'cancelled' }])
    expect(await records.db.selectFrom('audit').select(['who', 'what', 'callId']).execute()).toEqual([{ who: 'api 127.0.0.1', what: 'read the caller\'s number', callId: '0.1' }])
    expect((await get('/api/calls/none')).statusCode).toBe(404)
  })

  test.each([
    ['/api/calls?limt=3', "The query key 'limt' is not known here."],
    ['/api/calls?limit=201', "The query key 'limit' must be <= 200."],
    ['/api/calls?limit=x', "The query key 'limit' must be integer."],
    ['/api/calls?limit=1&limit=2', "The query key 'limit' must be integer."],
    ['/api/calls?disposition=gone', "The query key 'disposition' must be one of: answered, callback, abandoned, unanswered, blocked-challenge, failed, refused."],
    ['/api/calls?from=yesterday', "The query key 'from' is neither ISO 8601 nor Unix time in ms."],
    ['/api/calls?cursor=eyJ9', 'This cursor was not made by this service: start again without one.'],
    ['/api/calls?cursor=%00', "The query key 'cursor' is not well formed."],
    ['/api/calls/live?x=1', "The query key 'x' is not known here."],
    ['/api/calls/%E0%A4%A', 'The address is not well formed.']
  ])('%s is refused in a sentence', async (url, message) => {
    const answer = await get(url)
    expect([answer.statusCode, answer.json()]).toEqual([400, expect.objectContaining({ error: 'bad-request', message })])
  })

  test.each(['/nothing', '/api/nothing', '/api/calls/live/x'])('nothing at %s', async url => {
    const answer = await get(url)
    expect([answer.statusCode, answer.json().error]).toEqual([404, 'not-found'])
  })

  test('an address without end is refused', async () => {
    const answer = await get(`/api/calls/${'x'.repeat(2_000)}`)
    expect([answer.statusCode, answer.json().error]).toEqual([414, 'bad-request'])
  })
})

test('a store that is away: 503 and a sentence', async () => {
  const gone = Object.assign(new Error('connect ECONNREFUSED 10.0.0.9'), { detail: 'row (+627215550112)' })
  const away = async () => { throw gone }
  await using broken = await httpServer({ records: { list: away, get: away, live: away, audit: away }, token, log, ready: state, version: '0' })
  for (const url of ['/api/calls', '/api/calls/live', '/api/calls/0.1']) {
    const answer = await broken.inject({ url, headers: { authorization: `Bearer ${token}` } })
    expect([answer.statusCode, answer.json().error]).toEqual([503, 'store-away'])
    expect(answer.body).not.toContain('10.0.0.9')
  }
  await using unaudited = await httpServer({ records: { list: away, get: id => records.get(id), live: away, audit: away }, token, log, ready: state, version: '0' })
  const answer = await unaudited.inject({ url: '/api/calls/0.1', headers: { authorization: `Bearer ${token}` } })
  expect([answer.statusCode, answer.body.includes('5550112')]).toEqual([503, false])
})

test('our own faults show nothing of our insides', async () => {
  await using broken = await httpServer({ records, live: () => [{ secret: 1 } as never], token, log, ready: state, version: '0' })
  const answer = await broken.inject({ url: '/api/calls/live', headers: { authorization: `Bearer ${token}` } })
  expect(answer.statusCode).toBe(500)
  expect(answer.json()).toEqual({ error: 'internal', message: expect.any(String), hint: expect.stringContaining('request') })
})

test('the document describes every address, and its page needs no network', async () => {
  const document = (await get('/docs/json', {})).json()
  expect(document.info.version).toBe('1.2.3')
  expect(Object.keys(document.paths)).toEqual(['/healthz', '/readyz', '/api/calls', '/api/calls/live', '/api/calls/{callId}'])
  expect(document.paths['/api/calls'].get.security).toEqual([{ token: [] }])
  expect(document.paths['/api/calls'].get.parameters.every((one: { description: string }) => one.description)).toBe(true)
  const page = await get('/docs', {})
  expect(page.statusCode).toBe(200)
  const parts = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!)
  expect(parts.length).toBeGreaterThan(3)
  for (const part of parts) {
    const url = new URL(part, 'http://here/docs/')
    expect(url.host).toBe('here')
    expect((await get(url.pathname, {})).statusCode).toBe(200)
  }
  expect((await get('/docs/static/swagger-initializer.js', {})).body).toContain('"validatorUrl":null')
})

test('the document is made once, whoever asks for it', async () => {
  const [first, yaml] = [await get('/docs/json', {}), await get('/docs/yaml', {})]
  expect([first.headers['content-type'], yaml.statusCode, yaml.body.includes('openapi:')]).toEqual(['application/json; charset=utf-8', 200, true])
  const { info } = (app as unknown as { swagger(): { info: { title: string } } }).swagger()
  info.title = 'made anew'
  for (const [path, before] of [['/docs/json', first], ['/docs/yaml', yaml]] as const) expect((await get(path, {})).body === before.body).toBe(true)
  expect(first.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'content-length': String(Buffer.byteLength(first.body)) })
  info.title = first.json().info.title
})

test('answers carry the headers that keep a browser quiet', async () => {
  for (const url of ['/healthz', '/api/calls', '/nothing', '/docs']) {
    const { headers } = await get(url)
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer', 'content-security-policy': expect.stringContaining('default-src') })
  }
  expect((await get('/api/calls')).headers['cache-control']).toBe('no-store')
})

test('the log knows the route and the status, and no token, query or number', async () => {
  await get('/api/calls?agency=rahasia-07215550178')
  await get('/api/calls?cursor=rahasia')
  await get('/rahasia?x=rahasia')
  expect(said).toContainEqual(expect.objectContaining({ method: 'GET', route: '/api/calls', status: 200, msg: 'http request' }))
  for (const secret of [token, 'rahasia', '5550112', '627215550112']) expect(text()).not.toContain(secret)
})

test.each([[null, null], ['+627215550112', '+62721•••0112'], ['+627215550178', '+62721•••0178'], ['+4912345', '+•••2345']])('%s is shown as %s', (cli, shown) => {
  expect(masked(cli)).toBe(shown)
})
