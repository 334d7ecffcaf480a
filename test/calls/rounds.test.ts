import { expect, test } from 'vitest'
import { Rounds } from '../../src/calls/rounds.ts'
import { seconds } from '../../src/plan/duration.ts'
import { aLog, until } from '../records/stories.ts'

/** Rounds that would wait for an hour, unless they are nudged or told that there is more. */
function rounds(look: () => Promise<boolean | void>) {
  const { log, said } = aLog()
  return { said, rounds: new Rounds({ look, every: () => seconds(3600), what: 'a test', log }) }
}

test('the next look comes at once where there may be more, then when it is nudged', async () => {
  let looks = 0
  const { rounds: it } = rounds(async () => ++looks < 3)
  it.start()
  await until(() => looks === 3)
  it.nudge()
  await until(() => looks === 4)
  await it.close()
  it.nudge()
  expect(looks).toBe(4)
})

test('a look that fails is told once, and when it goes on', async () => {
  let looks = 0
  const { rounds: it, said } = rounds(async () => { if (++looks < 4) throw new Error('the disk is full') })
  it.start()
  await until(() => { it.nudge(); return looks >= 4 })
  await until(() => said.length === 2)
  expect(said.map(({ msg }) => msg)).toEqual(['this is held up; trying again', 'what was held up goes on'])
  await it.close()
})

test('closing waits for the look that is under way', async () => {
  const inside = Promise.withResolvers<void>()
  let over = false
  const { rounds: it } = rounds(async () => { await inside.promise; over = true })
  it.start()
  const closed = it.close()
  expect(it.closing.aborted).toBe(true)
  inside.resolve()
  await closed
  expect(over).toBe(true)
})
