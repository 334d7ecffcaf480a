/** Server-sent events to who does not read them, or is gone: nobody is listened for any more, and the service lives. */
import { createServer, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { liveStream } from '../../src/http/live-stream.ts'

let open: AsyncDisposableStack
let leave: AbortController
let listening: number
let send: (event: string, data: unknown) => void
let raw: ServerResponse
/** Opens the stream as soon as the answer to a request can begin. */
let begin: () => void
let reader: Socket

beforeEach(async () => {
  open = new AsyncDisposableStack()
  leave = new AbortController()
  listening = 0
  const asked = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    raw = response
    begin = () => liveStream(
      { asker: { person: { name: 'Ani', role: 'desk', gone: leave.signal } }, log: { debug() {} } } as never,
      { raw, hijack() {}, getHeaders: () => ({}) } as never,
      tell => {
        listening++
        send = tell
        return () => { listening = 0 }
      })
    asked.resolve()
  })
  await new Promise<void>(listens => server.listen(0, '127.0.0.1', listens))
  open.defer(() => new Promise(closed => { server.close(() => closed()) }))
  reader = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }).on('error', () => {})
  open.defer(() => { reader.destroy() })
  reader.pause()
  reader.write('GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n')
  await asked.promise
})
afterEach(() => open.disposeAsync())

const closed = () => new Promise<void>(resolve => raw.once('close', resolve))

test('who does not read, and whose token is removed, is let go within a second; nothing is sent to them any more', async () => {
  begin()
  while (raw.writableLength === 0) {
    send('change', 'x'.repeat(100_000))
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const gone = closed()
  leave.abort()
  expect(listening).toBe(0)
  for (let n = 0; n < 3; n++) send('change', 'late')          // an error that nobody hears would end the service
  await gone
  expect(raw.destroyed).toBe(true)
})

test('who reads has all that was sent, and an end', async () => {
  begin()
  send('change', 'the last')
  leave.abort()
  let text = ''
  for await (const piece of reader) text += piece
  expect(text).toContain('data: "the last"\n\n')
  expect(text).toMatch(/\r\n0\r\n\r\n$/)
})

test('nobody is listened for whose token was removed before the stream began', async () => {
  leave.abort()
  begin()
  expect([listening, raw.destroyed]).toEqual([0, true])
})

test('nor who has left before', async () => {
  const left = closed()
  reader.destroy()
  await left
  begin()
  expect(listening).toBe(0)
})
