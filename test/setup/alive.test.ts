/** What counts as a sign of life, and what becomes of a process that gives none. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { killWhenFrozen, stirs } from '../../setup/alive.mjs'
import { Child } from '../../setup/children.mjs'
import { hideLife, showLife } from '../../src/show-life.ts'
import { aLog, tempFolder } from '../records/stories.ts'

const closing: (() => unknown)[] = []
afterEach(() => Promise.all(closing.splice(0).map(close => close())))

async function listening(does: (socket: Socket) => unknown) {
  const sockets: Socket[] = []
  const server = createServer(socket => { sockets.push(socket.on('error', () => {})); does(socket) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => { for (const socket of sockets) socket.destroy(); server.close() })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

test('a greeting, any answer, or a closed door is life; a door behind which nobody stirs is none', { timeout: 30_000 }, async () => {
  expect(await stirs(await listening(socket => socket.write('Asterisk Call Manager/11.0.0\r\n')))).toBe(true)
  expect(await stirs(await listening(socket => socket.once('data', () => socket.write('-LOADING\r\n'))), 'PING\r\n')).toBe(true)
  expect(await stirs(await listening(socket => socket.end()))).toBe(true)           // too many there already
  expect(await stirs(await listening(socket => socket.resetAndDestroy()))).toBe(true)
  expect(await stirs(await listening(() => {}))).toBe(false)
  expect(await stirs({ host: '127.0.0.1', port: 1 })).toBe(false)
})

test('a program shows at its socket that it lives, also where one that was killed has left a socket', async () => {
  await using folder = await tempFolder()
  const path = join(folder.path, 'service.sock')
  await promisify(execFile)(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`]).catch(() => {})
  expect([existsSync(path), await stirs({ path })]).toEqual([true, false])
  const server = await showLife(path, aLog().log)
  if (!server.listening) await once(server, 'listening')
  closing.push(() => server.close())
  expect(await stirs({ path })).toBe(true)
  await hideLife(path)
  expect(existsSync(path)).toBe(false)
})

test('it is killed once it has been silent for long enough in a row, and not before', { timeout: 60_000 }, async () => {
  const child = new Child('a sleeper', ['sleep', ['60']], { output: 'ignore' })
  closing.push(() => child.stop())
  const answers = [true, false, false, true, false, false]                          // twice 4 s of silence, with life between
  let asked = 0
  await killWhenFrozen(child, async () => answers[asked++] ?? false, 5_500, new AbortController().signal)
  await child.ended
  expect(asked).toBeGreaterThan(6)
  expect(child.exit).toEqual({ code: null, signal: 'SIGKILL' })
})
