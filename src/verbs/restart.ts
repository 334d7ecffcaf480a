/**
 * `npx satunomor restart`: has the `npm start` that runs start the service and the watchdog anew, or everything.
 *
 * It asks over a socket in the state folder (setup/orders.mjs), as `npm start` alone knows what it has started.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { ordersSocket, type Order } from '../../setup/orders.mjs'
import { project } from '../../setup/project.mjs'
import { pause } from '../calls/time.ts'
import { milliseconds } from '../plan/duration.ts'
import { readSettings } from '../settings.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: [
    ['restart', 'the service and the watchdog alone: no call ends'], ['restart --asterisk', 'everything, as soon as no call is left'],
    ['restart --asterisk --now', 'everything at once: ENDS ALL CALLS']
  ],
  options: {
    asterisk: { type: 'boolean', does: 'Asterisk, Redis and npm start, too' }, now: { type: 'boolean', does: 'does not wait for calls to end' }
  },
  example: 'restart'
} as const satisfies Usage

/** How long the old npm start may take to end, and the new one to take orders, ms. */
const patience = 90_000

export async function run(args: string[]): Promise<number> {
  const { values: { asterisk = false, now = false } } = read(usage, args)
  if (now && !asterisk) misused('restart', '--now goes with --asterisk: without it no call ends, and there is nothing to wait for')
  const { state } = readSettings(process.env, project)
  const socket = await reach(ordersSocket(state)).catch((error: NodeJS.ErrnoException) => {
    if (!['ENOENT', 'ECONNREFUSED'].includes(error.code ?? '')) throw error
    throw new Error(`No npm start runs in ${state}. If the state is elsewhere, set SATUNOMOR_STATE. With containers: docker compose up --build -d --no-deps service watchdog`)
  })
  const code = await ask(socket, { do: 'restart', asterisk, now })
  return code === 0 && asterisk ? back(ordersSocket(state)) : code
}

/** Waits until the new `npm start` has started all that it can. */
async function back(file: string): Promise<number> {
  let seen = performance.now()
  const waits = new AbortController()
  while (performance.now() - seen < patience) {
    const socket = await reach(file).catch(() => undefined)
    if (socket) {
      const code = await ask(socket, { do: 'wait' }).catch(() => undefined)
      if (code !== undefined) return code
      seen = performance.now()
    }
    await pause(milliseconds(250), waits.signal)
  }
  throw new Error('npm start has not come back. Read what it printed, and start it.')
}

async function reach(file: string): Promise<Socket> {
  const socket = connect(file)
  await once(socket, 'connect')
  return socket
}

/** Prints what is said meanwhile. Throws where the other side goes without a last word. */
async function ask(socket: Socket, order: Order): Promise<number> {
  socket.on('error', () => {})
  socket.write(`${JSON.stringify(order)}\n`)
  for await (const line of createInterface({ input: socket })) {
    const { say, code } = JSON.parse(line) as { say?: string, code?: number }
    if (say !== undefined) process.stdout.write(`${say}\n`)
    if (code !== undefined) return code
  }
  throw new Error('npm start ended meanwhile. Read what it printed.')
}
