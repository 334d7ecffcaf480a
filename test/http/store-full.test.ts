/** What the API says while the store takes nothing, and to numbers without end; and that its document names every status that it gives. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newSecret, sign } from '../../src/delivery/signed.ts'
import { recorder } from '../../src/followups/gateways.ts'
import { Messages } from '../../src/followups/messages.ts'
import { takeReply } from '../../src/followups/replies.ts'
import { endCall } from '../../src/calls/end-call.ts'
import { audit } from '../../src/audit.ts'
import { httpServer } from '../../src/http/server.ts'
import { noSwitches } from '../../src/plan/switches.ts'
import { isStoreAway } from '../../src/records/faults.ts'
import { Recordings } from '../../src/records/recordings.ts'
import { WebhookSecrets } from '../../src/webhooks/secrets.ts'
import { Webhooks } from '../../src/webhooks/webhooks.ts'
import { ground } from '../followups/ground.ts'
import { tempFolder } from '../records/stories.ts'

const token = 'a'.repeat(43)
const secret = newSecret()
const open = new AsyncDisposableStack()
let town: Awaited<ReturnType<typeof ground>>
let app: Awaited<ReturnType<typeof httpServer>>
let id: string
/** By route: every status that it gave in these tests. */
const given = new Map<string, Set<number>>()

beforeAll(async () => {
  town = open.use(await ground())
  const { records, book, plan, log } = town
  const folder = open.use(await tempFolder()).path
  id = (await town.missed('satunomor-1.1', { cli: '+627215550112' })).id
  await mkdir(join(folder, 'mailbox'))
  await writeFile(join(folder, 'mailbox', 'satunomor-1.1.alaw'), Buffer.alloc(8_000))
  await records.db.insertInto('messages').values({ id: 'm1', followupId: id, occasion: 'opened', name: 'dibuka', cli: '+627215550112', language: 'id', text: 'Halo.', state: 'sent', tries: 1, claimedAt: 1, madeAt: 1, dueAt: 1, endedAt: null, gatewayId: null, why: null }).execute()
  await records.append([{ callId: 'satunomor-1.1', key: 'mailbox', at: 1, witness: 'ledger', kind: 'mailbox', facts: { mailbox: 'pesan', agency: null } }])
  const idle = { log, retry: { tries: 1, wait: () => 1 } as never, queue: async () => {}, ready: () => false, records, plan: () => plan }
  const messages = new Messages({ ...idle, book, gateway: recorder })
  app = open.use(await httpServer({
    records, token, log, ready: async () => ({ ready: true, missing: [] }), version: '0', access: records, refused: () => ({ since: 0, count: 0, sources: [], elsewhere: 0 }), trunks: () => [], directory: () => [],
    audit: (from, to) => audit({ file: join(folder, 'calls.csv'), records, from, to }),
    end: ending => endCall({ records, note: step => records.append([step]), there: async () => true, hangUp: async () => {} }, ending),
    switches: { now: () => noSwitches, set: async () => { throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }) } },
    messaging: { secret, messages: { list: messages.list.bind(messages), status: messages.status.bind(messages), reply: reply => takeReply(book, plan, reply, Date.now()) } },
    webhooks: new Webhooks({ ...idle, secrets: (agency: string) => new WebhookSecrets(folder).of(agency, Date.now()) } as never),
    followUps: { book, plan: () => plan, records }, recordings: new Recordings(records, join(folder, 'mailbox'))
  }))
  app.addHook('onResponse', async ({ method, routeOptions: { url } }, { statusCode }) => {
    const route = `${method} ${url?.replace(/:(\w+)/g, '{$1}')}`
    given.set(route, (given.get(route) ?? new Set()).add(statusCode))
  })
})
afterAll(() => open.disposeAsync())
beforeEach(async () => {
  await sql`pragma query_only = 0`.execute(town.records.db)
  await sql`pragma max_page_count = 1000000`.execute(town.records.db)
})

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
const ask = async (method: Method, url: string, payload?: object) => {
  const text = payload && JSON.stringify(payload)
  const headers = url.startsWith('/api/messages/') ? sign([secret], 'n1', text!, Date.now()) : { authorization: `Bearer ${token}` }
  const answer = await app.inject({ method, url, headers: { ...headers, ...text ? { 'content-type': 'application/json' } : {} }, ...text ? { payload: text } : {} })
  return { status: answer.statusCode, type: String(answer.headers['content-type']), body: answer.headers['content-type']?.startsWith('application/json') ? answer.json() : undefined }
}
const soon = { who: 'Ani', reason: 'Banjir', until: '2099-01-01 00:00' }
/** Each that writes, and what it is asked. */
const writes: [Method, string, object?][] = [
  ['GET', '/api/calls/satunomor-1.1'], ['POST', '/api/calls/satunomor-1.1/end', { who: 'Ani', reason: 'x' }], ['GET', '/api/followups/ID'], ['PATCH', '/api/followups/ID', { action: 'claim', who: 'Ani' }],
  ['POST', '/api/followups', { number: '+627215550112', who: 'Ani', reason: 'x' }], ['GET', '/api/followups/ID/recordings/satunomor-1.1'], ['POST', '/api/webhooks/dead/redeliver', { agency: 'bpbd' }],
  ['POST', '/api/webhooks/dead/evt_1/redeliver'], ['PUT', '/api/switches/siaga', soon], ['DELETE', '/api/switches/siaga?who=Ani'], ['PUT', '/api/switches/closed/posko', soon], ['DELETE', '/api/switches/closed/posko?who=Ani'],
  ['POST', '/api/messages/replies', { id: 'r1', from: '+627215550112', text: '1' }], ['POST', '/api/messages/status', { id: 'm1', state: 'delivered' }]
]
const reads: [Method, string][] = ['calls', 'calls/live', 'followups', 'messages', 'webhooks/dead', 'followups/ID/recordings', 'access', 'audit', 'refusals', 'trunks', 'directory', 'switches'].map(path => ['GET', `/api/${path}`])
const at = (url: string) => url.replace('ID', id)

test.each(writes)('a store that takes nothing: %s %s is 503 and a sentence', async (method, url, payload) => {
  await sql`pragma query_only = 1`.execute(town.records.db)
  const { status, body } = await ask(method, at(url), payload)
  expect([status, body]).toEqual([503, { error: 'store-away', message: 'The records cannot be read or written now. Calls are served all the same.', hint: expect.stringContaining('log') }])
  expect(JSON.stringify(town.said)).not.toContain('Something of ours went wrong')
})

test.each(reads)('a store that takes nothing: %s %s is as ever', async (method, url) => {
  await sql`pragma query_only = 1`.execute(town.records.db)
  expect((await ask(method, at(url))).status).toBe(200)
})

test('with a disk that is full no route gives 500, and no number is shown that is not audited', async () => {
  const { records } = town
  await sql`pragma max_page_count = 1`.execute(records.db)
  let full: unknown
  while (full === undefined) await records.audit('x', 'x', null).catch(error => { full = error })
  expect(isStoreAway(full)).toBe(true)
  for (const [method, url, payload] of writes) expect([method, url, (await ask(method, at(url), payload)).status]).toEqual([method, url, expect.toBeOneOf([200, 201, 404, 409, 503])])
  for (const url of ['/api/calls/satunomor-1.1', '/api/followups/ID', '/api/followups/ID/recordings/satunomor-1.1']) expect((await ask('GET', at(url))).status).toBe(503)
})

test.each(['calls', 'followups', 'messages', 'webhooks/dead', 'access'])('a limit without end is refused: /api/%s', async path => {
  for (const limit of ['1e309', '-1e309', 'Infinity', 'NaN']) expect([limit, (await ask('GET', `/api/${path}?limit=${limit}`))]).toEqual([limit, { status: 400, type: expect.anything(), body: { error: 'bad-request', message: expect.stringMatching(/^The query key 'limit' must be/) } }])
})

test.each<[object, boolean]>([
  [{ errcode: 13 }, true], [{ errcode: 5 }, true], [{ errcode: 8 }, true], [{ errcode: 522 }, true], [{ errcode: 19 }, false], [{ errcode: 1 }, false], [{ code: 'ENOSPC' }, true], [{ code: '53100' }, true], [{ code: '57P01' }, true],
  [{ code: '25006' }, true], [{ code: '23505' }, false], [{ code: '42601' }, false], [{ code: 'ENOENT' }, false], [{ code: 'STORE_THREAD_ENDED' }, true], [{}, false]
])('%j: is the store away? %s', (facts, away) => {
  expect(isStoreAway(Object.assign(new Error('x'), facts))).toBe(away)
})

test('the document names every status that these requests got', async () => {
  for (const [method, url, payload] of [...writes, ...reads]) {
    await app.inject({ method, url: at(url) })
    await app.inject({ method, url: at(url), headers: { authorization: `Bearer ${token}`, ...payload ? { 'content-type': 'text/plain' } : {} }, ...payload ? { payload: 'x' } : {} })
    if (payload) await app.inject({ method, url: at(url), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, payload: '{' })
    if (payload) await app.inject({ method, url: at(url), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, payload: JSON.stringify('x'.repeat(70_000)) })
    await ask(method, `${at(url)}${url.includes('?') ? '&' : '?'}nobody=knows`, payload)
    await ask(method, at(url).replace(id, 'none').replace('satunomor-1.1', 'satunomor-9.9'), payload)
  }
  const { paths } = (app as unknown as { swagger(): { paths: Record<string, Record<string, { responses: Record<string, unknown> }>> } }).swagger()
  const undocumented = [...given].flatMap(([route, statuses]) => {
    const [method, url] = route.split(' ') as [string, string]
    const known = paths[url]?.[method.toLowerCase()]?.responses
    return known ? [...statuses].filter(status => !(status in known)).map(status => `${route}: ${status}`) : []
  })
  expect(given.size).toBeGreaterThan(20)
  expect(undocumented).toEqual([])
})
