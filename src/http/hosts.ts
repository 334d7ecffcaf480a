/**
 * Under which names the service answers. A page of somebody else can have a browser ask us under a name of its own (DNS rebinding): such a
 * request has that name in `Host`. It cannot have an address there that is ours.
 */
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { Refusal } from './faults.ts'
import { isLoopback } from './loopback.ts'

/** Whether a server that is bound to this address listens on every address of the machine. */
export const isAny = (address: string) => address === '0.0.0.0' || address === '::'

/** `Name.Example.:8080` → `name.example`, `[::1]:8080` → `::1`; undefined where it is no host. */
export function hostOf(header: string): string | undefined {
  const [, ipv6, name] = /^(?:\[([\da-f:.]+)\]|([^:[\]\s/\\@]+?)\.?)(?::\d{0,5})?$/i.exec(header) ?? []
  return (ipv6 ?? name)?.toLowerCase()
}

/** A hook that answers only to the loopback's names, the address that the server is bound to, and these names. */
export function refuseOtherHosts({ bound, names = [] }: { bound: string, names?: readonly string[] }) {
  const known = new Set(['localhost', bound, ...names].map(name => name.toLowerCase()))
  const ours = (host: string) => known.has(host) || isLoopback(host) || (isAny(bound) && isIP(host) !== 0)
  return async ({ headers, raw }: FastifyRequest) => {
    if (headers.host === undefined && raw.httpVersion === '1.0') return          // no browser
    const host = hostOf(headers.host ?? '')
    if (host !== undefined && ours(host)) return
    throw new Refusal(421, 'wrong-host', 'The service does not answer under the host name of this request.', 'Use the address of the service, or add the name to SATUNOMOR_HTTP_HOSTS.')
  }
}
