/** The ledger read as it is written: whole lines, once, through torn ones, rotation and restarts. */
import { appendFile, copyFile, mkdtemp, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Ledger, type Watermark } from '../../src/asterisk/ledger.ts'
import type { Step } from '../../src/calls/story.ts'
import { Records } from '../../src/records/records.ts'
import { eventually } from '../parts/city.ts'

let folder: string
let file: string
const open: Ledger[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'satunomor-ledger-'))
  file = join(folder, 'calls.csv')
})
afterEach(async () => {
  for (const ledger of open.splice(0)) await ledger.close()
  await rm(folder, { recursive: true })
})

const line = (call: string, type = 'LINKEDID_END', number = '+62') =>
  ['2', type, '1700000000.000001', call, call, 'PJSIP/carrier-00000001', '', 'trunk-in', '112', number.replaceAll('"', '""'), '', '', ''].map(field => `"${field}"`).join(',') + '\n'

function reading(from?: Watermark, failing = () => false) {
  const steps: Step[] = []
  const complaints: string[] = []
  let mark = from
  const log = pino({ level: 'warn' }, { write: (text: string) => { complaints.push((JSON.parse(text) as { msg: string }).msg) } })
  const ledger = new Ledger({
    file, from, log,
    async take(taken, upTo) {
      if (failing()) throw new Error('the store is locked')
      steps.push(...taken)
      mark = upTo
    }
  })
  ledger.open()
  open.push(ledger)
  return { ledger, complaints, steps, calls: () => steps.map(({ callId }) => callId), mark: () => mark, has: (n: number) => eventually(`${n} steps`, async () => steps.length >= n) }
}

test('what is written is read, also when the file comes later, and a line only when it is whole', async () => {
  const it = reading()
  await writeFile(file, line('a') + line('b').slice(0, 30))
  await it.has(1)
  await appendFile(file, line('b').slice(30) + line('c'))
  await it.has(3)
  expect(it.calls()).toEqual(['a', 'b', 'c'])
})

test('from a watermark nothing is read twice', async () => {
  await writeFile(file, line('a') + line('b'))
  const first = reading()
  await first.has(2)
  await first.ledger.close()
  await appendFile(file, line('c'))
  const second = reading(first.mark())
  await second.has(1)
  expect(second.calls()).toEqual(['c'])
})

test('rotated, the rest of the old file is read before the new one', async () => {
  await writeFile(file, line('a'))
  const first = reading()
  await first.has(1)
  await first.ledger.close()
  await appendFile(file, line('b'))
  await rename(file, `${file}.1`)
  await writeFile(file, line('c'))
  const second = reading(first.mark())
  await second.has(2)
  expect(second.calls()).toEqual(['b', 'c'])
  expect(second.complaints).toEqual([])
})

test('rotated more than once while nobody read, each file is read in its turn', async () => {
  await writeFile(file, line('a'))
  const first = reading()
  await first.has(1)
  await first.ledger.close()
  await appendFile(file, line('b'))
  await rename(file, `${file}.2026-01-02`)
  await utimes(`${file}.2026-01-02`, 1000, 1000)
  await writeFile(`${file}.2026-01-01b`, line('c'))               // the names say nothing
  await utimes(`${file}.2026-01-01b`, 2000, 2000)
  await writeFile(file, line('d'))
  const second = reading(first.mark())
  await second.has(3)
  expect(second.calls()).toEqual(['b', 'c', 'd'])
})

test('a torn end of a rotated file holds up nothing', async () => {
  await writeFile(file, line('a') + line('torn').slice(0, -10))
  const it = reading()
  await it.has(1)
  await rename(file, `${file}.1`)
  await writeFile(file, line('b'))
  await it.has(2)
  expect(it.calls()).toEqual(['a', 'b'])
  expect(it.complaints).toEqual(['a rotated file of the ledger ends in a torn line; it is passed over'])
})

test('read again from its beginning, from a copy, and behind a torn line, it changes nothing in the store', async () => {
  const call = ['CHAN_START', 'ANSWER', 'ANSWER', 'HANGUP', 'LINKEDID_END'].map(type => line('a', type)).join('')     // one line twice
  await writeFile(file, call)
  const records = await Records.open({ file: join(folder, 'records.sqlite') }, pino({ level: 'silent' }))
  try {
    const told = async () => ({ whole: await records.get('a'), ...await records.list({ limit: 10 }), owed: await records.pendingOutbox(10) })
    const readAll = async (steps: number) => {
      const it = reading()
      await it.has(steps)
      await records.append(it.steps)
      return told()
    }
    const once = await readAll(5)
    expect(once.whole!.steps.map(({ kind }) => kind)).toEqual(['arrived', 'picked', 'hangup', 'ended'])
    expect(await readAll(5)).toEqual(once)
    await copyFile(file, `${file}.copy`)
    await writeFile(file, line('torn').slice(0, 25) + call)
    expect(await readAll(10)).toEqual(once)
  } finally {
    await records[Symbol.asyncDispose]()
  }
})

test('a line that a killed Asterisk left half does not cost the next one; one that says nothing is told', async () => {
  await writeFile(file, line('a') + line('torn').slice(0, 25) + line('b') + 'rubbish\n' + line('c'))
  const it = reading()
  await it.has(3)
  expect(it.calls()).toEqual(['a', 'b', 'c'])
  const passedOver = 'a piece of the ledger is no line of it; it is passed over'
  expect(it.complaints).toEqual([passedOver, passedOver])
})

test('a number with a newline and quotes in it forges no line, and hides none', async () => {
  const number = `1"\n${line('forged')}"2","HANGUP","1700000000.000001","forged",`
  const hostile = line('b', 'CHAN_START', number)
  for (const cut of [1, hostile.indexOf('\n') + 1, hostile.indexOf('forged'), hostile.length - 1]) {
    await writeFile(file, line('a') + hostile.slice(0, cut))          // cut in each of its parts: it is not whole yet
    const it = reading()
    await it.has(1)
    await appendFile(file, hostile.slice(cut) + line('c'))
    await it.has(3)
    expect(it.calls()).toEqual(['a', 'b', 'c'])
    expect(it.steps[1]!.facts).toMatchObject({ cli: number })
    expect(it.complaints).toEqual([])
    await writeFile(file, hostile.slice(0, cut) + line('c'))          // its Asterisk was killed there
    const after = reading()
    await after.has(1)
    expect(after.calls()).toEqual(['c'])
  }
})

test('a file that was cut short is read from its beginning', async () => {
  await writeFile(file, line('a') + line('b'))
  const it = reading()
  await it.has(2)
  await truncate(file, 0)
  await appendFile(file, line('c'))
  await it.has(3)
  expect(it.calls()).toEqual(['a', 'b', 'c'])
})

test('steps that are not taken are offered again, in order', async () => {
  let failures = 2
  const it = reading(undefined, () => failures-- > 0)
  await writeFile(file, line('a') + line('b'))
  await it.has(2)
  expect(it.calls()).toEqual(['a', 'b'])
})

test('it has caught up when all is taken: not before, and not while nothing can be taken', async () => {
  await writeFile(file, line('a'))
  let locked = true
  const it = reading(undefined, () => locked)
  expect(it.ledger.caughtUp).toBe(false)
  await eventually('the complaint', async () => it.complaints.length > 0)
  expect(it.ledger.caughtUp).toBe(false)
  locked = false
  await eventually('it has caught up', async () => it.ledger.caughtUp)
  expect(it.calls()).toEqual(['a'])
  locked = true
  await appendFile(file, line('b'))
  await eventually('it has not, any more', async () => !it.ledger.caughtUp)
})

test('a last line that was cut off is no lag for ever, and is read when its end comes after all', async () => {
  await writeFile(file, line('a') + line('b').slice(0, 30))
  const it = reading()
  await it.has(1)
  await eventually('it counts, as its end may be on its way', async () => it.ledger.lag === 30)
  await eventually('it counts no longer', async () => it.ledger.lag === 0)
  expect(it.ledger.caughtUp).toBe(true)
  await appendFile(file, line('b').slice(30) + line('c').slice(0, 40))
  await it.has(2)
  await eventually('the next one counts', async () => it.ledger.lag === 40)
  await rename(file, `${file}.1`)
  await writeFile(file, line('d'))
  await it.has(3)
  expect(it.calls()).toEqual(['a', 'b', 'd'])
  await eventually('nothing is behind', async () => it.ledger.lag === 0, 1000)
})
