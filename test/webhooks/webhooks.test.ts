/** What agencies' own systems are told: only theirs, all of it, in order, signed; and what becomes of it where nobody listens. */
import { spawn } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { e164 } from '../../src/calls/tell.ts'
import type { Kind, Step } from '../../src/calls/story.ts'
import { refusalOf } from '../../src/delivery/signed.ts'
import type { Act } from '../../src/followups/book.ts'
import { callNow, close, note, reopen } from '../../src/followups/desk.ts'
import { httpServer } from '../../src/http/server.ts'
import { webhookEvents } from '../../src/plan/schema-webhook.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { WebhookSecrets } from '../../src/webhooks/secrets.ts'
import { Webhooks } from '../../src/webhooks/webhooks.ts'
import { receiver } from '../delivery/receiver.ts'
import { ground } from '../followups/ground.ts'
import { aCall, tempFolder } from '../records/stories.ts'

const retry = { tries: 3, pause: 1 }
let open: AsyncDisposableStack
let it: Awaited<ReturnType<typeof ground>>
let there: Awaited<ReturnType<typeof receiver>>
let secrets: WebhookSecrets
let folder: string
let queued: string[]
let webhooks: Webhooks

beforeEach(async () => {
  open = new AsyncDisposableStack()
  there = open.use(await receiver('127.77.110.8'))
  const hook = (events: string) => `webhook: { url: "${there.url}"${events} }`
  it = open.use(await ground(
    ['    name: BPBD\n', `    name: BPBD\n    ${hook('')}\n`],
    ['    name: Posko (desk)\n', `    name: Posko (desk)\n    ${hook(', events: [call.ringing, followup.opened, followup.closed]')}\n`]))
  folder = join(open.use(await tempFolder()).path, 'webhooks')
  secrets = new WebhookSecrets(folder)
  queued = []
  webhooks = make()
  await webhooks.look(Date.now())            // from here on
})
afterEach(() => open.disposeAsync())

let held = false
const make = () => new Webhooks({ held: () => held, records: it.records, plan: () => it.plan, secrets: agency => secrets.of(agency, Date.now()), retry, queue: async ids => { for (const id of ids) if (!queued.includes(id)) queued.push(id) }, ready: () => true, log: it.log })
const bodies = () => there.received.map(({ body }) => JSON.parse(body) as { type: string, agency: string, sequence?: number, timestamp: string, data: Record<string, unknown> })
/** Looks and delivers until nothing waits that could be delivered. */
const work = async () => {
  do {
    queued.length = 0
    await webhooks.look(Date.now())
    for (const id of queued) await webhooks.deliver(id).catch(() => {})
  } while (queued.length > 0)
}
/** Steps, a second apart, the last one now. */
const story = (callId: string, ...kinds: [Kind, object?][]) => kinds.map(([kind, facts = {}], n): Step => ({ callId, key: `${n}`, at: Date.now() - (kinds.length - n) * 1_000, witness: 'ledger', kind, facts }) as Step)
const fresh = (callId: string, options: Parameters<typeof aCall>[1] = {}) => aCall(callId, options).map(step => ({ ...step, at: step.at - Date.UTC(2026, 0, 31) + Date.now() - 10_000 }))

describe('what is told', () => {
  test('of a call that is answered: ringing, claimed, connected, ended', async () => {
    await it.records.append(fresh('c1', { ends: 'answered' }))
    await work()
    expect(bodies().map(({ type, agency, sequence }) => [sequence, agency, type])).toEqual([[1, 'bpbd', 'call.ringing'], [2, 'bpbd', 'call.claimed'], [3, 'bpbd', 'call.connected'], [4, 'bpbd', 'call.ended']])
    expect(bodies()[3]!.data).toEqual({ call: 'c1', number: '+627215550112', dialled: '112', followUp: null, arrivedAt: expect.any(String), disposition: 'answered', talked: 9 })
    for (const { headers, body } of there.received) expect(refusalOf(await secrets.of('bpbd', Date.now()), headers, body, Date.now())).toBeUndefined()
  })

  test('of one that is abandoned, and the follow-up that comes of it, until it is closed', async () => {
    await it.records.append(fresh('c1'))
    await it.book.takeOutbox(Date.now())
    await work()
    expect(bodies().map(({ type }) => type)).toEqual(['call.ringing', 'call.abandoned', 'call.ended', 'followup.opened'])
    const { followUp } = bodies()[3]!.data as { followUp: string }
    expect(bodies()[3]!.data).toMatchObject({ kind: 'late', number: '+627215550112', state: 'open', endedAt: null })
    await it.book.act(followUp, 'Siti', () => ({ happening: 'closed', what: 'closed', set: { why: 'salah sambung' } }), Date.now())
    await it.book.act(followUp, 'Siti', () => ({ what: 'note', facts: { text: 'rahasia' } }), Date.now())
    await work()
    expect(bodies().slice(4)).toMatchObject([{ type: 'followup.closed', sequence: 5, data: { state: 'closed', why: 'salah sambung' } }])
    expect(JSON.stringify(bodies())).not.toContain('rahasia')
  })

  test('an agency hears of its own alone, and only what it asked for', async () => {
    await it.records.append(fresh('c1', { agency: 'posko', cli: '07215550190' }))
    await it.records.append(story('c2', ['arrived', { did: '112', trunk: 'carrier', cli: '07215550191' }], ['menu', { node: 'utama' }], ['hangup', { by: 'caller', q850: 16 }], ['ended']))
    await it.book.takeOutbox(Date.now())
    await work()
    // Who chose no agency is the desk's to ring.
    expect(bodies().map(({ agency, type, data }) => [agency, type, data['number']])).toEqual([
      ['posko', 'call.ringing', e164('07215550190')], ['posko', 'followup.opened', e164('07215550190')], ['posko', 'followup.opened', e164('07215550191')]])
  })

  test('of a follow-up that another agency is rung for, both are told: that it is open, and that it is closed, also days later', async () => {
    const plan = it.plan
    const does = (act: (followUp: FollowUp) => Act) => it.book.act(id, 'Siti', act, Date.now())
    const { id } = await it.missed('c1')
    await work()
    await does(callNow(plan, 'Siti', 'posko', Date.now()))
    await does(callNow(plan, 'Siti', 'posko', Date.now()))
    await work()
    await does(callNow(plan, 'Siti', 'bpbd', Date.now()))            // who has been told already is not told again
    await work()
    await it.records.db.deleteFrom('deliveries').execute()           // as after a day
    await does(close('Siti', 'salah sambung'))
    await work()
    const told = bodies().filter(({ type }) => type.startsWith('followup.')).map(({ agency, type, data }) => [agency, type, data['state']])
    expect(told).toEqual([['bpbd', 'followup.opened', 'open'], ['posko', 'followup.opened', 'open'], ['bpbd', 'followup.closed', 'closed'], ['posko', 'followup.closed', 'closed']])
  })

  test('the end of a follow-up is told once, whatever is written of it later', async () => {
    const { id } = await it.missed('c1')
    await it.book.act(id, 'Siti', close('Siti', 'salah sambung'), Date.now())
    await work()
    expect(bodies().filter(({ type }) => type === 'followup.closed').length).toBe(1)
    await it.records.db.deleteFrom('deliveries').execute()           // as after a day
    await it.book.act(id, 'Siti', note('sudah'), Date.now())
    await it.book.alter(async (db, tell) => tell(await db.selectFrom('followups').selectAll().where('id', '=', id).executeTakeFirstOrThrow(), 'gateway', 'message-delivered', {}))
    await work()
    expect(bodies().filter(({ type }) => type === 'followup.closed').length).toBe(1)
  })

  test('the end comes after the opening, also where both were found in one look; and after a reopening that nobody was told yet', async () => {
    await it.records.append([...fresh('c1'), ...fresh('c2', { at: 2_000, ends: 'answered' })])
    const before = Date.now() - 100
    await it.book.takeOutbox(before)
    await work()
    const told = () => bodies().filter(({ type }) => type.startsWith('followup.')).map(({ type, data }) => [type, data['endedAt']])
    expect(told().map(([type]) => type)).toEqual(['followup.opened', 'followup.closed'])
    const { id } = await it.records.db.selectFrom('followups').select('id').executeTakeFirstOrThrow()
    for (const [n, act] of [reopen('posko', 'belum'), close('Siti', 'sudah'), reopen('posko', 'belum'), close('Siti', 'sudah')].entries()) await it.book.act(id, 'Siti', act, Date.now() + n * 1_000)
    await work()
    expect(told().at(-1)).toEqual(['followup.closed', expect.any(String)])
  })

  test('of one whose caller chose no agency the desk is told, also when another is rung for it before anybody was told', async () => {
    await it.records.append(story('c1', ['arrived', { did: '112', trunk: 'carrier', cli: '07215550191' }], ['menu', { node: 'utama' }], ['hangup', { by: 'caller', q850: 16 }], ['ended']))
    await it.book.takeOutbox(Date.now())
    const { id } = await it.records.db.selectFrom('followups').select('id').executeTakeFirstOrThrow()
    await it.book.act(id, 'Siti', callNow(it.plan, 'Siti', 'bpbd', Date.now()), Date.now())
    await work()
    expect(bodies().map(({ agency, type }) => [agency, type]).sort()).toEqual([['bpbd', 'followup.opened'], ['posko', 'followup.opened']])
  })

  test('of a call that rang two agencies each hears its own part', async () => {
    const arrived: [Kind, object] = ['arrived', { did: '112', trunk: 'carrier', cli: '07215550112' }]
    await it.records.append(story('c1', arrived, ['line', { agency: 'posko', line: 'posko-1' }], ['line', { agency: 'bpbd', line: 'bpbd-1' }], ['connected', { agency: 'bpbd', line: 'bpbd-1' }], ['connected', { agency: 'bpbd', line: 'bpbd-1' }], ['hangup', { by: 'agency', q850: 16 }], ['ended']))
    await work()
    expect(bodies().filter(({ agency }) => agency === 'posko').map(({ type }) => type)).toEqual(['call.ringing'])
    expect(bodies().filter(({ agency }) => agency === 'bpbd').map(({ type, sequence }) => [sequence, type])).toEqual([[1, 'call.ringing'], [2, 'call.claimed'], [3, 'call.connected'], [4, 'call.ended']])
  })

  test('of a line whose talk was too short: the next one is claimed and connected again, and both talks add up', async () => {
    const [first, next] = [{ agency: 'bpbd', line: 'bpbd-1' }, { agency: 'bpbd', line: 'bpbd-2' }]
    const arrived: [Kind, object] = ['arrived', { did: '112', trunk: 'carrier', cli: '07215550112' }]
    await it.records.append(story('c1', arrived, ['line', { ...first, spoken: 1500 }], ['connected', { ...first, bridge: 'b' }], ['joined', { bridge: 'b' }], ['parted', { bridge: 'b' }], ['line-outcome', { ...first, outcome: 'too-short', q850: 16 }],
      ['line', { ...next, spoken: 1500 }], ['joined', { bridge: 'c' }], ['connected', { ...next, bridge: 'c' }], ['played', { prompt: 'x' }], ['parted', { bridge: 'c' }], ['hangup', { by: 'caller', q850: 16 }], ['ended']))
    await work()
    expect(bodies().map(({ type, data }) => [type, (data as { line?: string }).line])).toEqual([['call.ringing', 'bpbd-1'], ['call.claimed', 'bpbd-1'], ['call.connected', 'bpbd-1'],
      ['call.ringing', 'bpbd-2'], ['call.claimed', 'bpbd-2'], ['call.connected', 'bpbd-2'], ['call.ended', undefined]])
    expect(bodies().at(-1)!.data).toMatchObject({ disposition: 'answered', talked: 3 })
  })

  test('of a callback: claimed by the agency, connected when the citizen is there, too', async () => {
    const { id } = await it.missed('c1')
    await work()
    const before = bodies().length
    const leg = { agency: 'bpbd', line: 'bpbd-1' }
    await it.records.append(story(`followup-${id}-1`, ['line', leg], ['accepted'], ['connected', leg], ['citizen'], ['citizen-up'], ['citizen-key', { key: '1' }], ['connected', { agency: 'citizen', line: 'citizen' }], ['hangup', { by: 'caller', q850: 16 }], ['ended']))
    await work()
    const told = bodies().slice(before)
    expect(told.map(({ type }) => type)).toEqual(['call.ringing', 'call.claimed', 'call.connected', 'call.ended'])
    expect(told.every(({ data }) => data['followUp'] === id && data['number'] === '+627215550112')).toBe(true)
    expect(told[3]!.data).toMatchObject({ disposition: null, talked: 2 })
  })

  test('each minute that we live, once, and never from the queue', async () => {
    await it.records.append(fresh('c1'))
    await work()
    const before = bodies().length
    await webhooks.look(Date.now() + 60_000)
    await webhooks.look(Date.now() + 61_000)
    while (bodies().length === before) await new Promise(again => setTimeout(again, 5))
    expect(bodies().slice(before)).toEqual([{ type: 'heartbeat', timestamp: expect.any(String), agency: 'bpbd', data: { lastSequence: 3, plan: it.plan.version } }])
  })
})

describe('nothing is lost, nothing is told twice', () => {
  test('what happens while the service is away is told when it is back; a crash before a mark repeats nothing', async () => {
    await it.records.append(fresh('c1'))
    const mark = await it.records.watermark('webhooks steps')
    await webhooks.look(Date.now())
    await it.records.append([], { watermark: { name: 'webhooks steps', value: mark! } })
    webhooks = make()
    await work()
    expect(bodies().map(({ sequence, type }) => [sequence, type])).toEqual([[1, 'call.ringing'], [2, 'call.abandoned'], [3, 'call.ended']])
  })

  test('what happened before anybody was to be told is not', async () => {
    await it.records.db.deleteFrom('watermarks').where('name', 'like', 'webhooks%').execute()
    await it.records.append(fresh('old'))
    await work()
    await it.records.append(aCall('older'))             // told a month late by a ledger that is read again
    await work()
    expect(bodies()).toEqual([])
  })

  test('who is away gets it later, in order; a refusal holds up nobody', async () => {
    there.answers(() => ({ status: 503 }))
    await it.records.append([...fresh('c1'), ...fresh('c2', { at: 100 }), ...fresh('c3', { at: 200 })])
    await webhooks.look(Date.now())
    expect(queued.length).toBe(5)
    for (const id of queued) await expect(webhooks.deliver(id)).rejects.toThrow('HTTP 503')
    const before = queued.length
    await webhooks.look(Date.now() + 1)
    expect(queued.length).toBe(before)                  // nine wait, five were tried, and that is enough while nobody is there
    there.answers(({ body }) => ({ status: JSON.parse(body).sequence === 2 ? 400 : 200 }))
    for (const id of queued) await webhooks.deliver(id).catch(() => {})
    await work()
    const taken = bodies().slice(5).map(({ sequence }) => sequence)
    expect(taken).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('what a queue has lost that was emptied while nobody was there is tried again, also where no heartbeat finds out who is back', async () => {
    there.answers(() => ({ status: 503 }))
    for (let n = 0; n < 6; n++) await it.records.append(fresh(`c${n}`, { agency: 'posko', at: n }).slice(0, 3))
    await webhooks.look(Date.now())
    const lost = queued.splice(0)
    for (const id of lost) await expect(webhooks.deliver(id)).rejects.toThrow('HTTP 503')
    await webhooks.look(Date.now() + 59_000)
    expect(queued).toEqual([])                          // each waits for its next try
    await webhooks.look(Date.now() + 61_000)
    expect(queued).toEqual(lost)
    there.answers(() => ({}))
    for (const id of queued) await webhooks.deliver(id)
    await work()
    expect(bodies().filter(({ agency }) => agency === 'posko').slice(5).map(({ type, sequence }) => [sequence, type])).toEqual([1, 2, 3, 4, 5, 6].map(sequence => [sequence, 'call.ringing']))
  })

  test('what is refused to the end is dead, is shown without what it said, and is delivered when an admin says so', async () => {
    const token = 'a'.repeat(43)
    await using app = await httpServer({ records: it.records, token, log: it.log, ready: async () => ({ ready: true, missing: [] }), version: '0', webhooks })
    const headers = { authorization: `Bearer ${token}` }
    there.answers(() => ({ status: 500 }))
    await it.records.append(fresh('c1').slice(0, 3))
    await webhooks.look(Date.now())
    const [id] = queued
    for (let n = 0; n < 3; n++) await webhooks.deliver(id!).catch(() => {})
    await webhooks.deliver(id!)
    expect(there.received.length).toBe(3)
    expect(there.received.map(({ headers }) => headers['webhook-id'])).toEqual([id, id, id])
    const { dead } = (await app.inject({ url: '/api/webhooks/dead', headers })).json()
    expect(dead).toMatchObject([{ id, agency: 'bpbd', sequence: 1, type: 'call.ringing', tries: 3, why: 'HTTP 500' }])
    expect(JSON.stringify(dead)).not.toContain('5550112')
    expect((await app.inject('/api/webhooks/dead')).statusCode).toBe(401)
    expect((await webhooks.figures())).toEqual([{ what: 'webhook', state: 'dead', count: 1 }])

    there.answers(() => ({}))
    expect((await app.inject({ method: 'POST', url: '/api/webhooks/dead/none/redeliver', headers })).statusCode).toBe(404)
    expect((await app.inject({ method: 'POST', url: `/api/webhooks/dead/${id}/redeliver`, headers })).json()).toEqual({ redelivered: 1 })
    await work()
    expect(there.received.at(-1)!.headers['webhook-id']).toBe(id)
    expect((await app.inject({ url: '/api/webhooks/dead', headers })).json()).toEqual({ dead: [] })
    expect((await app.inject({ method: 'POST', url: '/api/webhooks/dead/redeliver', headers, payload: { agency: 'bpbd' } })).json()).toEqual({ redelivered: 0 })
    expect(it.text()).not.toContain('5550112')
  })
})

describe('the secret', () => {
  test('is one, made once, for its owner\'s eyes; both hold for a day after a change', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => new WebhookSecrets(folder).of('bpbd', 0)))
    expect(new Set(made.flat()).size).toBe(1)
    expect((await stat(join(folder, 'bpbd.json'))).mode & 0o777).toBe(0o600)
    const fresh = await secrets.rotate('bpbd', 1_000)
    expect(await secrets.of('bpbd', 2_000)).toEqual([fresh, made[0]![0]])
    expect(await secrets.of('bpbd', 1_001 + 24 * 3_600_000)).toEqual([fresh])
    expect(await readdir(folder)).toEqual(['bpbd.json'])
    await expect(secrets.of('../x', 0)).rejects.toThrow('no name of an agency')
  })
})

describe('docs/webhooks.md', () => {
  const examples = async () => [...(await readFile('docs/webhooks.md', 'utf8')).matchAll(/^### (.+)\n[\s\S]*?```json\n(.+)\n```/gm)].map(([, event, json]) => ({ event, body: JSON.parse(json!) as Record<string, unknown> }))
  const shapeOf = (value: unknown): unknown => typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shapeOf(one)])) : null

  test('has an example of each event, of the shape that is sent', async () => {
    const shown = await examples()
    expect(shown.map(({ event }) => event).sort()).toEqual([...webhookEvents].sort())
    expect(shown.every(({ event, body }) => body['type'] === event)).toBe(true)
    await it.records.append(fresh('c1', { ends: 'answered' }))
    await it.records.append(fresh('c2'))
    await it.book.takeOutbox(Date.now())
    const { id } = await it.records.db.selectFrom('followups').select('id').executeTakeFirstOrThrow()
    await work()
    await it.book.act(id, 'Siti', () => ({ happening: 'spoke', what: 'spoke', set: { why: 'spoken' } }), Date.now())
    await work()
    await webhooks.look(Date.now() + 60_000)
    while (!bodies().some(({ type }) => type === 'heartbeat')) await new Promise(again => setTimeout(again, 5))
    for (const { event, body } of shown) expect([event, shapeOf(body)]).toEqual([event, shapeOf(bodies().find(({ type }) => type === event))])
  })

  test('and its receiver takes what is signed, once, and nothing else', async () => {
    const [secret] = await secrets.of('bpbd', Date.now())
    const child = spawn(process.execPath, ['examples/webhook-receiver.mjs'], { env: { SECRET: secret!, PORT: '9112', ADDRESS: '127.77.110.7' }, stdio: ['ignore', 'pipe', 'inherit'] })
    open.defer(async () => {
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.kill()
      await ended
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    expect((await lines.next()).value).toBe('listening at http://127.77.110.7:9112/')

    const url = 'http://127.77.110.7:9112/satunomor'
    const plan = { ...it.plan, nodes: new Map([...it.plan.nodes].map(([id, node]) => [id, node.kind === 'agency' && id === 'bpbd' ? { ...node, webhook: { url, events: [...webhookEvents] } } : node])) }
    const real = new Webhooks({ records: it.records, plan: () => plan, secrets: agency => secrets.of(agency, Date.now()), retry, queue: async ids => { queued.push(...ids) }, ready: () => true, log: it.log })
    await it.records.append(fresh('c1').slice(0, 3))
    await real.look(Date.now())
    await real.deliver(queued[0]!)
    expect((await lines.next()).value).toMatch(/^\S+Z bpbd 1 call\.ringing bpbd-1 \+627215550112$/)
    expect(await it.records.db.selectFrom('deliveries').select('state').execute()).toEqual([{ state: 'delivered' }])

    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
    await it.records.db.updateTable('deliveries').set({ state: 'waiting' }).execute()          // told twice
    await real.deliver(queued[0]!)
    await secrets.rotate('bpbd', Date.now())                                                   // the old one holds for a day
    await it.records.append(fresh('c2', { at: 1, cli: '07215550113' }).slice(0, 3))
    await real.look(Date.now())
    await real.deliver(queued.at(-1)!)
    expect((await lines.next()).value).toMatch(/ bpbd 2 call\.ringing bpbd-1 \+627215550113$/)
  })
})

test('while it is held, an agency does not even hear that we live', async () => {
  held = true
  try {
    await webhooks.look(Date.now() + 10 * 60_000)
    expect(bodies()).toEqual([])
  } finally {
    held = false
  }
})
