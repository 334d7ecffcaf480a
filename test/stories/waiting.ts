/** The stories of the waiting room: on the fake exchange, and on the real one. Halo Wali Kota has one line, BPBD two. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Caller, Line, Stage } from './stage.ts'

/** The demo city's plan, where callers of Halo Wali Kota wait for its line, and those of BPBD for theirs. */
export const waitingRoom = (text: string) => text
  .replace('    connecting: sambung-wali-kota\n', '    connecting: sambung-wali-kota\n    wait: { longest: 12 s, every: 5 s }\n')
  .replace('    connecting: sambung-bpbd\n', '    connecting: sambung-bpbd\n    wait: { longest: 60 s, every: 5 s }\n')

export function waitingStories<S extends Stage>(open: () => Promise<S>): () => S {
  let stage: S
  beforeAll(async () => { stage = await open() })
  beforeEach(() => { for (const id of ['hallo-1', 'bpbd-1', 'bpbd-2']) stage.line(id).answers() })
  afterAll(() => stage?.[Symbol.asyncDispose]())

  const asksFor = async (number: string, key = '3') => {
    const caller = stage.dials(number)
    await caller.hears('sambutan')
    caller.presses(key)
    return caller
  }
  const talks = async (number: string) => {
    const caller = await asksFor(number)
    await caller.talksWith('hallo-1')
    return caller
  }
  const waits = async (number: string) => {
    const caller = await asksFor(number)
    await caller.hears('mohon-maaf')
    return caller
  }
  const wasAnswered = async (caller: Caller) => {
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', agency: 'wali-kota', line: 'hallo-1' })
  }

  test('who finds all lines in use waits, and who called first is first', async () => {
    const first = await talks('+627215550161')
    const second = await waits('+627215550162')
    await second.hears('tawaran-menunggu')
    const third = await waits('+627215550163')
    await wasAnswered(first)
    await second.talksWith('hallo-1')
    await third.hears('mohon-maaf')
    await wasAnswered(second)
    await third.talksWith('hallo-1')
    await wasAnswered(third)
    await stage.nothingIsLeft()
  }, 60_000)

  test('who asks for it while waiting is called back', async () => {
    const talking = await talks('+627215550164')
    const caller = await waits('+627215550165')
    await caller.hears('tawaran-menunggu')
    caller.presses('7')
    await caller.hears('akan-ditelepon')
    await caller.isHungUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'callback', detail: 'asked:wali-kota', agency: 'wali-kota', line: null, endedBy: 'us' })
    await wasAnswered(talking)
    await stage.nothingIsLeft()
  }, 60_000)

  test('who hangs up while waiting has been lost there, whether or not they had been at the lines', async () => {
    const talking = await talks('+627215550166')
    const [one, other] = [await waits('+627215550167'), await waits('+627215550168')]
    for (const caller of [other, one]) {
      caller.hangsUp()
      expect(await stage.record(caller)).toMatchObject({ disposition: 'abandoned', detail: 'waiting:wali-kota', agency: 'wali-kota', endedBy: 'caller' })
    }
    await wasAnswered(talking)
    await stage.nothingIsLeft()
  }, 60_000)

  test('a line that is busy with others is tried again, whatever keys are pressed meanwhile', async () => {
    stage.line('hallo-1').isBusy()
    const caller = await waits('+627215550169')
    caller.presses('6495')
    stage.line('hallo-1').answers()
    await caller.talksWith('hallo-1')
    await wasAnswered(caller)
    await stage.nothingIsLeft()
  }, 60_000)

  test('who has waited for long enough goes on as without it', async () => {
    const talking = await talks('+627215550170')
    const caller = await waits('+627215550171')
    await caller.isHungUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'unanswered', detail: 'lines-exhausted:wali-kota', endedBy: 'us' })
    await wasAnswered(talking)
    await stage.nothingIsLeft()
  }, 90_000)

  test('nobody waits where nobody picks up', async () => {
    const line = stage.line('hallo-1')
    line.rings()
    const caller = await asksFor('+627215550172')
    await line.isRung()
    await caller.hears('tawaran-telepon-balik')
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'unanswered', agency: 'wali-kota' })
    await stage.nothingIsLeft()
  }, 60_000)

  test.for([
    { how: 'is out of order', last: 3, happens: (line: Line) => line.isOutOfOrder() },
    { how: 'does not exist', last: 4, happens: (line: Line) => line.doesNotExist() },
    { how: 'is switched off', last: 5, happens: (line: Line) => line.isSwitchedOff() }
  ])('beside a line in use there is one that $how: who waits hears all that is offered, and is connected when the line is free', { timeout: 90_000 }, async ({ last, happens }) => {
    happens(stage.line('bpbd-1'))
    const number = (of: number) => `+6272155501${of}${last}`
    const talking = await asksFor(number(8), '2')
    await talking.talksWith('bpbd-2')
    const waiting: Caller[] = []
    for (const of of [9, 7]) {
      const caller = await asksFor(number(of), '2')
      await caller.hears('mohon-maaf')
      await caller.hears('tawaran-menunggu')
      waiting.push(caller)
    }
    await waiting[0]!.hears('mohon-maaf')
    await waiting[0]!.hears('tawaran-menunggu')
    for (const caller of [talking, ...waiting]) {
      await caller.talksWith('bpbd-2')
      caller.hangsUp()
      expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', agency: 'bpbd', line: 'bpbd-2' })
    }
    await stage.nothingIsLeft()
  })

  return () => stage
}
