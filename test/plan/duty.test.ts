/** Lines with hours of their own, out of service, or of two agencies: who is rung, and how an admin learns what is wrong. */
import fc from 'fast-check'
import { DateTime } from 'luxon'
import { describe, expect, it, test } from 'vitest'
import { stepOf } from '../../src/asterisk/cel.ts'
import { dialledBy } from '../../src/dialplan/prepare.ts'
import { lint } from '../../src/dialplan/lint.ts'
import { render } from '../../src/dialplan/render.ts'
import { changes, nextOpening } from '../../src/plan/calendar.ts'
import { mayAllRest } from '../../src/plan/duty.ts'
import { formatFault, PlanFaults } from '../../src/plan/faults.ts'
import { openAt, opening, openingInWords } from '../../src/plan/hours.ts'
import { ownerOf, sharing, type AgencyNode, type Plan } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { simulate } from '../../src/plan/simulate.ts'
import { windowsOf } from '../../src/plan/windows.ts'
import { town, townWith } from './town.ts'

const hours = `hours:
  siang: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: 07:00, to: 19:00 }]
  malam: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: 19:00, to: 07:00 }]
  puasa: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: 04:00, to: 15:30 }, { days: [sun], from: 22:15, to: 02:00 }]
seasons:
  ramadan: { name: Ramadan, dates: [{ from: 2027-02-08, until: 2027-03-09 }, { from: 2028-01-28, until: 2028-02-25 }], hours: { siang: puasa } }
`
type Edit = [from: string, to: string]
const first = 'number: bpbd-1 }'
const second = 'ringTime: 30 s, capacity: 2 }'
const day: Edit = [first, 'number: bpbd-1, hours: siang }']
const broken: Edit = [second, 'ringTime: 30 s, capacity: 2, outOfService: { until: 2027-02-05, why: telepon rusak } }']
const closed: Edit = ['    name: BPBD\n', '    name: BPBD\n    closed: posko\n']
const overflow: Edit = ['    name: BPBD\n', '    name: BPBD\n    overflow: { dead: posko }\n']
const shared: Edit = ['      - { id: posko-1,', '      - { line: bpbd-2, priority: 2 }\n      - { id: posko-1,']

const read = (edits: Edit[]) => readPlan(townWith(...edits, ['prompts:\n', `${hours}prompts:\n`]), { file: 'plan.yaml', now: Date.parse('2027-01-10T00:00Z') })
const planOf = (...edits: Edit[]) => read(edits).plan
const jakarta = (time: string) => DateTime.fromISO(time, { zone: 'Asia/Jakarta' }).toMillis()
const bpbd = (plan: Plan) => plan.nodes.get('bpbd') as AgencyNode
const rung = (plan: Plan, at: string, more = {}) => simulate(plan, { number: '112', at: jakarta(at), press: ['1'], ...more })
  .steps.flatMap(step => step.kind === 'line' ? `${step.line} ${step.outcome}` : step.kind === 'rests' ? `${step.line} rests: ${step.rest.what}` : step.kind === 'closed' || step.kind === 'overflow' ? `→ ${step.to}` : [])

function told(...edits: Edit[]): string[] {
  try {
    return read(edits).faults.map(formatFault).filter(line => !line.includes('is used by no agency'))
  } catch (error) {
    if (error instanceof PlanFaults) return error.faults.map(formatFault).filter(line => !line.includes('is used by no agency'))
    throw error
  }
}

describe('a line that is not rung', () => {
  test('is passed over outside of its hours, and of the season\'s', () => {
    const plan = planOf(day)
    expect(rung(plan, '2027-01-20T12:00')).toEqual(['bpbd-1 answered'])
    expect(rung(plan, '2027-01-20T19:00')).toEqual(['bpbd-1 rests: siang', 'bpbd-2 answered'])
    expect(rung(plan, '2027-02-10T16:00')).toEqual(['bpbd-1 rests: siang', 'bpbd-2 answered'])
    expect(rung(plan, '2027-02-10T05:00')).toEqual(['bpbd-1 answered'])
  })

  test('is passed over to the end of the day until which it is out of service, and then rung', () => {
    const plan = planOf(broken, closed)
    expect(rung(plan, '2027-02-05T23:59:59', { busy: ['bpbd-1'] })).toContain('bpbd-2 rests: until 2027-02-05, telepon rusak')
    expect(rung(plan, '2027-02-06T00:00', { busy: ['bpbd-1'] })).toEqual(['bpbd-1 busy', 'bpbd-2 answered'])
  })

  test('or to the minute', () => {
    const plan = planOf([broken[0], broken[1].replace('2027-02-05', '"2027-02-05 14:00"')], closed)
    expect([rung(plan, '2027-02-05T13:59', { busy: ['bpbd-1'] }).at(1), rung(plan, '2027-02-05T14:00', { busy: ['bpbd-1'] }).at(1)]).toEqual(['bpbd-2 rests: until 2027-02-05 14:00, telepon rusak', 'bpbd-2 answered'])
  })

  test('while the caller hears the agency\'s name with the first that is rung', () => {
    const { steps } = simulate(planOf(day), { number: '112', at: jakarta('2027-01-20T20:00'), press: ['1'] })
    expect(steps.flatMap(step => step.kind === 'hears' ? step.prompt : [])).toEqual(['sambutan', 'menu-utama', 'sambung'])
  })
})

describe('where no line is rung', () => {
  test('the agency is closed, and opens with the first of them', () => {
    const plan = planOf(day, broken, closed)
    expect(openingInWords(opening(plan, bpbd(plan), jakarta('2027-01-20T20:00')))).toBe('closed (lines: none is rung now)')
    expect(rung(plan, '2027-01-20T20:00')).toEqual(['→ posko', 'posko-1 answered'])
    expect(nextOpening(plan, bpbd(plan), jakarta('2027-01-20T20:00'))).toBe(jakarta('2027-01-21T07:00'))
    expect(changes(plan, jakarta('2027-02-05T06:00'), jakarta('2027-02-07T00:00')).map(({ at, now }) => [at, now.open])).toEqual([
      [jakarta('2027-02-05T07:00'), true], [jakarta('2027-02-05T19:00'), false], [jakarta('2027-02-06T00:00'), true]])
  })

  test('and has no node for it, its callers go the way of lines out of order', () => {
    expect(rung(planOf(day, broken, overflow), '2027-01-20T20:00')).toEqual(['bpbd-1 rests: siang', 'bpbd-2 rests: until 2027-02-05, telepon rusak', '→ posko', 'posko-1 answered'])
  })
})

test('lines that relieve each other are never all away; a season may change that', () => {
  const { hours } = planOf()
  const [siang, malam] = [{ hours: 'siang' }, { hours: 'malam' }]
  expect([mayAllRest([siang, malam], hours, []), mayAllRest([siang, {}], hours, []), mayAllRest([siang, { outOfService: 1 }], hours, []), mayAllRest([siang, malam], hours, [new Map([['siang', 'puasa']])])])
    .toEqual([false, false, true, true])
})

test.each(['Asia/Jakarta', 'America/Santiago', 'Europe/Berlin'])('the dialplan compares what the clock of %s shows, with the same result', zone => {
  const plan = readPlan(townWith(['Asia/Jakarta', zone], ['prompts:\n', `${hours}prompts:\n`]), { file: 'plan.yaml' }).plan
  fc.assert(fc.property(fc.constantFrom('siang', 'malam', 'puasa'), fc.integer({ min: Date.parse('2027-02-01') / 60_000, max: Date.parse('2028-03-10') / 60_000 }), (name, minute) => {
    const clock = DateTime.fromMillis(minute * 60_000, { zone })
    const [date, week] = [Number(clock.toFormat('yyyyMMdd')), Number(clock.toFormat('EHHmm'))]
    const open = windowsOf(plan, name).some(({ from, to, after, before }) => week >= from && week < to && date > after && date < before)
    expect(open, clock.toISO()!).toBe(openAt(plan, name, minute * 60_000))
  }), { numRuns: 2000 })
})

describe('one telephone of two agencies', () => {
  const plan = planOf(shared)

  test('is one line, busy for both', () => {
    expect([sharing(plan, 'bpbd'), sharing(plan, 'posko'), ownerOf(plan, 'posko', 'bpbd-2'), ownerOf(plan, 'posko', 'posko-1')]).toEqual([['posko'], ['bpbd'], 'bpbd', 'posko'])
    const posko = simulate(plan, { number: '112', at: jakarta('2027-01-20T20:00'), busy: ['posko-1'] })
    expect(posko.reaches).toEqual({ agency: 'posko', line: 'bpbd-2' })
    expect(simulate(plan, { number: '112', at: jakarta('2027-01-20T20:00'), busy: ['posko-1', 'bpbd-2'] }).reaches).toBeUndefined()
  })

  test('counts its calls in one group, and the ledger says for which agency it rings', async () => {
    const files = await render('dialplan/templates', planOf(shared, day, broken, overflow), { sounds: '/sounds' })
    expect(lint(files, dialledBy(plan)).map(formatFault)).toEqual([])
    const text = files.get('extensions.conf')!
    for (const context of ['line-bpbd-2', 'line-bpbd-2_posko']) {
      const body = text.slice(text.indexOf(`[${context}]`)).split('\n\n')[0]!
      expect(body).toContain('GROUP(line)=bpbd-2,')
      expect(body).toContain('${GROUP_COUNT(bpbd-2@line)} > 2')
    }
    expect(text).toContain('CELGenUserEvent(LINE,posko bpbd-2 ')
    const event = { type: 'BRIDGE_ENTER', at: 1, linkedId: 'c', channelId: 'x', channelName: 'Local/together@line-bpbd-2_posko~01abcdef-00000001;1', account: 'posko/', extra: '{"bridge_id":"b"}', userEvent: '', context: '', exten: '', number: '' }
    expect(stepOf(event as never, 'k')).toMatchObject({ kind: 'connected', facts: { agency: 'posko', line: 'bpbd-2' } })
  })
})

describe('it is told, with its place:', () => {
  it.each<[string, Edit[], string | RegExp]>([
    ['a timetable that there is not', [[first, 'number: bpbd-1, hours: siank }']], 'plan.yaml:30:55 agencies.bpbd.lines.0.hours: "siank" is no timetable of hours — did you mean "siang"?'],
    ['a date that there is not', [[broken[0], broken[1].replace('02-05', '02-30')]], /agencies\.bpbd\.lines\.1\.outOfService\.until: is "2027-02-30"; it must be a date that exists, or a date and a time, as in "2027-03-20" or "2027-03-20 18:00"/],
    ['no reason', [[second, 'outOfService: { until: 2027-02-05 } }']], /outOfService\.why: is missing — it must be a text/],
    ['a time that is over', [[broken[0], broken[1].replace('2027-02-05', '2027-01-09')]], /until: \(warning\) is 2027-01-09, which is over: the line is rung again — delete outOfService/],
    ['a time that is far away', [[broken[0], broken[1].replace('2027-02-05', '2072-02-05')]], /until: \(warning\) is 2072-02-05, more than a year from now/],
    ['lines that may all be away', [day, broken], 'plan.yaml:29:5 agencies.bpbd.lines: may all be out of service, or outside of their hours, at once, and no `closed` says where its callers go then — write the node under `closed`, or the agency that helps out under `overflow.dead`'],
    ['silence that may then reach nobody', [day, broken, closed, ['number: posko-1 }', 'number: posko-1, hours: siang }'], ['    sorry: maaf-posko\n', '    sorry: maaf-posko\n    closed: bpbd\n']], /silence: may never end at a human \(utama → posko → bpbd → posko\)/],
    ['a line that there is not', [[shared[0], shared[1].replace('bpbd-2', 'bpbd-3')]], /agencies\.posko\.lines\.0\.line: "bpbd-3" is no line — did you mean "bpbd-1"\?/],
    ['its own line', [['      - { id: posko-1,', '      - { line: posko-1 }\n      - { id: posko-1,']], /"posko-1" is a line of posko already — delete one of the two/],
    ['more than the priority of another\'s line', [[shared[0], shared[1].replace('priority: 2', 'capacity: 2')]], /agencies\.posko\.lines\.0\.capacity: is not a known key — known are line, priority/],
    ['the same telephone written twice', [['number: posko-1 }', 'number: bpbd-1 }']], /agencies\.posko\.lines\.0\.number: "bpbd-1" on gateway is a line of bpbd already — for one telephone of two agencies, which share its capacity, write \{ line: bpbd-1 \} here/]
  ])('%s', (_, edits, expected) => {
    expect(told(...edits)).toEqual([typeof expected === 'string' ? expected : expect.stringMatching(expected)])
  })
})

describe('an agency whose callers are anonymous', () => {
  const hidden: Edit = ['    name: BPBD\n', '    name: BPBD\n    callers: anonymous\n    messages: none\n']

  test('sees the number that they dialled, in calls and callbacks; another agency sees theirs', async () => {
    const plan = planOf(hidden)
    const files = await render('dialplan/templates', plan, { sounds: '/sounds' })
    expect(lint(files, dialledBy(plan)).map(formatFault)).toEqual([])
    const text = files.get('extensions.conf')!
    const body = (context: string) => text.slice(text.indexOf(`[${context}]`)).split('\n\n')[0]!
    expect(body('agency-bpbd')).toContain('MSet(__SN_SHOWN=${SN_DID},SN_TAIL=c${SN_DID:-8})')
    expect(body('agency-posko')).toContain('Set(SN_TAIL=c${SN_DIGITS:-8})')
    expect(body('line-bpbd-1')).toContain('f(${SN_SHOWN})))')
    expect(body('line-posko-1')).not.toContain('SN_SHOWN')
    expect(text).toMatch(/exten => bpbd,1,Gosub\(callback,s,1\)\n same => n,MSet\(CALLERID\(num\)=\$\{SN_CLI\},SN_TAIL=c\$\{SN_CLI:-8\},__SN_SHOWN=\$\{SN_CLI\}\)/)
    expect(text).toMatch(/exten => posko,1,Gosub\(callback,s,1\)\n same => n,MSet\(CALLERID\(num\)=\$\{SN_CITIZEN\},/)
  })

  test('is warned of where it passes callers on to one that sees them', () => {
    expect(told(hidden, overflow)).toEqual([expect.stringMatching(/overflow\.dead: \(warning\) passes callers on to posko, whose lines see their numbers/)])
    expect(told(hidden)).toEqual([])
  })
})

test('a plan without any of it has none of it in the dialplan', async () => {
  const { plan } = readPlan(town, { file: 'plan.yaml' })
  expect((await render('dialplan/templates', plan, { sounds: '/sounds' })).get('extensions.conf')).not.toMatch(/^\[hours-|\(rests\)|SN_ON|SN_SHOWN=/m)
})
