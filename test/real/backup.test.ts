/** Backup and restore as an operator does them: while calls go on, and after the state is lost. */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import type { AuditReport } from '../../src/audit.ts'
import { heldSentence } from '../../src/outbound-hold.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 80 }) })
afterAll(() => city?.[Symbol.asyncDispose]())

const run = promisify(execFile)
const program = async (name: string, ...args: string[]) => run(process.execPath, [join(project, 'src', `${name}.ts`), ...args], {
  env: { ...process.env, SATUNOMOR_STATE: city.state, SATUNOMOR_HTTP_ADDRESS: city.address, SATUNOMOR_PLAN: join(city.state, 'plan.yaml') }
}).then(({ stdout }) => ({ code: 0, said: stdout }), ({ code, stdout, stderr }) => ({ code: code as number, said: `${stdout}${stderr}` }))
const backup = () => join(city.state, 'backup')
const lost = (...names: string[]) => Promise.all(names.map(name => rm(join(city.state, name), { recursive: true })))

async function talk(from: string) {
  const call = city.dial({ from })
  await call.answered
  await call.press('3')
  await (await city.rung('hallo-1', from)).answered
  await eventually('they talk', async () => call.heard.length > 20)
  return call
}
const stored = async () => {
  await city.service.scribe.flush()
  return (await city.service.records.list({ limit: 20 })).calls
}
/** Steps that say the same of the same call, twice. */
const doubles = async () => {
  const steps = await city.service.records.db.selectFrom('steps').select(['callId', 'at', 'witness', 'kind', 'facts']).execute()
  const said = steps.map(step => JSON.stringify(step))
  return said.filter((step, place) => said.indexOf(step) !== place)
}
const audited = async () => JSON.parse((await program('audit', '--json')).said) as AuditReport

test('the records before a backup are there after a restore, those after it come back from the ledger', async () => {
  await (await talk('+627215550101')).hangUp()
  const abandoned = city.dial({ from: '+627215550102' })
  await abandoned.answered
  await city.ear.hears(abandoned, 'sambutan')
  await abandoned.hangUp()
  const early = await city.record('+627215550102')
  expect(early).toMatchObject({ disposition: 'abandoned', detail: 'greeting' })

  const live = await talk('+627215550103')
  expect(await program('backup/backup', backup())).toMatchObject({ code: 0 })
  await live.hangUp()
  await (await talk('+627215550104')).hangUp()
  await city.quiet()
  const before = await stored()

  expect(await program('backup/restore', backup())).toMatchObject({ code: 1, said: expect.stringContaining('the service is running') })
  await city.restart(async () => {
    await (await talk('+627215550105')).hangUp()                     // nobody is there to write it down
    await lost('records.sqlite', 'token', 'secrets.json', 'versions')
    expect(await program('backup/restore', backup())).toMatchObject({ code: 0, said: expect.stringContaining('Version 1 of the plan is live') })
  })
  expect((await city.service.health.ready()).warnings).toContain(heldSentence)
  const after = await eventually('every call is on record again', async () => {
    const calls = await stored()
    return calls.length === 5 && calls.every(({ disposition }) => disposition) && calls
  })
  expect(after.map(({ cliRaw, disposition }) => [cliRaw, disposition])).toEqual([
    ['+627215550105', 'answered'], ['+627215550104', 'answered'], ['+627215550103', 'answered'], ['+627215550102', 'abandoned'], ['+627215550101', 'answered']])
  expect(after.find(({ callId }) => callId === early.callId)).toEqual(early)      // with what only the service had seen
  const comparable = ({ detail: _, plan: __, way: ___, ...call }: (typeof after)[number]) => call          // the service alone knows that it led a call
  expect(after.slice(1).map(comparable)).toEqual(before.map(comparable))
  expect(await doubles()).toEqual([])
  expect(await audited()).toMatchObject({ arrived: 5, dispositions: { answered: 4, abandoned: 1 }, live: 0, balanced: true })
})

test('with the ledger lost, too, its part of the backup is put back, and a call is served and written down as ever', async () => {
  await city.restart(async () => {
    await lost('records.sqlite', 'asterisk/log/cel-custom/calls.csv')
    expect(await program('backup/restore', backup())).toMatchObject({ code: 0, said: expect.stringContaining('calls.csv.restored-') })
  })
  await (await talk('+627215550106')).hangUp()
  expect(await city.record('+627215550106')).toMatchObject({ disposition: 'answered' })
  // Of the call that was live at the backup the ledger has the beginning alone: Asterisk knows it no more, so it is over.
  await eventually('no call is live', async () => (await stored()).every(({ disposition }) => disposition), 30_000)
  expect((await stored()).map(({ cliRaw, disposition }) => [cliRaw, disposition])).toEqual([
    ['+627215550106', 'answered'], ['+627215550103', 'answered'], ['+627215550102', 'abandoned'], ['+627215550101', 'answered']])
  expect(await doubles()).toEqual([])
  expect(await audited()).toMatchObject({ arrived: 4, balanced: true })
})
