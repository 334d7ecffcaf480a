/**
 * As much of ARI as the link sees, for what a real Asterisk cannot be made to do: answers that are none, events that
 * nobody knows. It has the operations that it is asked for in `operations`, and answers all of them with 204.
 */
import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { AddressInfo, Socket } from 'node:net'

interface WebSocket { send(text: string): void, terminate(): void, on(event: 'message', hear: (text: unknown) => void): void }
interface WebSocketServer {
  handleUpgrade(request: IncomingMessage, socket: unknown, head: Buffer, taken: (ws: WebSocket) => void): void
}

// ari-client's own websocket library: there is no other one here.
const { Server: WsServer } = createRequire(createRequire(import.meta.url).resolve('ari-client'))('ws') as
  { Server: new (options: object) => WebSocketServer }

interface RestRequest { type: 'RESTRequest', request_id: string, method: string, uri: string }
type Answer = { status: number, body?: string } | 'never' | 'torn'

const parameter = (name: string, paramType: string) => ({ name, paramType, dataType: 'string', required: paramType === 'path', allowMultiple: false })
const operation = (path: string, httpMethod: string, nickname: string, responseClass = 'void', ...more: object[]) => ({
  path, operations: [{ httpMethod, nickname, responseClass, parameters: [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => parameter(name!, 'path')), ...more] }]
})

const operations: Record<string, ReturnType<typeof operation>[]> = {
  applications: [operation('/applications/{applicationName}/eventFilter', 'PUT', 'filter', 'void', { ...parameter('filter', 'body'), dataType: 'object' })],
  channels: [operation('/channels', 'GET', 'list', 'List[Channel]'), operation('/channels/{channelId}/answer', 'POST', 'answer'),
    operation('/channels/{channelId}/variable', 'GET', 'getChannelVar', 'Variable', parameter('variable', 'query'))],
  events: [operation('/events/user/{eventName}', 'POST', 'userEvent', 'void', parameter('application', 'query'))],
  playbacks: [operation('/playbacks/{playbackId}', 'DELETE', 'stop')]
}
const models = Object.fromEntries(['StasisStart', 'StasisEnd', 'ChannelUserevent'].map(id => [id, {
  id, properties: { type: { type: 'string' }, channel: { type: 'Channel' } }
}]))

export class FakeAri implements AsyncDisposable {
  readonly #server = createServer({ keepAlive: true }, (request, response) => {
    const path = new URL(request.url!, 'http://ari').pathname.replace(/^\/ari/, '')
    this.asked.push(`${request.method} ${path}`)
    const answer = this.answers.get(path) ?? this.#answer(path)
    if (answer === 'never') return
    if (answer === 'torn') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write('{"half":')
      setImmediate(() => response.destroy())
      return
    }
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    response.end(answer.body ?? '')
  })
  readonly #ws = new WsServer({ noServer: true })
  readonly #sockets = new Set<WebSocket>()
  /** What the next requests for these paths get instead. */
  readonly answers = new Map<string, Answer>()
  readonly asked: string[] = []
  /** Said as soon as the websocket is open. */
  greeting: unknown

  static async open(): Promise<FakeAri> {
    const ari: FakeAri = new FakeAri()
    ari.#server.on('upgrade', (request, socket, head) => ari.#ws.handleUpgrade(request, socket, head, ws => {
      ari.#sockets.add(ws)
      ws.on('message', text => ari.#hear(ws, JSON.parse(String(text)) as RestRequest))
      ;(socket as Socket).on('close', () => ari.#sockets.delete(ws))
      if (ari.greeting) ari.says(ari.greeting)
    }))
    ari.#server.listen(0, '127.0.0.1')
    await once(ari.#server, 'listening')
    return ari
  }

  /** A request over the websocket: a torn answer is none there, since it would end the socket. */
  #hear(ws: WebSocket, { request_id, method, uri }: RestRequest) {
    const path = `/${uri.split('?')[0]}`
    this.asked.push(`${method} ${path} (websocket)`)
    const answer = this.answers.get(path) ?? this.#answer(path)
    if (answer === 'never' || answer === 'torn') return
    ws.send(JSON.stringify({ type: 'RESTResponse', request_id, status_code: answer.status, uri, ...answer.body ? { message_body: answer.body } : {} }))
  }

  get url() { return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}` }
  get links() { return this.#sockets.size }

  /** Sends an event, or a text as it is. */
  says(event: unknown) {
    for (const ws of this.#sockets) ws.send(typeof event === 'string' ? event : JSON.stringify(event))
  }

  #answer(path: string): { status: number, body?: string } {
    const [, page] = /^\/api-docs\/(\w+)\.json$/.exec(path) ?? []
    if (page === 'resources') {
      return this.#json({ swaggerVersion: '1.1', apiVersion: '9', basePath: `${this.url}/ari`, apis: Object.keys(operations).map(name => ({ path: `/api-docs/${name}.{format}` })) })
    }
    if (page) return this.#json({ basePath: `${this.url}/ari`, resourcePath: `/api-docs/${page}.{format}`, apis: operations[page], models: page === 'events' ? models : {} })
    if (path === '/events/user/beat') setImmediate(() => this.says({ type: 'ChannelUserevent', eventname: 'beat' }))
    return path === '/channels' ? this.#json([]) : { status: 204 }
  }

  #json(it: unknown) { return { status: 200, body: JSON.stringify(it) } }

  async [Symbol.asyncDispose]() {
    for (const ws of this.#sockets) ws.terminate()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
