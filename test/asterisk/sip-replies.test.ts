/** Answers by SIP MESSAGE: what Asterisk keeps is written down once, in order, and stays there until it is. */
import { expect, test } from 'vitest'
import { pino } from 'pino'
import { AsteriskAway, Refused } from '../../src/asterisk/ari-errors.ts'
import { numberIn, SipReplies } from '../../src/asterisk/sip-replies.ts'
import type { Reply } from '../../src/followups/replies.ts'

const citizen = '+627215550112'
const noUtf8: unique symbol = Symbol('no UTF-8')

interface Sent { text?: string | typeof noUtf8, from?: string, asserted?: string, id?: string }

/** Asterisk's global variables, and [messages] as it fills them. */
function exchange(take: (reply: Reply) => Promise<object | undefined> = async () => ({})) {
  const variables = new Map<string, string | typeof noUtf8>()
  const taken: Reply[] = []
  const lines: string[] = []
  const it = {
    variables, taken, up: true,
    /** Throws in the place of Asterisk. */
    fault: (_operation: string, _variable: string) => {},
    take,
    text: () => lines.join(''),
    sends({ text = '1', from = `<sip:${citizen}@127.0.0.2>`, asserted = '', id }: Sent = {}) {
      const [came, seen] = ['IN', 'OUT'].map(what => Number(variables.get(`SN_MESSAGES_${what}`) ?? 0)) as [number, number]
      if (came - seen >= 500) return variables.set('SN_MESSAGES_LOST', String(Number(variables.get('SN_MESSAGES_LOST') ?? 0) + 1))
      for (const [part, value] of [['ASSERTED', asserted], ['FROM', from], ['TEXT', text], ['ID', id ?? `1 MESSAGE call-${came}`]] as [string, string | typeof noUtf8][]) variables.set(`SN_MESSAGE_${came % 500}_${part}`, value)
      return variables.set('SN_MESSAGES_IN', String(came + 1))
    }
  }
  const request = async (_resource: string, operation: string, { variable, value }: Record<string, string>) => {
    it.fault(operation, variable!)
    if (operation === 'setGlobalVar') return void (value === undefined ? variables.delete(variable!) : variables.set(variable!, value))
    const is = variables.get(variable!) ?? ''
    if (is === noUtf8) throw new Error('asterisk.getGlobalVar: Internal Server Error', { cause: new Refused(500, 'Internal Server Error') })
    return { value: is }
  }
  const replies = new SipReplies({
    link: { get up() { return it.up }, request: request as never },
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
  const it = exchange()
  it.sends({ text: '3' })
  it.sends({ text: 'api di dapur :)', from: '"x" <sip:+627215550113@x>' })
  await it.look()
  expect(it.taken.map(({ from, text }) => [from, text])).toEqual([[citizen, '3'], ['+627215550113', 'api di dapur :)']])
  expect([...it.variables]).toEqual([['SN_MESSAGES_IN', '2'], ['SN_MESSAGES_OUT', '2']])
  await it.look()
  expect([it.taken.length, it.replies.counts.taken]).toEqual([2, 2])
  for (const secret of ['dapur', '5550112', '5550113']) expect(it.text()).not.toContain(secret)
  expect(it.text()).toMatch(/"became":"taken","reply":"sip-[0-9a-f]{32}","from":"\+62721•••0113"/)
})

test('the same request is the same answer; of another number it is another', async () => {
  const it = exchange()
  it.sends({ id: '1 MESSAGE a' })
  it.sends({ id: '1 MESSAGE a' })
  it.sends({ id: '2 MESSAGE a' })
  it.sends({ id: '1 MESSAGE a', from: '<sip:+627215550113@x>' })
  await it.look()
  const [first, again, ...others] = it.taken.map(({ id }) => id)
  expect(first).toMatch(/^sip-[0-9a-f]{32}$/)
  expect(again).toBe(first)
  expect(new Set([first, ...others]).size).toBe(3)
})

test('where the carrier says who it is, From counts for nothing', async () => {
  const it = exchange()
  it.sends({ asserted: '<sip:+627215550113@x>' })
  it.sends({ asserted: '<sip:anonymous@x>' })
  await it.look()
  expect(it.taken.map(({ from }) => from)).toEqual(['+627215550113'])
  expect(it.replies.counts).toMatchObject({ taken: 1, 'no-number': 1 })
})

test('what the store does not take stays in Asterisk, and is taken later', async () => {
  const it = exchange(async () => { throw new Error('database is locked') })
  it.sends({ text: '2' })
  await expect(it.look()).rejects.toThrow('locked')
  it.sends({ text: '3' })
  it.take = async () => ({})
  await it.look()
  expect(it.taken.map(({ text }) => text)).toEqual(['2', '3'])
})

test('one that is never taken is given up, and does not hold up the others', async () => {
  const it = exchange(async ({ text }) => { if (text === 'a') throw new Error('never') ; return {} })
  it.sends({ text: 'a' })
  it.sends({ text: '1' })
  for (let second = 1; second < 600; second++) await expect(it.look()).rejects.toThrow('never')
  await it.look()
  expect(it.taken.map(({ text }) => text)).toEqual(['1'])
  expect(it.replies.counts).toMatchObject({ 'not-stored': 1, taken: 1 })
  expect(it.text()).toContain('it is given up')
})

test('Asterisk away, at any of its answers: later, with the same id', async () => {
  const it = exchange()
  it.up = false
  it.sends({ text: '2' })
  await it.look()
  expect(it.taken).toEqual([])
  it.up = true
  it.fault = operation => { if (operation === 'setGlobalVar') throw new AsteriskAway('gone') }
  await it.look()
  it.fault = (operation, variable) => { if (operation === 'setGlobalVar' && variable === 'SN_MESSAGES_OUT') throw new AsteriskAway('gone') }
  await it.look()
  expect(it.taken.length).toBe(2)
  it.fault = () => {}
  await it.look()
  expect(new Set(it.taken.map(({ id }) => id)).size).toBe(1)
  expect(it.replies.counts.taken).toBe(1)
})

test('an Asterisk that was started anew in between begins at the first place', async () => {
  const it = exchange()
  it.variables.set('SN_MESSAGES_OUT', '7')
  it.sends()
  await it.look()
  expect([it.taken.length, it.variables.get('SN_MESSAGES_OUT')]).toEqual([1, '1'])
})

test('a flood of one number: twenty an hour, and the others come through; what Asterisk could not keep is counted', async () => {
  const it = exchange()
  for (let n = 0; n < 600; n++) it.sends()
  await it.look(1_000)
  it.sends({ from: '<sip:+627215550113@x>' })
  await it.look(2_000)
  expect(it.taken.filter(({ from }) => from === citizen).length).toBe(20)
  expect(it.taken.at(-1)!.from).toBe('+627215550113')
  expect(it.replies.counts).toMatchObject({ 'too-many': 480, lost: 100 })
  it.sends()
  await it.look(3_602_000)
  expect(it.taken.at(-1)!.from).toBe(citizen)
})

test('without a text that can be read: all the same for a person', async () => {
  const it = exchange()
  it.sends({ text: noUtf8 })
  it.sends({ text: '' })
  await it.look()
  expect(it.taken.map(({ text }) => text)).toEqual(['', ''])
  expect(it.replies.counts).toMatchObject({ taken: 2, unreadable: 2 })
})
