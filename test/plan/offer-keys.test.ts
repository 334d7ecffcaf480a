/** By which keys callers take an offer: no menu has them. */
import { expect, test } from 'vitest'
import { formatFault, type PlanFaults } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { townWith } from './town.ts'

const keys = 'offerKeys: { callback: 7, message: 8 }'
const faults = (edits: [string, string][], kept = false) => {
  try {
    return readPlan(townWith(...edits), { file: 'plan.yaml', kept }).faults.map(formatFault)
  } catch (error) {
    return (error as PlanFaults).faults.map(formatFault)
  }
}
const withMailbox: [string, string] = [keys, `${keys}\nmailboxes: { pesan: {} }\nfollowups: { mailbox: pesan }`]
const nobodyRung: [string, string] = [keys, `${keys}\nfollowups: { outbound: { channels: 0 }, policy: { attempts: 0 } }`]

test('they are 7 and 8 where one is left out', () => {
  expect(readPlan(townWith([keys, 'offerKeys: { message: "#" }']), { file: 'plan.yaml' }).plan.offerKeys).toEqual({ callback: '7', message: '#' })
  expect(readPlan(townWith([keys, 'offerKeys: { callback: 5 }']), { file: 'plan.yaml' }).plan.offerKeys).toEqual({ callback: '5', message: '8' })
})

test.each<[string, [string, string][], string]>([
  ['a key of a menu that is the callback\'s', [['      2: lain\n', '      7: lain\n']],
    '16:7 menus.utama.keys.7: is the key by which callers take the offer of a callback (offerKeys)'],
  ['a key of any menu that is the message\'s', [withMailbox, ['"*": utama', '8: utama']],
    '22:22 menus.lain.keys.8: is the key by which callers take the offer of a message (offerKeys)'],
  ['one key for both', [withMailbox, ['message: 8', 'message: 7']], 'offerKeys.message: "7" is the key of a callback, too'],
  ['a plan that makes offers and does not say by which keys', [[keys, '']], 'offerKeys: is missing: callers are offered a callback or a message'],
  ['what is no key', [['message: 8', 'message: 10']], 'offerKeys.message: is "10"']
])('%s is refused', (_, edits, fault) => {
  expect(faults(edits)).toEqual([expect.stringContaining(fault)])
})

test('a key is a menu\'s where the offer is never made', () => {
  expect(faults([['      2: lain\n', '      8: lain\n']])).toEqual([])
  expect(faults([nobodyRung, ['      2: lain\n', '      7: lain\n']])).toEqual([])
  expect(faults([nobodyRung, [keys, '']])).toEqual([])
})

test('a plan that was live before there were such keys goes on with those of its own prompts', () => {
  const { plan } = readPlan(townWith([keys, '']), { file: 'plan.yaml', kept: true })
  expect(plan.offerKeys).toEqual({ callback: '1', message: '2' })
  expect(faults([[keys, '']], true)).toEqual([expect.stringContaining('offerKeys: (warning) is missing')])
})
