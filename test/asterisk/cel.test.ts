/** Who is with the caller, as the ledger has it. */
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
