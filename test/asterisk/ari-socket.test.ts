/** What we write to the websocket, read by ws. */
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { connect, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { textFrame } from '../../src/asterisk/ari-socket.ts'

interface Server extends NodeJS.EventEmitter { address(): AddressInfo, close(): void }
const { Server } = createRequire(createRequire(import.meta.url).resolve('ari-client'))('ws') as { Server: new (at: { host: string, port: number }) => Server }

test('texts of every length, and beyond ASCII, arrive as they were, one after the other', async () => {
  const server = new Server({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const heard: string[] = []
  const enough = Promise.withResolvers<void>()
  const texts = ['', 'a', 'b'.repeat(125), 'c'.repeat(126), 'd'.repeat(65_535), 'e'.repeat(65_536), 'é'.repeat(63), '☎ "\u0000"']
  server.on('connection', (there: NodeJS.EventEmitter) => {
    there.on('message', (text: string) => { if (heard.push(text) === texts.length) enough.resolve() })
    there.on('error', enough.reject)
  })
  const { port } = server.address()
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${btoa('0123456789abcdef')}\r\n\r\n`)
  await once(socket, 'data')
  for (const text of texts) socket.write(textFrame(text))
  await enough.promise
  expect(heard).toEqual(texts)
  socket.destroy()
  server.close()
})
