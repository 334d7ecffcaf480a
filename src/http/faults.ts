/** Every answer that is not the one asked for: JSON of one shape, a sentence for people, nothing of our insides. */
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isStoreAway, plainly } from '../records/faults.ts'
import type { Fault } from './schemas.ts'

/** An answer that a handler gives by throwing it. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly statusCode: number
  readonly error: string
  readonly hint: string | undefined

  constructor(statusCode: number, error: string, message: string, hint?: string) {
    super(message)
    this.statusCode = statusCode
    this.error = error
    this.hint = hint
  }
}

/** A store that is away is not our caller's fault, nor a secret. */
export const storeAway = () => new Refusal(503, 'store-away', 'The records cannot be read or written now. Calls are served all the same.', 'Try again in a few seconds; the service\'s log says more, such as a full disk.')

/** Refuses numbers that no handler counts with: `1e309` is read as Infinity, and Infinity passes a schema's `maximum`. */
export async function refuseNonFinite({ query, params, body }: FastifyRequest) {
  for (const [where, values] of Object.entries({ query, address: params, body })) {
    const [key] = Object.entries(values ?? {}).find(([, value]) => typeof value === 'number' && !Number.isFinite(value)) ?? []
    if (key !== undefined) throw new Refusal(400, 'bad-request', `The ${where} key '${key}' must be a finite number.`)
  }
}

/** Gives the app its error and not-found answers. */
export function answerFaults(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => answer(error as FastifyError, request, reply))
  app.setNotFoundHandler((_request, reply) => send(reply, 404, {
    error: 'not-found', message: 'There is nothing at this address.', hint: 'GET /docs lists what there is.'
  }))
}

/** Also for requests that Fastify refuses before it knows a route. */
export function answer(error: FastifyError | Refusal, request: FastifyRequest, reply: FastifyReply) {
  if (error instanceof Refusal) {
    return send(reply, error.statusCode, { error: error.error, message: error.message, ...error.hint === undefined ? {} : { hint: error.hint } })
  }
  if (error.validation) return send(reply, 400, { error: 'bad-request', message: misfit(error) })
  if (error.code === 'FST_ERR_BAD_URL') return send(reply, 400, { error: 'bad-request', message: 'The address is not well formed.' })
  const status = error.statusCode ?? 500
  if (status >= 400 && status < 500) return send(reply, status, { error: 'bad-request', message: error.message })
  if (isStoreAway(error)) {
    request.log.error(plainly(error), 'the store or its disk takes or gives nothing')
    const { error: word, message, hint } = storeAway()
    return send(reply, 503, { error: word, message, hint: hint! })
  }
  request.log.error({ err: { type: error.name, message: error.message, stack: error.stack } }, 'a request failed by our fault')
  return send(reply, 500, { error: 'internal', message: 'Something of ours went wrong; the log says what.', hint: `Look for request ${request.id} in the service's log.` })
}

const notWhole: Record<string, [status: string, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request did not come whole within 10 s.'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too long.']
}

/** To a client whose bytes are no request, or do not come in time. */
export function answerNoRequest(error: Error & { code?: string }, socket: Socket) {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, message] = notWhole[error.code ?? ''] ?? ['400 Bad Request', 'This is no HTTP request that can be read.']
  const body = JSON.stringify({ error: 'bad-request', message } satisfies Fault)
  if (socket.writable) socket.write(`HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
  socket.destroy(error)
}

/** The first thing that does not fit, in a sentence. */
function misfit({ validation, validationContext }: FastifyError): string {
  const { keyword, params, instancePath = '', message } = validation![0]!
  const where = { querystring: 'query', params: 'address' }[validationContext as string] ?? validationContext
  const key = instancePath.slice(1).replaceAll('/', '.')
  if (keyword === 'additionalProperties') return `The ${where} key '${params.additionalProperty}' is not known here.`
  if (keyword === 'enum') return `The ${where} key '${key}' must be one of: ${(params.allowedValues as string[]).join(', ')}.`
  if (keyword === 'pattern') return `The ${where} key '${key}' is not well formed.`
  return `The ${where} key '${key}' ${message}.`
}

const send = (reply: FastifyReply, status: number, fault: Fault) => reply.code(status).type('application/json; charset=utf-8').send(fault)
