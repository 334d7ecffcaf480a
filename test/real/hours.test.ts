/** Opening hours and overflow on a real Asterisk: who calls a closed or a helpless agency gets to the next human. */
import { DateTime } from 'luxon'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { noSwitches, writeSwitches } from '../../src/plan/switches.ts'
import { places } from '../../src/settings.ts'
import { eventually, type City } from '../parts/city.ts'
import type { Stage } from '../stories/stage.ts'
import { realStage } from './stage.ts'

/** A day of the week that is neither today nor next to it, wherever the city's clock stands. */
const day = DateTime.now().setZone('Asia/Jakarta').plus({ days: 3 }).setLocale('en').toFormat('ccc').toLowerCase()

let stage: Stage & { city: City }
beforeAll(async () => {
  stage = await realStage(90, {
    plan: text => text
      .replace('    connecting: sambung-wali-kota\n', '    connecting: sambung-wali-kota\n    hours: nanti\n    closed: posko\n')
      .replace('    connecting: sambung-bpbd\n', '    connecting: sambung-bpbd\n    overflow: { busy: posko, dead: ambulans }\n    closed: posko\n')
      .replace('      3: wali-kota\n', '      3: wali-kota\n      4: jaga\n      5: ppa\n')
      .replace('  posko:\n    name', `  jaga:
    name: Watch
    connecting: sambung-bpbd
    overflow: { busy: posko, dead: posko }
    lines:
      - { id: jaga-1, trunk: gateway, number: jaga-1, hours: nanti }
      - { id: jaga-2, trunk: gateway, number: jaga-2, outOfService: { until: ${DateTime.now().plus({ days: 2 }).toISODate()}, why: a broken handset } }
      - { line: ambulans-1 }
      - { id: jaga-3, trunk: gateway, number: jaga-3, hours: sekarang }
  ppa:
    name: Protection
    connecting: sambung-bpbd
    callers: anonymous
    lines: [{ id: ppa-1, trunk: gateway, number: ppa-1 }]
  posko:
    name`)
      .replace('\nagencies:\n', `\nsiaga: { entry: bpbd }\n\nhours:\n  nanti: [{ days: [${day}], from: 00:00, to: 24:00 }]\n  sekarang: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: 00:00, to: 24:00 }]\n\nagencies:\n`)
  })
})
beforeEach(() => { for (const id of ['ambulans-1', 'bpbd-1', 'bpbd-2', 'hallo-1', 'jaga-1', 'jaga-2', 'jaga-3', 'posko-1', 'ppa-1']) stage.line(id).answers() })
afterAll(() => stage?.[Symbol.asyncDispose]())

test('an agency that is closed now is not rung: the caller gets to the desk, and the record says why', async () => {
  const posko = stage.line('posko-1')
  posko.rings()
  const caller = stage.dials('+627215550181')
  await caller.hears('sambutan')
  caller.presses('3')
  await caller.hears('ke-petugas')
  posko.picksUp()
  await caller.talksWith('posko-1')
  caller.hangsUp()
  const record = await stage.record(caller)
  expect(record).toMatchObject({ disposition: 'answered', agency: 'posko', line: 'posko-1' })
  expect(stage.city.calls.map(({ line }) => line)).not.toContain('hallo-1')
  const { steps } = (await stage.city.service.records.get(record.callId))!
  expect(steps.find(({ kind }) => kind === 'closed')?.facts).toEqual({ agency: 'wali-kota', why: 'closed (hours: nanti)', to: 'posko' })
  await stage.nothingIsLeft()
})

test('a busy line and one that is out of order are the ladder of the busy ones, in either order', async () => {
  for (const [busy, dead] of [['bpbd-1', 'bpbd-2'], ['bpbd-2', 'bpbd-1']] as const) {
    stage.line(busy).isBusy()
    stage.line(dead).isOutOfOrder()
    const caller = stage.dials('+627215550182')
    await caller.hears('sambutan')
    caller.presses('2')
    await caller.talksWith('posko-1')
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', agency: 'posko' })
  }
  await stage.nothingIsLeft()
})

test.each([['out of order', 'isOutOfOrder'], ['unknown to the network', 'doesNotExist']] as const)('lines that are all %s lead to the other ladder', async (_, does) => {
  stage.line('bpbd-1')[does]()
  stage.line('bpbd-2')[does]()
  const caller = stage.dials('+627215550183')
  await caller.hears('sambutan')
  caller.presses('2')
  await caller.talksWith('ambulans-1')
  caller.hangsUp()
  expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', agency: 'ambulans' })
  await stage.nothingIsLeft()
})

test('when those who help out are busy, too, there is one apology', async () => {
  for (const id of ['bpbd-1', 'bpbd-2', 'posko-1']) stage.line(id).isBusy()
  const caller = stage.dials('+627215550184')
  await caller.hears('sambutan')
  caller.presses('2')
  await caller.hears('maaf-akhir')
  await caller.isHungUp()
  expect(await stage.record(caller)).toMatchObject({ disposition: 'unanswered', agency: 'posko', detail: 'lines-exhausted:posko', endedBy: 'us' })
  await stage.nothingIsLeft()
})

test('what an admin sets by hand holds for the next call, without a restart: siaga, a closed agency, and back', async () => {
  const { city } = stage
  const until = Date.now() + 3_600_000
  const set = async (switches: Parameters<typeof writeSwitches>[1], what: string) => {
    await writeSwitches(places(city.state).switches, switches)
    await eventually(what, async () => city.service.switches.now.closed.size === switches.closed.size && city.service.switches.now.siaga?.until === switches.siaga?.until)
  }
  const getsTo = async (line: string, from: string) => {
    const caller = stage.dials(from)
    await caller.talksWith(line)
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', line })
  }
  await set({ closed: new Map(), siaga: { until, reason: 'Banjir' } }, 'siaga is on')
  await getsTo('bpbd-1', '+627215550185')
  await set({ closed: new Map([['bpbd', { until, reason: 'Banjir' }]]), siaga: { until, reason: 'Banjir' } }, 'and where it begins is closed, too')
  await getsTo('posko-1', '+627215550186')
  await set(noSwitches, 'all is as ever')
  const caller = stage.dials('+627215550187')
  await caller.hears('sambutan')
  caller.hangsUp()
  expect(await stage.record(caller)).toMatchObject({ disposition: 'abandoned', detail: 'greeting' })
  await stage.nothingIsLeft()
})

test('a line outside of its hours, or out of service, is not rung; one that two agencies share holds one call, with and without the service', async () => {
  const { city } = stage
  const before = city.calls.length
  const ambulance = stage.dials('+627215550188')
  await ambulance.hears('sambutan')
  ambulance.presses('1')
  await ambulance.talksWith('ambulans-1')
  const full = stage.dials('+627215550189')
  await full.hears('sambutan')
  full.presses('4')
  await full.talksWith('jaga-3')          // the ambulance's telephone is in use
  full.hangsUp()
  const { callId } = await stage.record(full)
  expect(Object.fromEntries((await city.service.records.get(callId))!.lines.map(({ line, outcome }) => [line, outcome]))).toEqual({
    'jaga-1': 'off-duty', 'jaga-2': 'off-duty', 'ambulans-1': 'full', 'jaga-3': 'answered' })
  ambulance.hangsUp()
  await stage.record(ambulance)
  const shared = stage.dials('+627215550190')
  await shared.hears('sambutan')
  shared.presses('4')
  await shared.talksWith('ambulans-1')
  shared.hangsUp()
  expect(await stage.record(shared)).toMatchObject({ disposition: 'answered', agency: 'jaga', line: 'ambulans-1' })

  await city.restart(async () => {
    stage.line('ambulans-1').isBusy()
    const alone = stage.dials('+627215550191')
    await alone.hears('sambutan')
    alone.presses('4')
    await alone.talksWith('jaga-3')
    alone.hangsUp()
  })
  expect(city.calls.slice(before).map(({ line }) => line)).not.toContain('jaga-1')
  expect(city.calls.slice(before).map(({ line }) => line)).not.toContain('jaga-2')
  await stage.nothingIsLeft()
})

test('a line of an agency whose callers are anonymous sees the number that they dialled', async () => {
  const { city } = stage
  const number = '+627215550192'
  const caller = city.dial({ from: number })
  await caller.answered
  await caller.press('5')
  const leg = await eventually('the line is rung', async () => city.calls.find(({ line }) => line === 'ppa-1'))
  expect(leg.from).toBe('112')
  await leg.answered
  await caller.hangUp()
  expect(await stage.city.record(number)).toMatchObject({ cli: number, agency: 'ppa' })
  await stage.nothingIsLeft()
})
