/** The waiting room on a real Asterisk, and what is owed to who left it. (test/real/watchdog.test.ts kills the service while callers are in it.) */
import { expect, test } from 'vitest'
import { eventually } from '../parts/city.ts'
import { waitingRoom, waitingStories } from '../stories/waiting.ts'
import { realStage } from './stage.ts'

const unhurried = 'followups: { policy: { delay: 25 min, kinds: { asked: { delay: 25 min }, abandoned-waiting: { priority: 2 } } } }\n'
const stage = waitingStories(() => realStage(122, { callbacks: true, withRedis: true, plan: text => unhurried + waitingRoom(text).replace('longest: 12 s', 'longest: 25 s') }))

test('who left it is owed a call, by the policy of its kind; who was answered is owed none', async () => {
  const { records } = stage().city.service
  const owed = (cli: string) => eventually(`a follow-up of ${cli}`, async () => records.db.selectFrom('followups').selectAll().where('cli', '=', cli).executeTakeFirst())
  expect(await owed('+627215550167')).toMatchObject({ kind: 'abandoned-waiting', agency: 'wali-kota', state: 'open', priority: 2 })
  expect(await owed('+627215550165')).toMatchObject({ kind: 'asked', agency: 'wali-kota', state: 'open' })
  expect(await records.db.selectFrom('followups').select('id').where('cli', '=', '+627215550162').execute()).toEqual([])
})
