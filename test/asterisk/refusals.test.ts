/** Refusals are counted by reason for ever, by address for an hour, and never with more memory than is set aside. */
import { expect, test } from 'vitest'
import { Refusals } from '../../src/asterisk/refusals.ts'

const minute = 60_000
const begin = Date.UTC(2026, 0, 1)
const challenged = (address: string) => ({ event: 'ChallengeSent', service: 'PJSIP', remoteaddress: `IPV4/UDP/${address}/5060` })
const guessed = (address: string) => ({ event: 'ChallengeResponseFailed', service: 'PJSIP', remoteaddress: `IPV4/UDP/${address}/5071` })

test('by address: how often, why, when first and last; whoever was refused most comes first', () => {
  const refusals = new Refusals()
  refusals.note(challenged('127.0.0.9'), begin)
  for (let i = 1; i <= 3; i++) refusals.note(guessed('127.0.0.8'), begin + i * minute)
  refusals.note(challenged('127.0.0.8'), begin + 4 * minute)
  expect(refusals.lastHour(10, begin + 5 * minute)).toEqual({
    since: begin - 55 * minute, count: 5, elsewhere: 0,
    sources: [
      { address: '127.0.0.8', count: 4, why: { 'wrong-password': 3, 'unknown-address': 1 }, first: begin + minute, last: begin + 4 * minute },
      { address: '127.0.0.9', count: 1, why: { 'unknown-address': 1 }, first: begin, last: begin }
    ]
  })
  expect(refusals.lastHour(1, begin + 5 * minute).sources).toHaveLength(1)
  expect(refusals.lastHour(10, begin + 5 * minute).count).toBe(5)          // asking changes nothing
})

test('after an hour an address is forgotten, the count by reason is not', () => {
  const refusals = new Refusals()
  refusals.note(challenged('127.0.0.9'), begin)
  for (let i = 1; i <= 200; i++) refusals.note(guessed('127.0.0.8'), begin + i * minute)
  const { sources } = refusals.lastHour(10, begin + 200 * minute)
  expect(sources).toMatchObject([{ address: '127.0.0.8', count: 61 }])
  expect(refusals.counts).toMatchObject({ 'unknown-address': 1, 'wrong-password': 200 })
})

test('more addresses than are kept of a minute are counted all the same', () => {
  const refusals = new Refusals()
  for (let i = 0; i < 5_000; i++) refusals.note(challenged(`127.1.${i >> 8}.${i & 255}`), begin)
  expect(refusals.lastHour(10_000, begin)).toMatchObject({ count: 5_000, elsewhere: 4_000, sources: { length: 1_000 } })
  expect(refusals.counts['unknown-address']).toBe(5_000)
})

test('each event has its reason; what tells of no refusal has none', () => {
  const counted = (event: string, service: string) => {
    const refusals = new Refusals()
    refusals.note({ event, service }, begin)
    return Object.entries(refusals.counts).filter(([, count]) => count > 0).map(([why]) => why)
  }
  expect(counted('FailedACL', 'AMI')).toEqual(['acl'])
  for (const event of ['InvalidAccountID', 'InvalidPassword', 'ChallengeResponseFailed']) expect(counted(event, 'AMI')).toEqual(['login'])
  expect(counted('RequestNotAllowed', 'PJSIP')).toEqual(['other'])
  for (const [event, service] of [['InvalidAccountID', 'PJSIP'], ['SuccessfulAuth', 'AMI'], ['FullyBooted', ''], ['ContactStatus', 'PJSIP']] as const) expect(counted(event, service)).toEqual([])
})
