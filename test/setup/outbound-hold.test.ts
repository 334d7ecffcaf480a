/** What a restore holds, until an admin says that this machine serves the city. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import { OutboundHold } from '../../src/outbound-hold.ts'
import { Records } from '../../src/records/records.ts'
import { places } from '../../src/settings.ts'
import { aLog } from '../records/stories.ts'

const run = promisify(execFile)
let state: string
beforeAll(async () => { state = await mkdtemp(join(tmpdir(), 'satunomor-held-')) })
afterAll(() => rm(state, { recursive: true, force: true }))

const goLive = async () => (await run(process.execPath, [join(project, 'src', 'satunomor.ts'), 'go-live', '--who', 'Ani'], { env: { ...process.env, SATUNOMOR_STATE: state } })).stdout

test('it holds until it has looked, then for as long as the file is there, and the command releases it', { timeout: 60_000 }, async () => {
  const { log } = aLog()
  const { held: file, records } = places(state)
  const hold = new OutboundHold(file, log)
  expect(hold.on).toBe(true)
  await hold.look()
  expect(hold.on).toBe(false)
  expect(await goLive()).toBe('Nothing is held.\n')

  await writeFile(file, 'nothing that can be read')
  await hold.look()
  expect(hold.on).toBe(true)
  await writeFile(file, JSON.stringify({ since: '2026-12-01T00:00:00.000Z', why: 'the backup of 2026-11-30 was restored' }))
  await hold.look()
  expect(hold.on).toBe(true)
  expect(await goLive()).toBe('Callbacks, messages and webhooks go on. They were held since 2026-12-01T00:00:00.000Z: the backup of 2026-11-30 was restored.\n')
  await hold.look()
  expect(hold.on).toBe(false)
  await using store = await Records.open({ file: records }, log)
  expect(await store.db.selectFrom('audit').select(['who', 'what']).execute()).toMatchObject([{ who: 'Ani', what: 'goes live' }])
})
