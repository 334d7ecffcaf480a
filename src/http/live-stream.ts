/** Server-sent events: what happens, as it happens, for as long as somebody listens. */
import type { FastifyReply, FastifyRequest } from 'fastify'

/** How often a silent stream says that it lives, ms: proxies close what says nothing. */
const often = 15_000
/** What a listener who does not read may leave unread, bytes; then it is let go, and may come again. */
const most = 1_000_000

/** How long one whose token holds no longer may take to read what was sent before, ms: a socket that does not drain never ends by itself. */
const patience = 1_000

/** Keeps the answer open for as long as the asker's token holds; `listen` is handed what sends an event, and returns what ends the listening. */
export function liveStream(request: FastifyRequest, reply: FastifyReply, listen: (send: (event: string, data: unknown) => void) => () => void) {
  reply.hijack()
  const { raw } = reply
  const { gone } = request.asker.person ?? {}
  if (raw.destroyed || gone?.aborted) return void raw.destroy()          // nobody would tell us any more that they have left
  raw.on('error', () => raw.destroy())          // who has left while something was sent: `close` follows
  raw.writeHead(200, { ...reply.getHeaders() as Record<string, string>, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  raw.write(': the stream is open\n\n')
  const stop = listen((event, data) => {
    raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    if (raw.writableLength > most) raw.destroy()
  })
  const beat = setInterval(() => raw.write(': \n\n'), often)
  let late: NodeJS.Timeout | undefined
  const end = () => {
    clearInterval(beat)
    stop()
    raw.end()
    late = setTimeout(() => raw.destroy(), patience)
  }
  gone?.addEventListener('abort', end)
  raw.on('close', () => {
    clearInterval(beat)
    clearTimeout(late)
    gone?.removeEventListener('abort', end)
    stop()
  })
  request.log.debug('somebody listens')
}
