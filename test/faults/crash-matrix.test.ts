/**
 * The crash matrix: every moment of a call × every fault, with real SIP calls. `npm run test:faults` runs all of it and writes
 * docs/crash-matrix.md; everywhere else a short part is run: each fault and each moment at least once.
 */
import { afterAll, expect, test } from 'vitest'
import { withContainers } from '../parts/launch.ts'
import { runCell, type Cell } from './cell.ts'
import { faults } from './faults.ts'
import { Ground } from './ground.ts'
import { moments } from './moments.ts'
import { writeTable } from './table.ts'

const whole = process.env['SATUNOMOR_CRASH_MATRIX'] === 'whole'

/** Three cities side by side; one that a cell failed in is not used again. */
const free: { number: number, calls: number, ground?: Ground | undefined }[] = [70, 71, 72].map(number => ({ number, calls: 0 }))
const cells: Cell[] = []
let planned = 0

const all = faults()
for (const fault of all) {
  for (const moment of moments) {
    if (!whole && !fault.short.includes(moment.name)) continue
    planned++
    const leftOut = withContainers && fault.nativeOnly !== undefined
    test.skipIf(leftOut)(`${moment.name}: ${fault.name}${leftOut ? ` (left out: ${fault.nativeOnly})` : ''}`, { concurrent: true, timeout: 180_000 }, async () => {
      const place = free.pop()!
      try {
        place.ground ??= await Ground.open(place.number)
        const run = (ground: Ground) => runCell(ground, fault, moment, `+627215550${String(place.calls++ % 1000).padStart(3, '0')}`)
        let cell = await run(place.ground)
        // Where this process itself stood still, it is the machine that was measured: once more.
        if (cell.complaints.length > 0 && cell.experience.stall > 500) cell = await run(place.ground)
        cells.push(cell)
        expect(cell.complaints, JSON.stringify(cell, null, 1)).toEqual([])
      } catch (error) {
        await place.ground?.[Symbol.asyncDispose]()
        place.ground = undefined
        throw error
      } finally {
        free.push(place)
      }
    })
  }
}

afterAll(async () => {
  await Promise.all(free.map(({ ground }) => ground?.[Symbol.asyncDispose]()))
  if (whole && cells.length === planned) await writeTable({ faults: all, moments, cells })
}, 120_000)
