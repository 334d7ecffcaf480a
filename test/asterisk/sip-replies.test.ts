/** Answers by SIP MESSAGE: what Asterisk keeps is stored once, in order, and stays there until it is. */
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { pino } from 'pino'
import { AsteriskAway } from '../../src/asterisk/ari-errors.ts'
import { numberIn, SipReplies } from '../../src/asterisk/sip-replies.ts'
import type { Reply } from '../../src/followups/replies.ts'

const citizen = '+627215550112'

interface Sent { text?: string | Buffer, from?: string, asserted?: string, id?: string, cut?: number }

const folders: string[] = []
afterAll(() => Promise.all(folders.map(folder => rm(folder, { recursive: true }))))

/** Asterisk's global variables, and the files that [message] writes. */
async function exchange(take: (reply: Reply) => Promise<object | undefined> = async () => ({})) {
  const folder = await mkdtemp(join(tmpdir(), 'answers-'))
  folders.push(folder)
  const variables = new Map<string, string>()
  const taken: Reply[] = []
  const lines: string[] = []
  let places = 0
  const it = {
    folder, variables, taken, up: true,
    /** Throws in the place of Asterisk. */
    fault: (_operation: string, _variable: string) => {},
    take,
    text: () => lines.join(''),
    left: () => readdir(folder),
    async sends({ text = '1', from = `<sip:${citizen}@127.0.0.2>`, asserted = '', id, cut }: Sent = {}) {
      const nth = Number(variables.get('SN_MESSAGES_IN') ?? 0) + 1
      variables.set('SN_MESSAGES_IN', String(nth))
      const file = join(folder, `${from.replace(/\D/g, '').slice(0, 13)}-${places++}`)
      const head = `1764500000 ${nth}\nasserted=${asserted}\nfrom=${from}\nid=${id ?? `1 MESSAGE call-${nth}`}\ntext=`
      await writeFile(file, Buffer.concat([Buffer.from(head), Buffer.from(text), Buffer.from('\n.\n')]).subarray(0, cut))
      return file
    }
  }
  const request = async (_resource: string, operation: string, { variable, value }: Record<string, string>) => {
    it.fault(operation, variable!)
    if (operation === 'setGlobalVar') return void variables.set(variable!, value!)
    return { value: variables.get(variable!) ?? '' }
  }
  const replies = new SipReplies({
    link: { get up() { return it.up }, request: request as never }, folder,
    take: async reply => {
      const became = await it.take(reply)
      taken.push(reply)
      return became
    },
    log: pino({ level: 'debug' }, { write: (line: string) => { lines.push(line) } })
  })
  return Object.assign(it, { replies, look: (now = 0) => replies.look(now) })
}

test.each([
  ['<sip:+627215550112@127.0.0.2>', citizen], ['sip:07215550112@127.0.0.2;tag=1', citizen], ['"Budi, <sip:+627215550199@x>" <sip:+627215550112@x>', citizen],
  ['Budi <tel:+62-721-5550112>', citizen], ['<sips:+627215550112;phone-context=x@x>', citizen], ['<tel:+627215550112>, <sip:+627215550199@x>', citizen],
  ['<sip:anonymous@anonymous.invalid>', null], ['<sip:127.0.0.2>', null], ['<sip:112@x>', null], ['x sip:+627215550112@x', null], ['', null], ['"<sip:+627215550112@x>', null]
])('of %s the number is %s', (header, number) => {
  expect(numberIn(header)).toBe(number)
})

test('all that came is taken, in order, and Asterisk keeps none of it', async () => {
  const it = await exchange()
  await it.sends({ text: '3' })
  await it.sends({ text: 'api di dapur :)\r\nfrom=é\n.\nx', from: '"x" <sip:+627215550113@x>' })
  await it.look()
  expect(it.taken.map(({ from, text }) => [from, text])).toEqual([[citizen, '3'], ['+627215550113', 'api di dapur :)\r\nfrom=é\n.\nx']])
  expect(await it.left()).toEqual([])
  expect(Object.fromEntries(it.variables)).toMatchObject({ SN_MESSAGES_IN: '2', SN_MESSAGES_OUT: '2' })
  await it.look()
  expect([it.taken.length, it.replies.counts.taken]).toEqual([2, 2])
  for (const secret of ['dapur', '5550112', '5550113']) expect(it.text()).not.toContain(secret)
  expect(it.text()).toMatch(/"became":"taken","reply":"sip-[0-9a-f]{32}","from":"\+62721•••0113"/)
})

test('answers are taken in the order in which they came, wherever they lie', async () => {
  const it = await exchange()
  for (const from of ['99', '98', '97', '96']) await it.sends({ from: `<sip:+6272155501${from}@x>` })
  for (let n = 0; n < 12; n++) await it.sends({ text: `${n}` })
  await it.look()
  expect(it.taken.map(({ from }) => from).slice(0, 4)).toEqual(['99', '98', '97', '96'].map(from => `+6272155501${from}`))
  expect(it.taken.map(({ text }) => text).slice(4)).toEqual(Array.from({ length: 12 }, (_, n) => `${n}`))
})

test('the same request is the same answer; of another number it is another', async () => {
  const it = await exchange()
  await it.sends({ id: '1 MESSAGE a' })
  await it.sends({ id: '1 MESSAGE a' })
  await it.sends({ id: '2 MESSAGE a' })
  await it.sends({ id: '1 MESSAGE a', from: '<sip:+627215550113@x>' })
  await it.look()
  const [first, again, ...others] = it.taken.map(({ id }) => id)
  expect(first).toMatch(/^sip-[0-9a-f]{32}$/)
  expect(again).toBe(first)
  expect(new Set([first, ...others]).size).toBe(3)
})

test('where the carrier says who it is, From counts for nothing', async () => {
  const it = await exchange()
  await it.sends({ asserted: '<sip:+627215550113@x>' })
  await it.sends({ asserted: '<sip:anonymous@x>' })
  await it.look()
  expect(it.taken.map(({ from }) => from)).toEqual(['+627215550113'])
  expect(it.replies.counts).toMatchObject({ taken: 1, 'no-number': 1 })
})

test('an answer stays in its file until the store takes it, and Asterisk hears that it waits', async () => {
  const it = await exchange(async () => { throw new Error('database is locked') })
  await it.sends({ text: '2' })
  await expect(it.look()).rejects.toThrow('locked')
  expect([(await it.left()).length, it.variables.get('SN_MESSAGES_OUT')]).toEqual([1, '0'])
  await it.sends({ text: '3' })
  it.take = async () => ({})
  await it.look()
  expect(it.taken.map(({ text }) => text)).toEqual(['2', '3'])
  expect([await it.left(), it.variables.get('SN_MESSAGES_OUT')]).toEqual([[], '2'])
})

test('one that is never taken is given up, and does not hold up the others', async () => {
  const it = await exchange(async ({ text }) => { if (text === 'a') throw new Error('never') ; return {} })
  await it.sends({ text: 'a' })
  await it.sends({ text: '1' })
  for (let second = 1; second < 600; second++) await expect(it.look()).rejects.toThrow('never')
  await it.look()
  expect(it.taken.map(({ text }) => text)).toEqual(['1'])
  expect(it.replies.counts).toMatchObject({ 'not-stored': 1, taken: 1 })
  expect(it.text()).toContain('it is given up')
})

test('Asterisk away, at any of its answers: what it has written is taken all the same, once', async () => {
  const it = await exchange()
  it.up = false
  await it.sends({ text: '2' })
  await it.look()
  expect(it.taken.map(({ text }) => text)).toEqual(['2'])
  it.up = true
  for (const away of ['IN', 'LOST', 'MANY', 'OUT']) {
    await it.sends({ text: away })
    it.fault = (_operation, variable) => { if (variable === `SN_MESSAGES_${away}`) throw new AsteriskAway('gone') }
    await it.look()
  }
  expect(it.taken.map(({ text }) => text)).toEqual(['2', 'IN', 'LOST', 'MANY', 'OUT'])
  it.fault = () => {}
  await it.look()
  expect(it.variables.get('SN_MESSAGES_OUT')).toBe('5')
})

test('an Asterisk that was started anew counts from the beginning', async () => {
  const it = await exchange()
  it.variables.set('SN_MESSAGES_MANY', '7')
  await it.sends()
  await it.sends()
  await it.look()
  it.variables.clear()
  it.variables.set('SN_MESSAGES_MANY', '2')
  await it.sends()
  await it.look()
  expect([it.taken.length, it.variables.get('SN_MESSAGES_OUT'), it.replies.counts['too-many']]).toEqual([3, '1', 9])
})

test('a flood of one number: twenty an hour, and the others come through', async () => {
  const it = await exchange()
  for (let n = 0; n < 50; n++) await it.sends()
  it.variables.set('SN_MESSAGES_MANY', '400').set('SN_MESSAGES_LOST', '3')
  await it.look(1_000)
  await it.sends({ from: '<sip:+627215550113@x>' })
  await it.look(2_000)
  expect(it.taken.filter(({ from }) => from === citizen).length).toBe(20)
  expect(it.taken.at(-1)!.from).toBe('+627215550113')
  expect(it.replies.counts).toMatchObject({ 'too-many': 430, lost: 3 })
  await it.sends()
  await it.look(3_602_000)
  expect(it.taken.at(-1)!.from).toBe(citizen)
})

test('a file that is still being written waits; one that stays torn is removed, and holds up nobody', async () => {
  const it = await exchange()
  const torn = await it.sends({ text: 'tolong', cut: 40 })
  const empty = await it.sends({ text: 'tolong', cut: 0 })
  await it.sends({ text: '2' })
  await it.look(Date.now())
  expect([it.taken.map(({ text }) => text), (await it.left()).length]).toEqual([['2'], 2])
  for (const file of [torn, empty]) await utimes(file, new Date(0), new Date(0))
  await it.look(Date.now())
  expect([it.taken.length, await it.left()]).toEqual([1, []])
  expect(it.text()).toContain('torn answer by SIP removed')
  expect(it.text()).not.toContain('5550112')
})

test('without a text that can be read: all the same for a person', async () => {
  const it = await exchange()
  await it.sends({ text: Buffer.from([0x32, 0xff]) })
  await it.sends({ text: '' })
  await it.look()
  expect(it.taken.map(({ text }) => text)).toEqual(['', ''])
  expect(it.replies.counts).toMatchObject({ taken: 2, unreadable: 2 })
})
