/** Messages: which there are, each once; by a gateway that is a real server; and what citizens answer. */
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { refusalOf, newSecret, sign } from '../../src/delivery/signed.ts'
import { NotSent, recorder, WebhookGateway, type Gateway } from '../../src/followups/gateways.ts'
import { Messages } from '../../src/followups/messages.ts'
import { meaningOf, readable, takeReply } from '../../src/followups/replies.ts'
import { httpServer } from '../../src/http/server.ts'
import { receiver } from '../delivery/receiver.ts'
import { aCall } from '../records/stories.ts'
import { ground } from './ground.ts'

const secret = newSecret()
const retry = { tries: 3, pause: 1 }
let open: AsyncDisposableStack
let it: Awaited<ReturnType<typeof ground>>
let queued: string[]

beforeEach(async () => {
  open = new AsyncDisposableStack()
  it = open.use(await ground())
  queued = []
})
afterEach(() => open.disposeAsync())

const messagesBy = (gateway: Gateway) => new Messages({ book: it.book, records: it.records, plan: () => it.plan, gateway, retry, queue: async ids => { queued.push(...ids) }, ready: () => true, log: it.log })
const states = async (messages: Messages) => (await messages.list({ limit: 50 })).map(({ occasion, state, why }) => [occasion, state, why]).toSorted()
const words = async (id: string) => (await it.history(id)).map(({ what }) => what)

describe('which there are', () => {
  test('one when a follow-up is opened, one after each attempt that rang in vain; none for the others, none twice', async () => {
    const { id } = await it.missed('c1')
    await it.attempt('no-answer')
    await it.attempt('agency-unreached', false)
    const messages = messagesBy(recorder)
    await messages.look(Date.now())
    await it.records.append([], { watermark: { name: 'messages', value: '0' } })              // a crash before the mark: all again
    await messages.look(Date.now())
    expect(await states(messages)).toEqual([['attempt-1', 'waiting', null], ['opened', 'waiting', null]])
    await Promise.all([...new Set(queued), ...queued].map(id => messages.send(id)))            // delivered twice, and at once
    expect(await states(messages)).toEqual([['attempt-1', 'recorded', null], ['opened', 'recorded', null]])
    expect((await words(id)).filter(what => what.startsWith('message-'))).toEqual(['message-recorded', 'message-recorded'])
    expect(await messages.list({ followUp: id, limit: 9 })).toContainEqual(expect.objectContaining({ name: 'dibuka', text: 'Kami akan menelepon. Balas 1, 2 atau 3.', language: 'id' }))
  })

  test('none for an agency that sends none, nor what waits when the plan says so', async () => {
    const quiet = open.use(await ground(['    name: BPBD\n', '    name: BPBD\n    messages: none\n']))
    let { plan } = it
    const messages = new Messages({ book: it.book, records: it.records, plan: () => plan, gateway: recorder, retry, queue: async ids => { queued.push(...ids) }, ready: () => true, log: it.log })
    await it.missed('c1')
    await messages.look(Date.now())
    plan = quiet.plan
    await it.missed('c2', { cli: '+627215550114' })
    await messages.look(Date.now())
    for (const id of new Set(queued)) await messages.send(id)
    expect(await states(messages)).toEqual([['opened', 'dropped', 'by-plan']])
  })

  test('none for a number that may not be rung, for who has been spoken with, nor out of the blue', async () => {
    const messages = messagesBy(recorder)
    await it.missed('abroad', { cli: '+4930123456789' })
    await it.missed('anonymous', { cli: 'anonymous' })
    await it.missed('old', { at: Date.now() - 3 * 3_600_000, learnedAt: Date.now() })
    await messages.look(Date.now())
    expect(await states(messages)).toEqual([])

    const { id } = await it.missed('c1', { cli: '+627215550113' })
    await messages.look(Date.now())
    await it.book.act(id, 'Siti', () => ({ happening: 'closed', what: 'closed', set: { why: 'test' } }), Date.now())
    await messages.send(queued[0]!)
    expect(await states(messages)).toEqual([['opened', 'dropped', 'no-longer-needed']])
  })

  test('not at night, where the policy has hours; at once where it has none', async () => {
    const messages = messagesBy(recorder)
    const night = Date.UTC(2027, 0, 12, 17)                     // 00:00 in Jakarta
    await it.missed('c1', { agency: 'posko', at: night, cli: '+627215550113' })
    await it.missed('c2', { agency: 'bpbd', at: night })
    await it.records.db.updateTable('followupEvents').set({ at: night }).execute()
    await messages.look(night)
    const due = Object.fromEntries((await messages.list({ limit: 9 })).map(({ cli, dueAt }) => [cli, dueAt]))
    expect(due).toEqual({ '+627215550112': night, '+627215550113': Date.UTC(2027, 0, 13, 0) })
    expect(queued.length).toBe(1)
  })

  test('at most three to one number within an hour', async () => {
    const messages = messagesBy(recorder)
    await it.missed('c1')
    for (let n = 0; n < 3; n++) await it.attempt('no-answer')
    await messages.look(Date.now())
    for (const id of queued) await messages.send(id)
    expect((await states(messages)).map(([, state, why]) => why ?? state).toSorted()).toEqual(['recorded', 'recorded', 'recorded', 'too-many'])
  })
})

describe('by a gateway', () => {
  let there: Awaited<ReturnType<typeof receiver>>
  let messages: Messages
  beforeEach(async () => {
    there = open.use(await receiver())
    messages = messagesBy(new WebhookGateway({ url: there.url, secret }))
  })
  const send = async () => { await messages.look(Date.now()); return queued[0]! }

  test('it is handed over signed, and what becomes of it is kept', async () => {
    const { id: followUp } = await it.missed('c1')
    there.answers(() => ({ status: 202, body: '{"id":"gw-7"}' }))
    const id = await send()
    await messages.send(id)
    const { headers, body } = there.received[0]!
    expect(JSON.parse(body)).toEqual({ id, to: '+627215550112', text: 'Kami akan menelepon. Balas 1, 2 atau 3.', language: 'id', followUp })
    expect(headers['webhook-id']).toBe(id)
    expect(refusalOf([secret], headers, body, Date.now())).toBeUndefined()
    expect((await messages.list({ limit: 1 }))[0]).toMatchObject({ state: 'sent', gatewayId: 'gw-7' })
    expect(await messages.status({ id, state: 'delivered' })).toBe(true)
    expect(await messages.status({ id, state: 'failed' })).toBe(true)                  // too late to be true
    expect(await messages.status({ id: 'nobody', state: 'delivered' })).toBe(false)
    expect(await words(followUp)).toEqual(['opened', 'message-sent', 'message-delivered'])
  })

  test('one that is away is asked again, with the same id, and in the end it has failed', async () => {
    const { id: followUp } = await it.missed('c1')
    there.answers(() => ({ status: 503 }))
    const id = await send()
    await expect(messages.send(id)).rejects.toThrow('HTTP 503')
    await expect(messages.send(id)).rejects.toThrow('HTTP 503')
    await messages.send(id)
    await messages.send(id)
    expect(there.received.map(({ headers }) => headers['webhook-id'])).toEqual([id, id, id])
    expect(await states(messages)).toEqual([['opened', 'failed', 'HTTP 503']])
    expect(await words(followUp)).toEqual(['opened', 'message-failed'])
  })

  test('what it does not like is not tried again', async () => {
    await it.missed('c1')
    there.answers(() => ({ status: 422 }))
    await messages.send(await send())
    expect([there.received.length, await states(messages)]).toEqual([1, [['opened', 'failed', 'HTTP 422']]])
  })

  test('killed in the middle: asked again with the same id, and by Asterisk, which takes no ids, not again', async () => {
    await it.missed('c1')
    const id = await send()
    await it.records.db.updateTable('messages').set({ state: 'sending', tries: 1, claimedAt: Date.now(), dueAt: Date.now() - 1 }).execute()
    await messages.look(Date.now())
    expect(queued).toEqual([id, id])
    await messages.send(id)
    expect(await states(messages)).toEqual([['opened', 'sent', null]])

    await it.records.db.updateTable('messages').set({ state: 'sending', dueAt: Date.now() - 1 }).execute()
    let asked = 0
    const sip = messagesBy({ name: 'sip', repeatable: false, send: async () => { asked++; throw new NotSent('Asterisk is away', { again: true }) } })
    await sip.send(id)
    await sip.look(Date.now())
    expect([asked, await states(sip)]).toEqual([0, [['opened', 'failed', 'cut-off']]])
  })
})

describe('what citizens answer', () => {
  test.each([['1', 'need-help'], [' 1. ', 'need-help'], ['(2)', 'mistake'], ['3️⃣', 'cannot-speak'], ['１', 'need-help'], ['12', 'words'], ['1 api di dapur', 'words'], ['', 'words'], ['4', 'words'], ['satu', 'words'],
    ['Ok, thanks!', 'thanks'], ['ok terima kasih', 'thanks'], ['Oke pak, makasih banyak', 'thanks'], ['👍🏽', 'thanks'], ['Baik bu. Terima kasih atas bantuannya 🙏', 'thanks'], ['thank you so much', 'thanks'],
    ['ok?', 'words'], ['ya', 'words'], ['ok pak bantuannya', 'words'], ['ok 1', 'words'], ['terima kasih, tapi api membesar lagi', 'words'], ['🆘', 'words'], ['ok 🔥', 'words'], ['thanks '.repeat(40), 'words']])('%s is %s', (text, meaning) => {
    expect(meaningOf(text)).toBe(meaning)
  })

  const reply = (text: string, id = text, from = '07215550112') => takeReply(it.book, it.plan, { id, from, text }, Date.now())
  const now = async (id: string) => (await it.book.get(id))!.followUp
  /** The message that is due is sent. */
  const told = async () => {
    const messages = messagesBy(recorder)
    await messages.look(Date.now())
    await messages.send(queued.at(-1)!)
  }

  test('1: due now, and before others', async () => {
    const { id } = await it.missed('c1')
    expect(await reply('1')).toEqual({ followUp: id, meaning: 'need-help' })
    expect(await now(id)).toMatchObject({ state: 'open', priority: 0, why: 'need-help' })
    expect((await now(id)).dueAt).toBeLessThanOrEqual(Date.now())
    await it.book.act(id, 'policy', () => ({ happening: 'handed', what: 'handed', set: { why: 'attempts-used-up' } }), Date.now())
    await reply('1', 'again')
    expect(await now(id)).toMatchObject({ state: 'open', priority: 0 })
  })

  test('1, while it is being rung: the next try is as much in a hurry', async () => {
    const { id } = await it.missed('c1')
    const [claim] = await it.book.claim(Date.now() + 3_600_000, { allowance: 9, free: new Map([['bpbd', 9]]), busy: new Set() })
    await it.book.begin({ followUp: id, attempt: claim!.attempt }, Date.now())
    await reply('1')
    const now_ = Date.now()
    await it.book.settle([{ followUp: id, attempt: 1, result: { outcome: 'agency-unreached', rung: false, line: null, joinedAt: null, endedAt: now_ } }], now_)
    expect(await now(id)).toMatchObject({ state: 'open', priority: 0, dueAt: now_ + 30_000 })
  })

  test('1, of a number that cannot be rung: on top of a person\'s list, and nobody tries to ring it', async () => {
    const { id } = await it.missed('c1', { cli: '+14155550112' })
    expect(await now(id)).toMatchObject({ state: 'person', why: 'no-number' })
    await reply('1', 'abroad', '+14155550112')
    expect(await now(id)).toMatchObject({ state: 'person', priority: 0, why: 'need-help' })
  })

  test('2, said of a call that is settled: what is owed since goes on', async () => {
    const first = await it.missed('c1')
    await told()
    await it.book.act(first.id, 'dewi', () => ({ happening: 'closed', what: 'closed', set: { why: 'a prank' } }), Date.now())
    const second = await it.missed('c2')
    expect(await reply('2')).toEqual({ followUp: second.id, meaning: 'mistake' })
    expect(await now(second.id)).toMatchObject({ state: 'open', endedAt: null })
    expect(await words(second.id)).toContain('replied')
  })

  test('2: closed by the citizen; 3 and words: a person', async () => {
    const { id } = await it.missed('c1')
    await told()
    await reply('3')
    expect(await now(id)).toMatchObject({ state: 'person', why: 'cannot-speak', list: 'posko' })
    await reply('Tolong\u0000 \u202eapi\r\nX: y ' + 'x'.repeat(2_000), 'words')
    const { facts } = (await it.history(id)).findLast(({ what }) => what === 'replied')!
    expect(facts['text']).toMatch(/^Tolong.? api X: y x+$/)
    expect((facts['text'] as string).length).toBe(500)
    await reply('2')
    expect(await now(id)).toMatchObject({ state: 'closed', why: 'mistake', endedBy: 'citizen' })
  })

  const all = () => it.records.db.selectFrom('followups').selectAll().orderBy('madeAt').orderBy('arrivedAt').execute()
  const closedByMistake = async () => {
    const { id } = await it.missed('c1')
    await told()
    await reply('2', 'slip')
    expect(await now(id)).toMatchObject({ state: 'closed', why: 'mistake', endedBy: 'citizen' })
    return id
  }

  test('2, then 1: a new follow-up is opened and rung at once; the same answer again opens no other', async () => {
    const first = await closedByMistake()
    const { followUp } = (await reply('1', 'late'))!
    expect(await reply('1', 'late')).toEqual({ followUp, meaning: 'need-help' })
    expect((await all()).map(({ id }) => id)).toEqual([first, followUp])
    expect(await now(followUp)).toMatchObject({ state: 'open', kind: 'asked', why: 'need-help', priority: 0, agency: 'bpbd', rings: 'bpbd', cli: '+627215550112', did: '112', endedAt: null })
    expect((await it.history(followUp)).map(({ what, facts }) => [what, facts])).toEqual([['opened', { kind: 'asked', why: 'need-help', after: first }], ['replied', { meaning: 'need-help' }]])
    expect((await it.history(first)).at(-1)).toMatchObject({ who: 'citizen', what: 'replied-late', facts: { followUp } })
    expect((await it.book.claim(Date.now(), { allowance: 9, free: new Map([['bpbd', 1]]), busy: new Set() })).map(({ followUp: { id } }) => id)).toEqual([followUp])
  })

  test('2, then a cry for help: a person reads it at once, on top of the desk\'s list', async () => {
    const first = await closedByMistake()
    const { followUp } = (await reply('kami BUTUH ambulans!'))!
    expect(await now(followUp)).toMatchObject({ state: 'person', why: 'replied', list: 'posko', priority: 0, agency: 'bpbd', endedAt: null })
    expect((await it.history(followUp)).at(-1)).toMatchObject({ who: 'citizen', what: 'replied', facts: { meaning: 'words', text: 'kami BUTUH ambulans!' } })
    expect((await it.book.list({ list: 'posko', state: ['person'], order: 'deadline', limit: 9 })).followUps.map(({ id }) => id)).toEqual([followUp])
    await reply('cepat', 'more')                                    // one follow-up for all that they write
    expect((await all()).map(({ id }) => id)).toEqual([first, followUp])
    expect((await it.history(followUp)).filter(({ what }) => what === 'replied').map(({ facts }) => facts['text'])).toEqual(['kami BUTUH ambulans!', 'cepat'])
  })

  test('words or 3 after somebody has spoken with them: a person', async () => {
    const { id } = await it.missed('c1')
    await it.attempt('spoken')
    expect(await now(id)).toMatchObject({ state: 'done' })
    const { followUp } = (await reply('Api membesar lagi'))!
    expect(await now(followUp)).toMatchObject({ state: 'person', why: 'replied' })
    await it.book.act(followUp, 'dewi', () => ({ happening: 'closed', what: 'closed', set: { why: 'told' } }), Date.now())
    const next = (await reply('3'))!
    expect(await now(next.followUp)).toMatchObject({ state: 'person', why: 'cannot-speak', priority: 0 })
    expect(next.followUp).not.toBe(followUp)
  })

  test('ok, thanks: kept and shown, but it closes nothing and makes no work, before the end and after it', async () => {
    const { id } = await it.missed('c1')
    const before = await now(id)
    expect(await reply('ok, thanks')).toEqual({ followUp: id, meaning: 'thanks' })
    expect(await now(id)).toEqual(before)
    await it.book.act(id, 'dewi', () => ({ happening: 'closed', what: 'closed', set: { why: 'told' } }), Date.now())
    const ended = await now(id)
    for (const text of ['ok terima kasih', '2']) expect(await reply(text)).toMatchObject({ followUp: id })
    expect([await now(id), (await all()).length]).toEqual([ended, 1])
    expect((await it.history(id)).filter(({ what }) => what === 'replied').map(({ facts }) => facts)).toEqual([
      { meaning: 'thanks', text: 'ok, thanks' }, { meaning: 'thanks', text: 'ok terima kasih' }, { meaning: 'mistake' }])
  })

  test('who has called and was answered may write for help, too; who asks for nothing leaves nothing', async () => {
    await it.records.append(aCall('talked', { cli: '+627215550117', agency: 'bpbd', ends: 'answered' }))
    expect(await reply('ok', 'ok', '+627215550117')).toBeUndefined()
    const { followUp } = (await reply('api membesar lagi', 'fire', '+627215550117'))!
    expect(await now(followUp)).toMatchObject({ state: 'person', why: 'replied', agency: 'bpbd', did: '112', language: 'id' })
  })

  test('once; and only from who has called', async () => {
    const { id } = await it.missed('c1')
    const both = await Promise.all([reply('3', 'same'), reply('3', 'same')])
    expect(both).toEqual([{ followUp: id, meaning: 'cannot-speak' }, { followUp: id, meaning: 'cannot-speak' }])
    expect((await words(id)).filter(what => what === 'replied').length).toBe(1)
    for (const from of ['+627215550199', 'anonymous', '', '112']) expect(await reply('1', `of ${from}`, from)).toBeUndefined()
    expect(await it.records.db.selectFrom('replies').select('id').execute()).toEqual([{ id: 'same' }])
  })

  test('is about the follow-up whose message came last', async () => {
    const first = await it.missed('c1', { agency: 'bpbd' })
    await it.missed('c2', { agency: 'posko' })
    await it.records.db.updateTable('followups').set({ dueAt: 0 }).where('id', '=', first.id).execute()
    const messages = messagesBy(recorder)
    await messages.look(Date.now())
    const [of] = (await messages.list({ followUp: first.id, limit: 1 }))
    await messages.send(of!.id)
    expect(await reply('2')).toMatchObject({ followUp: first.id })
  })

  test('readable is bounded and of whole letters', () => {
    expect(readable('\ud800a\u0007b\u200bc')).toBe('\ufffda b c')
  })
})

describe('over HTTP', () => {
  const token = 'a'.repeat(43)
  const api = async (messages = messagesBy(recorder), withSecret = true) => open.use(await httpServer({
    records: it.records, token, log: it.log, ready: async () => ({ ready: true, missing: [] }), version: '0',
    messaging: { messages: { list: messages.list.bind(messages), status: messages.status.bind(messages), reply: one => takeReply(it.book, it.plan, one, Date.now()) }, ...withSecret ? { secret } : {} }
  }))
  const posted = (path: string, body: unknown, with_ = secret) => {
    const payload = JSON.stringify(body)
    return { method: 'POST' as const, url: `/api/messages/${path}`, payload, headers: { 'content-type': 'application/json', ...sign([with_], 'n1', payload, Date.now()) } }
  }

  test('an answer is taken from the gateway alone, and never stands in the log', async () => {
    const app = await api()
    const { id } = await it.missed('c1')
    const answer = { id: 'r1', from: '+627215550112', text: 'rahasia: rumah biru' }
    const forged = posted('replies', answer, newSecret())
    for (const bad of [forged, { ...forged, headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` } as never }, { ...forged, headers: { ...forged.headers, 'content-type': 'text/plain' } }]) {
      expect((await app.inject(bad)).statusCode).toBeOneOf([401, 415])
    }
    expect((await app.inject({ method: 'POST', url: '/api/messages/replies' })).statusCode).toBe(401)
    expect(await words(id)).toEqual(['opened'])
    const good = await app.inject(posted('replies', answer))
    expect([good.statusCode, good.json()]).toEqual([200, { taken: true }])
    expect((await it.history(id)).find(({ what }) => what === 'replied')).toMatchObject({ who: 'citizen', facts: { meaning: 'words', text: 'rahasia: rumah biru' } })
    expect((await app.inject(posted('replies', { ...answer, id: 'r2', from: '+627215550190' }))).json()).toEqual({ taken: false })
    for (const secret of ['rahasia', '5550112', '5550190']) expect(it.text()).not.toContain(secret)
    expect(it.said.filter(({ msg }) => msg === 'a citizen has answered').map(({ reply, from, followUp }) => [reply, from, followUp])).toEqual([['r1', '+62721•••0112', id], ['r2', '+62721•••0190', null]])
    expect((await app.inject(posted('status', { id: 'x', state: 'gone' }))).statusCode).toBe(400)
    expect((await app.inject(posted('status', { id: 'x', state: 'delivered' }))).json()).toEqual({ taken: false })
  })

  test('the list is for bearers of the token, with masked numbers; without a gateway nobody may post', async () => {
    const messages = messagesBy(recorder)
    const app = await api(messages, false)
    const { id } = await it.missed('c1')
    await messages.look(Date.now())
    expect((await app.inject('/api/messages')).statusCode).toBe(401)
    const answer = await app.inject({ url: `/api/messages?followUp=${id}`, headers: { authorization: `Bearer ${token}` } })
    expect(answer.json().messages).toMatchObject([{ followUp: id, to: '+62721•••0112', state: 'waiting', occasion: 'opened' }])
    expect(answer.body).not.toContain('5550112')
    expect((await app.inject(posted('replies', { id: 'r', from: '+627215550112', text: '1' }))).statusCode).toBe(404)
  })

  test('docs/messages.md shows what is sent, and what is taken', async () => {
    const shown = Object.fromEntries([...(await readFile('docs/messages.md', 'utf8')).matchAll(/^```json (\w+)\n(.+)\n```$/gm)].map(([, name, json]) => [name, JSON.parse(json!) as Record<string, unknown>]))
    const there = open.use(await receiver())
    const messages = messagesBy(new WebhookGateway({ url: there.url, secret }))
    await it.missed('c1')
    await messages.look(Date.now())
    await messages.send(queued[0]!)
    expect(Object.keys(shown['message']!)).toEqual(Object.keys(JSON.parse(there.received[0]!.body) as object))
    const app = await api(messages)
    expect((await app.inject(posted('status', { ...shown['status'], id: queued[0] }))).json()).toEqual({ taken: true })
    expect(await states(messages)).toEqual([['opened', 'failed', 'no-such-number']])
    expect((await app.inject(posted('replies', shown['reply']))).json()).toEqual({ taken: true })
  })
})
