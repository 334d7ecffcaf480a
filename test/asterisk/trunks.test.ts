/** What Asterisk says of its trunks, and what becomes of it: the states, and one line when a trunk goes and one when it is back. */
import { expect, test } from 'vitest'
import { AmiRefused, type AmiMessage } from '../../src/asterisk/ami-link.ts'
import { AsteriskAway } from '../../src/asterisk/ari-errors.ts'
import { Trunks } from '../../src/asterisk/trunks.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { aLog } from '../records/stories.ts'

const contact = (status: string, roundtripusec = 'N/A'): AmiMessage => ({ event: 'ContactStatusDetail', status, roundtripusec })

function city() {
  const { log, said } = aLog()
  const trunks = new Map([['carrier', { role: 'carrier', address: '127.0.0.2', port: 5060 }], ['gateway', { role: 'agencies', address: '127.0.0.3', port: 5070 }]])
  const asterisk: Record<string, AmiMessage[] | Error> = { carrier: [contact('NonQualified')], gateway: [{ event: 'EndpointDetail' }, contact('NonQualified')] }
  const ami = {
    up: true,
    list: async (action: string, { Endpoint }: { Endpoint?: unknown } = {}) => {
      const answer = action === 'PJSIPShowEndpoint' ? asterisk[String(Endpoint)] : undefined
      if (!Array.isArray(answer)) throw answer ?? new Error(action)
      return answer
    }
  }
  const seen = new Trunks({ ami, plan: () => ({ trunks }) as unknown as Plan, log })
  return { trunks, asterisk, ami, seen, lines: () => said.map(({ msg, trunk, address, downForSeconds }) => [msg, trunk, address, downForSeconds]), gateway: () => seen.states.find(({ name }) => name === 'gateway') }
}

test('a trunk that is not asked, or not yet, is neither up nor down', async () => {
  const { seen, lines } = city()
  expect(seen.states).toEqual([
    { name: 'carrier', role: 'carrier', address: '127.0.0.2:5060', up: null, since: null, delay: null },
    { name: 'gateway', role: 'agencies', address: '127.0.0.3:5070', up: null, since: null, delay: null }
  ])
  await seen.look(1_000)
  expect(seen.states.map(({ up }) => up)).toEqual([null, null])
  expect(lines()).toEqual([])
})

test('one line when it goes and one when it is back, however often it is looked at', async () => {
  const { asterisk, seen, lines, gateway } = city()
  asterisk['gateway'] = [contact('Reachable', '12345')]
  for (const now of [1_000, 2_000]) await seen.look(now)
  expect(gateway()).toMatchObject({ up: true, since: 1_000, delay: 12.3 })
  asterisk['gateway'] = [contact('Unreachable')]
  for (const now of [3_000, 4_000]) await seen.look(now)
  expect(gateway()).toMatchObject({ up: false, since: 3_000, delay: null })
  asterisk['gateway'] = [contact('Unreachable'), contact('Reachable', '900')]
  for (const now of [63_000, 64_000]) await seen.look(now)
  expect(gateway()).toMatchObject({ up: true, since: 63_000, delay: 0.9 })
  expect(lines()).toEqual([['trunk is down', 'gateway', '127.0.0.3:5070', undefined], ['trunk is up again', 'gateway', '127.0.0.3:5070', 60]])
})

test('a restart of Asterisk says nothing new of a trunk that is down before and after', async () => {
  const { asterisk, ami, seen, lines, gateway } = city()
  asterisk['gateway'] = [contact('Unreachable')]
  await seen.look(1_000)
  ami.up = false
  await seen.look(2_000)
  expect(gateway()).toMatchObject({ up: null, since: null })
  ami.up = true
  asterisk['gateway'] = new AsteriskAway('the link was lost')
  await seen.look(3_000)
  expect(gateway()).toMatchObject({ up: null, since: null })
  asterisk['gateway'] = [contact('NonQualified')]
  await seen.look(4_000)
  asterisk['gateway'] = [contact('Unreachable')]
  await seen.look(5_000)
  expect(gateway()).toMatchObject({ up: false, since: 1_000 })
  expect(lines()).toHaveLength(1)
})

test('a trunk without a contact is down; one that Asterisk does not have is not known', async () => {
  const { asterisk, seen, gateway } = city()
  asterisk['carrier'] = new AmiRefused('PJSIPShowEndpoint: Unable to retrieve endpoint carrier')
  asterisk['gateway'] = [{ event: 'EndpointDetail', aors: 'gateway-aor' }]
  await seen.look(1_000)
  expect(seen.states[0]).toMatchObject({ name: 'carrier', up: null })
  expect(gateway()).toMatchObject({ up: false, since: 1_000 })
})

test('a trunk that moves to another address begins anew, and one that is gone is forgotten', async () => {
  const { asterisk, trunks, seen, lines } = city()
  asterisk['gateway'] = [contact('Unreachable')]
  await seen.look(1_000)
  trunks.set('gateway', { role: 'agencies', address: '127.0.0.4', port: 5060 })
  await seen.look(2_000)
  expect(lines().map(([, , address]) => address)).toEqual(['127.0.0.3:5070', '127.0.0.4:5060'])
  trunks.delete('gateway')
  await seen.look(3_000)
  expect(seen.states.map(({ name }) => name)).toEqual(['carrier'])
})
