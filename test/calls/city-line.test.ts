/** The walk over a plan with opening hours and overflow, on the fake exchange; and that `simulate` walks the same way. */
import { once } from 'node:events'
import fc from 'fast-check'
import { DateTime } from 'luxon'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { Step } from '../../src/calls/story.ts'
import { Switchboard } from '../../src/calls/switchboard.ts'
import { tell } from '../../src/calls/tell.ts'
import { WaitingRoom } from '../../src/calls/waiting-room.ts'
import { menus } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { simulate, type Supposition } from '../../src/plan/simulate.ts'
import { FakeExchange, guard, heardEnough, type FakeChannel } from '../fakes/fake-exchange.ts'
import { townWith } from '../plan/town.ts'

const line = (id: string) => `    lines: [{ id: ${id}, trunk: gateway, number: ${id} }]\n`
const { plan } = readPlan(townWith(
  ['      2: lain\n', '      2: lain\n      3: kantor\n      4: malam\n      8: { language: id, to: lain }\n      9: { language: en }\n'],
  ['    greeting: sambutan\n', '    greeting: sambutan\n    patience: 500 ms\n'],
  ['patience: 1.5 s', 'patience: 500 ms'],
  ['  bpbd:\n    name: BPBD\n', '  bpbd:\n    name: BPBD\n    overflow: { busy: posko, dead: kantor }\n'],
  ['prompts:\n', `  kantor:
    name: Kantor
    connecting: sambung-kantor
    hours: siang
    closed: malam
${line('kantor-1')}  malam:
    name: Malam
    connecting: sambung-malam
    hours: malam
    closed: lain
${line('malam-1')}hours:
  siang: [{ days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00 }]
  malam: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: 20:00, to: 06:00 }]
prompts:
`]), { file: 'plan.yaml' })
const at = (time: string) => DateTime.fromISO(time, { zone: plan.timezone }).toMillis()
const [noon, evening, night] = [at('2027-03-15T12:00'), at('2027-03-15T18:00'), at('2027-03-15T23:00')] as const

/** Plays a call on the fake exchange with the real walk, to its end. `cli` is the caller's number; `calledBack` are lines that callbacks ring. */
async function play({ number, at, press = [], busy = [], dead = [], others = 0 }: Supposition, { plan: its = plan, cli = '+627215550112', calledBack = [] as string[], room = new WaitingRoom(), whileRecording = () => {}, whenHeard = (_prompt: string, _caller: FakeChannel) => {} } = {}) {
  const plan = its
  const exchange = new FakeExchange(plan)
  for (const id of busy) exchange.lines.get(id)!.behaviour = 'busy'
  for (const id of dead) exchange.lines.get(id)!.behaviour = 'unavailable'
  for (const id of calledBack) exchange.lines.get(id)!.behaviour = 'full'
  for (const node of plan.nodes.keys()) exchange.others.set(node, Array<string>(others).fill(cli))
  let notes = 0
  const switchboard = new Switchboard({
    plan: () => plan, log: pino({ level: 'silent' }), now: () => at, giveWay, room, guard,
    noteFor: callId => (kind, facts) => { exchange.steps.push({ callId, key: `service-${++notes}`, at: Date.now(), witness: 'service', kind, facts } as Step) }
  })
  // A line that a callback rings is free again when that gives way.
  async function giveWay(agency: string) {
    const line = calledBack.find(id => id.startsWith(agency) && exchange.lines.get(id)!.behaviour === 'full')
    if (line !== undefined) exchange.lines.get(line)!.behaviour = 'answers'
    return line !== undefined
  }
  exchange.onReturned = (callId, agency, status) => { switchboard.comesBack(callId, { agency, status }) }
  const caller = exchange.arrives(cli)
  const heard: string[] = []
  caller.happened.on('talks', () => caller.hangsUp())
  caller.happened.on('hears', (prompt: string) => {
    heard.push(prompt)
    whenHeard(prompt, caller)
    if (prompt === 'tinggalkan-pesan') setImmediate(() => { whileRecording(); caller.leaves(3_000) })
  })
  // A key for each question, once it has been heard for long enough.
  const { offer, offerMessage, offerOpening, offerWaiting, waiting } = plan.prompts
  const questions = new Set([offer, offerMessage, offerOpening, offerWaiting, waiting, ...menus(plan).map(({ prompt }) => prompt)])
  const keys = [...press]
  caller.happened.on('plays', (prompts: string[]) => {
    if (!prompts.some(prompt => questions.has(prompt))) return
    const key = keys.shift()
    if (key !== undefined) setTimeout(() => caller.presses(key), heardEnough)
  })
  switchboard.arrives({ channel: caller, at: { node: plan.numbers.get(number)!.entry } })
  if (!caller.hungUp.aborted) await once(caller.happened, 'ended')
  await switchboard.settled()
  return { heard, steps: exchange.steps, record: tell(exchange.steps)!, language: caller.language || plan.numbers.get(number)!.language }
}

/** The forks of a way, in words that the service's story and the simulation share. */
const toldBy = (steps: Step[]) => steps.flatMap(({ kind, facts }) => {
  const { agency, to, ladder, line, digit, node, means, language = '' } = facts as Record<string, string>
  switch (kind) {
    case 'menu': case 'silence': return [`${kind} ${node}`]
    case 'key': return [`key ${digit} ${means} ${language}`.trim()]
    case 'closed': return [`closed ${agency} ${to}`]
    case 'agency': return [`agency ${agency}`]
    case 'line': return [`line ${line}`]
    case 'overflow': return [`overflow ${agency} ${ladder} ${to}`]
    case 'waiting': return [`waits ${agency}`]
    case 'same-number': return [`same-number ${agency}`]
    default: return []
  }
})
const simulatedBy = (supposition: Supposition) => simulate(plan, supposition).steps.flatMap(step => {
  switch (step.kind) {
    case 'same-number': return [`same-number ${step.agency}`, ...step.to === undefined ? [] : [`overflow ${step.agency} same-number ${step.to}`]]
    case 'menu': case 'silence': return [`${step.kind} ${step.node}`]
    case 'key': return [`key ${step.digit} ${step.to} ${step.language ?? ''}`.trim()]
    case 'closed': return [`closed ${step.agency} ${step.to}`]
    case 'agency': return [`agency ${step.agency}`]
    case 'line': return [`line ${step.line}`]
    case 'overflow': return [`overflow ${step.agency} ${step.ladder} ${step.to}`]
    default: return []
  }
})

test.each<[string, Omit<Supposition, 'number'>, string[], object]>([
  ['an agency that is open is rung', { at: noon, press: ['3'] }, ['menu utama', 'key 3 kantor', 'agency kantor', 'line kantor-1'], { disposition: 'answered', line: 'kantor-1' }],
  ['a closed agency leads on', { at: night, press: ['3'] }, ['menu utama', 'key 3 kantor', 'closed kantor malam', 'agency malam', 'line malam-1'], { disposition: 'answered', line: 'malam-1' }],
  ['where that is closed, too, it leads on again, to a menu with its silence', { at: evening, press: ['3'] },
    ['menu utama', 'key 3 kantor', 'closed kantor malam', 'closed malam lain', 'menu lain', 'silence lain', 'menu utama', 'silence utama', 'agency posko', 'line posko-1'], { disposition: 'answered', line: 'posko-1' }],
  ['busy lines lead to the overflow for busy ones', { at: noon, press: ['1'], busy: ['bpbd-1', 'bpbd-2'] },
    ['menu utama', 'key 1 bpbd', 'agency bpbd', 'line bpbd-1', 'line bpbd-2', 'overflow bpbd busy posko', 'agency posko', 'line posko-1'], { disposition: 'answered', agency: 'posko' }],
  ['one busy line among dead ones is enough for it', { at: noon, press: ['1'], busy: ['bpbd-1'], dead: ['bpbd-2'] },
    ['menu utama', 'key 1 bpbd', 'agency bpbd', 'line bpbd-1', 'line bpbd-2', 'overflow bpbd busy posko', 'agency posko', 'line posko-1'], { disposition: 'answered' }],
  ['dead lines lead to the other ladder', { at: noon, press: ['1'], dead: ['bpbd-1', 'bpbd-2'] },
    ['menu utama', 'key 1 bpbd', 'agency bpbd', 'line bpbd-1', 'line bpbd-2', 'overflow bpbd dead kantor', 'agency kantor', 'line kantor-1'], { disposition: 'answered', agency: 'kantor' }],
  ['an overflow that is closed leads on like any other', { at: night, press: ['1'], dead: ['bpbd-1', 'bpbd-2'] },
    ['menu utama', 'key 1 bpbd', 'agency bpbd', 'line bpbd-1', 'line bpbd-2', 'overflow bpbd dead kantor', 'closed kantor malam', 'agency malam', 'line malam-1'], { disposition: 'answered', agency: 'malam' }],
  ['when the overflow is busy as well, there is an apology', { at: noon, press: ['1'], busy: ['bpbd-1', 'bpbd-2', 'posko-1'] },
    ['menu utama', 'key 1 bpbd', 'agency bpbd', 'line bpbd-1', 'line bpbd-2', 'overflow bpbd busy posko', 'agency posko', 'line posko-1'], { disposition: 'unanswered', detail: 'lines-exhausted:posko', endedBy: 'us' }]
])('%s', async (_, supposition, way, record) => {
  const played = await play({ number: '112', ...supposition })
  expect(toldBy(played.steps)).toEqual(way)
  expect(played.record).toMatchObject(record)
})

test('a line that a callback rings is the caller\'s, before the overflow and the apology', async () => {
  const { steps, record } = await play({ number: '112', at: noon, press: ['1'], busy: ['bpbd-1'] }, { calledBack: ['bpbd-2'] })
  expect(toldBy(steps)).toEqual(['menu utama', 'key 1 bpbd', 'agency bpbd', 'line bpbd-1', 'agency bpbd', 'line bpbd-1', 'line bpbd-2'])          // full, it is not rung
  expect(record).toMatchObject({ disposition: 'answered', line: 'bpbd-2' })
})

test('a caller for whom another line is free takes no line from a callback', async () => {
  const { steps } = await play({ number: '112', at: noon, press: ['1'] }, { calledBack: ['bpbd-1'] })
  expect(toldBy(steps)).toEqual(['menu utama', 'key 1 bpbd', 'agency bpbd', 'line bpbd-2'])
})

test('the record says why an agency was passed over', async () => {
  const { steps } = await play({ number: '112', at: night, press: ['3'] })
  expect(steps.find(({ kind }) => kind === 'closed')?.facts).toEqual({ agency: 'kantor', why: 'closed (hours: siang)', to: 'malam' })
})

test.each<[string, number, string, string[], object]>([
  ['at another agency goes to its overflow', 1, '+627215550112', ['agency bpbd', 'same-number bpbd', 'overflow bpbd same-number posko', 'agency posko', 'line posko-1'], { disposition: 'answered', line: 'posko-1' }],
  ['is there twice, and twice at the desk: there is an apology', 2, '+627215550112', ['agency bpbd', 'same-number bpbd', 'overflow bpbd same-number posko', 'agency posko', 'same-number posko'],
    { disposition: 'unanswered', detail: 'same-number:posko', endedBy: 'us' }],
  ['is withheld: callers without a number are not counted together', 5, '', ['agency bpbd', 'line bpbd-1'], { disposition: 'answered', line: 'bpbd-1' }]
])('a caller whose number %s', async (_, others, cli, way, record) => {
  const { steps, record: told } = await play({ number: '112', at: noon, press: ['1'], others }, { cli })
  expect(toldBy(steps).slice(2)).toEqual(way)
  expect(told).toMatchObject(record)
})

test('a caller whose turn it is, and whose number holds a line by then, leaves the line to the next one who waits', async () => {
  const room = new WaitingRoom()
  const next = room.enter('bpbd', 'fake-2')
  const { record } = await play({ number: '112', at: noon, press: ['1'], others: 1 }, { plan: withRoom, room, whenHeard: prompt => {
    if (prompt !== 'mohon-maaf') return
    room.heard({ callId: 'other', key: '1', at: noon, witness: 'ledger', kind: 'line', facts: { agency: 'bpbd', line: 'bpbd-1' } })
    room.heard({ callId: 'other', key: '2', at: noon, witness: 'ledger', kind: 'ended', facts: {} })
  } })
  expect(record).toMatchObject({ disposition: 'answered', agency: 'posko' })
  expect(next.turn.aborted).toBe(true)
})

const withRoom = readPlan(townWith(
  ['    greeting: sambutan\n', '    greeting: sambutan\n    patience: 500 ms\n'],
  ['  bpbd:\n    name: BPBD\n', '  bpbd:\n    name: BPBD\n    wait: { longest: 10 s, every: 5 s }\n    overflow: { busy: posko }\n']), { file: 'plan.yaml' }).plan

test('in the waiting room key 7 is a callback, as simulate says; who cannot be rung waits on, and goes to the overflow', async () => {
  const inUse = { number: '112', at: noon, press: ['1', '7'], busy: ['bpbd-1', 'bpbd-2'] }
  const asked = await play(inUse, { plan: withRoom })
  expect(asked.record).toMatchObject({ disposition: 'callback', detail: 'asked:bpbd' })
  const simulated = simulate(withRoom, inUse)
  expect(simulated).toMatchObject({ callback: 'bpbd', waited: true })
  expect(simulated.steps).toContainEqual({ kind: 'waits', agency: 'bpbd', longest: 10_000 })
  expect(simulated.steps.flatMap(step => step.kind === 'hears' ? [step.prompt] : []).slice(-3)).toEqual(['mohon-maaf', 'tawaran-menunggu', 'akan-ditelepon'])
  expect(asked.heard.at(-1)).toBe('akan-ditelepon')

  const withheld = await play(inUse, { plan: withRoom, cli: '' })
  expect(withheld.record).toMatchObject({ disposition: 'answered', agency: 'posko' })
  expect(withheld.heard).not.toContain('tawaran-menunggu')
  expect(simulate(withRoom, { ...inUse, withheld: true }).reaches).toEqual({ agency: 'posko', line: 'posko-1' })
}, 30_000)

test('a key that is pressed as a question begins answers it not, and is on record', async () => {
  let asked = 0
  const whenHeard = (prompt: string, caller: FakeChannel) => {
    if (prompt === 'mohon-maaf' && ++asked === 1) for (const digit of '67') caller.presses(digit)
  }
  const { record, steps, heard } = await play({ number: '112', at: noon, press: ['1'], busy: ['bpbd-1', 'bpbd-2'] }, { plan: withRoom, whenHeard })
  expect(record).toMatchObject({ disposition: 'answered', agency: 'posko' })
  expect(heard).toContain('tawaran-menunggu')
  expect(steps.flatMap(({ kind, facts }) => kind === 'key-ignored' ? [facts] : [])).toEqual([{ digit: '6', why: 'early' }, { digit: '7', why: 'early' }])
}, 30_000)

test('who leaves a message instead of waiting holds nobody up', async () => {
  const { plan } = readPlan(townWith(
    ['    greeting: sambutan\n', '    greeting: sambutan\n    patience: 500 ms\n'],
    ['  bpbd:\n    name: BPBD\n', '  bpbd:\n    name: BPBD\n    wait: {}\n'],
    ['prompts:\n', 'mailboxes:\n  pesan: {}\nfollowups:\n  mailbox: pesan\nprompts:\n']), { file: 'plan.yaml' })
  const inUse = { number: '112', at: noon, press: ['1', '8'], busy: ['bpbd-1', 'bpbd-2'] }
  const room = new WaitingRoom()
  const { record } = await play(inUse, { plan, room, whileRecording: () => { expect(room.isWaitedFor('bpbd')).toBe(false) } })
  expect(record).toMatchObject({ disposition: 'callback', detail: 'message-left', agency: 'bpbd' })
  expect(simulate(plan, inUse).mailbox).toBe('pesan')
  expect.assertions(3)
})

test('a machine that presses a key of a looping menu for hours is led to a human after 30 menus, and it is on record why', async () => {
  const { steps, record } = await play({ number: '112', at: noon, press: Array.from({ length: 32 }, () => '9') })
  expect(record).toMatchObject({ disposition: 'answered', agency: 'posko' })
  expect(steps.filter(({ kind }) => kind === 'key')).toHaveLength(30)
  expect(steps.filter(({ kind }) => kind === 'silence').map(({ facts }) => facts)).toEqual([{ node: 'utama', menus: 30 }])
})

test('in the waiting room, too, a call has an end, whatever goes on at the lines', async () => {
  const { plan } = readPlan(townWith(
    ['    greeting: sambutan\n', '    greeting: sambutan\n    patience: 500 ms\n'],
    ['  bpbd:\n    name: BPBD\n', '  bpbd:\n    name: BPBD\n    overflow: { busy: posko }\n    wait: { longest: 60 min }\n']), { file: 'plan.yaml' })
  const room = new WaitingRoom()
  let others = 0
  const whenHeard = (prompt: string) => {
    if (prompt !== 'mohon-maaf') return
    const other = { callId: `other-${++others}`, key: '1', at: noon, witness: 'ledger' } as const
    room.heard({ ...other, kind: 'line', facts: { agency: 'bpbd', line: 'bpbd-1' } })
    room.heard({ ...other, kind: 'ended', facts: {} })
  }
  const { record } = await play({ number: '112', at: noon, press: ['1'], busy: ['bpbd-1', 'bpbd-2'] }, { plan, room, whenHeard })
  expect(record).toMatchObject({ disposition: 'answered', line: 'posko-1' })
  expect(others).toBe(499)
}, 30_000)

/** The town with an office that is closed at night, and a mailbox. */
const withOffice = (closed: string) => readPlan(townWith(
  ['      2: lain\n', '      2: lain\n      3: kantor\n      5: pesan\n'], ['    greeting: sambutan\n', '    greeting: sambutan\n    patience: 500 ms\n'],
  ['prompts:\n', `  kantor:
    name: Kantor
    connecting: sambung-kantor
    hours: siang
    closed: ${closed}
${line('kantor-1')}hours:
  siang: [{ days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00 }]
mailboxes:
  pesan: {}
followups:
  mailbox: pesan
prompts:
`]), { file: 'plan.yaml' }).plan
const withMailbox = withOffice('pesan')
const offer = { number: '112', at: noon, busy: ['bpbd-1', 'bpbd-2'] }

test.each<[string, Supposition, object]>([
  ['by its key', { number: '112', at: noon, press: ['5'] }, { disposition: 'callback', detail: 'message-left', agency: null, endedBy: 'us' }],
  ['where the office is closed', { number: '112', at: night, press: ['3'] }, { disposition: 'callback', detail: 'message-left', agency: null }],
  ['by key 8 where nobody answered, for the agency that they had chosen', { ...offer, press: ['1', '8'] }, { disposition: 'callback', detail: 'message-left', agency: 'bpbd' }]
])('a caller leaves a message %s, and simulate knows of the way there', async (_, supposition, record) => {
  const played = await play(supposition, { plan: withMailbox })
  expect(played.record).toMatchObject(record)
  expect(played.heard.at(-1)).toBe('tinggalkan-pesan')
  if (!supposition.busy) expect(simulate(withMailbox, supposition).mailbox).toBe('pesan')
})

test('who can be rung back is offered both, key 7 is the callback; without a key there is the apology', async () => {
  expect((await play({ ...offer, press: ['1', '7'] }, { plan: withMailbox })).record).toMatchObject({ disposition: 'callback', detail: 'asked:bpbd' })
  const { heard, record } = await play({ ...offer, press: ['1'] }, { plan: withMailbox })
  expect(heard.slice(-3)).toEqual(['tawaran-telepon-balik', 'tawaran-pesan', 'maaf'])
  expect(record).toMatchObject({ disposition: 'unanswered', detail: 'lines-exhausted:bpbd' })
}, 15_000)

test('who cannot be rung back is promised no callback, whatever they press, and may leave a message', async () => {
  const anonymous = { plan: withMailbox, cli: '' }
  const pressed = await play({ ...offer, press: ['1', '7'] }, anonymous)
  expect(pressed.record).toMatchObject({ disposition: 'unanswered', detail: 'lines-exhausted:bpbd' })
  const silent = await play({ ...offer, press: ['1'] }, anonymous)
  expect(silent.heard.slice(-2)).toEqual(['maaf', 'tawaran-pesan'])
  const left = await play({ ...offer, press: ['1', '8'] }, anonymous)
  expect(left.record).toMatchObject({ disposition: 'callback', detail: 'message-left', agency: 'bpbd', cli: null })
  for (const { heard } of [pressed, silent, left]) expect(heard).not.toContain('tawaran-telepon-balik')
}, 15_000)

const withOffer = withOffice('{ offer: callback, to: posko }')

test.each<[string, Partial<Supposition>, string[], object]>([
  ['who asks for it is promised a callback', { press: ['3', '7'] }, ['telepon-saat-buka'], { disposition: 'callback', detail: 'closed:kantor', endedBy: 'us' }],
  ['who leaves a message has left one', { press: ['3', '8'] }, ['tinggalkan-pesan'], { disposition: 'callback', detail: 'message-left' }],
  ['who presses the menu\'s key once more hears the offer again, and may take it', { press: ['3', '3', '7'] }, ['telepon-saat-buka'], { disposition: 'callback', detail: 'closed:kantor' }],
  ['who presses what means nothing hears once more that it is closed', { press: ['3', '6', '3', '1', '7'] }, ['tutup'], { disposition: 'unanswered', detail: 'closed:kantor', endedBy: 'us' }],
  ['and who presses nothing', { press: ['3'] }, ['tutup', 'tawaran-saat-buka', 'tawaran-pesan', 'tutup'], { disposition: 'unanswered', detail: 'closed:kantor', endedBy: 'us' }]
])('a closed office offers a callback: %s, as simulate says', async (_, supposition, lastHeard, record) => {
  const supposed = { number: '112', at: night, ...supposition }
  const { heard, steps, record: told } = await play(supposed, { plan: withOffer })
  expect(told).toMatchObject({ agency: 'kantor', line: null, ...record })
  expect(heard.filter(prompt => !prompt.includes('utama') && prompt !== 'sambutan').slice(-lastHeard.length)).toEqual(lastHeard)
  expect(steps.filter(({ kind }) => kind === 'closed').map(({ facts }) => facts)).toEqual([{ agency: 'kantor', why: 'closed (hours: siang)', to: null }])
  const simulated = simulate(withOffer, supposed)
  expect(simulated.steps.at(-1)).toMatchObject({ kind: 'hears', prompt: lastHeard.at(-1) })
  expect([simulated.callback, simulated.mailbox]).toEqual([told.detail === 'closed:kantor' && told.disposition === 'callback' ? 'kantor' : undefined, told.detail === 'message-left' ? 'pesan' : undefined])
}, 15_000)

test('who cannot be rung back is led on, and by day the office is rung', async () => {
  const anonymous = await play({ number: '112', at: night, press: ['3', '7'] }, { plan: withOffer, cli: '' })
  expect(anonymous.record).toMatchObject({ disposition: 'answered', agency: 'posko' })
  expect(anonymous.heard).not.toContain('tutup')
  expect((await play({ number: '112', at: night, press: ['3', '7'] }, { plan: withOffer, cli: '+6590001234' })).record).toMatchObject({ agency: 'posko' })
  expect((await play({ number: '112', at: noon, press: ['3'] }, { plan: withOffer })).record).toMatchObject({ disposition: 'answered', agency: 'kantor' })
})

test('whatever the time, the keys and the lines: the service goes the way that simulate says', async () => {
  const lines = fc.subarray(['bpbd-1', 'bpbd-2', 'posko-1', 'kantor-1', 'malam-1'])
  const suppositions = fc.sample(fc.record({
    number: fc.constantFrom('112', '+62721555'), at: fc.constantFrom(noon, evening, night),
    // 7, the key of an offer, has tests of its own.
    press: fc.array(fc.constantFrom('1', '2', '3', '4', '6', '8', '9', '*'), { maxLength: 4 }), busy: lines, dead: lines, others: fc.constantFrom(0, 1)
  }), 40)
  // All at once: mostly they wait, for keys that do not come.
  await Promise.all(suppositions.map(async ({ busy, ...supposition }) => {
    const supposed = { ...supposition, busy: busy.filter(id => !supposition.dead.includes(id)) }
    const { steps, record, language } = await play(supposed)
    expect([supposed, toldBy(steps)]).toEqual([supposed, simulatedBy(supposed)])
    const { reaches, ...simulated } = simulate(plan, supposed)
    expect([supposed, language]).toEqual([supposed, simulated.language])
    expect(record).toMatchObject(reaches ? { disposition: 'answered', ...reaches } : { disposition: 'unanswered' })
  }))
}, 60_000)
