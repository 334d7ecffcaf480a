/** The stories that every call lives through: told once, played on the fake exchange and on the real one. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Stage } from './stage.ts'

const lines = ['ambulans-1', 'ambulans-2', 'bpbd-1', 'bpbd-2', 'hallo-1', 'posko-1']

export function stories(open: () => Promise<Stage>) {
  let stage: Stage
  beforeAll(async () => { stage = await open() })
  beforeEach(() => { for (const id of lines) stage.line(id).answers() })
  afterAll(async () => { await stage[Symbol.asyncDispose]() })

  test.each([['1', 'ambulans-1', 'ambulans'], ['2', 'bpbd-1', 'bpbd'], ['3', 'hallo-1', 'wali-kota'], ['0', 'posko-1', 'posko']])(
    'key %s connects with %s', async (digit, line, agency) => {
      const caller = stage.dials()
      await caller.hears('menu-utama')
      caller.presses(digit)
      await caller.talksWith(line)
      caller.hangsUp()
      expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', agency, line, endedBy: 'caller' })
      await stage.nothingIsLeft()
    })

  test('a key counts from the first syllable of the greeting on', async () => {
    const caller = stage.dials()
    await caller.hears('sambutan')
    caller.presses('2')
    await caller.talksWith('bpbd-1')
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', line: 'bpbd-1' })
  })

  test('a wrong key is said so, and the menu comes again', async () => {
    const caller = stage.dials()
    await caller.hears('sambutan')
    caller.presses('9')
    await caller.hears('tidak-valid')
    await caller.hears('menu-utama')
    caller.presses('1')
    await caller.talksWith('ambulans-1')
    caller.hangsUp()
    expect((await stage.record(caller)).disposition).toBe('answered')
  })

  test('two wrong keys lead to a human', async () => {
    const caller = stage.dials()
    await caller.hears('sambutan')
    caller.presses('*')
    await caller.hears('tidak-valid')
    caller.presses('9')
    await caller.talksWith('posko-1')
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', agency: 'posko' })
  })

  test('silence leads to a human, who is announced', async () => {
    const posko = stage.line('posko-1')
    posko.rings()
    const caller = stage.dials()
    await caller.hears('menu-utama')
    await caller.hears('ke-petugas')
    await posko.isRung()
    posko.picksUp()
    await caller.talksWith('posko-1')
    posko.hangsUp()
    await caller.isHungUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', agency: 'posko', endedBy: 'agency' })
    await stage.nothingIsLeft()
  })

  test('while a line rings, the caller hears who is called', async () => {
    const bpbd = stage.line('bpbd-1')
    bpbd.rings()
    const caller = stage.dials()
    caller.presses('2')
    await caller.hears('sambung-bpbd')
    await bpbd.isRung()
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'abandoned', detail: 'ringing:bpbd-1', endedBy: 'caller' })
    await stage.nothingIsLeft()
  })

  test.each([['busy', 'isBusy'], ['unknown to the network', 'doesNotExist'], ['out of order', 'isOutOfOrder'], ['not picked up in its ring time', 'rings']] as const)(
    'a line that is %s leads to the next one', async (_, does) => {
      stage.line('bpbd-1')[does]()
      const caller = stage.dials()
      await caller.hears('sambutan')
      caller.presses('2')
      await caller.talksWith('bpbd-2')
      caller.hangsUp()
      expect(await stage.record(caller)).toMatchObject({ disposition: 'answered', agency: 'bpbd', line: 'bpbd-2' })
    })

  test('after the last line the caller hears an apology, and the call ends as unanswered', async () => {
    stage.line('bpbd-1').isBusy()
    stage.line('bpbd-2').isBusy()
    const caller = stage.dials()
    await caller.hears('sambutan')
    caller.presses('2')
    await caller.hears('tawaran-telepon-balik')
    await caller.hears('maaf-akhir')
    await caller.isHungUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'unanswered', agency: 'bpbd', detail: 'lines-exhausted:bpbd', endedBy: 'us' })
    await stage.nothingIsLeft()
  })

  test('whom nobody answers may ask to be called back, by a key', async () => {
    stage.line('hallo-1').isBusy()
    const caller = stage.dials('+627215550114')
    await caller.hears('sambutan')
    caller.presses('3')
    await caller.hears('tawaran-telepon-balik')
    await caller.answers('7')
    await caller.hears('akan-ditelepon')
    await caller.isHungUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'callback', agency: 'wali-kota', detail: 'asked:wali-kota', endedBy: 'us' })
    await stage.nothingIsLeft()
  })

  test('nobody is promised a callback who has no number to ring', async () => {
    stage.line('hallo-1').isBusy()
    const caller = stage.dials('')
    const offered = caller.hears('tawaran-telepon-balik').then(() => true, () => false)
    await caller.hears('sambutan')
    caller.presses('3')
    await caller.hears('maaf-akhir')
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'unanswered', cli: null })
    expect(await Promise.race([offered, Promise.resolve(false)])).toBe(false)
    await stage.nothingIsLeft()
  })

  test('a line that talks is full: the next caller is connected with the next line, a third hears the apology', async () => {
    const [first, second, third] = ['+627215550101', '+627215550102', '+627215550103'].map(number => stage.dials(number))
    for (const [caller, line] of [[first!, 'bpbd-1'], [second!, 'bpbd-2']] as const) {
      await caller.hears('sambutan')
      caller.presses('2')
      await caller.talksWith(line)
    }
    third!.presses('2')
    await third!.hears('tawaran-telepon-balik')
    await third!.hears('maaf-akhir')
    await third!.isHungUp()
    expect((await stage.record(third!)).disposition).toBe('unanswered')
    first!.hangsUp()
    second!.hangsUp()
    expect((await stage.record(second!)).disposition).toBe('answered')
    await stage.nothingIsLeft()
  })

  test('the agency sees the citizen\'s number', async () => {
    const caller = stage.dials('+627215550113')
    await caller.hears('sambutan')
    caller.presses('2')
    await caller.talksWith('bpbd-1')
    expect(await stage.line('bpbd-1').shows()).toBe('+627215550113')
    caller.hangsUp()
    expect((await stage.record(caller)).cli).toBe('+627215550113')
  })

  test.each([['greeting', 'sambutan', 'greeting'], ['menu', 'menu-utama', 'menu:utama']])('a caller who hangs up during the %s has abandoned it', async (_, prompt, detail) => {
    const caller = stage.dials()
    await caller.hears(prompt)
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'abandoned', detail, endedBy: 'caller' })
    await stage.nothingIsLeft()
  })

  test('a caller who hangs up during the apology was unanswered all the same', async () => {
    stage.line('hallo-1').isBusy()
    const caller = stage.dials()
    caller.presses('3')
    await caller.hears('tawaran-telepon-balik')
    await caller.hears('maaf-akhir')
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'unanswered', endedBy: 'caller' })
    await stage.nothingIsLeft()
  })
}
