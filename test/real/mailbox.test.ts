/** Callers leave messages on a real Asterisk: what was said is what is listened to, with the service and without it, and each is followed up once. */
import { chmod, readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Queue, type ConnectionOptions } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OutgoingCall } from '../../demo/softphone.ts'
import type { FollowUp } from '../../src/records/follow-up.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { voice } from './stage.ts'

let city: City
beforeAll(async () => {
  city = await openCity({
    number: 111, withRedis: true, callbacks: true,
    plan: text => 'followups: { outbound: { channels: 1 }, policy: { delay: 60 min }, mailbox: pesan }\nmailboxes: { pesan: { agency: posko, prompt: tidak-valid, longest: 30 s } }\n'
      + text.replace('patience: 3 s', 'patience: 1 s').replace('      0: posko\n', '      0: posko\n      5: pesan\n')
  })
})
afterAll(() => city?.[Symbol.asyncDispose]())

const folder = () => join(city.state, 'asterisk', 'spool', 'mailbox')
const byTheRecords = (from: string) => async () => (await city.service.records.live()).find(({ cliRaw }) => cliRaw === from)?.callId

/** Dials, presses the mailbox's key, and resolves when it is recorded what is said. */
async function atTheMailbox(from: string, callId = byTheRecords(from)): Promise<OutgoingCall> {
  const call = await choosesTheMailbox(from)
  await isRecorded(callId)
  return call
}

async function choosesTheMailbox(from: string): Promise<OutgoingCall> {
  const call = city.dial({ from })
  await call.answered
  await call.press('5')
  await city.ear.hears(call, 'tidak-valid')
  return call
}

/** Asterisk makes the file when it begins. */
const isRecorded = (callId: () => Promise<string | undefined>) => eventually('it is recorded', async () => {
  const id = await callId()
  return id !== undefined && (await readdir(folder())).includes(`${id}.alaw`)
})

/** Says these, each a second long, into the call. */
const says = async (call: OutgoingCall, ...who: string[]) => { for (const one of who) await call.say(voice(one)) }

/** The record of this number's call, once it has ended. */
const record = (cliRaw: string) => eventually(`a record of ${cliRaw}`, async () => {
  const { calls } = await city.service.records.list({ limit: 20 })
  return calls.find(call => call.cliRaw === cliRaw && call.disposition !== null)
})
const followUpsOf = (cli: string): Promise<FollowUp[]> => city.service.records.db.selectFrom('followups').selectAll().where('cli', '=', cli).execute()
/** The one follow-up of this number, once there is one. */
async function followUp(cli: string): Promise<FollowUp> {
  const all = await eventually(`${cli} is followed up`, async () => { const all = await followUpsOf(cli); return all.length > 0 && all })
  expect(all).toHaveLength(1)
  return all[0]!
}
const api = (path: string) => fetch(`${city.service.url}/api/followups/${path}`, { headers: { authorization: `Bearer ${city.service.token}` } })
/** What the desk is given of a follow-up: the list, and the sound (without its heading) of the first that counts. */
async function messages(id: string) {
  const { recordings } = await (await api(`${id}/recordings`)).json() as { recordings: { callId: string, seconds: number | null, left: boolean, mailbox: string }[] }
  const [first] = recordings
  const wav = first && first.seconds !== null ? Buffer.from(await (await api(`${id}/recordings/${first.callId}`)).arrayBuffer()) : undefined
  return { recordings, sound: wav?.subarray(58, 58 + wav.readUInt32LE(54)), wav }
}
/** Whether half a second of what somebody said stands in the sound, byte by byte; the last quarter of all is cut off, where the key's sound may be. */
const has = (sound: Buffer, who: string) => sound.includes(voice(who).subarray(800, 4800))

test.concurrent('a message is what was said after the tone, until the # key; it is owed an answer, once', async () => {
  const call = await atTheMailbox('+627215550171')
  await says(call, 'a', 'b', 'c')
  await call.press('#')
  await city.ear.hears(call, 'pesan-diterima')
  expect((await call.ended).by).toBe('there')
  expect(await record('+627215550171')).toMatchObject({ disposition: 'callback', detail: 'message-left', agency: 'posko', endedBy: 'us' })
  const owed = await followUp('+627215550171')
  expect(owed).toMatchObject({ kind: 'message', state: 'open', agency: 'posko', rings: 'posko', priority: 4 })
  const { recordings, sound, wav } = await messages(owed.id)
  expect(recordings).toMatchObject([{ mailbox: 'pesan', left: true }])
  expect(wav!.toString('latin1', 0, 4)).toBe('RIFF')
  expect(['a', 'b', 'c'].map(who => has(sound!, who))).toEqual([true, true, true])
  expect(recordings[0]!.seconds).toBeGreaterThan(2.5)
  expect(recordings[0]!.seconds).toBeLessThan(4.5)
  expect(await city.service.records.db.selectFrom('audit').select('what').where('callId', '=', recordings[0]!.callId).execute()).toEqual([{ what: `listened to the message of follow-up ${owed.id}` }])
}, 60_000)

test.concurrent('hanging up while it is recorded keeps it; a caller without a number leaves one, too, and a person has it at once', async () => {
  const call = await atTheMailbox('')
  await says(call, 'd', 'e')
  await call.hangUp()
  const owed = await eventually('it is followed up', async () => (await city.service.records.db.selectFrom('followups').selectAll().where('cli', 'is', null).execute())[0])
  expect(owed).toMatchObject({ kind: 'message', state: 'person', why: 'no-number', list: 'posko' })
  const { recordings, sound } = await messages(owed.id)
  expect(recordings).toMatchObject([{ left: true }])
  expect([has(sound!, 'd'), has(sound!, 'e')]).toEqual([true, true])
}, 60_000)

test.concurrent('less than a second and a half is no message', async () => {
  const call = await atTheMailbox('+627215550172')
  await call.say(voice('f').subarray(0, 6400))
  await call.hangUp()
  expect(await record('+627215550172')).toMatchObject({ disposition: 'abandoned', detail: 'mailbox:pesan', endedBy: 'caller' })
  const owed = await followUp('+627215550172')
  expect(owed.kind).toBe('abandoned-menu')
  expect((await messages(owed.id)).recordings).toMatchObject([{ left: false }])
}, 60_000)

test.concurrent('who says nothing is told so, and followed up all the same', async () => {
  const call = await atTheMailbox('+627215550173')
  await city.ear.hears(call, 'pesan-tidak-ada')
  expect((await call.ended).by).toBe('there')
  expect(await record('+627215550173')).toMatchObject({ disposition: 'abandoned', detail: 'mailbox:pesan', endedBy: 'us' })
  expect((await followUp('+627215550173')).kind).toBe('abandoned-menu')
}, 60_000)

test.concurrent('where nobody answers, key 8 of the offer leads to the mailbox', async () => {
  for (const line of ['bpbd-1', 'bpbd-2']) city.line(line, call => call.refuse(486))
  const call = city.dial({ from: '+627215550174' })
  await call.answered
  await call.press('2')
  await city.ear.hears(call, 'tawaran-pesan')
  await call.press('8')
  await isRecorded(byTheRecords('+627215550174'))
  await says(call, 'g', 'h')
  await call.hangUp()
  expect(await record('+627215550174')).toMatchObject({ disposition: 'callback', detail: 'message-left', agency: 'posko' })
  expect((await followUp('+627215550174')).kind).toBe('message')
}, 60_000)

test('every night what has been kept for long enough is forgotten, but nothing of what is still owed', async () => {
  const [owed, over] = [await followUp('+627215550171'), await followUp('+627215550174')]
  const closed = await fetch(`${city.service.url}/api/followups/${over.id}`, { method: 'PATCH', headers: { authorization: `Bearer ${city.service.token}`, 'content-type': 'application/json' }, body: JSON.stringify({ action: 'close', who: 'Ani', reason: 'spoke with them' }) })
  expect(closed.status).toBe(200)
  for (const name of await readdir(folder())) await utimes(join(folder(), name), 1_700_000_000, 1_700_000_000)
  const redis = new Redis(city.env['REDIS_URL']!)
  const queue = new Queue('followups', { connection: redis as ConnectionOptions })
  try {
    expect(await eventually('it is planned', async () => queue.getJobScheduler('nightly-retention'))).toMatchObject({ pattern: '0 40 2 * * *', tz: 'Asia/Jakarta' })
    await queue.add('nightly-retention', {})
    await eventually('the one that is over is gone', async () => (await messages(over.id)).recordings[0]!.seconds === null)
  } finally {
    await queue.close()
    redis.disconnect()
  }
  expect((await messages(over.id)).recordings).toMatchObject([{ left: true, seconds: null }])
  expect((await api(`${over.id}/recordings/${(await messages(over.id)).recordings[0]!.callId}`)).status).toBe(404)
  expect(has((await messages(owed.id)).sound!, 'a')).toBe(true)
  expect((await city.service.records.db.selectFrom('audit').select('what').where('who', '=', 'retention').execute()).map(({ what }) => what)).toEqual(['deleted 1 recordings, 0 messages, 0 answers'])
}, 60_000)

test('where it cannot be recorded the caller hears so, and is followed up', async () => {
  await chmod(folder(), 0o500)
  try {
    const call = await choosesTheMailbox('+627215550175')
    await city.ear.hears(call, 'pesan-tidak-ada')
    expect((await call.ended).by).toBe('there')
  } finally {
    await chmod(folder(), 0o770)
  }
  expect(await record('+627215550175')).toMatchObject({ disposition: 'failed', detail: 'message-not-recorded' })
  expect((await followUp('+627215550175')).kind).toBe('failed')
}, 60_000)

test('a service that dies meanwhile changes nothing, and without it Asterisk takes messages by itself: each is followed up when it is back, once', async () => {
  const during = await atTheMailbox('+627215550176')
  await says(during, 'i')
  await city.restart(async () => {
    const [first] = await city.channels()
    const ends = says(during, 'j').then(() => during.press('#')).then(() => during.ended)
    const without = await atTheMailbox('+627215550177', async () => (await city.channels()).find(id => id !== first))
    await says(without, 'k', 'l')
    await without.hangUp()
    expect((await ends).by).toBe('there')
  })
  for (const [cli, ...who] of [['+627215550176', 'i', 'j'], ['+627215550177', 'k']] as const) {
    const owed = await followUp(cli)
    expect(owed.kind).toBe('message')
    const { recordings, sound } = await messages(owed.id)
    expect(recordings).toMatchObject([{ left: true }])
    for (const one of who) expect(has(sound!, one), one).toBe(true)
  }
  await city.quiet()
  expect(await followUpsOf('+627215550177')).toHaveLength(1)
  const { balanced, forgotten, dispositions } = await (await fetch(`${city.service.url}/api/audit?from=${Date.now() - 600_000}`, { headers: { authorization: `Bearer ${city.service.token}` } })).json() as { balanced: boolean, forgotten: string[], dispositions: Record<string, number> }
  expect([balanced, forgotten, dispositions['callback']]).toEqual([true, [], 5])
}, 90_000)
