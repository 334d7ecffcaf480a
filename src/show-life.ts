/** A Unix socket at which a program shows that it lives: whoever connects sees the connection end at once (setup/alive.mjs). No other traffic comes this way. */
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Logger } from 'pino'

/** Takes away the socket of a program that was killed: nobody answers there. */
export const hideLife = (socket: string) => rm(socket, { force: true }).catch(() => {})

/** Listens until the program ends; closing it is needed by nobody but tests. */
export async function showLife(socket: string, log: Logger) {
  await hideLife(socket)
  const server = createServer(asking => asking.on('error', () => {}).end())
  server.on('error', error => log.warn({ err: error, socket }, 'liveness socket cannot be opened'))
  server.listen(socket).unref()
  return server
}
