/** Where the API meets the network: host names, proxies, who reads the metrics, how much is under way at once, and what the log has of strangers. */
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addPerson } from '../../src/http/people-file.ts'
import { People } from '../../src/http/people.ts'
import { RequestLog } from '../../src/http/request-log.ts'
import { httpServer, type Edge, type HttpOptions } from '../../src/http/server.ts'
import { UnderWay } from '../../src/http/under-way.ts'
import { hostOf } from '../../src/http/hosts.ts'
import { aLog, tempFolder } from '../records/stories.ts'

const token = 'a'.repeat(43)
const metricsToken = 'm'.repeat(43)
const stranger = '203.0.113.9'
let open: AsyncDisposableStack
let said: ReturnType<typeof aLog>['said']
beforeEach(() => { open = new AsyncDisposableStack() })
afterEach(() => open.disposeAsync())

const nobody = async (): Promise<never> => { throw new Error('nobody asks') }
const nothing = { list: async () => ({ calls: [], next: null }), get: async () => null, live: async () => [], audit: nobody }
async function served(edge: Edge = {}, more: Partial<HttpOptions> = {}) {
  const made = aLog()
  said = made.said
  return open.use(await httpServer({
    records: nothing, token, log: made.log, ready: async () => ({ ready: true, missing: [] }), version: '0', edge,
    metrics: { contentType: 'text/plain; version=0.0.4', page: async () => 'satunomor_up 1\n', turnedAway() {} } as never, ...more
  }))
}
const bearing = (token: string) => ({ authorization: `Bearer ${token}` })

describe('host names', () => {
  const loopback = ['localhost', 'LOCALHOST:8080', 'localhost.', '127.0.0.1:8080', '127.9.9.9', '[::1]:8080']
  const others = ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.5', '[fd00::1]', 'a b', '[::1', 'x@localhost', 'localhost:8080:1', 'localhost/']
  const status = async (app: Awaited<ReturnType<typeof served>>, host: string) => [host, (await app.inject({ url: '/api/calls', headers: { host, ...bearing(token) } })).statusCode]

  test('the loopback\'s names are answered, all others are not', async () => {
    const app = await served()
    for (const host of loopback) expect(await status(app, host)).toEqual([host, 200])
    for (const host of others) expect(await status(app, host)).toEqual([host, 421])
    const { statusCode, body } = await app.inject({ url: '/healthz', headers: { host: 'evil.example' } })
    expect([statusCode, JSON.parse(body)]).toEqual([421, { error: 'wrong-host', message: expect.any(String), hint: expect.stringContaining('SATUNOMOR_HTTP_HOSTS') }])
  })

  test('the bound address and the names of the setting are answered, too', async () => {
    const app = await served({ bound: '10.0.0.5', names: ['112.Example.go.id'] })
    for (const host of [...loopback, '10.0.0.5:8080', '112.example.go.id', '112.EXAMPLE.go.id.:443']) expect(await status(app, host)).toEqual([host, 200])
    for (const host of ['10.0.0.6', 'example.go.id', 'x.112.example.go.id']) expect(await status(app, host)).toEqual([host, 421])
  })

  test('a server on every address answers under every address, and under no name', async () => {
    const app = await served({ bound: '0.0.0.0' })
    for (const host of ['10.0.0.5:8080', '[fd00::1]:8080', '0.0.0.0:8080']) expect(await status(app, host)).toEqual([host, 200])
    expect(await status(app, 'evil.example')).toEqual(['evil.example', 421])
  })

  test('what a proxy says of the host opens nothing', async () => {
    const app = await served({ proxies: ['127.0.0.1'] })
    const { statusCode } = await app.inject({ url: '/api/calls', headers: { host: 'evil.example', 'x-forwarded-host': 'localhost', ...bearing(token) } })
    expect(statusCode).toBe(421)
  })

  test.each([['Name.Example.:8080', 'name.example'], ['[::1]:1', '::1'], ['a:', 'a'], ['a:b', undefined], ['', undefined], [']', undefined]])('of "%s" the host is %s', (header, host) => {
    expect(hostOf(header)).toBe(host)
  })
})

describe('proxies', () => {
  const address = async (edge: Edge, from: string, forwarded: string) => {
    await (await served(edge)).inject({ url: '/api/calls', remoteAddress: from, headers: { 'x-forwarded-for': forwarded } })
    return said.find(({ msg }) => msg === 'refused at the API')!['address']
  }
  test('the client\'s address is what a declared proxy says, and nobody else', async () => {
    expect(await address({ proxies: ['127.0.0.0/8'] }, '127.0.0.1', stranger)).toBe(stranger)
    expect(await address({ proxies: ['127.0.0.0/8'] }, '127.0.0.1', `10.1.1.1, ${stranger}`)).toBe(stranger)
    expect(await address({ proxies: ['127.0.0.0/8'] }, '198.51.100.1', stranger)).toBe('198.51.100.1')
    expect(await address({}, '127.0.0.1', stranger)).toBe('127.0.0.1')
  })
})

describe('the metrics', () => {
  const status = async (app: Awaited<ReturnType<typeof served>>, remoteAddress: string, headers: Record<string, string> = {}, url = '/metrics') => (await app.inject({ url, remoteAddress, headers })).statusCode
  test('programs of this machine read them without a token, others do not', async () => {
    const app = await served()
    expect(await status(app, '127.0.0.1')).toBe(200)
    expect(await status(app, '::1')).toBe(200)
    expect(await status(app, stranger)).toBe(401)
    expect(await status(app, stranger, bearing('b'.repeat(43)))).toBe(401)
    expect(await status(app, stranger, bearing(token))).toBe(200)
  })
  test('a forwarded request needs a token, whether its proxy is declared or not', async () => {
    for (const edge of [{}, { proxies: ['127.0.0.1'] }]) {
      const app = await served(edge)
      for (const headers of [{ 'x-forwarded-for': stranger }, { 'x-forwarded-for': '127.0.0.1' }, { forwarded: `for=${stranger}` }] as Record<string, string>[]) expect(await status(app, '127.0.0.1', headers)).toBe(401)
    }
  })
  test('the token of the metrics opens them, and nothing else', async () => {
    const app = await served({ metricsToken })
    expect(await status(app, stranger, bearing(metricsToken))).toBe(200)
    expect(await status(app, stranger, bearing(metricsToken), '/api/calls')).toBe(401)
  })
  test('the desk does not read them', async () => {
    const file = join(open.use(await tempFolder()).path, 'people.json')
    const ani = await addPerson(file, { name: 'Ani', role: 'desk' }, 'test')
    expect(await status(await served({}, { people: new People(file, aLog().log) }), stranger, bearing(ani))).toBe(403)
  })
})

describe('requests under way', () => {
  test('of one address so many, of all together more, and each place is given back', () => {
    const places = new UnderWay({ all: 3, source: 2 })
    const left = [places.enter('10.0.0.1'), places.enter('10.0.0.1')]
    expect(places.enter('10.0.0.1')).toBeUndefined()
    const third = places.enter('10.0.0.2')
    expect([third !== undefined, places.enter('127.0.0.1')]).toEqual([true, undefined])
    for (const leave of [...left, third]) leave!()
    for (let n = 0; n < 3; n++) expect(places.enter('127.0.0.1')).toBeDefined()
    expect(places.enter('127.0.0.1')).toBeUndefined()
  })

  test('a source with too many gets 503 before any work, others and the health are answered', async () => {
    const held = Promise.withResolvers<[]>()
    let asked = 0
    const app = await served({}, { live: () => { asked++; return held.promise } })
    const ask = async (remoteAddress: string, url = '/api/calls/live') => app.inject({ url, remoteAddress, headers: bearing(token) })
    const waiting = Array.from({ length: 20 }, () => ask(stranger))
    const tooMany = await ask(stranger)
    expect([tooMany.statusCode, tooMany.headers['retry-after'], tooMany.json().error]).toEqual([503, '1', 'busy'])
    for (const url of ['/healthz', '/readyz']) expect((await ask(stranger, url)).statusCode).toBe(200)
    expect((await ask('203.0.113.10', '/api/calls')).statusCode).toBe(200)
    held.resolve([])
    expect((await Promise.all(waiting)).map(({ statusCode }) => statusCode)).toEqual(Array(20).fill(200))
    expect((await ask(stranger)).statusCode).toBe(200)
    expect(asked).toBe(21)
  })

  test('those who ask for readiness meanwhile get the same answer', async () => {
    let asked = 0
    const found = Promise.withResolvers<{ ready: boolean, missing: string[] }>()
    const app = await served({}, { ready: () => { asked++; return found.promise } })
    const ask = async () => app.inject('/readyz')
    const all = [ask(), ask(), ask()]
    await app.inject('/healthz')
    found.resolve({ ready: true, missing: [] })
    expect((await Promise.all(all)).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200])
    expect(asked).toBe(1)
    await app.inject('/readyz')
    expect(asked).toBe(2)
  })

  test.each([
    ['a body', `POST /api/messages/replies HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`],
    ['headers', 'GET /healthz HTTP/1.1\r\nhost: loc']
  ])('%s that comes too slowly is cut', async (_what, begin) => {
    const app = await served({ patience: 500 }, { messaging: { messages: {} as never, secret: 'whsec_' } })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    let got = ''
    socket.on('data', (data: Buffer) => { got += data })
    socket.write(begin)
    const more = setInterval(() => socket.write('x'), 50)
    await once(socket, 'close')
    clearInterval(more)
    expect(got).toMatch(/^HTTP\/1\.1 408 /)
    expect(JSON.parse(got.slice(got.indexOf('\r\n\r\n') + 4))).toEqual({ error: 'bad-request', message: expect.stringContaining('10 s') })
  })
})

describe('the log of requests', () => {
  const facts = { method: 'GET', route: null, status: 404, ms: 1, known: false, person: null }
  const noted = (...requests: Partial<Parameters<RequestLog['note']>[0]>[]) => {
    const { log, said } = aLog()
    const requestLog = new RequestLog(log)
    for (const request of requests) requestLog.note({ ...facts, log, address: stranger, ...request })
    requestLog.sum()
    return said
  }

  test('a stranger gets 20 lines a minute, then a sum', () => {
    const said = noted(...Array.from({ length: 500 }, (_, n) => ({ status: n % 2 ? 401 : 404 })))
    expect(said.length).toBe(21)
    expect(said.at(-1)).toMatchObject({ level: 40, msg: 'more requests without a token than are logged', requests: 480, addresses: 1, busiest: [{ address: stranger, requests: 500, statuses: { 401: 250, 404: 250 } }] })
  })
  test('all strangers together get 200 lines a minute', () => {
    const said = noted(...Array.from({ length: 5_000 }, (_, n) => ({ address: `10.${n >> 8}.${n & 255}.1` })))
    expect(said.length).toBe(201)
    expect(said.at(-1)).toMatchObject({ requests: 4_800, addresses: 1_000 })
    expect((said.at(-1)!['busiest'] as unknown[]).length).toBe(10)
  })
  test('a new minute has lines again, and one in which all was logged has no sum', () => {
    const { log, said } = aLog()
    const requestLog = new RequestLog(log)
    for (let minute = 0; minute < 2; minute++) {
      for (let n = 0; n < 20; n++) requestLog.note({ ...facts, log, address: stranger })
      requestLog.sum()
    }
    expect(said.map(({ msg }) => msg)).toEqual(Array(40).fill('http request'))
  })
  test('who has a token is always logged, and what machines ask each second takes no line from others', () => {
    const machines = noted(...Array.from({ length: 100 }, () => ({ route: '/readyz', status: 200 })), {})
    expect(machines.filter(({ level }) => level >= 30).map(({ msg }) => msg)).toEqual(['http request'])
    expect(noted(...Array.from({ length: 300 }, () => ({ known: true, person: 'Ani', status: 200 }))).length).toBe(300)
  })
})
