// The service container's health: `/healthz` (it lives) or `/readyz` (a call made now would be served by it).
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { stirs } from './alive.mjs'

const { SATUNOMOR_HTTP_ADDRESS: address, SATUNOMOR_HTTP_PORT: port, SATUNOMOR_STATE: state = 'var' } = process.env
const host = address || '127.0.0.1'
const socket = join(state, 'service.sock')
const path = process.argv[2]
// Whether it lives is not asked over HTTP, where strangers may stand in the way; only while there is no socket.
if (path === '/healthz' && existsSync(socket)) process.exit(await stirs({ path: socket }) ? 0 : 1)
const answer = await fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port || 8080}${path}`)
if (!answer.ok) console.error(await answer.text())
process.exit(answer.ok ? 0 : 1)
