/** A citizen's messages over HTTP: listed, listened to, and each listening on record. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Step } from '../../src/calls/story.ts'
import { httpServer } from '../../src/http/server.ts'
import { Recordings } from '../../src/records/recordings.ts'
import { ground } from '../followups/ground.ts'
import { tempFolder } from '../records/stories.ts'

const token = 'a'.repeat(43)
const open = new AsyncDisposableStack()
let town: Awaited<ReturnType<typeof ground>>
let app: Awaited<ReturnType<typeof httpServer>>
let id: string

beforeAll(async () => {
  town = open.use(await ground())
  const above = open.use(await tempFolder()).path
  const folder = join(above, 'mailbox')
  await mkdir(folder)
  await writeFile(join(folder, 'satunomor-1.1.alaw'), Buffer.alloc(16_000, 0x2a))
  await writeFile(join(folder, 'satunomor-1.9.alaw'), 'of somebody else')
  await writeFile(join(above, 'secret.alaw'), 'a secret')
  id = (await town.missed('satunomor-1.1')).id
  await town.missed('satunomor-1.2', { at: Date.now() + 1 })
  await town.missed('satunomor-1.9', { cli: '+627215550199' })
  const step = (callId: string, at: number, kind: string, facts: object) => ({ callId, key: `${kind}-${at}`, at, witness: 'ledger', kind, facts }) as Step
  await town.records.append([
    step('satunomor-1.1', 1000, 'mailbox', { mailbox: 'pesan', agency: null }), step('satunomor-1.1', 3000, 'left', { mailbox: 'pesan', ms: 2000 }),
    step('satunomor-1.2', 5000, 'mailbox', { mailbox: 'pesan', agency: 'bpbd' }), step('satunomor-1.9', 6000, 'mailbox', { mailbox: 'pesan', agency: null })
  ])
  app = open.use(await httpServer({ records: town.records, token, log: town.log, ready: async () => ({ ready: true, missing: [] }), version: '1.2.3', recordings: new Recordings(town.records, folder) }))
})
afterAll(() => open.disposeAsync())

const ask = (path: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }) => app.inject({ url: `/api/followups/${path}`, headers })
const listened = () => town.records.db.selectFrom('audit').select(['what', 'callId']).where('what', 'like', 'listened%').execute()

test('only for who bears the token', async () => {
  for (const path of [`${id}/recordings`, `${id}/recordings/satunomor-1.1`]) expect((await ask(path, {})).statusCode).toBe(401)
})

test('the list has every call of the follow-up that came to a mailbox, and what is kept of it', async () => {
  expect((await ask(`${id}/recordings`)).json()).toEqual({ recordings: [
    { callId: 'satunomor-1.1', mailbox: 'pesan', at: 1000, seconds: 2, left: true }, { callId: 'satunomor-1.2', mailbox: 'pesan', at: 5000, seconds: null, left: false }] })
  expect((await ask('000000000000/recordings')).statusCode).toBe(404)
  expect(await listened()).toEqual([])
})

test('the sound is a WAV file, and who listened is written down', async () => {
  const answer = await ask(`${id}/recordings/satunomor-1.1`)
  expect([answer.statusCode, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([200, 'audio/wav', 'no-store'])
  expect(answer.rawPayload.toString('latin1', 0, 4)).toBe('RIFF')
  expect(answer.rawPayload.subarray(58)).toEqual(Buffer.alloc(16_000, 0x2a))
  expect(await listened()).toEqual([{ what: `listened to the message of follow-up ${id}`, callId: 'satunomor-1.1' }])
})

test.each(['satunomor-1.2', 'satunomor-1.9', 'satunomor-1.3', '..%2Fsecret', '..%2F..%2F..%2Fetc%2Fpasswd', 'secret', '%00'])('%s is none of its messages: nothing is given, nothing is written down', async callId => {
  const before = await listened()
  const answer = await ask(`${id}/recordings/${callId}`)
  expect([answer.statusCode, answer.json().error]).toEqual([404, 'not-found'])
  expect(await listened()).toEqual(before)
})

test('the documentation has both, and that the sound is audio/wav', async () => {
  const { paths } = app.swagger() as unknown as { paths: Record<string, { get: { responses: Record<string, { content: object }> } }> }
  expect(Object.keys(paths['/api/followups/{id}/recordings/{callId}']!.get.responses['200']!.content)).toEqual(['audio/wav'])
  expect(paths['/api/followups/{id}/recordings']).toBeDefined()
})
