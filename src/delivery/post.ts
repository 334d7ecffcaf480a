/** One signed request to somebody else's server: no redirect is followed, every wait and size has an end. */
import { lookup as resolve } from 'node:dns'
import { request as plain } from 'node:http'
import { request as tls } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { addressRefusal, urlRefusal } from '../plan/webhook-url.ts'
import { seconds } from '../plan/duration.ts'
import { sign } from './signed.ts'

export interface Post {
  url: string
  secrets: readonly string[]
  /** The receiver takes an id once. */
  id: string
  /** JSON. */
  body: string
  /** Gives it up; then nobody knows whether it was taken. */
  signal: AbortSignal
}

/** How long the whole of it may take, and how much of an answer is read, bytes. */
const patience = seconds(10)
const enough = 16 * 1024

/**
 * Resolves with what came back, whatever the status; `text` is '' where it was longer than anything that we would read.
 * Rejects where no answer came: the receiver may have taken it, or not. Errors name the host at most, never what was sent.
 */
export async function post({ url, secrets, id, body, signal }: Post): Promise<{ status: number, text: string }> {
  const refusal = urlRefusal(url)
  if (refusal) throw new Error(`the address ${refusal}`)
  const { promise, resolve: answer, reject } = Promise.withResolvers<{ status: number, text: string }>()
  const sent = (url.startsWith('https:') ? tls : plain)(url, {
    method: 'POST', agent: false, lookup: lookupFor(url), maxHeaderSize: enough, signal,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'user-agent': 'satunomor', ...sign(secrets, id, body, Date.now()) }
  }, response => {
    let text = ''
    const done = (text: string) => {
      answer({ status: response.statusCode!, text })
      sent.destroy()
    }
    response.setEncoding('utf8')
    response.on('data', (piece: string) => {
      text += piece
      if (text.length > enough) done('')
    })
    response.on('end', () => done(text))
    response.on('error', reject)
  })
  const timer = setTimeout(() => sent.destroy(new Error(`no answer in ${patience / 1000} s`)), patience)
  sent.on('error', error => reject(new Error(plainly(error))))
  sent.on('close', () => {
    clearTimeout(timer)
    reject(new Error('the connection was closed without an answer'))         // after an answer it changes nothing
  })
  sent.end(body)
  return promise
}

/** Looks a name up at the moment of connecting, so that what was checked is what is connected to. */
function lookupFor(url: string): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const refusal = addresses.map(({ address }) => addressRefusal(url, address)).find(Boolean)
      if (refusal || addresses.length === 0) return callback(new Error(refusal ?? 'the name has no address'), '', 0)
      if (options.all) callback(null, addresses)
      else callback(null, addresses[0]!.address, isIP(addresses[0]!.address))
    })
  }
}

const plainly = (error: Error & { code?: string, errors?: Error[] }) => error.message || error.errors?.[0]?.message || error.code || 'it cannot be reached'
