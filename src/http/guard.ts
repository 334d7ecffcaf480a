/** Who may ask, and what every answer says to a browser. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from './faults.ts'

/** Whether somebody's word is the token. Digests, so that neither the length nor the first wrong letter shows in the time that it takes. */
export function bearsToken(token: string) {
  const expected = digest(token)
  return (given: string) => timingSafeEqual(digest(given), expected)
}

/** A hook that lets only bearers of the token through (RFC 6750). */
export function bearer(token: string) {
  const right = bearsToken(token)
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const [, given] = /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '') ?? []
    if (given !== undefined && right(given)) return
    reply.header('www-authenticate', `Bearer realm="satunomor"${given === undefined ? '' : ', error="invalid_token"'}`)
    throw given === undefined
      ? new Refusal(401, 'unauthorized', 'This needs the service\'s token.', 'Send it as the header "Authorization: Bearer <token>".')
      : new Refusal(401, 'unauthorized', 'This is not the service\'s token.', 'The token is in the file that the service names when it starts.')
  }
}

/** A hook for the headers that keep a browser from doing more with an answer than showing it. */
export async function protect(request: FastifyRequest, reply: FastifyReply) {
  const docs = ['/docs', '/queues'].some(path => request.url === path || request.url.startsWith(`${path}/`))
  reply.headers({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    // Swagger UI and Bull Board style their pages inline; their scripts and everything else come from here.
    'content-security-policy': docs
      ? "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
      : "default-src 'none'; frame-ancestors 'none'"
  })
  if (!docs) reply.header('cache-control', 'no-store')
}

const digest = (token: string) => createHash('sha256').update(token).digest()
