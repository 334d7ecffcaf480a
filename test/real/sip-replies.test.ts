/** What citizens answer by SIP MESSAGE, on the real parts: kept by Asterisk until it is stored, whoever is away meanwhile. */
import { chown, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toWire } from '../../demo/sip.ts'
import { Softphone } from '../../demo/softphone.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

// Nobody is rung: a person does it all. Who is owed a call gets a message, which is what they answer.
const policy = `followups:
  outbound: { channels: 0 }
  policy: { attempts: 0, message: dibuka }
  messages: { dibuka: { id: "Balas 1, 2 atau 3.", en: "Reply 1, 2 or 3." } }
`
let city: City

beforeAll(async () => {
  city = await openCity({ number: 116, withRedis: true, callbacks: true, plan: text => policy + text, env: { SATUNOMOR_MESSAGES: 'sip' } })
  city.carrier.onMessage(() => {})
  for (const line of ['bpbd-1', 'bpbd-2']) city.line(line, call => call.refuse(486))
})
afterAll(() => city?.[Symbol.asyncDispose]())

let sent = 0
/** Sends a MESSAGE to the city from a telephone; the final status. Two with the same `id` are the same request, sent anew. */
function write(text: string | Buffer, { by = city.carrier, from = '+627215550161', to = '112', id = `message-${++sent}`, headers = {} }: { by?: Softphone, from?: string, to?: string, id?: string, headers?: Record<string, string> } = {}) {
  const { promise, resolve } = Promise.withResolvers<number>()
  by.wire.request({
    to: { address: city.address, port: 5060 },
    request: {
      method: 'MESSAGE', uri: `sip:${to}@${city.address}:5060`, body: typeof text === 'string' ? toWire(text) : text.toString('latin1'),
      headers: [['max-forwards', '70'], ['from', `<sip:${from}@${by.address}>;tag=${id}`], ['to', `<sip:${to}@${city.address}>`], ['call-id', id], ['cseq', '1 MESSAGE'], ...Object.entries({ 'content-type': 'text/plain', ...headers })]
    }
  }, ({ status }) => { if (status >= 200) resolve(status) })
  return promise
}

/** What the citizen has answered, as their follow-up's history has it. */
async function answers(number: string) {
  const { id } = await city.service.records.db.selectFrom('followups').select('id').where('cli', '=', number).executeTakeFirstOrThrow()
  return (await city.service.book.get(id))!.history.filter(({ what }) => what === 'replied').map(({ facts }) => facts)
}
const is = (number: string) => city.service.records.db.selectFrom('followups').select(['state', 'why', 'endedBy']).where('cli', '=', number).executeTakeFirstOrThrow()
const spool = () => join(city.state, 'asterisk', 'spool', 'messages')
const kept = async () => (await readdir(spool())).length
const variable = async (name: string) => (await city.variable(name)) ?? ''
const figure = async (became: string) => Number(new RegExp(`satunomor_sip_replies_total\\{became="${became}"\\} (\\d+)`).exec(await (await fetch(`${city.service.url}/metrics`)).text())?.[1] ?? 0)

/** Calls 112, presses 2 and finds nobody: a follow-up, which is a person's at once here, and a message. */
async function owed(number: string) {
  const call = city.dial({ from: number })
  await call.answered
  await call.press('2')
  await city.ear.hears(call, 'maaf-akhir')
  await call.hangUp()
  await eventually('a follow-up is open, and they have its message', async () => {
    const { id, state } = await city.service.records.db.selectFrom('followups').select(['id', 'state']).where('cli', '=', number).executeTakeFirstOrThrow()
    return state === 'person' && (await city.service.book.get(id))!.history.some(({ what }) => what === 'message-sent')
  })
}

test('a citizen answers by SIP MESSAGE: what it asks for is done, once, however often it is sent', async () => {
  await owed('+627215550162')
  const before = (await city.service.records.list({ limit: 50 })).calls.length
  for (const id of ['first', 'first']) expect(await write('3', { from: '+627215550162', id })).toBe(202)
  expect(await write('Rumah biru :) ${EPOCH}, "2"=b; \\ é 🔥\r\nid=x: y', { from: '+627215550162' })).toBe(202)
  await eventually('all were taken', async () => await kept() === 0 && (await answers('+627215550162')).length === 2)
  expect(await answers('+627215550162')).toEqual([{ meaning: 'cannot-speak' }, { meaning: 'words', text: 'Rumah biru :) ${EPOCH}, "2"=b; \\ é 🔥 id=x: y' }])
  expect(await is('+627215550162')).toMatchObject({ state: 'person', why: 'replied' })
  expect(await write('2', { from: '07215550162' })).toBe(202)
  await eventually('it is closed', async () => (await is('+627215550162')).state === 'closed')
  expect(await is('+627215550162')).toMatchObject({ why: 'mistake', endedBy: 'citizen' })

  // It was no call, and what was written stands in no ledger, log or file.
  await city.quiet()
  expect((await city.service.records.list({ limit: 50 })).calls.length).toBe(before)
  const ledger = await readFile(join(city.state, 'asterisk', 'log', 'cel-custom', 'calls.csv'), 'utf8')
  const logged = await readFile(join(city.state, 'asterisk', 'log', 'messages.log'), 'utf8')
  expect(ledger).toContain('+627215550162')                       // their call does
  expect(ledger.split('\n').filter(line => line.includes('Message/')).join()).not.toMatch(/5550162|biru/)
  expect(`${ledger}${logged}`).not.toContain('biru')
  expect(logged).not.toContain('5550162')
}, 60_000)

test('who is owed nothing is not kept; who the carrier says it is counts, and not From', async () => {
  await owed('+627215550163')
  const [notOwed, noNumber] = [await figure('not-owed'), await figure('no-number')]
  expect(await write('2', { from: '+627215550190' })).toBe(202)
  expect(await write('2', { from: '+627215550163', headers: { 'P-Asserted-Identity': '<sip:+627215550190@example.invalid>' } })).toBe(202)
  expect(await write('2', { from: '+627215550163', headers: { 'p-asserted-identity': '<sip:anonymous@anonymous.invalid>' } })).toBe(202)
  await eventually('all were looked at', async () => await figure('no-number') === noNumber + 1)
  expect(await figure('not-owed')).toBe(notOwed + 2)
  expect(await answers('+627215550163')).toEqual([])
  expect(await write('1', { from: 'x', headers: { 'P-Asserted-Identity': '"2" <tel:+627215550163>' } })).toBe(202)
  await eventually('the one is taken', async () => (await answers('+627215550163')).length === 1)
  expect(await answers('+627215550163')).toEqual([{ meaning: 'need-help' }])
})

test('an answer after the end is kept: thanks make no work, a cry for help opens a follow-up', async () => {
  const number = '+627215550170'
  await owed(number)
  const theirs = () => city.service.records.db.selectFrom('followups').select(['id', 'state', 'why', 'priority', 'list']).where('cli', '=', number).orderBy('madeAt').execute()
  expect(await write('2', { from: number })).toBe(202)
  await eventually('it is closed by a slip of the finger', async () => (await is(number)).state === 'closed')
  expect(await write('Ok terima kasih 🙏', { from: number })).toBe(202)
  await eventually('the thanks are kept', async () => (await answers(number)).length === 2)
  expect(await theirs()).toMatchObject([{ state: 'closed', why: 'mistake' }])
  expect(await write('kami BUTUH ambulans!', { from: number })).toBe(202)
  const [, opened] = await eventually('a person has the cry for help', async () => (await theirs()).length === 2 && theirs())
  expect(opened).toMatchObject({ state: 'person', why: 'replied', priority: 0, list: 'posko' })
  expect((await city.service.book.get(opened!.id))!.history.find(({ what }) => what === 'replied')!.facts).toEqual({ meaning: 'words', text: 'kami BUTUH ambulans!' })
  const listed = await (await fetch(`${city.service.url}/api/followups?list=posko`, { headers: { authorization: `Bearer ${city.service.token}` } })).json() as { followUps: { id: string }[] }
  expect(listed.followUps).toContainEqual(expect.objectContaining({ id: opened!.id, cli: '+62721•••0170', state: 'person', priority: 0 }))
}, 60_000)

test('too long, or no UTF-8: a person sees that something was written; what is no text is refused', async () => {
  await owed('+627215550164')
  const unreadable = await figure('unreadable')
  for (const type of ['application/vnd.3gpp.sms', 'multipart/mixed; boundary=x', 'message/cpim', 'text/html']) {
    expect(await write('1', { from: '+627215550164', headers: { 'content-type': type } })).toBe(415)
  }
  expect(await write('1'.repeat(1_024), { from: '+627215550164' })).toBe(202)
  expect(await write(Buffer.from([0x32, 0xff]), { from: '+627215550164' })).toBe(202)
  await eventually('both are written down', async () => (await answers('+627215550164')).length === 2)
  expect(await is('+627215550164')).toMatchObject({ state: 'person', why: 'replied' })
  expect(await figure('unreadable')).toBe(unreadable + 2)
}, 60_000)

test('refused: from an agency\'s trunk, from a stranger, to what is no number', async () => {
  await owed('+627215550165')
  await using stranger = await Softphone.open({ address: '127.77.116.9', port: 5060 })
  const came = await variable('SN_MESSAGES_IN')
  expect(await write('2', { from: '+627215550165', by: city.gateway })).toBe(404)
  expect(await write('2', { from: '+627215550165', by: stranger })).toBe(401)
  for (const to of ['s', 'h', 'posko-1']) expect(await write('2', { from: '+627215550165', to })).toBe(404)
  expect(await write('3', { from: '+627215550165' })).toBe(202)
  await eventually('the carrier\'s alone is taken', async () => (await answers('+627215550165')).length > 0)
  expect(await answers('+627215550165')).toEqual([{ meaning: 'cannot-speak' }])
  expect(await variable('SN_MESSAGES_IN')).toBe(String(Number(came) + 1))
}, 60_000)

test('the store is locked: it waits in Asterisk, and is taken when it opens', async () => {
  await owed('+627215550166')
  const store = new DatabaseSync(join(city.state, 'records.sqlite'))
  store.exec('BEGIN IMMEDIATE')
  expect(await write('2', { from: '+627215550166' })).toBe(202)
  const beat = Number(await variable('SN_BEAT'))
  await eventually('there was time for two looks at it', async () => await kept() === 1 && Number(await variable('SN_BEAT')) >= beat + 3)
  expect([await kept(), await answers('+627215550166')]).toEqual([1, []])
  store.exec('ROLLBACK')
  store.close()
  await eventually('it is taken', async () => (await is('+627215550166')).state === 'closed', 40_000)
  expect(await answers('+627215550166')).toEqual([{ meaning: 'mistake' }])
}, 90_000)

test('the service is away: Asterisk keeps what is answered until it is back; a dialplan that is loaded anew changes nothing', async () => {
  await owed('+627215550167')
  await city.restart(async () => {
    expect(await write('2', { from: '+627215550167', id: 'away' })).toBe(202)
    expect(await write('2', { from: '+627215550167', id: 'away' })).toBe(202)
  })
  await eventually('it is taken', async () => (await is('+627215550167')).state === 'closed')
  await city.service.ari.request('asterisk', 'reloadModule', { moduleName: 'pbx_config.so' })
  await eventually('nothing is kept', async () => await kept() === 0)
  expect(await answers('+627215550167')).toEqual([{ meaning: 'mistake' }])
  await city.quiet()
}, 60_000)

test('a burst while the service is away: a citizen\'s answer in the middle of it is taken', async () => {
  await owed('+627215550168')
  const tooMany = await figure('too-many')
  await city.restart(async () => {
    const burst = Array.from({ length: 600 }, (_, n) => n === 300 ? write('3', { from: '+627215550168' }) : write('1', { from: n % 2 === 0 ? '+627215550191' : `+6272155${52_000 + n}` }))
    expect(new Set(await Promise.all(burst))).toEqual(new Set([202]))
    // Of the number that floods 20 wait.
    await eventually('each has been looked at', async () => await kept() === 321 && Number(await variable('SN_MESSAGES_MANY')) === 279)
  })
  await eventually('nothing is kept', async () => await kept() === 0, 40_000)
  await eventually('it is counted', async () => await figure('too-many') >= tooMany + 279)
  expect([await figure('taken'), await figure('not-owed'), await figure('lost')]).toEqual([1, 320, 0])
  expect(await answers('+627215550168')).toEqual([{ meaning: 'cannot-speak' }])
  await city.quiet()
}, 90_000)

test('Asterisk is killed after its 202, while the service is away: the answer is taken', async () => {
  await owed('+627215550171')
  await city.restart(async () => {
    expect(await write('2', { from: '+627215550171' })).toBe(202)
    await eventually('it is in its file', async () => await kept() === 1)
    await city.restartAsterisk()
  })
  await eventually('it is taken', async () => (await is('+627215550171')).state === 'closed')
  expect(await kept()).toBe(0)
  await city.quiet()
}, 60_000)

test('nothing more can be kept: the sender hears 404 and no 202, until there is room', async () => {
  await owed('+627215550172')
  const set = (name: string, value: string) => city.service.ari.request('asterisk', 'setGlobalVar', { variable: name, value })
  const taken = await figure('taken')
  await set('SN_MESSAGES_IN', '5000')
  expect(await write('2', { from: '+627215550172' })).toBe(404)
  await eventually('the service says that nothing waits', async () => await variable('SN_MESSAGES_OUT') === '5000')
  expect(await write('2', { from: '+627215550172' })).toBe(202)
  await eventually('it is taken', async () => (await is('+627215550172')).state === 'closed')

  // A disk that takes nothing, as Asterisk sees it: that answer is lost, and counted; the next one is refused.
  const [lost, { uid, gid }] = [await figure('lost'), await stat(spool())]
  await chown(spool(), 0, 0)
  expect(await write('1', { from: '+627215550172' })).toBe(202)
  await eventually('it is counted', async () => await figure('lost') === lost + 1)
  await chown(spool(), uid, gid)
  expect(await write('1', { from: '+627215550172' })).toBe(404)
  await set('SN_MESSAGES_SHUT', '0')
  expect(await write('3', { from: '+627215550172' })).toBe(202)
  await eventually('it is taken', async () => await figure('taken') === taken + 2)
  await city.quiet()
}, 60_000)

test('Asterisk is killed and started anew: answers are taken as before', async () => {
  await owed('+627215550169')
  await city.restartAsterisk()
  await eventually('the service is ready', async () => (await city.service.health.ready()).ready)
  expect(await write('2', { from: '+627215550169' })).toBe(202)
  await eventually('it is taken', async () => (await is('+627215550169')).state === 'closed')
  await city.quiet()
}, 60_000)
