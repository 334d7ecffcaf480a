/** Many at once: a city's worst minute, and one number that calls three hundred times. The service runs as it does in a city. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadPrompts } from '../../demo/ear.ts'
import type { Child } from '../../setup/children.mjs'
import { project } from '../../setup/project.mjs'
import { audit } from '../../src/audit.ts'
import { places } from '../../src/settings.ts'
import { Records } from '../../src/records/records.ts'
import type { StoredCall } from '../../src/records/tables.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { sentence, type Crowd, type Told } from '../parts/crowd.ts'
import { sounds } from '../parts/sounds.ts'
import { Sender } from '../parts/ugly-sender.ts'
import { sdp } from '../parts/ugly-torture.ts'

const at = (last: number) => `127.77.83.${last}`
const lines = ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']
let city: City, service: Child, records: Records
/** Asterisk's process, as its console greets. */
let exchange: string
beforeAll(async () => {
  city = await openCity({ number: 83, withService: false })
  service = await city.run('src/main.ts')
  await city.run('src/watchdog.ts')
  records = Records.at({ file: places(city.state).records }, pino({ level: 'silent' }))
  const said = (await loadPrompts(join(sounds, 'telephones'), 'line/')).get(sentence)!
  for (const line of lines) city.line(line, async call => { if (await call.answer()) void call.say(said) })
  exchange = await greeting()
})
afterAll(async () => {
  await records?.[Symbol.asyncDispose]()
  await city?.[Symbol.asyncDispose]()
})

const greeting = () => new Promise<string>((resolve, reject) => {
  const socket = connect(join(city.state, 'asterisk', 'run', 'asterisk.ctl')).on('error', reject)
  socket.once('data', data => { socket.destroy(); resolve(String(data)) })
})
/** Every call that arrived since then, once all of them have ended; nothing is left behind, and nobody has fallen. */
async function written(since: number, calls: number): Promise<StoredCall[]> {
  await eventually('no channel is left', async () => (await city.channels()).length === 0, 30_000)
  const all = await eventually(`${calls} records with a disposition`, async () => {
    const found: StoredCall[] = []
    for (let cursor: string | undefined; ;) {
      const page = await records.list({ from: since, limit: 200, ...cursor === undefined ? {} : { cursor } })
      found.push(...page.calls)
      if (!page.next) break
      cursor = page.next
    }
    return found.length >= calls && found.every(({ disposition }) => disposition) && found
  }, 30_000)
  expect(await audit({ file: join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), records, from: since, to: Date.now() }))
    .toMatchObject({ arrived: calls, live: 0, missing: [], unfinished: [], orphans: [], unreadable: 0, balanced: true })
  expect(service.exit).toBeUndefined()
  expect(await greeting()).toBe(exchange)
  return all
}
const counted = (all: readonly string[]) => Object.fromEntries(Map.groupBy(all, it => it).entries().map(([name, them]) => [name, them.length]))

test('twenty times as many callers as lines within twenty seconds: each hears the greeting within two, and none is dropped', async () => {
  const since = Date.now()
  const crowd: Crowd = { carrier: at(2), exchange: `${at(1)}:5060`, sounds, callers: 200, over: 20_000 }
  const { stdout } = await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', join(project, 'test', 'parts', 'crowd.ts'), JSON.stringify(crowd)], { maxBuffer: 1 << 24 })
  const told = JSON.parse(stdout) as Told[]
  const calls = await written(since, 200)

  expect(told.filter(({ end }) => end === 'lost')).toEqual([])
  expect(told.filter(({ greetedAfter }) => !(greetedAfter! < 2_000))).toEqual([])
  // What is on record is what they lived, number by number.
  const lived = told.map(({ from, end }) => `${from} ${end === 'sorry' ? 'unanswered lines-exhausted' : end}`)
  const recorded = calls.map(({ cliRaw, disposition, detail }) => `${cliRaw} ${disposition === 'unanswered' ? `unanswered ${detail!.split(':')[0]}` : disposition}`)
  expect(recorded.toSorted()).toEqual(lived.toSorted())
  const ends = counted(told.map(({ end }) => end))
  expect(ends['abandoned']).toBe(20)
  expect(ends['answered']).toBeGreaterThan(20)
  expect(ends['sorry']).toBeGreaterThan(20)
})

test('three hundred calls at once from one number, and as many from a stranger, shut nobody out', async () => {
  await using one = await Sender.open(at(2), { address: at(1), port: 5060 })
  await using stranger = await Sender.open(at(9), { address: at(1), port: 5060 })
  const since = Date.now()
  one.keeps = true
  const headers = { from: `<sip:+627215550150@${at(2)}>;tag=flood`, 'p-asserted-identity': `<sip:+627215550150@${at(2)}>` }
  const flood: string[] = [], strange: string[] = []
  const flooding = new Promise<void>(resolve => {
    const timer = setInterval(() => {
      for (let i = 0; i < 10; i++) {
        flood.push(one.request('INVITE', `sip:112@${at(1)}:5060`, { body: sdp(at(7)), headers }))
        strange.push(stranger.request('INVITE', `sip:112@${at(1)}:5060`, { body: sdp(at(9)) }))
      }
      if (flood.length < 300) return
      clearInterval(timer)
      resolve()
    }, 20)
  })
  await eventually('the flood is in full spate', async () => flood.length >= 150)
  const call = city.dial({ from: '+627215550151' })
  await flooding
  await city.ear.hears(call, 'sambutan', { within: 30_000 })
  // As a citizen does: presses, and again where nothing comes of it.
  const pressing = setInterval(() => { void call.press('2') }, 3_000)
  await call.press('2')
  await city.ear.hears(call, sentence, { within: 30_000 }).finally(() => clearInterval(pressing))
  expect(await Promise.all(flood.map(id => one.final(id, 20_000)))).toEqual(flood.map(() => 200))
  expect(await Promise.all(strange.map(id => stranger.final(id, 20_000)))).toEqual(strange.map(() => 401))
  await call.hangUp()
  one.hangUp()

  const calls = await written(since, 301)
  expect(calls.find(({ cliRaw }) => cliRaw === '+627215550151')).toMatchObject({ disposition: 'answered', agency: 'bpbd' })
  // Where Asterisk had no time to answer the service, the fallback took the caller: a fault of ours, and on record as one.
  expect(calls.filter(({ disposition, detail }) => disposition === 'failed' && !detail!.endsWith('no answer in time'))).toEqual([])
})
