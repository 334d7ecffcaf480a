/** A call whose Call-ID is no UTF-8: Asterisk can tell the service nothing of it. It reaches a human, and hides no other call. */
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AriCallbackLine } from '../../src/asterisk/callback-line.ts'
import { channelsOf } from '../../src/asterisk/channels.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 191, callbacks: true }) })
afterAll(() => city?.[Symbol.asyncDispose]())

/** A command on Asterisk's own console. */
function console(command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(city.state, 'asterisk', 'run', 'asterisk.ctl'))
    let told = ''
    socket.on('error', reject)
    socket.on('data', data => {
      told += data.toString('latin1')
      if (!told.includes('System uptime:')) return
      socket.destroy()
      resolve()
    })
    socket.write(`${command}\0core show uptime seconds\0`)
  })
}

const record = (cli: string) => eventually(`the record of ${cli}`, async () => {
  await city.service.scribe.flush()
  return (await city.service.records.list({ limit: 50 })).calls.find(call => call.cliRaw === cli && call.disposition)
})

test.each([
  ['a carrier', '+6281277700011', () => city.carrier],
  ['an agencies\' trunk', '+6281277700012', () => city.gateway]
])('it hears the menu and reaches a human, others are served, and the service may start anew: from %s', async (_, from, phone) => {
  const odd = phone().dial({ id: `odd\xff${from}`, to: `sip:112@${city.address}:5060`, from })
  await odd.answered
  await city.ear.hears(odd, 'menu-utama', { within: 30_000 })
  // While it is there, ARI lists nothing.
  await expect(city.service.ari.request('channels', 'list')).rejects.toThrow('channels.list')
  const channels = channelsOf(city.service.ari, city.service.ami)
  expect(await channels()).toMatchObject([{ name: expect.stringMatching(/^PJSIP\//), state: 'Up' }])

  const followUp = 'followup-odd-1'
  city.line('ambulans-1', call => call.ring())
  const callbacks = () => new AriCallbackLine(city.service.ari, channelsOf(city.service.ari, city.service.ami))
  await callbacks().ring({ id: followUp, agency: 'ambulans', citizen: '+6281277700013', cli: '112', language: 'id', first: 'agency', ringTime: 30_000 as never })
  await city.rung('ambulans-1')
  expect([...await callbacks().ringing()]).toEqual([followUp])
  expect(await callbacks().giveWay('ambulans')).toBe(followUp)

  const waits = city.dial({ from: '+6281277700014' })
  await waits.answered
  await eventually('it is in the service\'s hands', async () => city.service.switchboard.size === 1)
  await city.restart(async () => {})
  await eventually('the new one has it', async () => city.service.switchboard.size === 1)

  city.line('bpbd-1', call => call.answer())
  city.line('bpbd-2', call => call.answer())
  await odd.press('2')
  const one = await city.rung('bpbd-1', from)
  await one.answered
  await eventually('the other is served', async () => {
    await waits.press('2')
    return city.calls.some(call => call.line === 'bpbd-2' && call.from === '+6281277700014')
  }, 30_000)
  await waits.hangUp()
  await one.hangUp()
  await odd.ended
  await city.quiet()
  expect(await record(from)).toMatchObject({ disposition: 'answered', line: 'bpbd-1', way: 'fallback' })
  expect(await record('+6281277700014')).toMatchObject({ disposition: 'answered', line: 'bpbd-2' })
})

test('where nobody at an agency answers it, the last resort has it: it does not come back to the service', async () => {
  for (const line of ['bpbd-1', 'bpbd-2']) city.line(line, call => call.refuse(486))
  const from = '+6281277700021'
  const odd = city.dial({ id: 'odd\xff-2', from })
  await odd.answered
  await city.ear.hears(odd, 'menu-utama', { within: 30_000 })
  await odd.press('2')
  const human = await city.rung('posko-1', from)
  await human.answered
  await odd.hangUp()
  await city.quiet()
  expect(await record(from)).toMatchObject({ agency: 'last-resort', way: 'fallback' })
})

test('one that comes to the service all the same is given to the fallback', async () => {
  await console('dialplan add extension 119,1,Answer into trunk-in')
  await console('dialplan add extension 119,2,Stasis(satunomor,inbound,utama) into trunk-in')
  const from = '+6281277700031'
  const odd = city.dial({ id: 'odd\xff-3', from, to: `sip:119@${city.address}:5060` })
  await odd.answered
  const human = await eventually('a human is rung', async () => city.calls.find(call => call.line === 'posko-1' && call.from === from), 30_000)
  await human.answered
  await odd.hangUp()
})
