/** `npx satunomor burst`, as it is typed. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import { httpServer } from '../../src/http/server.ts'
import { ground } from '../followups/ground.ts'
import { tempFolder } from '../records/stories.ts'

vi.setConfig({ testTimeout: 120_000 })          // each is a process of its own

test('burst shows what is parked, releases and parks it with a reason, and says so where no service is there', async () => {
  await using folder = await tempFolder()
  const token = 'a'.repeat(43)
  const env = { ...process.env, SATUNOMOR_STATE: folder.path, SATUNOMOR_TOKEN: token, SATUNOMOR_HTTP_ADDRESS: '127.77.110.16' }
  const burst = (...args: string[]) => promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/satunomor.ts', 'burst', ...args], { env })
    .then(({ stdout }) => ({ code: 0, said: stdout }), ({ code, stderr }) => ({ code: code as number, said: stderr as string }))
  expect(await burst()).toMatchObject({ code: 1, said: expect.stringContaining('start it first') })

  await using town = await ground()
  const { records, book, plan, log } = town
  const { id } = await town.missed('call-1')
  await records.db.updateTable('followups').set({ state: 'person', why: 'burst' }).execute()
  await using app = await httpServer({ records, token, log, ready: async () => ({ ready: true, missing: [] }), version: '0', followUps: { book, plan: () => plan, records } })
  await app.listen({ host: '127.77.110.16', port: 8080 })
  expect((await burst()).said).toMatch(/^1 parked, of calls from \S+Z to \S+Z\. GET/)
  expect(await burst('release')).toMatchObject({ code: 2, said: expect.stringContaining('say why') })
  expect(await burst('park', '--why', 'x', '--minutes', '1h')).toMatchObject({ code: 2, said: expect.stringContaining('no number of minutes') })
  expect(await burst('release', '--why', 'they called', '--who', 'Dewi')).toEqual({ code: 0, said: '1 released: they are rung after all others.\n' })
  expect((await town.history(id)).at(-1)).toMatchObject({ who: 'Dewi', what: 'burst-released', facts: { reason: 'they called', signedBy: 'city-token' } })
  expect((await burst()).said).toBe('Nothing is parked.\n')
})
