/** What is set by hand, over HTTP: it holds at once, stands in the audit, and nobody loses what another one sets meanwhile. */
import { join } from 'node:path'
import { DateTime } from 'luxon'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { lock } from '../../src/dialplan/lock.ts'
import { setSwitches } from '../../src/dialplan/switching.ts'
import { httpServer } from '../../src/http/server.ts'
import { readPlan } from '../../src/plan/read.ts'
import { SwitchFile, noSwitches, readSwitches, writeSwitches } from '../../src/plan/switches.ts'
import { Records } from '../../src/records/records.ts'
import { townWith } from '../plan/town.ts'
import { aLog, tempFolder } from '../records/stories.ts'

const many = Array.from({ length: 12 }, (_, n) => `kantor-${n}`)
const { plan } = readPlan(townWith(['    name: BPBD\n', '    name: BPBD\n    closed: posko\n'], ['prompts:\n', `${many.map(id => `  ${id}:
    name: Kantor
    connecting: sambung
    closed: posko
    lines: [{ id: ${id}, trunk: gateway, number: ${id} }]
`).join('')}siaga: { entry: lain }\nprompts:\n`]), { file: 'plan.yaml' })
const token = 'a'.repeat(43)
const { log } = aLog()
const open = new AsyncDisposableStack()
let folder: string, file: string, records: Records, switches: SwitchFile
let app: Awaited<ReturnType<typeof httpServer>>
let audit = (who: string, what: string) => records.audit(who, what, null)
beforeAll(async () => {
  folder = open.use(await tempFolder()).path
  file = join(folder, 'switches.json')
  records = open.use(await Records.open({ file: join(folder, 'records.sqlite') }, log))
  switches = new SwitchFile(file, log)
  app = open.use(await httpServer({ records, token, log, ready: async () => ({ ready: true, missing: [] }), version: '1', switches: {
    now: () => switches.now,
    set: order => setSwitches({ file, plan, audit: (who, what) => audit(who, what) }, order).finally(() => switches.look())
  } }))
})
beforeEach(() => writeSwitches(file, noSwitches).then(() => switches.look()))
afterAll(() => open.disposeAsync())

const ask = (method: 'GET' | 'PUT' | 'DELETE', url: string, payload?: object) => app.inject({ method, url, headers: { authorization: `Bearer ${token}` }, ...payload ? { payload } : {} })
const tomorrow = DateTime.now().plus({ days: 1 }).startOf('minute')
const until = tomorrow.setZone(plan.timezone).toFormat('yyyy-MM-dd HH:mm')
const ani = { who: 'Ani', reason: 'Banjir', until }
const shown = { who: 'Ani', reason: 'Banjir', until: tomorrow.toMillis() }
const audited = async () => (await records.db.selectFrom('audit').select(['who', 'what']).orderBy('id', 'desc').execute()).map(({ who, what }) => `${who}: ${what}`)

test('nobody without the token reads or sets it', async () => {
  expect((await app.inject({ url: '/api/switches' })).statusCode).toBe(401)
  expect((await app.inject({ method: 'PUT', url: '/api/switches/siaga', payload: ani })).statusCode).toBe(401)
  expect(await readSwitches(file)).toEqual(noSwitches)
})

test('an agency is closed, and surge mode is on, at once; and both are over again', async () => {
  expect((await ask('GET', '/api/switches')).json()).toEqual({ closed: [] })
  expect((await ask('PUT', '/api/switches/closed/bpbd', ani)).json()).toEqual({ closed: [{ agency: 'bpbd', ...shown }] })
  expect(switches.now.closed.get('bpbd')).toEqual(shown)
  const both = { closed: [{ agency: 'bpbd', ...shown }], siaga: shown }
  expect((await ask('PUT', '/api/switches/siaga', { ...ani, until: tomorrow.toUTC().toISO() })).json()).toEqual(both)
  expect((await ask('GET', '/api/switches')).json()).toEqual(both)
  expect((await ask('DELETE', '/api/switches/closed/bpbd?who=Budi&reason=kering')).json()).toEqual({ closed: [], siaga: shown })
  expect((await ask('DELETE', '/api/switches/siaga?who=Budi')).json()).toEqual({ closed: [] })
  expect(switches.now).toEqual(noSwitches)
  const end = new Date(tomorrow.toMillis()).toISOString()
  expect((await audited()).slice(0, 4)).toEqual(['Budi: normal', 'Budi: open bpbd: kering', `Ani: siaga until ${end}: Banjir`, `Ani: close bpbd until ${end}: Banjir`])
})

test.each<[string, 'PUT' | 'DELETE', string, object | undefined, number, RegExp]>([
  ['an agency that is none', 'PUT', 'closed/bpdb', ani, 404, /did you mean "bpbd"/],
  ['one that cannot be closed', 'PUT', 'closed/posko', ani, 409, /where its callers would go/],
  ['an end that is over', 'PUT', 'siaga', { ...ani, until: '2020-01-01 00:00' }, 400, /which is over/],
  ['no end', 'PUT', 'siaga', { who: 'Ani', reason: 'x' }, 400, /'until'/],
  ['no reason', 'PUT', 'siaga', { who: 'Ani', until }, 400, /'reason'/],
  ['nobody\'s order', 'DELETE', 'siaga', undefined, 400, /'who'/],
  ['a key that is not known', 'PUT', 'siaga', { ...ani, force: true }, 400, /'force'/]
])('%s is refused in words, and nothing is set', async (_, method, url, payload, status, message) => {
  const before = await audited()
  const answer = await ask(method, `/api/switches/${url}`, payload)
  expect([answer.statusCode, answer.json().message]).toEqual([status, expect.stringMatching(message)])
  expect([await readSwitches(file), await audited()]).toEqual([noSwitches, before])
})

test('many admins at once: nobody loses what another one sets', async () => {
  const answers = await Promise.all(many.map(agency => ask('PUT', `/api/switches/closed/${agency}`, ani)))
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(many.map(() => 200))
  expect([...(await readSwitches(file)).closed.keys()].sort()).toEqual(many.toSorted())
  expect(switches.now).toEqual(await readSwitches(file))
})

test('whoever is at it for ever is named', async () => {
  await using _ = await lock(folder, { who: 'Budi', does: 'switches' }, { name: 'switches.lock' })
  const answer = await ask('PUT', '/api/switches/siaga', ani)
  expect([answer.statusCode, answer.json()]).toEqual([409, { error: 'locked', message: expect.stringMatching(/^Budi switches since 20.*npx satunomor switch/) }])
})

test('a store that takes nothing holds no switch up', async () => {
  audit = async () => { throw new Error('disk is full') }
  expect((await ask('PUT', '/api/switches/siaga', ani)).json()).toEqual({ closed: [], siaga: shown })
  expect(switches.now.siaga).toEqual(shown)
})
