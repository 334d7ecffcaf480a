/** Who may ask, whose doing it then is, and what every answer says to a browser. */
import { timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SignedBy } from '../records/tables.ts'
import { Refusal } from './faults.ts'
import { isLoopback } from './loopback.ts'
import { isReserved, sameName, whoFault } from './names.ts'
import { digest } from './people-file.ts'
import type { People, Person } from './people.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set where a token was asked for. */
    asker: Asker
    /** Set where the gateway signed the request. */
    signed?: boolean
    /** For the log: why it was refused. */
    why?: string
  }
  interface FastifyContextConfig {
    /** Open to the desk's people, too; all else is for admins. */
    desk?: boolean
  }
}

export interface Keys {
  /** The city's, for its machines and for the first start. */
  token: string
  /** Those with a token of their own. */
  people?: People
}

/** Who bears a token that holds. */
export class Asker {
  /** Undefined: the city's token, which may do everything and says of nobody who they are. */
  readonly person: Person | undefined
  readonly #people: People | undefined

  constructor(person: Person | undefined, people: People | undefined) {
    this.person = person
    this.#people = people
  }

  /** What the audit and the histories say beside the name: whether its owner signed in, or a bearer of the city's token said so. */
  get signedBy(): SignedBy { return this.person ? 'own-token' : 'city-token' }

  /** Whose reading it is. */
  reader(ip: string): string { return this.person?.name ?? `api ${ip}` }

  /** Whose doing it is: the person's; with the city's token whoever is named, if that is nobody who could say so themself. Throws a `Refusal`. */
  who(named: string | undefined): string {
    const { person } = this
    if (person) {
      if (named === undefined || sameName(named, person.name)) return person.name
      throw new Refusal(403, 'not-you', `This is ${person.name}'s own token, and 'who' names somebody else.`, 'Leave `who` out, or send the other one\'s token.')
    }
    if (named === undefined) throw new Refusal(400, 'bad-request', 'The key \'who\' is missing: the city\'s token does not say who does it.', 'Name them, or send their own token.')
    const fault = whoFault(named)
    if (fault !== undefined) throw new Refusal(400, 'bad-request', `The name in 'who' ${fault}.`)
    const owner = this.#people?.named(named)
    if (owner) throw new Refusal(403, 'not-you', `${owner.name} has a token of their own: nobody is ${owner.name} by the city's token.`, 'Send their own token, or name who really does it.')
    const alike = this.#people?.alike(named)
    if (alike) throw new Refusal(403, 'not-you', `The name in 'who' looks like ${alike.name}, who has a token of their own.`, 'Send their own token, or name who really does it by another name.')
    if (isReserved(named)) throw new Refusal(403, 'not-you', 'What \'who\' says stands in the history for what is no person.', 'Name the person.')
    return named
  }
}

/** Finds who bears a token: undefined where it is nobody's. */
export function askers({ token, people }: Keys) {
  const expected = digest(token)
  return async (given: string): Promise<Asker | undefined> => {
    await people?.look()
    // Digests, so that neither the length nor the first wrong letter shows in the time that it takes.
    const city = timingSafeEqual(digest(given), expected)
    const person = people?.bearing(given)
    return city || person ? new Asker(city ? undefined : person, people) : undefined
  }
}

/** A hook that lets only bearers of a token through (RFC 6750), the desk's people only to where `config.desk` says so. */
export function bearer(keys: Keys) {
  const askerOf = askers(keys)
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const given = bearerOf(request)
    const asker = given === undefined ? undefined : await askerOf(given)
    if (!asker) {
      reply.header('www-authenticate', `Bearer realm="satunomor"${given === undefined ? '' : ', error="invalid_token"'}`)
      throw given === undefined
        ? new Refusal(401, 'unauthorized', 'This needs a token.', 'Send your own, or the service\'s, as the header "Authorization: Bearer <token>".')
        : new Refusal(401, 'unauthorized', 'This is no token that holds.', 'An admin makes you a new one: npx satunomor person renew. The service\'s own is in the file that it names when it starts.')
    }
    request.asker = asker
    if (asker.person?.role === 'desk' && !request.routeOptions.config.desk) {
      throw new Refusal(403, 'forbidden', `This is for admins, and ${asker.person.name} is at the desk.`, 'Ask an admin.')
    }
  }
}

/** A hook that lets the programs of this machine read the metrics without a token. What a proxy forwards is not of this machine. */
export function metricsReader({ metricsToken, ...keys }: Keys & { metricsToken?: string }) {
  const admins = bearer(keys)
  const expected = metricsToken === undefined ? undefined : digest(metricsToken)
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const forwarded = request.headers['x-forwarded-for'] !== undefined || request.headers['forwarded'] !== undefined
    if (isLoopback(request.ip) && !forwarded) return
    const given = bearerOf(request)
    if (expected && given !== undefined && timingSafeEqual(digest(given), expected)) return
    await admins(request, reply)
  }
}

const bearerOf = ({ headers }: FastifyRequest) => /^Bearer +([^ ]+) *$/i.exec(headers.authorization ?? '')?.[1]

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
