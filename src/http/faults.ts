/** Every answer that is not the one asked for: JSON of one shape, a sentence for people, nothing of our insides. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
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
  request.log.error({ err: { type: error.name, message: error.message, stack: error.stack } }, 'a request failed by our fault')
  return send(reply, 500, { error: 'internal', message: 'Something of ours went wrong; the log says what.', hint: `Look for request ${request.id} in the service's log.` })
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
