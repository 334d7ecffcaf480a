/** What admins do on the night itself, on a real Asterisk: surge mode over the API, and a service that is started anew meanwhile. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DateTime } from 'luxon'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => {
  city = await openCity({ number: 104, plan: text => `${text}siaga: { entry: bpbd }\napply: { watch: 60 s, failed: 0 }\n` })
})
afterAll(() => city?.[Symbol.asyncDispose]())

async function siaga(method: 'PUT' | 'DELETE') {
  const { url, token } = city.service
  const order = { who: 'Ani', reason: 'Banjir', until: DateTime.now().plus({ hours: 1 }).toISO() }
  const answer = await fetch(`${url}/api/switches/siaga${method === 'DELETE' ? '?who=Ani' : ''}`, {
    method, headers: { authorization: `Bearer ${token}`, ...method === 'PUT' ? { 'content-type': 'application/json' } : {} }, ...method === 'PUT' ? { body: JSON.stringify(order) } : {}
  })
  expect(answer.status).toBe(200)
}

test('surge mode holds for a call that is made as soon as the API has answered, and no longer once it is over', async () => {
  await siaga('PUT')
  const call = city.dial({ from: '+627215550131' })
  await city.rung('bpbd-1', '+627215550131')
  await call.hangUp()
  await siaga('DELETE')
  const other = city.dial({ from: '+627215550132' })
  await city.ear.hears(other, 'sambutan')
  await other.hangUp()
  await city.quiet()
  expect(await city.service.records.db.selectFrom('audit').select('what').where('who', '=', 'Ani').execute()).toEqual([{ what: expect.stringMatching(/^siaga until 20.*: Banjir$/) }, { what: 'normal' }])
})

test('who waits at the beginning while the service is started anew begins where calls begin now', async () => {
  const waiting = city.dial({ from: '+627215550133' })
  await city.ear.hears(waiting, 'sambutan')
  await siaga('PUT')
  await city.restart(async () => {})
  await city.rung('bpbd-1', '+627215550133')
  await waiting.hangUp()
  await siaga('DELETE')
  await city.quiet()
})

test('calls are watched on after an apply, by the service that comes after: too many fail, and it is rolled back', async () => {
  const planFile = join(city.state, 'plan.yaml')
  await writeFile(planFile, (await readFile(planFile, 'utf8')).replace('tries: 2', 'tries: 3'))
  const before = await city.service.changes.versions.current()
  const version = await city.service.changes.apply({ who: 'Ani', why: 'to be watched', smoke: false })
  await city.restart(async () => {})
  // What no check can see: the dialplan that Asterisk has loaded lets callers fall.
  await writeFile(join(city.state, 'asterisk', 'etc', 'plan', 'current', 'extensions.conf'), `[globals]\nSN_PLAN=${version.plan}\nSN_RENDERED=${version.rendered}\n[trunk-in]\nexten => 112,1,Answer()\n same => n,Hangup(16)\n`)
  await city.service.ari.request('asterisk', 'reloadModule', { moduleName: 'pbx_config.so' })
  expect((await city.dial({ from: '+627215550134' }).ended).by).toBe('there')
  const back = await eventually('it is rolled back', async () => {
    const live = await city.service.changes.versions.current()
    return live!.version > version.version && live
  })
  expect(back).toMatchObject({ who: 'Satunomor', plan: before!.plan, why: `1 call failed since version ${version.version} was made live; 0 is the most (apply.failed in the plan)` })
  await city.quiet()
})
