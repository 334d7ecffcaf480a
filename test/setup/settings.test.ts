/** How messages get to citizens, as the environment says: one way, whole, or every fault at once. */
import { expect, test } from 'vitest'
import { newSecret } from '../../src/delivery/signed.ts'
import { readSettings } from '../../src/settings.ts'

const secret = newSecret()
const url = 'https://gateway.example.go.id/kirim'
const of = (env: Record<string, string>) => readSettings(env, '/project').messages

test.each([
  [{}, { by: 'record' }], [{ SATUNOMOR_MESSAGES: 'sip' }, { by: 'sip' }], [{ SATUNOMOR_MESSAGES: 'record' }, { by: 'record' }],
  [{ SATUNOMOR_MESSAGES_URL: url, SATUNOMOR_MESSAGES_SECRET: secret }, { by: 'webhook', url, secret }],
  [{ SATUNOMOR_MESSAGES: 'webhook', SATUNOMOR_MESSAGES_URL: 'http://127.0.0.1:9000/', SATUNOMOR_MESSAGES_SECRET: secret }, { by: 'webhook', url: 'http://127.0.0.1:9000/', secret }]
])('%o', (env, messages) => { expect(of(env as Record<string, string>)).toEqual(messages) })

test.each([
  [{ SATUNOMOR_MESSAGES: 'pigeon' }, 'SATUNOMOR_MESSAGES is "pigeon"'], [{ SATUNOMOR_MESSAGES: 'webhook' }, 'SATUNOMOR_MESSAGES_URL is missing'],
  [{ SATUNOMOR_MESSAGES_URL: 'http://gateway.example.go.id/', SATUNOMOR_MESSAGES_SECRET: secret }, 'is neither https'],
  [{ SATUNOMOR_MESSAGES_URL: url, SATUNOMOR_MESSAGES_SECRET: 'short' }, 'SATUNOMOR_MESSAGES_SECRET is no secret'],
  [{ SATUNOMOR_MESSAGES: 'sip', SATUNOMOR_MESSAGES_URL: url }, 'messages go one way']
])('%o: %s', (env, fault) => { expect(() => of(env as Record<string, string>)).toThrow(fault) })
