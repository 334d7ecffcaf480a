/** What admins set by hand: it closes, it leads elsewhere, it ends by itself; and the file that it is kept in. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DateTime } from 'luxon'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { changes } from '../../src/plan/calendar.ts'
import { checkExpectedCalls } from '../../src/plan/expected.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { opening, openingInWords } from '../../src/plan/hours.ts'
import type { AgencyNode } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { simulate, supposedSwitches } from '../../src/plan/simulate.ts'
import { noSwitches, readSwitches, SwitchFile, writeSwitches, type Switches } from '../../src/plan/switches.ts'
import { NotSwitched, orderInWords, switched, type SwitchOrder } from '../../src/plan/switching.ts'
import { townWith } from './town.ts'

const { plan } = readPlan(townWith(
  ['    name: BPBD\n', '    name: BPBD\n    closed: posko\n'], ['prompts:\n', 'siaga:\n  entry: lain\nprompts:\n']
), { file: 'plan.yaml' })
const bpbd = plan.nodes.get('bpbd') as AgencyNode
const time = (text: string) => DateTime.fromFormat(text, 'yyyy-MM-dd HH:mm', { zone: plan.timezone }).toMillis()
const [noon, six] = [time('2027-03-20 12:00'), time('2027-03-20 18:00')]
const closed: Switches = { closed: new Map([['bpbd', { until: six, reason: 'Banjir di kantor' }], ['posko', { until: six, reason: 'x' }]]) }

test('an agency that is closed by hand is closed until the time, and not a minute longer', () => {
  expect(openingInWords(opening(plan, bpbd, six - 1, closed))).toBe('closed (switch: Banjir di kantor)')
  expect(openingInWords(opening(plan, bpbd, six, closed))).toBe('open (at all times)')
})

test('an agency without a `closed` node is never closed by hand: its callers would have nowhere to go', () => {
  expect(opening(plan, plan.nodes.get('posko') as AgencyNode, noon, closed).open).toBe(true)
})

test('in surge mode all calls begin elsewhere, until it ends', () => {
  const siaga = { closed: new Map(), siaga: { until: six, reason: 'Banjir' } }
  const entry = (number: string, at: number) => simulate(plan, { number, at, switches: siaga }).steps[0]
  expect(entry('112', noon)).toMatchObject({ to: 'lain', siaga: true })
  expect(entry('+62721555', noon)).toMatchObject({ to: 'lain', siaga: true })
  expect(entry('112', six)).toMatchObject({ to: 'utama', siaga: false })
})

test('the calendar has the end of a switch', () => {
  expect(changes(plan, noon, six + 1, closed)).toEqual([
    { at: six, agency: 'bpbd', now: { open: true, because: 'always', what: '' }, before: { open: false, because: 'switch', what: 'Banjir di kantor' } }])
})

test('expected calls may suppose them', () => {
  const faults = (call: string) => checkExpectedCalls(`calls:\n  - { name: x, number: 112, at: 2027-03-20 12:00, ${call} }\n`, 'calls.yaml', plan).map(formatFault)
  expect(faults('press: [1], closed: [bpbd], reaches: posko')).toEqual([])
  expect(faults('press: [2], reaches: posko')).toEqual([])
  expect(faults('mode: siaga, press: [1], reaches: bpbd')).toEqual([])
  expect(faults('mode: siaga, press: [1], closed: [bpbd], reaches: bpbd')).toEqual([
    'calls.yaml:2:92 calls.0.reaches: gets to posko, not to bpbd (lain, key 1, bpbd closed, posko) — "x" is expected; look at it: npx satunomor simulate --number 112 --at "2027-03-20 12:00" --press "1" --closed "bpbd" --siaga'])
  expect(faults('closed: [posko], reaches: posko')).toEqual(['calls.yaml:2:60 calls.0.closed.0: "posko" is no agency that can be closed — there are bpbd'])
  expect(supposedSwitches({}, noon)).toEqual(noSwitches)
})

describe('an order', () => {
  const until = '2027-03-20 18:00'
  test.each<[string, Omit<SwitchOrder, 'who'>, NotSwitched['why'], string]>([
    ['an unknown agency', { what: 'close', agency: 'bpdb', until, reason: 'x' }, 'unknown', '"bpdb" is no agency of the plan — did you mean "bpbd"?'],
    ['one that cannot be closed', { what: 'close', agency: 'posko', until, reason: 'x' }, 'impossible', 'posko cannot be closed: the plan does not say where its callers would go — give it a `closed` node'],
    ['no end', { what: 'close', agency: 'bpbd', reason: 'x' }, 'bad-request', 'until is missing: a date and a time of Asia/Jakarta, as in "2027-03-20 18:00"; no switch lasts for ever'],
    ['an end that is no time', { what: 'close', agency: 'bpbd', until: 'besok', reason: 'x' }, 'bad-request', 'until is "besok": a date and a time of Asia/Jakarta, as in "2027-03-20 18:00"; no switch lasts for ever'],
    ['a day that does not exist', { what: 'close', agency: 'bpbd', until: '2027-02-30 18:00', reason: 'x' }, 'bad-request', 'until is "2027-02-30 18:00": a date and a time of Asia/Jakarta, as in "2027-03-20 18:00"; no switch lasts for ever'],
    ['an end that is over', { what: 'siaga', until: '2027-03-20 11:59', reason: 'x' }, 'bad-request', 'until is "2027-03-20 11:59", which is over'],
    ['no reason', { what: 'siaga', until, reason: ' ' }, 'bad-request', 'reason is missing: it stands in the records of the calls'],
    ['another word', { what: 'shut' }, 'bad-request', '"shut" is none of close, open, siaga, normal']
  ])('is refused for %s', (_, order, why, sentence) => {
    expect(() => switched(plan, noSwitches, { ...order, who: 'Ani' }, noon)).toThrow(expect.objectContaining({ why, message: sentence }))
  })

  test('sets and takes back one at a time, and forgets what has ended', () => {
    const [who, reason] = ['Ani', 'Banjir']
    const one = switched(plan, { closed: new Map([['old', { until: noon, reason: 'x' }]]) }, { what: 'close', agency: 'bpbd', until, reason, who }, noon)
    expect(one).toEqual({ closed: new Map([['bpbd', { until: six, reason, who }]]) })
    const two = switched(plan, one, { what: 'siaga', until: '2027-03-20T11:00:00Z', reason, who }, noon)
    expect(two).toEqual({ ...one, siaga: { until: six, reason, who } })
    expect(switched(plan, two, { what: 'open', agency: 'bpbd', who }, noon)).toEqual({ closed: new Map(), siaga: two.siaga })
    expect(switched(plan, two, { what: 'normal', who }, noon)).toEqual(one)
    expect(orderInWords({ what: 'close', agency: 'bpbd', until, reason, who }, one)).toBe('close bpbd until 2027-03-20T11:00:00.000Z: Banjir')
    expect(orderInWords({ what: 'normal', who }, one)).toBe('normal')
  })
})

describe('the file', () => {
  let folder: string
  beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'satunomor-switches-')) })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('is followed; while it cannot be read, what was set remains', async () => {
    const file = join(folder, 'switches.json')
    const switches = new SwitchFile(file, pino({ level: 'silent' }))
    await switches.look()
    expect(switches.now).toEqual(noSwitches)
    await writeSwitches(file, closed)
    expect(await readSwitches(file)).toEqual(closed)
    await switches.look()
    expect(switches.now).toEqual(closed)
    for (const broken of ['{', '{"closed":{"bpbd":{"until":"morgen"}}}']) {
      await writeFile(file, broken)
      await switches.look()
      expect(switches.now).toEqual(closed)
    }
    await rm(file)
    await switches.look()
    expect(switches.now).toEqual(noSwitches)
  })
})
