/** When the service counts as overloaded, and when as calm. The clock is the test's. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { limits, Overload } from '../../src/asterisk/overload.ts'

function watched() {
  const changes: boolean[] = []
  let now = 0
  const overload: Overload = new Overload({ onChange: () => changes.push(overload.on), log: pino({ level: 'silent' }) })
  /** So many waits of so many ms in each tenth of a second, for so long. */
  const pass = (ms: number, { waits = 0, each = 0 } = {}) => {
    for (const end = now + ms; now < end;) {
      for (let n = 0; n < waits; n++) overload.took(each)
      overload.look(now += 100)
    }
  }
  overload.look(now)
  return { overload, changes, pass, at: () => now, jump: (ms: number) => { overload.look(now += ms) } }
}

test('many slow waits are an overload within half a second', () => {
  const { overload, pass } = watched()
  pass(5_000, { waits: 20, each: limits.wait - 1 })
  expect(overload.on).toBe(false)
  pass(300, { waits: 20, each: limits.wait })
  expect(overload.on).toBe(true)
  expect(overload.counts.overloads).toBe(1)
})

test('few slow waits are no overload', () => {
  const { overload, pass } = watched()
  pass(10_000, { waits: 1, each: 3_000 })
  expect(overload.on).toBe(false)
})

test('calls that Asterisk does not take on are an overload before it answers', () => {
  const { overload, pass, at } = watched()
  for (let call = 0; call < limits.least; call++) overload.leaves(`call-${call}`, at())
  pass(200)
  expect(overload.on).toBe(true)
})

test('a call that is gone is not waited for', () => {
  const { overload, pass, at } = watched()
  for (let call = 0; call < 20; call++) overload.leaves(`call-${call}`, at())
  for (let call = 0; call < 10; call++) overload.forgets(`call-${call}`)
  for (let call = 10; call < 20; call++) overload.left(`call-${call}`, at() + 5)
  pass(5_000)
  expect(overload.on).toBe(false)
})

test('a loop that stood still is an overload, however few call', () => {
  const { overload, jump } = watched()
  jump(100 + limits.stall - 1)
  expect(overload.on).toBe(false)
  jump(100 + limits.stall)
  expect(overload.on).toBe(true)
})

test('it ends when it is calm, and not before the hold is over', () => {
  const { overload, changes, pass } = watched()
  pass(500, { waits: 20, each: 200 })
  pass(limits.hold.first - limits.calm, { waits: 1, each: 5 })
  expect(overload.on).toBe(true)
  pass(limits.hold.first, { waits: 1, each: 60 })
  expect(overload.on).toBe(true)
  pass(limits.calm + 500, { waits: 1, each: 5 })
  expect(overload.on).toBe(false)
  expect(changes).toEqual([true, false])
})

test('without any wait nobody knows that it is calm', () => {
  const { overload, pass } = watched()
  pass(500, { waits: 20, each: 200 })
  pass(limits.hold.first + limits.calm)
  expect(overload.on).toBe(true)
})

test('a load that comes back is held off for longer', () => {
  const { overload, pass, at } = watched()
  const ends = () => {
    const began = at()
    while (overload.on) pass(100, { waits: 1, each: 5 })
    return at() - began
  }
  const lasted = [1, 2, 3, 4, 5, 6].map(() => {
    pass(1_000, { waits: 20, each: 200 })
    return ends()
  })
  for (const [at, held] of [10, 20, 40, 80, 120, 120].entries()) expect(lasted[at]! / 1_000).toBeCloseTo(held, -1)
  pass(limits.hold.again + 1_000, { waits: 20, each: 5 })
  pass(1_000, { waits: 20, each: 200 })
  expect(ends()).toBeLessThan(12_000)
})
