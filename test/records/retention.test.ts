/** What is forgotten, and what is not: nothing of a follow-up that has not ended. */
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { close } from '../../src/followups/desk.ts'
import { milliseconds } from '../../src/plan/duration.ts'
import { takeReply } from '../../src/followups/replies.ts'
import { forgetOld } from '../../src/records/retention.ts'
import { ground } from '../followups/ground.ts'
import { tempFolder } from './stories.ts'

const day = 86_400_000
const keep = { recordings: milliseconds(90 * day), messages: milliseconds(365 * day) }

/** Two citizens whose calls were missed, each with a message, an answer in words, and a recording as old as `recorded` days; the first one's follow-up has ended. */
async function twoCitizens(open: AsyncDisposableStack, recorded: number, now: number) {
  const town = open.use(await ground())
  const folder = join(open.use(await tempFolder()).path, 'mailbox')
  await mkdir(folder)
  for (const [n, callId] of ['call-a', 'call-b'].entries()) {
    const cli = `+62721555011${n}`
    const followUp = await town.missed(callId, { cli })
    await town.records.db.insertInto('messages').values({ id: `m-${n}`, followupId: followUp.id, occasion: 'opened', name: 'dibuka', cli, language: 'id', text: 'Kami akan menelepon.', state: 'delivered', tries: 1, claimedAt: 1, madeAt: 1, dueAt: 1, endedAt: 1, gatewayId: null, why: null }).execute()
    await takeReply(town.book, town.plan, { id: `r-${n}`, from: cli, text: 'di rumah saya' }, now)
    await writeFile(join(folder, `${callId}.alaw`), 'sound')
    await utimes(join(folder, `${callId}.alaw`), (now - recorded * day) / 1000, (now - recorded * day) / 1000)
    if (n === 0) await town.book.act(followUp.id, 'Ani', close('Ani', 'spoke'), now)
  }
  const { db } = town.records
  const left = async () => ({
    recordings: (await readdir(folder)).sort(), messages: (await db.selectFrom('messages').select('id').orderBy('id').execute()).map(({ id }) => id),
    replies: (await db.selectFrom('replies').select('id').orderBy('id').execute()).map(({ id }) => id),
    words: (await db.selectFrom('followupEvents').select('facts').where('what', '=', 'replied').orderBy('id').execute()).map(({ facts }) => (JSON.parse(facts) as { meaning: string, text?: string }).text)
  })
  return { records: town.records, folder, left }
}

test('what is old and over is deleted, and what is old and open is not', async () => {
  await using open = new AsyncDisposableStack()
  const now = Date.now()
  const { records, folder, left } = await twoCitizens(open, 0, now)
  await writeFile(join(folder, 'notes.txt'), 'not ours')
  await utimes(join(folder, 'notes.txt'), 1, 1)
  const both = { recordings: ['call-a.alaw', 'call-b.alaw', 'notes.txt'], messages: ['m-0', 'm-1'], replies: ['r-0', 'r-1'], words: ['di rumah saya', 'di rumah saya'] }

  expect(await forgetOld(records, folder, keep, now + 90 * day - 60_000)).toEqual({ recordings: 0, messages: 0, replies: 0 })
  expect(await left()).toEqual(both)
  expect(await records.db.selectFrom('audit').selectAll().where('who', '=', 'retention').execute()).toEqual([])

  expect(await forgetOld(records, folder, keep, now + 90 * day + 60_000)).toEqual({ recordings: 1, messages: 0, replies: 0 })
  expect(await left()).toEqual({ ...both, recordings: ['call-b.alaw', 'notes.txt'] })

  expect(await forgetOld(records, folder, keep, now + 365 * day + 60_000)).toEqual({ recordings: 0, messages: 1, replies: 1 })
  expect(await left()).toEqual({ recordings: ['call-b.alaw', 'notes.txt'], messages: ['m-1'], replies: ['r-1'], words: [undefined, 'di rumah saya'] })
  expect((await records.db.selectFrom('audit').select('what').where('who', '=', 'retention').orderBy('id').execute()).map(({ what }) => what)).toEqual([
    'deleted 1 recordings, 0 messages, 0 answers', 'deleted 0 recordings, 1 messages, 1 answers'])
})

test('a recording whose call is still to become a follow-up stays; one of no call that is known goes', async () => {
  await using open = new AsyncDisposableStack()
  const now = Date.now()
  const { records, folder, left } = await twoCitizens(open, 100, now)
  await records.db.updateTable('outbox').set({ doneAt: null }).where('callId', '=', 'call-a').execute()
  await writeFile(join(folder, 'call-c.alaw'), 'sound')
  await utimes(join(folder, 'call-c.alaw'), 1, 1)
  expect((await forgetOld(records, folder, keep, now)).recordings).toBe(1)
  expect((await left()).recordings).toEqual(['call-a.alaw', 'call-b.alaw'])
})

test('where nothing has ever been recorded there is nothing to forget', async () => {
  await using open = new AsyncDisposableStack()
  const { records } = await twoCitizens(open, 100, Date.now())
  expect((await forgetOld(records, '/nowhere/mailbox', keep, Date.now())).recordings).toBe(0)
})
