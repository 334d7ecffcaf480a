/**
 * ari-client 2.2.0 with `AriHttp` under it. It asks in two ways, both of which are taken from it before it is loaded:
 * by `request` (whose first request has no limit, and which alone takes 30 MB of memory), and by swagger-client's
 * `SwaggerHttp`, which loses network errors and statuses, and dies of a bad answer.
 */
import { createRequire } from 'node:module'
import type * as AriClient from 'ari-client'
import { seconds } from '../plan/duration.ts'
import { AriHttp } from './ari-http.ts'

interface Asking {
  url: string
  method: string
  headers: Record<string, string>
  on: { response(answer: { status: number, data: string }): void, error(why: unknown): void }
}

const require = createRequire(import.meta.url)
const theirs = createRequire(require.resolve('ari-client'))
const pages = new AriHttp()

// Whether Asterisk answers is found out before ari-client is let at it (`AriLink`).
require.cache[theirs.resolve('request')] = { loaded: true, exports: (_url: string, done: () => void) => { done() } } as NodeJS.Module

const { SwaggerHttp } = theirs('swagger-client') as { SwaggerHttp: { prototype: { execute(asking: Asking): void } } }
SwaggerHttp.prototype.execute = asking => { void page(asking) }

// swagger-client's own log: a notice at each connect that Asterisk's API is described in an old Swagger, kept for ever.
Object.assign(globalThis, { log: () => {} })

async function page({ url, method, headers, on }: Asking) {
  try {
    on.response({ status: 200, data: await pages.ask({ method, url, headers, patience: seconds(5) }) })
  } catch (error) {
    try {
      on.error(error)
    } catch { /* swagger-client throws once more what it has just been told */ }
  }
}

export const ariClient = require('ari-client') as typeof AriClient
