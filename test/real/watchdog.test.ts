/** The service killed or frozen, in a process of its own, with the watchdog beside it: what a caller notices. */
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Child } from '../../setup/children.mjs'
import type { OutgoingCall } from '../../demo/softphone.ts'
import { Records } from '../../src/records/records.ts'
import { places } from '../../src/settings.ts'
import { pino } from 'pino'
import { eventually, openCity, type City } from '../parts/city.ts'
import { waitingRoom } from '../stories/waiting.ts'
import { hearsBytes, voice } from './stage.ts'

let city: City
let service: Child
let watchdog: Child
beforeAll(async () => {
  city = await openCity({ number: 4, withService: false, plan: text => waitingRoom(text.replaceAll('patience: 3 s', 'patience: 1 s')).replace('longest: 12 s', 'longest: 60 s') })
  watchdog = await city.run('src/watchdog.ts')
})
beforeEach(async () => { service = await city.run('src/main.ts') })
afterEach(async () => {
  for (const child of [service, watchdog]) child.process.kill('SIGCONT')
  await service.stop()
  await eventually('no channel is left', async () => (await city.channels()).length === 0)
})
afterAll(() => city?.[Symbol.asyncDispose]())

const signal = (child: Child, name: NodeJS.Signals) => { child.process.kill(name) }

/** The call is connected with the line, and each hears the other. */
async function talks(call: OutgoingCall, line: string, from: string) {
  const leg = await city.rung(line, from)
  await leg.answered
  await Promise.all([hearsBytes(call, voice(line)), hearsBytes(leg, voice(from)), leg.say(voice(line)), call.say(voice(from))])
  return leg
}

/** The record, once the service that runs now has written it. */
async function record(from: string) {
  await using records = await Records.open({ file: places(city.state).records }, pino({ level: 'silent' }))
  return await eventually('the record', async () => {
    const { calls } = await records.list({ limit: 50 })
    const call = calls.find(({ cliRaw }) => cliRaw === from)
    return call?.disposition ? await records.get(call.callId) ?? undefined : undefined
  })
}

test('killed: who talks talks on, a new caller is in the fallback at once, and all of it is on record after a restart', async () => {
  const [talking, late] = ['+627215550141', '+627215550142'] as const
  const first = city.dial({ from: talking })
  await first.answered
  await first.press('1')
  await talks(first, 'ambulans-1', talking)

  signal(service, 'SIGKILL')
  await service.ended
  const second = city.dial({ from: late })
  await city.ear.hears(second, 'sambutan')
  await second.press('2')
  const leg = await talks(second, 'bpbd-1', late)
  await talks(first, 'ambulans-1', talking)
  await leg.hangUp()
  await second.ended
  await first.hangUp()

  service = await city.run('src/main.ts')
  expect((await record(talking)).call).toMatchObject({ disposition: 'answered', line: 'ambulans-1', endedBy: 'caller' })
  expect((await record(late)).call).toMatchObject({ disposition: 'answered', line: 'bpbd-1', endedBy: 'agency' })
})

test('killed and started again: a caller in the menu hears it again, and goes on', async () => {
  const from = '+627215550143'
  const call = city.dial({ from })
  const heard = await city.ear.hears(call, 'menu-utama')
  signal(watchdog, 'SIGSTOP')               // however long it takes to start again here
  signal(service, 'SIGKILL')
  await service.ended
  service = await city.run('src/main.ts')
  await city.ear.hears(call, 'sambutan', { after: heard.startedAt })
  signal(watchdog, 'SIGCONT')
  await call.press('3')
  await talks(call, 'hallo-1', from)
  await call.hangUp()
  const { call: told, steps } = await record(from)
  expect(told).toMatchObject({ disposition: 'answered', line: 'hallo-1' })
  expect(steps.filter(({ kind, witness }) => kind === 'key' && witness === 'service')).toHaveLength(1)
})

test('killed and started again: who has the menu read to them again may choose as late as before', async () => {
  const from = '+627215550157'
  const call = city.dial({ from })
  const { startedAt } = await city.ear.hears(call, 'sambutan')
  signal(watchdog, 'SIGSTOP')               // however long it takes to start again here
  signal(service, 'SIGKILL')
  await service.ended
  service = await city.run('src/main.ts')
  const again = await city.ear.hears(call, 'sambutan', { after: startedAt })
  signal(watchdog, 'SIGCONT')
  await setTimeout(again.startedAt + 4_000 - performance.now())           // the menu is being read, and its patience of 1 s would be over
  await call.press('2')
  await talks(call, 'bpbd-1', from)
  await call.hangUp()
  expect((await record(from)).steps.filter(({ kind }) => kind === 'key' || kind === 'silence')).toMatchObject([{ kind: 'key', witness: 'service', facts: { digit: '2', means: 'bpbd' } }])
})

test('killed for good: the watchdog sends a caller in the menu to the fallback', async () => {
  const from = '+627215550144'
  const call = city.dial({ from })
  const heard = await city.ear.hears(call, 'sambutan')
  signal(service, 'SIGKILL')
  await city.ear.hears(call, 'sambutan', { after: heard.startedAt })
  await call.press('2')
  await talks(call, 'bpbd-1', from)
  await call.hangUp()
})

test('frozen: a new caller is in the fallback within 4 s, those in the menu within 6 s, and on waking it does not fight over them', async () => {
  const [held, fresh] = ['+627215550145', '+627215550146'] as const
  const first = city.dial({ from: held })
  const heard = await city.ear.hears(first, 'sambutan')
  signal(service, 'SIGSTOP')
  const frozenAt = performance.now()
  const again = await city.ear.hears(first, 'sambutan', { after: heard.startedAt })
  expect(again.startedAt - frozenAt).toBeLessThan(6_000)

  const second = city.dial({ from: fresh })
  await city.ear.hears(second, 'sambutan')
  await first.press('2')
  await second.press('1')
  await talks(first, 'bpbd-1', held)
  await talks(second, 'ambulans-1', fresh)

  signal(service, 'SIGCONT')
  await eventually('the service is ready again', async () => (await fetch(`http://${city.address}:8080/readyz`)).ok)
  await talks(first, 'bpbd-1', held)
  await talks(second, 'ambulans-1', fresh)
  await first.hangUp()
  await second.hangUp()
  expect((await record(held)).call).toMatchObject({ disposition: 'answered', line: 'bpbd-1' })
  expect((await record(fresh)).call).toMatchObject({ disposition: 'answered', line: 'ambulans-1' })
})

test('frozen with a caller on the way back from an agency\'s lines: a human takes them', async () => {
  const from = '+627215550147'
  city.line('hallo-1', call => call.ring())
  const call = city.dial({ from })
  await city.ear.hears(call, 'sambutan')
  await call.press('3')
  const ringing = await city.rung('hallo-1', from)
  signal(service, 'SIGSTOP')
  await ringing.refuse(486)
  await talks(call, 'posko-1', from)
  await call.hangUp()
})

/** Of the last resort a talk counts from 4 s on: until so much more of it has been heard. */
async function longEnough(call: OutgoingCall) {
  const [heard, frames] = [call.heard.length, 4.2 * 50]
  await eventually('they have talked for more than 4 s', async () => call.heard.length >= heard + frames)
}

test('killed for good, and no line of the agency answers: the last resort finds somebody', async () => {
  const from = '+627215550151'
  signal(service, 'SIGKILL')
  await service.ended
  city.line('hallo-1', call => call.refuse(486))
  city.line('posko-1', call => call.refuse(503))
  const call = city.dial({ from })
  await city.ear.hears(call, 'sambutan')
  await call.press('3')
  await talks(call, 'ambulans-1', from)
  await longEnough(call)
  city.line('posko-1', call => call.answer())
  await call.hangUp()
  service = await city.run('src/main.ts')
  expect((await record(from)).call).toMatchObject({ disposition: 'answered', agency: 'last-resort', line: 'ambulans-1' })
})

test('frozen, and neither the agency\'s line nor the desk answers: the last resort finds somebody', async () => {
  const from = '+627215550158'
  signal(service, 'SIGSTOP')
  city.line('hallo-1', call => call.refuse(486))
  const desk = { rung: 0 }
  city.line('posko-1', call => { desk.rung++; return call.refuse(503) })
  await eventually('new calls take the fallback', async () => Date.now() / 1000 - Number(await city.variable('SN_BEAT')) > 5)
  const call = city.dial({ from })
  await city.ear.hears(call, 'sambutan')
  await call.press('3')
  await talks(call, 'ambulans-1', from)
  await longEnough(call)
  expect(desk.rung).toBe(1)                                      // by the last resort: nobody goes round in a circle
  city.line('posko-1', call => call.answer())
  await call.hangUp()
  signal(service, 'SIGCONT')
  expect((await record(from)).call).toMatchObject({ disposition: 'answered', agency: 'last-resort', line: 'ambulans-1' })
})

test('drained: new calls take the fallback, a caller in the menu is led to their choice, and the service ends with 0', async () => {
  const [held, fresh] = ['+627215550148', '+627215550149'] as const
  const first = city.dial({ from: held })
  await city.ear.hears(first, 'sambutan')
  signal(service, 'SIGTERM')
  await eventually('it drains', async () => (await fetch(`http://${city.address}:8080/readyz`)).status === 503)
  const second = city.dial({ from: fresh })
  await city.ear.hears(second, 'sambutan')
  await first.press('2')
  await second.press('1')
  await talks(first, 'bpbd-1', held)
  await talks(second, 'ambulans-1', fresh)
  expect((await service.ended).exit).toEqual({ code: 0, signal: null })
  await first.hangUp()
  await second.hangUp()
  service = await city.run('src/main.ts')
  expect((await record(held)).steps.find(({ kind }) => kind === 'key')?.witness).toBe('service')
  expect((await record(fresh)).steps.find(({ kind }) => kind === 'key')?.witness).toBe('ledger')
})

test('the watchdog may die and come back: no call notices', async () => {
  const from = '+627215550150'
  const call = city.dial({ from })
  await city.ear.hears(call, 'sambutan')
  signal(watchdog, 'SIGKILL')
  await watchdog.ended
  await call.press('2')
  const leg = await talks(call, 'bpbd-1', from)
  watchdog = await city.run('src/watchdog.ts')
  await talks(call, 'bpbd-1', from)
  expect(leg.ending).toBeNull()
  await call.hangUp()
})

/** Somebody talks on the mayor's one line, and two more wait for it. */
async function twoWait(talking: string, waiting: readonly [string, string]) {
  for (const id of ['hallo-1', 'posko-1']) city.line(id, call => call.answer())
  const dials = async (from: string) => {
    const call = city.dial({ from })
    await city.ear.hears(call, 'menu-utama')
    await call.press('3')
    return call
  }
  const first = await dials(talking)
  await talks(first, 'hallo-1', talking)
  const calls: OutgoingCall[] = []
  for (const from of waiting) {
    const call = await dials(from)
    await city.ear.hears(call, 'mohon-maaf')
    calls.push(call)
  }
  return { first, second: calls[0]!, third: calls[1]! }
}

test('killed while callers wait for a line: the watchdog leads them to a human', async () => {
  const waiting = ['+627215550152', '+627215550153'] as const
  const { first, second, third } = await twoWait('+627215550151', waiting)
  signal(service, 'SIGKILL')
  await service.ended
  await Promise.all([talks(second, 'posko-1', waiting[0]), talks(third, 'posko-1', waiting[1])])
  await Promise.all([first, second, third].map(call => call.hangUp()))
  service = await city.run('src/main.ts')
  expect((await record(waiting[0])).call).toMatchObject({ disposition: 'answered', line: 'posko-1', endedBy: 'caller' })
})

test('started again at once, they wait on, and who called first is first', async () => {
  const waiting = ['+627215550155', '+627215550156'] as const
  const { first, second, third } = await twoWait('+627215550154', waiting)
  const heard = [second, third].map(call => city.ear.heardOn(call).at(-1)!.startedAt)
  signal(service, 'SIGKILL')
  await service.ended
  service = await city.run('src/main.ts')
  await Promise.all([second, third].map((call, at) => city.ear.hears(call, 'mohon-maaf', { after: heard[at]! })))
  await first.hangUp()
  await talks(second, 'hallo-1', waiting[0])
  await second.hangUp()
  await talks(third, 'hallo-1', waiting[1])
  await third.hangUp()
  expect((await record(waiting[1])).call).toMatchObject({ disposition: 'answered', line: 'hallo-1', endedBy: 'caller' })
})
