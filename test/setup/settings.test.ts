/** What the environment says, whole, or every fault at once: how messages get to citizens, and whether a start applies edits. */
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

test.each([[{}, false], [{ SATUNOMOR_APPLY_AT_START: '' }, false], [{ SATUNOMOR_APPLY_AT_START: 'no' }, false], [{ SATUNOMOR_APPLY_AT_START: 'yes' }, true]])('%o: a start applies edits: %s', (env, applies) => {
  expect(readSettings(env as Record<string, string>, '/project').applyAtStart).toBe(applies)
})

test('whether a start applies edits is yes or no', () => {
  expect(() => readSettings({ SATUNOMOR_APPLY_AT_START: 'true' }, '/project')).toThrow('SATUNOMOR_APPLY_AT_START is "true": it may be yes or no')
})
