import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { AmiLink, AmiRefused, type AmiLinkOptions, type AmiMessage } from '../../src/asterisk/ami-link.ts'
import { AsteriskAway } from '../../src/asterisk/ari-errors.ts'
import { milliseconds } from '../../src/plan/duration.ts'
import { eventually } from '../parts/city.ts'
import { FakeAmi } from './fake-ami.ts'

const uncaught: unknown[] = []
const catchIt = (error: unknown) => { uncaught.push(error) }
process.on('uncaughtExceptionMonitor', catchIt)
process.on('unhandledRejection', catchIt)
afterEach(() => expect(uncaught).toEqual([]))

const link = (port: number, options: Partial<AmiLinkOptions> = {}) => {
  const link = new AmiLink({ host: '127.0.0.1', port, user: 'satunomor', password: 'secret' }, { log: pino({ level: 'silent' }), patience: milliseconds(300), ...options })
  link.open()
  return Object.assign(link, { [Symbol.asyncDispose]: () => link.close() })
}
const up = (it: AmiLink) => eventually('the link is up', async () => it.up)

test.for<[string, Record<string, string | Record<string, string>>]>([
  ['Ping\r\nAction: Command', {}],
  ['Ping', { 'Key\r\nAction: Command\r\nCommand': 'core stop now' }],
  ['Ping', { Key: 'value\r\nAction: Command' }],
  ['Ping', { Key: 'value\nAction: Command' }],
  ['Ping', { Key: 'value\rAction: Command' }],
  ['Ping', { Variable: { 'A\r\nAction: Command': '1' } }],
  ['Ping', { Variable: { A: '1\r\nAction: Command' } }],
  ['Ping', { Key: '\u0000' }]
])('%j with %j is refused before anything is sent', async ([name, values]) => {
  await using ami = await FakeAmi.open()
  await using it = link(ami.port)
  await up(it)
  const { received } = ami
  await expect(it.action(name, values)).rejects.toThrow(TypeError)
  await it.action('Ping')
  expect(ami.received.slice(received.length)).toMatch(/^Action: Ping\r\nActionID: [0-9a-f-]{36}\r\n\r\n$/)
})

test('what may be said arrives as it was said', async () => {
  await using ami = await FakeAmi.open()
  await using it = link(ami.port)
  await up(it)
  await it.action('Reload', { Module: 'pbx_config', Channel: 'PJSIP/kantor é', Count: 3 })
  expect(ami.actions.at(-1)).toMatchObject({ Action: 'Reload', Module: 'pbx_config', Count: '3' })
})

test('events named as the socket names its own do not end the link', async () => {
  await using ami = await FakeAmi.open()
  const events: AmiMessage[] = []
  await using it = link(ami.port, { onEvent: event => { events.push(event) } })
  await up(it)
  const names = ['Close', 'Error', 'End', 'Connect', 'RawEvent', 'ManagerEvent', 'Response', 'ContactStatus']
  for (const name of names) ami.says(`Event: ${name}`, 'Reason: none')
  await eventually('all are heard', async () => events.length === names.length)
  await it.action('Ping')
  expect(events.map(({ event }) => event)).toEqual(names)
  expect(ami.logins).toHaveLength(1)
})

test('what a listener throws, and what is no AMI, harm neither the link nor another event', async () => {
  await using ami = await FakeAmi.open()
  let heard = 0
  await using it = link(ami.port, { onEvent: () => { heard++; throw new Error('a bug of ours') } })
  await up(it)
  ami.says('Event: ContactStatus')
  ami.says('Response: Success', 'Response: twice', 'ActionID: nobody')
  ami.says('no colon', ': ', 'Variable: x')
  ami.says('Event: ContactStatus')
  await eventually('both are heard', async () => heard === 2)
  await it.action('Ping')
})

test('an action in flight when the socket drops is rejected at once, and the link comes back', async () => {
  await using ami = await FakeAmi.open()
  ami.does = ({ Action }) => Action === 'login' ? ['Response: Success'] : undefined
  await using it = link(ami.port, { patience: milliseconds(10_000) })
  await up(it)
  const asked = it.action('CoreSettings').catch((error: unknown) => error)
  await eventually('it is on its way', async () => ami.actions.length > 0)
  const dropped = performance.now()
  ami.drops()
  expect(await asked).toBeInstanceOf(AsteriskAway)
  expect(performance.now() - dropped).toBeLessThan(200)
  await expect(it.action('Ping')).rejects.toThrow(AsteriskAway)
  await up(it)
})

test('an action without an answer is rejected in its time, a refused one with Asterisk\'s words', async () => {
  await using ami = await FakeAmi.open()
  await using it = link(ami.port)
  await up(it)
  ami.does = () => undefined
  await expect(it.action('CoreSettings')).rejects.toThrow(AsteriskAway)
  ami.does = () => ['Response: Error', 'Message: Permission denied']
  const error = await it.action('Command', { Command: 'core show channels' }).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(AmiRefused)
  expect((error as Error).message).toBe('Command: Permission denied')
})

test('a wrong password is said in the log and tried again 2 s later, no sooner', { timeout: 15_000 }, async () => {
  await using ami = await FakeAmi.open()
  ami.does = () => ['Response: Error', 'Message: Authentication failed']
  const lines: string[] = []
  await using it = link(ami.port, { log: pino({ level: 'warn' }, { write: (line: string) => { lines.push(line) } }) })
  await eventually('it has tried three times', async () => ami.logins.length === 3)
  expect(it.up).toBe(false)
  const [first, second, third] = ami.logins as [number, number, number]
  for (const apart of [second - first, third - second]) expect(Math.abs(apart - 2000)).toBeLessThan(500)
  expect(lines.join('')).toContain('Authentication failed')
  expect(lines.join('')).not.toContain('secret')
  ami.does = () => ['Response: Success']
  await up(it)
})

test('a socket to an AMI that does not say a word is closed when the link is', async () => {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    socket.pause()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const it = link((server.address() as AddressInfo).port)
  await eventually('it is connected', async () => sockets.size === 1)
  const asked = performance.now()
  await it.close()
  expect(performance.now() - asked).toBeLessThan(200)
  // What is written to a closed socket comes back as a reset; one that only says no more would take it.
  await eventually('the socket is closed', async () => {
    for (const socket of sockets) socket.resume().write('Asterisk')
    return sockets.size === 0
  })
  server.close()
}, 10_000)

test('no listener and no socket is left after many actions and links', async () => {
  await using ami = await FakeAmi.open()
  await using it = link(ami.port)
  for (let round = 1; round <= 20; round++) {
    await up(it)
    await Promise.all(Array.from({ length: 50 }, () => it.action('Ping')))
    ami.drops()
    await eventually('it is lost', async () => !it.up || ami.logins.length > round)
  }
  await up(it)
  expect(ami.links).toBe(1)
})
