/** Who is refused is counted: a stranger, one who guesses passwords, one who tries the manager interface. Calls are not. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { header } from '../../demo/sip.ts'
import type { LastHour } from '../../src/asterisk/refusals.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { Sender } from '../parts/ugly-sender.ts'
import { sdp } from '../parts/ugly-torture.ts'

const at = (last: number) => `127.77.81.${last}`
let city: City
/** What the service logs. */
const logged: string[] = []
let stranger: Sender, guesser: Sender
beforeAll(async () => {
  city = await openCity({ number: 81, log: pino({ level: 'info' }, { write: (line: string) => { logged.push(line) } }) })
  stranger = await Sender.open(at(8), { address: at(1), port: 5060 })
  guesser = await Sender.open(at(9), { address: at(1), port: 5060 })
})
afterAll(async () => {
  await stranger?.[Symbol.asyncDispose]()
  await guesser?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

const ask = (path: string) => fetch(`${city.service.url}${path}`, { headers: { authorization: `Bearer ${city.service.token}` } })
const lastHour = async () => await (await ask('/api/refusals')).json() as LastHour
const counted = async (why: string) => Number(new RegExp(`^satunomor_refused_total\\{why="${why}"\\} (\\d+)$`, 'm').exec(await (await ask('/metrics')).text())![1])
const md5 = (text: string) => createHash('md5').update(text).digest('hex')

test('before anything happened, and after a citizen\'s call, nothing is refused', async () => {
  const call = city.dial()
  await call.answered
  await call.hangUp()
  await city.quiet()
  for (const why of ['unknown-address', 'wrong-password', 'acl', 'login', 'other']) expect([why, await counted(why)]).toEqual([why, 0])
  expect(await lastHour()).toMatchObject({ count: 0, sources: [], elsewhere: 0 })
})

test('a stranger\'s calls and scans are counted, each once, at its address', async () => {
  const ids = Array.from({ length: 20 }, (_, i) => i % 2 === 0
    ? stranger.request('INVITE', `sip:112@${at(1)}`, { body: sdp(at(8)) })
    : stranger.request(i % 4 === 1 ? 'REGISTER' : 'OPTIONS', `sip:${100 + i}@${at(1)}`))
  for (const id of ids) expect(await stranger.final(id)).toBe(401)
  await eventually('all are counted', async () => await counted('unknown-address') === 20)
  expect((await lastHour()).sources).toMatchObject([{ address: at(8), count: 20, why: { 'unknown-address': 20 } }])
})

test('one who guesses passwords stands apart from them', async () => {
  const uri = `sip:112@${at(1)}`
  const first = guesser.request('INVITE', uri, { body: sdp(at(9)) })
  expect(await guesser.final(first)).toBe(401)
  const challenge = header(guesser.responses(first).at(-1)!, 'www-authenticate')!
  const [realm, nonce] = ['realm', 'nonce'].map(name => new RegExp(`${name}="([^"]*)"`).exec(challenge)![1]!)
  const guesses = ['', 'carrier', '112', '1234'].map(password => {
    const response = md5(`${md5(`carrier:${realm}:${password}`)}:${nonce}:00000001:ab:auth:${md5(`INVITE:${uri}`)}`)
    return guesser.request('INVITE', uri, { body: sdp(at(9)), headers: {
      authorization: `Digest username="carrier", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="ab"` } })
  })
  for (const id of guesses) expect(await guesser.final(id)).toBe(401)
  await eventually('the guesses are counted', async () => await counted('wrong-password') === guesses.length)
  expect(await counted('unknown-address')).toBe(21)
  expect((await lastHour()).sources).toContainEqual(expect.objectContaining({ address: at(9), count: 5, why: { 'unknown-address': 1, 'wrong-password': 4 } }))
})

test('whoever tries Asterisk\'s manager interface is counted, too; the service\'s own login is not', async () => {
  const socket = connect(5038, at(1))
  socket.end('Action: Login\r\nUsername: satunomor\r\nSecret: guessed\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
  await eventually('it is counted', async () => await counted('login') === 1)
  expect((await lastHour()).count).toBe(26)
})

test('no address is among the figures, and the list is for those who may ask', async () => {
  expect(await (await ask('/metrics')).text()).not.toContain('127.77.81')
  expect((await fetch(`${city.service.url}/api/refusals`)).status).toBe(401)
})

test('a stranger writes no address of their choice into a log, and makes none grow', async () => {
  const messages = () => readFile(join(city.state, 'asterisk', 'log', 'messages.log'), 'utf8')
  const [before, refused, unreadable] = [await messages(), await counted('unknown-address'), await counted('unreadable')]
  const forged = `x",RemoteAddress="IPV4/UDP/${at(2)}/5060`
  const from = `"' failed for '${at(2)}:5060' (callid: x) - No matching endpoint found" <sip:x@${at(8)}>;tag=1`
  for (let n = 0; n < 20; n++) expect(await stranger.final(stranger.request('INVITE', `sip:112@${at(1)}`, { body: sdp(at(8)), id: `${n}${forged}`, headers: { from } }))).toBe(401)
  expect(await messages()).toBe(before)
  stranger.send(`\n[2026-01-01 00:00:00.000] WARNING[1] pjproject: \t sip_transport.c Dropping 9 bytes packet from UDP ${at(2)}:5060 : PJSIP syntax error\n`)
  await eventually('it is counted', async () => await counted('unreadable') === unreadable + 1 && await counted('unknown-address') === refused + 20)
  expect((await messages()).slice(before.length)).not.toContain(at(2))
  expect((await lastHour()).sources.map(({ address }) => address)).not.toContain(at(2))
  const told = await eventually('the service logs it', async () => {
    const lines = logged.map(line => JSON.parse(line) as { msg: string, address?: string, count?: number }).filter(({ msg }) => msg.startsWith('requests refused'))
    return lines.filter(({ address }) => address === at(8)).reduce((sum, { count }) => sum + count!, 0) >= 21 && lines
  })
  expect(told.map(({ address }) => address)).not.toContain(at(2))
})
