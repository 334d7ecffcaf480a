/** What is signed can be told from what is not, and a request goes where it may and nowhere else. */
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { post } from '../../src/delivery/post.ts'
import { isSecret, newSecret, refusalOf, sign } from '../../src/delivery/signed.ts'
import { addressRefusal, urlRefusal } from '../../src/plan/webhook-url.ts'
import { receiver } from './receiver.ts'

describe('signatures', () => {
  test('are those of Standard Webhooks (its own example)', () => {
    expect(sign(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], 'msg_p5jXN8AQM9LWM0D4loKWxJek', '{"test": 2432232314}', 1614265330_000)).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330', 'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    })
  })

  const secret = newSecret()
  const now = Date.UTC(2026, 0, 31)
  const headers = sign([secret], 'a', '{}', now)
  test.each<[string, readonly string[], object, string, number]>([
    ['is missing', [secret], {}, '{}', now], ['its time is not now', [secret], headers, '{}', now + 301_000], ['its time is not now', [secret], headers, '{}', now - 301_000],
    ['the signature is wrong', [secret], headers, '{ }', now], ['the signature is wrong', [newSecret()], headers, '{}', now],
    ['the signature is wrong', [secret], { ...headers, 'webhook-id': 'b' }, '{}', now], ['the signature is wrong', [secret], { ...headers, 'webhook-signature': `v1a${headers['webhook-signature'].slice(2)}` }, '{}', now],
    ['is missing', [secret], { ...headers, 'webhook-id': ['a', 'a'] }, '{}', now]
  ])('%s', (why, secrets, headers, body, at) => {
    expect(refusalOf(secrets, headers as never, body, at)).toContain(why)
  })
  test('either secret is taken while one is changed', () => {
    const [old, fresh] = [newSecret(), newSecret()]
    const both = sign([fresh, old], 'a', '{}', now)
    for (const secret of [old, fresh]) expect(refusalOf([secret], { ...both }, '{}', now + 299_000)).toBeUndefined()
  })
  test.each([['', false], ['whsec_', false], ['whsec_c2hvcnQ=', false], [newSecret(), true], [newSecret().slice(6), false]])('%s is a secret: %s', (text, is) => { expect(isSecret(text)).toBe(is) })
})

describe('where requests may go', () => {
  test.each([
    ['https://opd.example.go.id/masuk', true], ['https://10.1.2.3/x', true], ['http://127.0.0.1:9000/x', true], ['http://[::1]:9000/', true], ['http://localhost/x', true],
    ['http://opd.example.go.id/masuk', false], ['http://10.1.2.3/', false], ['https://169.254.169.254/latest', false], ['https://[fe80::1]/', false], ['https://[::ffff:169.254.169.254]/', false],
    ['https://0.0.0.0/', false], ['http://0/', false], ['https://127.0.0.1/', true], ['https://2852039166/', false], ['https://user:pw@opd.example.go.id/', false], ['file:///etc/passwd', false],
    ['ftp://127.0.0.1/', false], ['https://a/#b', false], ['x', false], ['http://127.0.0.1.example.go.id/', false],
    ['https://168.63.129.16/', false], ['https://[64:ff9b::a9fe:a9fe]/', false], ['https://[64:ff9b::7f00:1]/', false], ['https://[64:ff9b::a83f:8110]/', false], ['https://[64:ff9b:1::a9fe:a9fe]/', false],
    ['https://[2002:7f00:1::]/', false], ['https://[2002:a9fe:a9fe::1]/', false], ['https://[::127.0.0.1]/', false], ['https://[::a9fe:a9fe]/', false], ['https://[2001:0:7f00:1::]/', false],
    ['https://[64:ff9b::cb00:7105]/', true], ['https://[2001:db8::5]/', true], ['https://168.63.129.17/', true]
  ])('%s: %s', (url, may) => { expect(urlRefusal(url) === undefined).toBe(may) })

  test('a name that comes to mean another address is followed nowhere', () => {
    for (const address of ['169.254.169.254', '127.0.0.1', '::1', '::ffff:127.0.0.1', 'fe80::1', 'fd00:ec2::254', '0.0.0.0', '::127.0.0.1', '64:ff9b::a9fe:a9fe', '2002:7f00:1::', '168.63.129.16', 'fe80::1%lo']) expect(addressRefusal('https://opd.example.go.id/', address)).toBeDefined()
    for (const address of ['10.0.0.1', '203.0.113.9', '2001:db8::1']) expect(addressRefusal('https://opd.example.go.id/', address)).toBeUndefined()
    expect(addressRefusal('http://localhost/', '10.0.0.1')).toBeDefined()
  })
})

describe('a request', () => {
  let there: Awaited<ReturnType<typeof receiver>>
  const secrets = [newSecret()]
  const closing = new AbortController()
  beforeAll(async () => { there = await receiver() })
  afterAll(() => there[Symbol.asyncDispose]())
  const send = (url = there.url) => post({ url, secrets, id: 'a-1', body: '{"a":"é"}', signal: closing.signal })

  test('arrives signed, and its answer comes back whatever the status', async () => {
    there.answers(() => ({ status: 418, body: 'no' }))
    expect(await send()).toEqual({ status: 418, text: 'no' })
    const { headers, body } = there.received.at(-1)!
    expect(refusalOf(secrets, headers, body, Date.now())).toBeUndefined()
    expect(body).toBe('{"a":"é"}')
  })
  test('follows no redirect', async () => {
    const before = there.received.length
    there.answers(() => ({ status: 307, headers: { location: there.url } }))
    expect((await send()).status).toBe(307)
    expect(there.received.length).toBe(before + 1)
  })
  test('reads no answer without end', async () => {
    there.answers(() => ({ body: 'x'.repeat(5_000_000) }))
    expect(await send()).toEqual({ status: 200, text: '' })
  })
  test('a name is looked up when it is connected to', async () => {
    const url = new URL(there.url)
    there.answers(() => ({ body: 'here' }))
    // localhost is 127.0.0.1, where nobody listens: it was looked up, allowed, and tried.
    await expect(send(`http://localhost:${url.port}/`)).rejects.toThrow(/ECONNREFUSED/)
    await expect(send(`https://localhost.invalid:${url.port}/`)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/)
  })
  test('is given up when we close', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<void>()
    there.answers(() => { resolve(); return new Promise(() => {}) })
    const away = new AbortController()
    const sent = post({ url: there.url, secrets, id: 'a-2', body: '{}', signal: away.signal })
    await asked
    away.abort()
    await expect(sent).rejects.toThrow(/abort/)
  })
  test('who closes, or speaks no HTTP, is a failure that says so', async () => {
    for (const says of ['', 'hello\r\n\r\n']) {
      const mute = createServer(socket => { socket.end(says) })
      mute.listen(0, '127.77.110.9')
      await once(mute, 'listening')
      await expect(send(`http://127.77.110.9:${(mute.address() as AddressInfo).port}/`)).rejects.toThrow(/\w/)
      mute.close()
    }
    await expect(send('http://127.77.110.9:1/')).rejects.toThrow(/ECONNREFUSED/)
    await expect(send('http://example.go.id/')).rejects.toThrow('the address is neither')
  })
})
