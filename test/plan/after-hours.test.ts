/** An agency that is closed and offers a callback: who may make that offer, to whom, for when, and how it is simulated. */
import { DateTime } from 'luxon'
import { describe, expect, test } from 'vitest'
import { nextOpening } from '../../src/plan/calendar.ts'
import { checkExpectedCalls } from '../../src/plan/expected.ts'
import { formatFault, PlanFaults } from '../../src/plan/faults.ts'
import type { AgencyNode } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { simulate, type Supposition } from '../../src/plan/simulate.ts'
import { noSwitches, type Switches } from '../../src/plan/switches.ts'
import { townPrompts, townWith } from './town.ts'

const office = `agencies:
  kantor:
    name: Kantor
    connecting: sambung
    hours: siang
    holidays: libur
    closed: { offer: callback, to: posko }
    lines: [{ id: kantor-1, trunk: gateway, number: kantor-1 }]
`
const rest = `hours:
  siang: [{ days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00 }]
holidays: { libur: [libur] }
exceptions:
  - { date: 2027-03-20, agencies: [kantor], is: open, from: 09:00, to: 11:00, reason: Bakti sosial }
prompts:
`
const holidays = new Map([['libur', { file: 'libur.yaml', text: 'name: Libur\nfrom: 2027-01-01\nuntil: 2027-12-31\ndays:\n  - { date: 2027-03-16, name: Libur, basis: fixed }\n' }]])
const prompts = new Map([...townPrompts].map(([language, texts]) => [language, new Map([...texts, ...['tutup', 'tawaran-saat-buka', 'telepon-saat-buka', 'tawaran-pesan', 'tinggalkan-pesan', 'pesan-diterima', 'pesan-tidak-ada'].map(name => [name, true] as const)])]))

type Edit = [from: string, to: string]
const whole: Edit[] = [['agencies:\n', office], ['prompts:\n', rest], ['      2: lain\n', '      2: lain\n      3: kantor\n']]
const read = (edits: Edit[] = [], known: typeof prompts = prompts) =>
  readPlan(townWith(...whole, ...edits), { file: 'plan.yaml', prompts: known, holidays, now: DateTime.fromISO('2027-01-10').toMillis() })
const told = (edits: Edit[] = [], known = prompts) => {
  try {
    return read(edits, known).faults.map(formatFault)
  } catch (error) {
    return (error as PlanFaults).faults.map(formatFault)
  }
}
const { plan } = read()
const at = (time: string) => DateTime.fromISO(time, { zone: plan.timezone }).toMillis()
const kantor = plan.nodes.get('kantor') as AgencyNode
const mailbox: Edit = ['prompts:\n', 'mailboxes: { pesan: {} }\nfollowups: { mailbox: pesan }\nprompts:\n']

test('an office offers it, and the plan is whole', () => {
  expect(read().faults).toEqual([])
  expect(kantor).toMatchObject({ closed: 'posko', closedOffer: 'callback' })
})

describe('refused, or warned of, is', () => {
  test.each<[string, Edit[], ...string[]]>([
    ['an offer of something else', [['offer: callback', 'offer: music']], '32:15 agencies.kantor.closed.offer: is "music"; it must be callback'],
    ['nowhere to go for those to whom none is made', [[', to: posko }', ' }']], '32:5 agencies.kantor.closed.to: is missing — it must be a text'],
    ['a way on that is none', [['to: posko }', 'to: poskoo }']], '32:32 agencies.kantor.closed.to: leads to "poskoo", which is no menu or agency — did you mean "posko"?'],
    ['a circle, for those to whom none is made', [['to: posko }', 'to: utama }'], ['silence: posko', 'silence: kantor']],
      '18:5 menus.utama.silence: may never end at a human (utama → kantor → utama) — one of these agencies must be open at all times',
      '18:5 menus.utama.silence: may end at the offer of a callback (kantor) — an offer is no human: only a key may lead to an agency that makes one'],
    ['silence', [['silence: posko', 'silence: kantor']], '18:5 menus.utama.silence: may end at the offer of a callback (kantor) — an offer is no human: only a key may lead to an agency that makes one'],
    ['the beginning of a call', [['{ entry: bpbd }', '{ entry: kantor }']], '9:18 numbers.+62721555.entry: may end at the offer of a callback (kantor) — an offer is no human: only a key may lead to an agency that makes one'],
    ['overflow', [['    name: BPBD\n', '    name: BPBD\n    overflow: { busy: kantor }\n']], '36:17 agencies.bpbd.overflow.busy: may end at the offer of a callback (kantor) — an offer is no human: only a key may lead to an agency that makes one'],
    ['an emergency service that passes on to it, once it is closed by hand', [['    name: BPBD\n', '    name: BPBD\n    closed: kantor\n']],
      '9:18 numbers.+62721555.entry: may end at the offer of a callback (bpbd → kantor) — an offer is no human: only a key may lead to an agency that makes one',
      '36:5 agencies.bpbd.closed: may end at the offer of a callback (kantor) — an offer is no human: only a key may lead to an agency that makes one'],
    ['an emergency service that makes it', [['    name: BPBD\n', '    name: BPBD\n    closed: { offer: callback, to: posko }\n']],
      '9:18 numbers.+62721555.entry: may end at the offer of a callback (bpbd) — an offer is no human: only a key may lead to an agency that makes one',
      '36:15 agencies.bpbd.closed.offer: is of an agency that is open at all times — only one that has `hours` offers callbacks; for all others write the node alone, one that ends at a human'],
    ['one that is never made, as nobody is rung', [['prompts:\n', 'followups: { outbound: { channels: 0 }, policy: { attempts: 0 } }\nprompts:\n']],
      '32:15 agencies.kantor.closed.offer: (warning) is never made: `followups.outbound.channels` is 0 — all of its callers go to the node `to`'],
    ['one that is never made, by the policy', [['prompts:\n', 'followups: { agencies: { kantor: { kinds: { asked: { attempts: 0 } } } } }\nprompts:\n']],
      '32:15 agencies.kantor.closed.offer: (warning) is never made: its policy makes no attempts — all of its callers go to the node `to`']
  ])('%s', (_, edits, ...faults) => {
    expect(told(edits)).toEqual(faults.map(fault => `plan.yaml:${fault}`))
  })

  test('an offer without its words, and a plan without an offer needs none', () => {
    expect(told([], townPrompts as typeof prompts).filter(fault => fault.includes('has no text')).map(fault => /prompts\.\w+/.exec(fault)![0])).toEqual(['prompts.closed', 'prompts.offerOpening', 'prompts.promisedOpening'])
    expect(told([['{ offer: callback, to: posko }', 'posko']], townPrompts as typeof prompts)).toEqual([])
  })

  test('no mailbox as the way on of an office', () => {
    expect(told([mailbox, ['to: posko }', 'to: pesan }']])).toEqual([])
  })
})

describe('the next opening', () => {
  const shut = (until: string): Switches => ({ closed: new Map([['kantor', { until: at(until), reason: 'Banjir' }]]) })
  test.each<[string, string, string, Switches?]>([
    ['while it is open is now', '2027-03-15T12:00', '2027-03-15T12:00'],
    ['of a morning is that morning', '2027-03-15T03:00', '2027-03-15T08:00'],
    ['before a holiday is after it', '2027-03-15T16:00', '2027-03-17T08:00'],
    ['of a weekend with an exception is the exception', '2027-03-19T18:00', '2027-03-20T09:00'],
    ['of a weekend is Monday', '2027-03-20T11:00', '2027-03-22T08:00'],
    ['of one that is closed by hand is when that ends', '2027-03-15T12:00', '2027-03-15T14:00', shut('2027-03-15T14:00')],
    ['of one that is closed by hand until the night is the day after', '2027-03-17T12:00', '2027-03-18T08:00', shut('2027-03-17T22:00')],
    ['of one that is closed by hand for long is after that', '2027-03-15T12:00', '2027-05-03T10:00', shut('2027-05-03T10:00')]
  ])('%s', (_, from, opens, switches = noSwitches) => {
    expect(nextOpening(plan, kantor, at(from), switches)).toBe(at(opens))
  })
  test('is not known where there is none for months', () => {
    expect(nextOpening(plan, kantor, at('2027-03-15T12:00'), shut('2027-12-01T08:00'))).toBeUndefined()
  })
})

describe('a call', () => {
  const night = { number: '112', at: at('2027-03-15T23:00') }
  const call = (more: Partial<Supposition>, edits: Edit[] = []) => simulate(read(edits).plan, { ...night, ...more })
  const heard = ({ steps }: ReturnType<typeof simulate>) => steps.flatMap(step => step.kind === 'hears' ? [step.prompt] : []).slice(2)

  test('takes it by key 7', () => {
    const way = call({ press: ['3', '7'] })
    expect(way).toMatchObject({ callback: 'kantor', language: 'id' })
    expect(way.steps.find(({ kind }) => kind === 'offer')).toMatchObject({ agency: 'kantor', opening: { open: false, because: 'hours' }, opens: at('2027-03-17T08:00') })
    expect(heard(way)).toEqual(['tutup', 'tawaran-saat-buka', 'telepon-saat-buka'])
  })
  test('that is silent there, or presses another key, gets to nobody', () => {
    for (const press of [['3'], ['3', '8'], ['3', '9', '3'], ['3', '9', '3', '1', '7']]) {
      const way = call({ press })
      const offers = Math.min(press.length, 3)
      expect(heard(way)).toEqual([...Array.from({ length: offers }, () => ['tutup', 'tawaran-saat-buka']).flat(), 'tutup'])
      expect(way).not.toHaveProperty('callback')
    }
  })
  test('is led to the mailbox by key 8, where there is one', () => {
    const way = call({ press: ['3', '8'] }, [mailbox])
    expect(way.mailbox).toBe('pesan')
    expect(heard(way)).toEqual(['tutup', 'tawaran-saat-buka', 'tawaran-pesan', 'tinggalkan-pesan'])
  })
  test.each<[string, Partial<Supposition>, Edit[]]>([
    ['of who cannot be rung', { withheld: true }, []],
    ['where nobody is rung', {}, [['prompts:\n', 'followups: { outbound: { channels: 0 }, policy: { attempts: 0 } }\nprompts:\n']]],
    ['where the policy makes no attempts', {}, [['prompts:\n', 'followups: { agencies: { kantor: { attempts: 0 } } }\nprompts:\n']]],
    ['to one that does not open for months', { switches: { closed: new Map([['kantor', { until: at('2027-12-01T08:00'), reason: 'Renovasi' }]]) } }, []]
  ])('%s goes on', (_, more, edits) => {
    expect(call({ press: ['3', '7'], ...more }, edits)).toMatchObject({ reaches: { agency: 'posko' } })
  })
  test('of the day is picked up', () => {
    expect(call({ at: at('2027-03-15T12:00'), press: ['3'] })).toMatchObject({ reaches: { agency: 'kantor' } })
  })
  test('is expected to be promised a callback, and told where that is not so', () => {
    const faults = (more: string) => checkExpectedCalls(`calls: [{ name: x, number: 112, at: 2027-03-15 23:00, ${more} }]`, 'calls.yaml', plan).map(({ sentence, suggestion }) => `${sentence} — ${suggestion}`)
    expect(faults('press: [3, 7], reaches: callback')).toEqual([])
    expect(faults('press: [3], reaches: nobody')).toEqual([])
    expect(faults('press: [3], caller: withheld, reaches: posko')).toEqual([])
    expect(faults('press: [3, 7], closed: [kantor], reaches: callback')).toEqual([])
    expect(faults('press: [3, 7], caller: withheld, reaches: callback')).toEqual([
      'gets to posko, not to callback (utama, key 3, kantor closed, posko) — "x" is expected; look at it: npx satunomor simulate --number 112 --at "2027-03-15 23:00" --press "3,7" --withheld'])
    expect(faults('press: [3], reaches: callback')[0]).toMatch(/^gets to nobody, not to callback \(utama, key 3, kantor closed\) — /)
  })
})
