/** Who is with the caller, and what they left in a mailbox, as the ledger has it. */
import { expect, test } from 'vitest'
import { stepOf } from '../../src/asterisk/cel.ts'

const joins = (channel: string, account: string, channelId = 'leg', type = 'BRIDGE_ENTER') =>
  stepOf({ type, at: 1, linkedId: 'call', channelId, channelName: channel, account, context: 'x', exten: '', number: '', application: '', userEvent: '', extra: '{"bridge_id":"b","bridge_technology":"simple_bridge"}' }, 'k')?.facts

test('the leg to a line that rings alone', () => {
  expect(joins('PJSIP/gateway-00000001', 'bpbd/bpbd-1')).toEqual({ agency: 'bpbd', line: 'bpbd-1', bridge: 'b' })
  expect(joins('PJSIP/carrier-00000000', 'bpbd/bpbd-1', 'call')).toEqual({ bridge: 'b' })
  expect(joins('PJSIP/carrier-00000000', 'bpbd/bpbd-1', 'call', 'BRIDGE_EXIT')).toEqual({ bridge: 'b' })
  expect(joins('PJSIP/gateway-00000001', 'bpbd/bpbd-1', 'leg', 'BRIDGE_EXIT')).toBeUndefined()
})

test('of lines that ring together the one whose channel joins the caller, and not who has only picked up', () => {
  expect(joins('Local/together@line-bpbd-1~9455b09c-0000000a;1', 'bpbd/')).toEqual({ agency: 'bpbd', line: 'bpbd-1', bridge: 'b' })
  expect(joins('Local/together@line-a-1234567-0000000a;1', 'bpbd/')).toEqual({ agency: 'bpbd', line: 'a-1234567', bridge: 'b' })
  expect(joins('Local/together@line-bpbd-1~9455b09c-0000000a;2', 'bpbd/bpbd-1')).toBeUndefined()
  expect(joins('PJSIP/gateway-00000001', 'bpbd/')).toBeUndefined()
})

test.each([
  ['LINE', 'bpbd bpbd-1 4000', 'line', { agency: 'bpbd', line: 'bpbd-1', spoken: 4000 }], ['LINE', 'bpbd bpbd-1', 'line', { agency: 'bpbd', line: 'bpbd-1' }],
  ...[['TALK 16', 'answered'], ['SHORT 16', 'too-short'], ['ANSWER 16', 'declined'], ['DECLINED 21', 'declined'], ['NOANSWER 18', 'noanswer'], ['CHANUNAVAIL 21', 'unavailable'], ['CHANUNAVAIL 1', 'nonexistent'], ['CHANUNAVAIL 22', 'nonexistent'], ['CHANUNAVAIL 28', 'nonexistent']]
    .map(([status, outcome]): [string, string, string, object] => ['LINE_END', `bpbd bpbd-1 ${status}`, 'line-outcome', { outcome }]),
  ['GOODBYE', '', 'goodbye', {}],
  ['MAILBOX', 'pesan', 'mailbox', { mailbox: 'pesan', agency: null }], ['MAILBOX', 'pesan posko', 'mailbox', { mailbox: 'pesan', agency: 'posko' }],
  ['FALLBACK', 'utama ', 'menu', { node: 'utama' }], ['FALLBACK', 'utama shed', 'menu', { node: 'utama', shed: true }], ['SHED', '', 'shed', {}],
  ['LEFT', 'pesan 4020', 'left', { mailbox: 'pesan', ms: 4020 }],
  ['NOT_LEFT', 'pesan SILENCE', 'not-left', { mailbox: 'pesan', why: 'silent' }], ['NOT_LEFT', 'pesan HANGUP', 'not-left', { mailbox: 'pesan', why: 'silent' }],
  ['NUMBER', '112', 'number', { did: '112' }], ['CALLER', '07215550112', 'caller', { cli: '07215550112' }], ['REPEAT', 'loop', 'repeat', { why: 'loop' }], ['REFUSED', '404', 'refused', { status: 404, trunk: 'carrier' }], ['REFUSED', '503 too-many-calls', 'refused', { status: 503, trunk: 'carrier', why: 'too-many-calls' }],
  ['HEADERS', '<cid:a>||<sip:b@c>;reason=no-answer|', 'headers', { headers: { Geolocation: '<cid:a>', Diversion: '<sip:b@c>;reason=no-answer' } }],
  ['NOT_LEFT', 'pesan ERROR', 'not-left', { mailbox: 'pesan', why: 'not-recorded' }]
])('%s(%s) is the step %s', (event, extra, kind, facts) => {
  const told = { type: event, at: 1, linkedId: 'call', channelId: 'call', channelName: 'PJSIP/carrier-00000000', account: '', context: 'record', exten: 's', number: '', application: '', userEvent: event, extra: JSON.stringify({ extra }) }
  expect(stepOf(told, 'k')).toMatchObject({ callId: 'call', kind, facts })
})
