/** Who may be led to a mailbox, and that the walk and simulate end there. */
import { DateTime } from 'luxon'
import { describe, expect, test } from 'vitest'
import { checkExpectedCalls } from '../../src/plan/expected.ts'
import { parseDuration } from '../../src/plan/duration.ts'
import { formatFault, PlanFaults } from '../../src/plan/faults.ts'
import { deskOf } from '../../src/plan/follow-up-policy.ts'
import { readPlan } from '../../src/plan/read.ts'
import { simulate } from '../../src/plan/simulate.ts'
import { townPrompts, townWith } from './town.ts'

const mailboxes: [string, string] = ['prompts:\n', 'mailboxes:\n  pesan: { agency: posko, longest: 30 s }\nhours:\n  siang: [{ days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00 }]\nprompts:\n']
const key: [string, string] = ['      2: lain\n', '      2: lain\n      3: pesan\n      4: kantor\n']
const kantor = (more: string): [string, string] => ['agencies:\n', `agencies:\n  kantor:\n    name: Kantor\n    connecting: sambung\n${more}    lines: [{ id: kantor-1, trunk: gateway, number: kantor-1 }]\n`]
const office = kantor('    hours: siang\n    closed: pesan\n')
const read = (...edits: [string, string][]) => readPlan(townWith(...edits), { file: 'plan.yaml' })
const refused = (...edits: [string, string][]) => {
  try {
    return read(mailboxes, ...edits).faults.map(formatFault)
  } catch (error) {
    return (error as PlanFaults).faults.map(formatFault)
  }
}
const allowed = 'a mailbox is no human: a key may lead there, and `closed` of an agency that has hours and that no silence leads to'

test('a key leads to one, and an office that is closed', () => {
  const { plan, faults } = read(mailboxes, key, office)
  expect(faults).toEqual([])
  expect(plan.nodes.get('pesan')).toEqual({ kind: 'mailbox', id: 'pesan', agency: 'posko', prompt: 'tinggalkan-pesan', longest: 30_000 })
  expect(deskOf(plan)).toBe('posko')
  const at = (time: string) => DateTime.fromISO(time, { zone: plan.timezone }).toMillis()
  const [noon, night] = [at('2027-03-15T12:00'), at('2027-03-15T23:00')] as const
  expect(simulate(plan, { number: '112', at: noon, press: ['3'] })).toMatchObject({ mailbox: 'pesan', language: 'id' })
  expect(simulate(plan, { number: '112', at: noon, press: ['3'] }).steps.slice(-2)).toEqual([{ kind: 'mailbox', mailbox: 'pesan' }, { kind: 'hears', prompt: 'tinggalkan-pesan', language: 'id' }])
  expect(simulate(plan, { number: '112', at: noon, press: ['4'] })).toMatchObject({ reaches: { agency: 'kantor' } })
  expect(simulate(plan, { number: '112', at: night, press: ['4'] })).toMatchObject({ mailbox: 'pesan' })
  const calls = (reaches: string) => checkExpectedCalls(`calls: [{ name: At night, number: 112, at: 2027-03-15 23:00, press: [4], reaches: ${reaches} }]`, 'calls.yaml', plan)
  expect(calls('pesan')).toEqual([])
  expect(calls('posko').map(({ sentence }) => sentence)).toEqual(['gets to pesan, not to posko (utama, key 4, kantor closed, pesan)'])
})

describe('refused is', () => {
  test.each<[string, [string, string][], string]>([
    ['silence', [['silence: posko', 'silence: pesan']], 'menus.utama.silence: leads to the mailbox "pesan"'],
    ['silence by an office', [office, ['silence: posko', 'silence: kantor']], 'menus.utama.silence: may end at a mailbox (kantor → pesan)'],
    ['the beginning of a call', [['{ entry: bpbd }', '{ entry: pesan }']], 'numbers.+62721555.entry: leads to the mailbox "pesan"'],
    ['siaga', [['menus:\n', 'siaga: { entry: pesan }\nmenus:\n']], 'siaga.entry: leads to the mailbox "pesan"'],
    ['an agency that is open at all times, once it is closed by hand', [kantor('    closed: pesan\n')], 'agencies.kantor.closed: leads to the mailbox "pesan"'],
    ['overflow by an office', [office, ['    name: BPBD\n', '    name: BPBD\n    overflow: { busy: kantor }\n']], 'agencies.bpbd.overflow.busy: may end at a mailbox (kantor → pesan)']
  ])('a mailbox as the end of %s', (_, edits, fault) => {
    expect(refused(key, ...edits).filter(one => !one.includes('leads to "kantor"'))).toEqual([expect.stringContaining(`${fault} — ${allowed}`)])
  })

  test.each<[string, [string, string][], string]>([
    ['an agency that is not there', [['agency: posko', 'agency: poskoo']], 'mailboxes.pesan.agency: "poskoo" is no agency — did you mean "posko"?'],
    ['the name of another node', [['  pesan:', '  lain: {}\n  pesan:']], 'mailboxes.lain: is the name of a menu too'],
    ['a mailbox of the follow-ups that is none', [['prompts:\n', 'followups: { mailbox: pesn }\nprompts:\n']], 'followups.mailbox: "pesn" is no mailbox — did you mean "pesan"?'],
    ['an endless message', [['30 s }', '30 min }']], 'mailboxes.pesan.longest: is 30 min; it must be between 10 s and 10 min']
  ])('%s', (_, edits, fault) => {
    const faults = refused(key, office, ...edits)
    expect(faults).toEqual([expect.stringContaining(fault)])
  })

  test('one without its prompts, in any language', () => {
    const prompts = new Map([...townPrompts].map(([language, texts]) => [language, language === 'id' ? new Map([...texts, ...['tinggalkan-pesan', 'pesan-diterima', 'pesan-tidak-ada', 'tawaran-pesan'].map(name => [name, true] as const)]) : texts]))
    const look = (more: string) => {
      try {
        readPlan(townWith(mailboxes, ['      2: lain\n', '      2: lain\n      3: pesan\n'], ['hours:\n  siang: [{ days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00 }]\n', more]), { file: 'plan.yaml', prompts })
        return []
      } catch (error) {
        return (error as PlanFaults).faults.map(({ sentence }) => /"(.*)"/.exec(sentence)![1])
      }
    }
    expect(look('').sort()).toEqual(['pesan-diterima', 'pesan-tidak-ada', 'tinggalkan-pesan'])
    expect(look('followups: { mailbox: pesan }\n').sort()).toEqual(['pesan-diterima', 'pesan-tidak-ada', 'tawaran-pesan', 'tinggalkan-pesan'])
  })
})

test('one that nothing leads to is warned of; the offer leads to it, too', () => {
  expect(refused().filter(fault => fault.includes('pesan'))).toEqual([expect.stringContaining('mailboxes.pesan: (warning) is reached by no number and no key')])
  expect(refused(['prompts:\n', 'followups: { mailbox: pesan }\nprompts:\n']).filter(fault => fault.includes('pesan'))).toEqual([])
})

test('things are kept for days: 90 and 365, or what the plan says', () => {
  const day = 86_400_000
  expect(read().plan.retention).toEqual({ recordings: 90 * day, messages: 365 * day })
  expect(read(['prompts:\n', 'retention: { recordings: 1 day }\nprompts:\n']).plan.retention).toEqual({ recordings: day, messages: 365 * day })
  expect(refused(key, office, ['prompts:\n', 'retention: { messages: 12 min }\nprompts:\n'])).toEqual([expect.stringContaining('retention.messages: is 12 min; it must be between 1 day and 3650 days')])
  expect([parseDuration('2 days'), parseDuration('1 day'), parseDuration('2 dayss')]).toEqual([2 * day, day, undefined])
})
