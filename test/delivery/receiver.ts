/** Somebody else's server on this machine: keeps what it was sent, and answers as it is told. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

export interface Received { path: string, headers: IncomingHttpHeaders, body: string }
export interface Answer { status?: number, headers?: Record<string, string>, body?: string }

export async function receiver(address = '127.77.110.9') {
  const received: Received[] = []
  let answer: (request: Received) => Answer | Promise<Answer> = () => ({})
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request.setEncoding('utf8')) body += piece
    const one = { path: request.url!, headers: request.headers, body }
    received.push(one)
    const { status = 200, headers = {}, body: text = '' } = await answer(one)
    response.writeHead(status, headers).end(text)
  })
  server.listen(0, address)
  await once(server, 'listening')
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}/masuk`, received,
    answers: (how: typeof answer) => { answer = how },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}
