/** What the environment says, whole, or every fault at once: how messages get to citizens, and whether a start applies edits. */
import { expect, test } from 'vitest'
import { newSecret } from '../../src/delivery/signed.ts'
import { openToNetwork, readSettings } from '../../src/settings.ts'

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

test('host names, proxies and the token of the metrics are read', () => {
  const env = { SATUNOMOR_HTTP_HOSTS: '112.example.go.id, 203.0.113.7', SATUNOMOR_HTTP_TRUST_PROXY: '127.0.0.1,10.0.0.0/24 fd00::/8', SATUNOMOR_METRICS_TOKEN: 'm'.repeat(32) }
  expect(readSettings(env, '/project').edge).toEqual({ names: ['112.example.go.id', '203.0.113.7'], proxies: ['127.0.0.1', '10.0.0.0/24', 'fd00::/8'], metricsToken: 'm'.repeat(32) })
  expect(readSettings({}, '/project').edge).toEqual({ names: [], proxies: [], metricsToken: undefined })
})

test.each([
  ['SATUNOMOR_HTTP_HOSTS', 'https://112.example.go.id'], ['SATUNOMOR_HTTP_HOSTS', '112.example.go.id:443'], ['SATUNOMOR_HTTP_HOSTS', '*'], ['SATUNOMOR_HTTP_HOSTS', '-a'],
  ['SATUNOMOR_HTTP_TRUST_PROXY', 'true'], ['SATUNOMOR_HTTP_TRUST_PROXY', '0.0.0.0/0'], ['SATUNOMOR_HTTP_TRUST_PROXY', '10.0.0.0/33'], ['SATUNOMOR_HTTP_TRUST_PROXY', '10.0.0.0/8/8'], ['SATUNOMOR_HTTP_TRUST_PROXY', '::1/129'], ['SATUNOMOR_HTTP_TRUST_PROXY', 'nginx']
])('%s=%s is a fault that names it', (name, value) => {
  expect(() => readSettings({ [name]: `127.0.0.1,${value}` }, '/project')).toThrow(`${name} has "${value}": `)
})

test('a token of the metrics that is short, or the same as the city\'s, is a fault', () => {
  expect(() => readSettings({ SATUNOMOR_METRICS_TOKEN: 'short' }, '/project')).toThrow('SATUNOMOR_METRICS_TOKEN is shorter')
  expect(() => readSettings({ SATUNOMOR_METRICS_TOKEN: 'x'.repeat(32), SATUNOMOR_TOKEN: 'x'.repeat(32) }, '/project')).toThrow('SATUNOMOR_METRICS_TOKEN is the same')
})

test.each([
  [{}, false], [{ SATUNOMOR_HTTP_ADDRESS: '127.0.0.5' }, false], [{ SATUNOMOR_HTTP_ADDRESS: '::1' }, false], [{ SATUNOMOR_HTTP_ADDRESS: '0.0.0.0' }, true], [{ SATUNOMOR_HTTP_ADDRESS: '::' }, true],
  [{ SATUNOMOR_HTTP_ADDRESS: '10.0.0.5' }, true], [{ SATUNOMOR_HTTP_ADDRESS: '10.0.0.5', SATUNOMOR_HTTP_TRUST_PROXY: '10.0.0.6' }, false]
])('%o: the operator is warned of an API without TLS: %s', (env, warned) => {
  expect(openToNetwork(readSettings(env as Record<string, string>, '/project')).length === 1).toBe(warned)
})
