/** Who is with the caller, and what they left in a mailbox, as the ledger has it. */
import { expect, test } from 'vitest'
import { stepOf } from '../../src/asterisk/cel.ts'

const joins = (channel: string, account: string, channelId = 'leg') =>
  stepOf({ type: 'BRIDGE_ENTER', at: 1, linkedId: 'call', channelId, channelName: channel, account, context: 'x', exten: '', number: '', application: '', userEvent: '', extra: '' }, 'k')?.facts

test('the leg to a line that rings alone', () => {
  expect(joins('PJSIP/gateway-00000001', 'bpbd/bpbd-1')).toEqual({ agency: 'bpbd', line: 'bpbd-1' })
  expect(joins('PJSIP/carrier-00000000', 'bpbd/bpbd-1', 'call')).toBeUndefined()
})

test('of lines that ring together the one whose channel joins the caller, and not who has only picked up', () => {
  expect(joins('Local/together@line-bpbd-1~9455b09c-0000000a;1', 'bpbd/')).toEqual({ agency: 'bpbd', line: 'bpbd-1' })
  expect(joins('Local/together@line-a-1234567-0000000a;1', 'bpbd/')).toEqual({ agency: 'bpbd', line: 'a-1234567' })
  expect(joins('Local/together@line-bpbd-1~9455b09c-0000000a;2', 'bpbd/bpbd-1')).toBeUndefined()
  expect(joins('PJSIP/gateway-00000001', 'bpbd/')).toBeUndefined()
})

test.each([
  ['MAILBOX', 'pesan', 'mailbox', { mailbox: 'pesan', agency: null }], ['MAILBOX', 'pesan posko', 'mailbox', { mailbox: 'pesan', agency: 'posko' }],
  ['LEFT', 'pesan 4020', 'left', { mailbox: 'pesan', ms: 4020 }],
  ['NOT_LEFT', 'pesan SILENCE', 'not-left', { mailbox: 'pesan', why: 'silent' }], ['NOT_LEFT', 'pesan HANGUP', 'not-left', { mailbox: 'pesan', why: 'silent' }],
  ['NOT_LEFT', 'pesan ERROR', 'not-left', { mailbox: 'pesan', why: 'not-recorded' }]
])('%s(%s) is the step %s', (event, extra, kind, facts) => {
  const told = { type: event, at: 1, linkedId: 'call', channelId: 'call', channelName: 'PJSIP/carrier-00000000', account: '', context: 'record', exten: 's', number: '', application: '', userEvent: event, extra: JSON.stringify({ extra }) }
  expect(stepOf(told, 'k')).toMatchObject({ callId: 'call', kind, facts })
})
