/** A service that is killed in the middle of an apply: who comes after it finds the old or the new version, whole, and so does Asterisk. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import { damaged, Versions } from '../../src/dialplan/versions.ts'
import { planOf } from '../../src/dialplan/changes.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 96, withService: false }) })
afterAll(() => city[Symbol.asyncDispose]())

/** What two rings, as the plan of each round has it. */
const lines = { bpbd: 'bpbd-1', 'wali-kota': 'hallo-1' } as const

test.each([0, 150, 400, 1000])('with -9, %i ms after it was told to', async ms => {
  const service = await city.run('src/main.ts')
  const planFile = join(city.state, 'plan.yaml')
  const text = await readFile(planFile, 'utf8')
  await writeFile(planFile, text.includes('2: bpbd') ? text.replace('2: bpbd', '2: wali-kota') : text.replace('2: wali-kota', '2: bpbd'))
  const versions = new Versions(join(city.state, 'versions'))
  const before = await versions.current()
  const admin = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(project, 'src', 'satunomor.ts'), 'apply', '--why', 'to be killed', '--no-smoke', '--base', String(before!.version)],
    { env: { ...process.env, ...city.env }, stdio: 'ignore' })
  const ended = once(admin, 'exit')
  await eventually('it began', async () => await readFile(join(city.state, 'versions', 'lock.json'), 'utf8').then(text => text !== '', () => admin.exitCode !== null))
  await new Promise(resolve => setTimeout(resolve, ms))
  service.process.kill('SIGKILL')
  await Promise.all([service.ended, ended])

  const live = await versions.current()
  expect([before!.version, before!.version + 1, (await versions.list()).at(-1)!.version]).toContain(live!.version)
  expect(await damaged(live!)).toEqual([])
  const next = await city.run('src/main.ts')
  await eventually('Asterisk has loaded the live version', async () => (await fetch(`http://${city.address}:8080/readyz`)).ok)
  const rings = (await planOf(live!)).nodes.get('utama')
  const to = lines[(rings?.kind === 'menu' ? rings.keys.get('2')?.to : undefined) as keyof typeof lines]
  const call = city.dial()
  await call.answered
  await call.press('2')
  await city.rung(to, '+627215550112')
  await call.hangUp()
  await next.stop()
})
