import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { AsteriskAway, Gone } from '../../src/asterisk/ari-errors.ts'
import { AriLink, type AriLinkOptions } from '../../src/asterisk/ari-link.ts'
import { AriSocket } from '../../src/asterisk/ari-socket.ts'
import { milliseconds } from '../../src/plan/duration.ts'
import { eventually } from '../parts/city.ts'
import { FakeAri } from './fake-ari.ts'

const uncaught: unknown[] = []
const catchIt = (error: unknown) => { uncaught.push(error) }
process.on('uncaughtExceptionMonitor', catchIt)
process.on('unhandledRejection', catchIt)
afterEach(() => expect(uncaught).toEqual([]))

const link = (ari: FakeAri, options: Partial<AriLinkOptions> = {}, password = 'secret') => {
  const link = new AriLink({ url: ari.url, user: 'satunomor', password, app: 'test' },
    { onEvent: () => {}, onUp: async () => {}, log: pino({ level: 'silent' }), patience: milliseconds(300), ...options })
  link.open()
  return Object.assign(link, { [Symbol.asyncDispose]: () => link.close() })
}
const up = (it: AriLink) => eventually('the link is up', async () => it.up)
const channel = { channelId: 'one' }
/** By HTTP, and over the websocket. */
const bothWays = [
  { resource: 'channels', operation: 'answer', params: channel, path: '/channels/one/answer' },
  { resource: 'playbacks', operation: 'stop', params: { playbackId: 'one' }, path: '/playbacks/one' }
] as const

test.for([
  [404, '{"message":"Channel not found"}', Gone],
  [404, '{"message":"Playback not found"}', Gone],
  [409, '{"message":"Channel not in Stasis application"}', Gone],
  [404, '<html>404 Not Found</html>', AsteriskAway],
  [503, '', AsteriskAway],
  [401, '{"message":"Authentication required"}', Error],
  [409, '{"message":"Channel with given unique ID already exists"}', Error],
  [404, '{"message":"Provided variable was not found"}', Error],
  [500, '{"error":"Allocation failed"}', Error],
  [400, '', AsteriskAway]
] as const)('what Asterisk refuses with %i %s is %o', async ([status, body, kind]) => {
  await using ari = await FakeAri.open()
  await using it = link(ari)
  await up(it)
  for (const { resource, operation, params, path } of bothWays) {
    ari.answers.set(path, { status, body })
    const error = await it.request(resource, operation, params).catch((error: unknown) => error)
    expect((error as Error).constructor).toBe(kind)
    expect((error as Error).message).toMatch(new RegExp(`^${resource}\\.${operation}: .`))
    ari.answers.clear()
    await it.request(resource, operation, params)
  }
  expect(ari.asked.slice(-4)).toEqual(['POST /channels/one/answer', 'POST /channels/one/answer', 'DELETE /playbacks/one (websocket)', 'DELETE /playbacks/one (websocket)'])
})

test('a request that never returns is Asterisk away, in its time, and the next one works', async () => {
  await using ari = await FakeAri.open()
  await using it = link(ari)
  await up(it)
  for (const { resource, operation, params, path } of bothWays) {
    ari.answers.set(path, 'never')
    const asked = performance.now()
    await expect(it.request(resource, operation, params)).rejects.toThrow(AsteriskAway)
    expect(performance.now() - asked).toBeLessThan(600)
    ari.answers.clear()
    await it.request(resource, operation, params)
  }
})

test('an answer over the websocket that comes too late, or that nobody asked for, is nobody else\'s', async () => {
  await using ari = await FakeAri.open()
  await using it = link(ari)
  await up(it)
  ari.answers.set('/playbacks/one', 'never')
  const first = it.request('playbacks', 'stop', { playbackId: 'one' })
  for (const [id, status] of [['1', 204], ['1', 404], ['99', 404], ['', 404]]) ari.says({ type: 'RESTResponse', request_id: id, status_code: status })
  expect(await first).toBeUndefined()
  ari.answers.clear()
  expect(await it.request('playbacks', 'stop', { playbackId: 'two' })).toBeUndefined()
  expect(it.counts).toEqual({ lost: 0, unknownEvents: 0 })
})

test('an answer that breaks off, or is no JSON, is an error and no crash', async () => {
  await using ari = await FakeAri.open()
  await using it = link(ari)
  await up(it)
  ari.answers.set('/channels', 'torn')
  await expect(it.request('channels', 'list')).rejects.toThrow(AsteriskAway)
  ari.answers.set('/channels', { status: 200, body: '[{"id":' })
  await expect(it.request('channels', 'list')).rejects.toThrow(/channels.list/)
  await expect(it.request('channels', 'answer', {})).rejects.toThrow(/asked without its channelId/)
  await expect(it.request('channels', 'sing', channel)).rejects.toThrow(TypeError)
  ari.answers.clear()
  await it.request('channels', 'list')
})

test.for(['/api-docs/resources.json', '/api-docs/channels.json', '/applications/test/eventFilter'])(
  'an Asterisk that is just starting (%s: 404, cut, silent) is waited for', async path => {
    for (const answer of [{ status: 404, body: '<html>' }, { status: 401, body: '{"message":"no"}' }, 'torn', { status: 200, body: '{' }] as const) {
      await using ari = await FakeAri.open()
      ari.answers.set(path, answer)
      if (path.includes('eventFilter') && answer !== 'torn' && answer.status === 200) continue
      await using it = link(ari)
      await eventually('it has tried twice', async () => ari.asked.filter(asked => asked.endsWith(path)).length >= 2)
      expect(it.up).toBe(false)
      ari.answers.clear()
      await up(it)
    }
  })

test('closing does not wait for an Asterisk that says nothing', async () => {
  await using ari = await FakeAri.open()
  ari.answers.set('/api-docs/resources.json', 'never')
  const it = link(ari)
  await eventually('it has asked', async () => ari.asked.length > 0)
  const asked = performance.now()
  await it.close()
  expect(performance.now() - asked).toBeLessThan(200)
})

test('an event of an unknown type, or none at all, is passed over and counted, and the link goes on', async () => {
  await using ari = await FakeAri.open()
  const heard: string[] = []
  await using it = link(ari, { onEvent: event => { heard.push((event as { type: string }).type) } })
  await up(it)
  for (const event of [{ type: 'ChannelTeleported', channel: { id: 'one' } }, '{"type":', '', { type: 'error' }, '[]', 'null']) ari.says(event)
  ari.says({ type: 'StasisStart', channel: { id: 'one' } })
  await eventually('the known one is heard', async () => heard.length > 0)
  expect(heard).toEqual(['StasisStart'])
  expect(it.counts).toEqual({ lost: 0, unknownEvents: 6 })
  const { beatAt } = it
  await eventually('the link beats on', async () => it.beatAt !== beatAt)
})

test('an unknown event is logged by its type alone: it may hold a number', async () => {
  await using ari = await FakeAri.open()
  const lines: string[] = []
  await using it = link(ari, { log: pino({ level: 'warn' }, { write: (line: string) => { lines.push(line) } }) })
  await up(it)
  ari.says({ type: 'ChannelTeleported', channel: { id: 'one', caller: { number: '+627215550112' } } })
  await eventually('it is logged', async () => lines.length > 0)
  expect(lines.join('')).toContain('ChannelTeleported')
  expect(lines.join('')).not.toContain('5550112')
})

test('what a listener throws harms neither the link nor another event', async () => {
  await using ari = await FakeAri.open()
  let heard = 0
  await using it = link(ari, { onEvent: () => { heard++; throw new Error('a bug of ours') } })
  await up(it)
  ari.says({ type: 'StasisStart', channel: { id: 'one' } })
  ari.says({ type: 'StasisEnd', channel: { id: 'one' } })
  await eventually('both are heard', async () => heard === 2)
  expect(it.up).toBe(true)
})

test('a call that comes with the very opening of the websocket can be answered', async () => {
  await using ari = await FakeAri.open()
  ari.greeting = { type: 'StasisStart', channel: { id: 'one' } }
  const answered = Promise.withResolvers<unknown>()
  await using it: AriLink & AsyncDisposable = link(ari, { onEvent: () => { it.request('channels', 'answer', channel).then(() => answered.resolve('answered'), answered.resolve) } })
  expect(await answered.promise).toBe('answered')
})

test('what goes wrong when the link is up costs the link only if Asterisk is away', async () => {
  await using ari = await FakeAri.open()
  const faults = [new AsteriskAway('gone again'), new Error('a bug of ours')]
  await using it = link(ari, { onUp: async () => { const fault = faults.shift(); if (fault) throw fault } })
  await up(it)
  const { beatAt } = it
  await eventually('the link beats on', async () => it.beatAt !== undefined && it.beatAt !== beatAt)
  expect(faults).toEqual([])
})

test('a beat that does not come back ends the link, and it is made again', async () => {
  await using ari = await FakeAri.open()
  await using it = link(ari, { beat: milliseconds(50) })
  await up(it)
  ari.answers.set('/events/user/beat', { status: 204 })
  await eventually('it is lost', async () => it.counts.lost > 0)
  ari.answers.clear()
  await up(it)
  expect(ari.links).toBe(1)
})

test('what cannot be written to the websocket is Asterisk away, at once and once', async () => {
  const socket = new AriSocket(() => { throw new Error('not open') })
  await expect(socket.ask({ method: 'DELETE', uri: 'playbacks/one', patience: milliseconds(20) })).rejects.toThrow(new AsteriskAway('websocket: not open'))
  socket.close()
})

test('a request in flight is rejected at once when the link is lost', async () => {
  await using ari = await FakeAri.open()
  await using it = link(ari, { patience: milliseconds(10_000) })
  await up(it)
  for (const { path } of bothWays) ari.answers.set(path, 'never')
  const asked = bothWays.map(({ resource, operation, params }) => it.request(resource, operation, params).catch((error: unknown) => error))
  await eventually('they are on their way', async () => ari.asked.filter(asked => / .*\/one/.test(asked)).length === 2)
  const before = performance.now()
  await it.close()
  for (const answer of await Promise.all(asked)) expect(answer).toBeInstanceOf(AsteriskAway)
  expect(performance.now() - before).toBeLessThan(200)
})

test('two links with different passwords in one process are refused; one after the other is well', async () => {
  await using ari = await FakeAri.open()
  const first = link(ari)
  expect(() => link(ari, {}, 'another')).toThrow(/one password/)
  const sameAgain = link(ari)
  await Promise.all([up(first), up(sameAgain)])
  await first.close()
  expect(() => link(ari, {}, 'another')).toThrow(/one password/)
  await sameAgain.close()
  await using second = link(ari, {}, 'another')
  await up(second)
})

test('connecting says nothing on the console', async () => {
  const spies = (['log', 'warn', 'error'] as const).map(name => vi.spyOn(console, name))
  await using ari = await FakeAri.open()
  await using it = link(ari)
  await up(it)
  for (const spy of spies) {
    expect(spy).not.toHaveBeenCalled()
    spy.mockRestore()
  }
})
