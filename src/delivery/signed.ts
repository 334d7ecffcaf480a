/**
 * Signatures of what goes out and comes in over HTTP, by Standard Webhooks (standardwebhooks.com): three headers, and an
 * HMAC-SHA256 over `id.timestamp.body`. Whoever has the secret can tell who sent it, that it is whole, and that it is new.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export interface SignedHeaders {
  /** The same for each try: the receiver takes an id once. */
  'webhook-id': string
  /** Unix time of this try, s. */
  'webhook-timestamp': string
  /** `v1,<base64>`; several, with a space between, while a secret is being changed. */
  'webhook-signature': string
}

/** How far the clocks of both sides may be apart, s. */
const tolerance = 5 * 60

/** `whsec_` and the base64 of 32 random bytes. */
export const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`

/** `whsec_` and the base64 of 24 to 64 bytes. */
export function isSecret(text: string): boolean {
  const { length } = keyOf(text)
  return /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text) && length >= 24 && length <= 64
}

/** @param secrets the one that holds, and the one before while receivers may still have it; @param at Unix ms */
export function sign(secrets: readonly string[], id: string, body: string, at: number): SignedHeaders {
  const timestamp = String(Math.floor(at / 1000))
  return {
    'webhook-id': id, 'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map(secret => `v1,${mac(secret, id, timestamp, body).toString('base64')}`).join(' ')
  }
}

/** Why this is not taken, in words for the log; undefined where it is whole, signed with one of the secrets, and of now. */
export function refusalOf(secrets: readonly string[], headers: Readonly<Record<string, string | string[] | undefined>>, body: string, now: number): string | undefined {
  const [id, timestamp, signature] = (['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const).map(name => headers[name])
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') return 'a header of the signature is missing'
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now / 1000 - Number(timestamp)) > tolerance) return 'its time is not now'
  const given = signature.split(' ').filter(one => one.startsWith('v1,')).map(one => Buffer.from(one.slice(3), 'base64'))
  const known = secrets.map(secret => mac(secret, id, timestamp, body))
  return known.some(ours => given.some(theirs => theirs.length === ours.length && timingSafeEqual(theirs, ours))) ? undefined : 'the signature is wrong'
}

const keyOf = (secret: string) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
const mac = (secret: string, id: string, timestamp: string, body: string) => createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest()
