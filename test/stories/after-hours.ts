/** The stories of who calls an office that is closed and offers a callback: on the fake exchange, and on the real one. */
import { DateTime } from 'luxon'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Stage } from './stage.ts'

/** When Halo Wali Kota opens: at a midnight that is neither today's nor next to it, wherever the city's clock stands. */
export const opens = DateTime.now().setZone('Asia/Jakarta').startOf('day').plus({ days: 3 })

/** The demo city's plan, with that. Who cannot be rung back goes to the desk. */
export const afterHours = (text: string) => text
  .replace('    connecting: sambung-wali-kota\n', '    connecting: sambung-wali-kota\n    hours: nanti\n    closed: { offer: callback, to: posko }\n')
  .replace('\nagencies:\n', `\nhours:\n  nanti: [{ days: [${opens.setLocale('en').toFormat('ccc').toLowerCase()}], from: 00:00, to: 24:00 }]\n\nagencies:\n`)

export function afterHoursStories<S extends Stage>(open: () => Promise<S>): () => S {
  let stage: S
  beforeAll(async () => { stage = await open() })
  beforeEach(() => { for (const id of ['hallo-1', 'posko-1']) stage.line(id).answers() })
  afterAll(() => stage?.[Symbol.asyncDispose]())

  const isOffered = async (number: string) => {
    const caller = stage.dials(number)
    await caller.hears('sambutan')
    caller.presses('3')
    await caller.hears('tutup')
    await caller.hears('tawaran-saat-buka')
    return caller
  }

  test('hears that it is closed, and is promised a callback by key 7', async () => {
    const caller = await isOffered('+627215550161')
    caller.presses('7')
    await caller.hears('telepon-saat-buka')
    await caller.isHungUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'callback', detail: 'closed:wali-kota', agency: 'wali-kota', line: null, endedBy: 'us' })
    await stage.nothingIsLeft()
  })

  test('who presses nothing hears once more that it is closed, and was not answered', async () => {
    const caller = await isOffered('+627215550162')
    await caller.hears('tutup')
    await caller.isHungUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'unanswered', detail: 'closed:wali-kota', agency: 'wali-kota', endedBy: 'us' })
    await stage.nothingIsLeft()
  })

  test('and so was who hangs up during the offer', async () => {
    const caller = await isOffered('+627215550163')
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'unanswered', detail: 'closed:wali-kota', agency: 'wali-kota', endedBy: 'caller' })
    await stage.nothingIsLeft()
  })

  test('who has no number to ring is promised nothing, and gets to the next human', async () => {
    const posko = stage.line('posko-1')
    posko.rings()
    const caller = stage.dials('')
    const told = caller.hears('tutup').then(() => true, () => false)
    await caller.hears('sambutan')
    caller.presses('3')
    await caller.hears('ke-petugas')
    await posko.isRung()
    caller.hangsUp()
    expect(await stage.record(caller)).toMatchObject({ disposition: 'abandoned', detail: 'ringing:posko-1', agency: 'posko', cli: null })
    expect(await Promise.race([told, Promise.resolve(false)])).toBe(false)
    await stage.nothingIsLeft()
  })

  return () => stage
}
