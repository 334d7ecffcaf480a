/**
 * The follow-ups' crash matrix: every step of a callback × every fault, with real SIP as the citizen and the desk, real Redis and a
 * real Asterisk. `npm run test:faults` runs all of it and writes docs/followup-matrix.md; everywhere else a short part is run.
 */
import { Queue } from 'bullmq'
import { afterAll, expect, test } from 'vitest'
import { withContainers } from '../parts/launch.ts'
import { CalledBack } from './called-back.ts'
import { runFollowUpCell, type Cell, type Place } from './followup-cell.ts'
import { faults } from './followup-faults.ts'
import { moments } from './followup-moments.ts'
import { writeFollowUpTable } from './followup-table.ts'
import { Ground } from './ground.ts'

const whole = process.env['SATUNOMOR_CRASH_MATRIX'] === 'whole'
const followups = 'followups: { policy: { delay: 0 s, spacing: [5 s], attempts: 3, ringTime: 30 s, spoken: 2 s, deadline: 180 min }, outbound: { channels: 4, hourly: 20 } }\n'

/** Cities side by side; one that a cell failed in is not used again. */
const free: { number: number, calls: number, place?: Place | undefined }[] = [107, 108, 109].map(number => ({ number, calls: 0 }))
const cells: { cell: Cell, place: Place }[] = []
let planned = 0

async function open(number: number): Promise<Place> {
  const ground = await Ground.open(number, { followups })
  const queue = new Queue('followups', { connection: { url: `redis://${ground.city.address}:6389`, maxRetriesPerRequest: null } })
  queue.on('error', () => {})                   // Redis is killed, and comes back
  return { ground, queue, phones: new CalledBack(ground) }
}

async function close(place: Place | undefined) {
  await place?.queue.close()
  await place?.ground[Symbol.asyncDispose]()
}

const all = faults()
for (const fault of all) {
  for (const moment of moments) {
    if (fault.not?.[moment.name] || !whole && !fault.short.includes(moment.name)) continue
    planned++
    const leftOut = withContainers && fault.nativeOnly !== undefined
    test.skipIf(leftOut)(`a follow-up, ${moment.name}: ${fault.name}${leftOut ? ` (left out: ${fault.nativeOnly})` : ''}`, { concurrent: true, timeout: 240_000 }, async () => {
      const slot = free.pop()!
      try {
        slot.place ??= await open(slot.number)
        const cell = await runFollowUpCell(slot.place, fault, moment, `+6272155501${String(slot.calls++).padStart(2, '0')}`)
        cells.push({ cell, place: slot.place })
        expect(cell.complaints, JSON.stringify(cell, null, 1)).toEqual([])
      } catch (error) {
        await close(slot.place)
        slot.place = undefined
        throw error
      } finally {
        free.push(slot)
      }
    })
  }
}

afterAll(async () => {
  await Promise.all(free.map(({ place }) => close(place)))
  // Whoever was spoken with must have been left alone from then on, whatever came late.
  for (const { cell, place } of cells) {
    const late = place.phones.of(cell.number).length - cell.rings
    if (late > 0) cell.complaints.push(`the citizen's telephone rang ${late} times after all was done`)
  }
  if (whole && cells.length === planned) await writeFollowUpTable({ faults: all, moments, cells: cells.map(({ cell }) => cell) })
  expect(cells.flatMap(({ cell }) => cell.complaints)).toEqual([])
}, 120_000)
