// How `npx satunomor` reaches the `npm start` that runs: by a Unix socket in the state folder, which its owner alone may use. An order is a line
// of JSON, and so is each answer: `{ "say": … }` is a line for the terminal, `{ "code": … }` the end.
import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { join } from 'node:path'

/** @param {string} state */
export const ordersSocket = state => join(state, 'npm-start.sock')

/**
 * @typedef {{ do: 'restart', asterisk?: boolean, now?: boolean } | { do: 'wait' }} Order
 * @param {string} state the state folder
 * @param {(order: Order, say: (line: string) => void, gone: AbortSignal) => Promise<number>} carryOut the code that the command ends with;
 *   `gone` is aborted when nobody waits for the answer any more
 * @param {(error: Error) => void} failed the socket could not be made
 * @returns {{ close: () => void }}
 */
export function takeOrders(state, carryOut, failed) {
  const file = ordersSocket(state)
  rmSync(file, { force: true })                        // of one that was killed
  const server = createServer(socket => {
    const gone = new AbortController()
    socket.on('error', () => {})
    socket.on('close', () => gone.abort())
    const answer = (/** @type {object} */ what) => { if (socket.writable) socket.write(`${JSON.stringify(what)}\n`) }
    createInterface({ input: socket }).on('error', () => {}).once('line', line => {
      void (async () => {
        const order = JSON.parse(line)
        answer({ code: await carryOut(order, say => answer({ say }), gone.signal) })
      })().catch(error => {
        answer({ say: error.message })
        answer({ code: 1 })
      }).finally(() => socket.end())
    })
  })
  server.on('error', failed)
  server.listen(file, () => chmodSync(file, 0o600))
  server.unref()
  return { close: () => server.close() }
}
