/** The directory over the API: of the plan that is live, searched as people spell. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { httpServer } from '../../src/http/server.ts'
import { loadPlan } from '../../src/plan/load.ts'
import { aLog } from '../records/stories.ts'

const token = 'a'.repeat(43)
const { plan } = await loadPlan('dialplan/plan.yaml')
let directory = plan.directory
let app: Awaited<ReturnType<typeof httpServer>>
beforeAll(async () => {
  const absent = () => { throw new Error('no records here') }
  app = await httpServer({ records: { list: absent, get: absent, live: absent, audit: absent }, token, log: aLog().log, ready: async () => ({ ready: true, missing: [] }), version: '1.2.3', directory: () => directory })
})
afterAll(() => app.close())
const get = (url: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }) => app.inject({ url, headers })

test('whoever bears the token finds whom they look for', async () => {
  expect((await get('/api/directory', {})).statusCode).toBe(401)
  const answer = await get('/api/directory?search=tanjung%20KARANG')
  expect([answer.statusCode, answer.json()]).toEqual([200, { entries: [
    { kind: 'kecamatan', id: '18.71.03', name: 'Tanjungkarang Barat', agencies: [] }, { kind: 'kecamatan', id: '18.71.05', name: 'Tanjungkarang Timur', agencies: [] },
    { kind: 'kecamatan', id: '18.71.06', name: 'Tanjungkarang Pusat', agencies: [] }, { kind: 'kelurahan', id: '18.71.17.1003', name: 'Tanjungkarang', within: '18.71.17', agencies: [] }
  ] }])
  expect((await get('/api/directory')).json().entries).toHaveLength(147)
  expect((await get('/api/directory?find=x')).statusCode).toBe(400)
})

test('it is that of the plan that is live now', async () => {
  directory = [{ kind: 'opd', id: 'dinkes', name: 'Dinas Kesehatan', agencies: ['posko'], contact: { trunk: 'gateway', number: 'dinkes-1' } }]
  expect((await get('/api/directory')).json()).toEqual({ entries: directory })
})

test('/docs knows it', async () => {
  expect((await get('/docs/json')).json().paths['/api/directory'].get.parameters[0]).toMatchObject({ name: 'search', in: 'query' })
})
