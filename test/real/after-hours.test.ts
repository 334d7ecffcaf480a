/** After hours on a real Asterisk: the offer of a callback, the follow-up that it makes, and what happens without the service. */
import { expect, test } from 'vitest'
import { eventually } from '../parts/city.ts'
import { afterHours, afterHoursStories, opens } from '../stories/after-hours.ts'
import { realStage } from './stage.ts'

// Nobody who did not ask is called back meanwhile: the line is there for the stories.
const unhurried = 'followups: { policy: { kinds: { unanswered: { delay: 25 min } } } }\n'
const stage = afterHoursStories(() => realStage(119, { callbacks: true, withRedis: true, plan: text => unhurried + afterHours(text) }))

test('who asked is owed a call from the opening on, who did not as soon as ever', async () => {
  const { city } = stage()
  const { book, records } = city.service
  const owed = async (cli: string) => eventually(`a follow-up of ${cli}`, async () => records.db.selectFrom('followups').selectAll().where('cli', '=', cli).executeTakeFirst())
  const at = opens.toMillis()
  expect(await owed('+627215550161')).toMatchObject({ kind: 'asked', agency: 'wali-kota', rings: 'wali-kota', state: 'open', attempt: 0, dueAt: at, deadlineAt: at + 30 * 60_000 })
  const silent = await owed('+627215550162')
  expect(silent).toMatchObject({ kind: 'unanswered', agency: 'wali-kota' })
  expect(silent.dueAt).toBeLessThan(Date.now() + 30 * 60_000)
  expect(await book.claim(at - 1, { allowance: 9, free: new Map([['wali-kota', 9]]), busy: new Set(['+627215550162', '+627215550163']) })).toEqual([])
  expect(await book.claim(at, { allowance: 9, free: new Map([['wali-kota', 9]]), busy: new Set(['+627215550162', '+627215550163']) })).toMatchObject([{ attempt: 1 }])
})

test('without the service nobody is promised anything: the line rings', async () => {
  const { city } = stage()
  await city.restart(async () => {
    const hallo = stage().line('hallo-1')
    hallo.rings()
    const caller = stage().dials('+627215550164')
    await caller.hears('menu-utama')
    caller.presses('3')
    await caller.hears('sambung-wali-kota')
    await hallo.isRung()
    hallo.picksUp()
    await caller.talksWith('hallo-1')
    caller.hangsUp()
    await eventually('all is over', async () => (await city.channels()).length === 0)
  })
})
