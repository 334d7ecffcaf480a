/** Two telephones call each other, without an exchange between them. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, test, vi } from 'vitest'
import { Refused, Softphone, type DialOptions, type IncomingCall } from '../../demo/softphone.ts'
import { speech, spoken } from './sounds.ts'

const eventually = (look: () => void) => vi.waitFor(look, { timeout: 3_000, interval: 10 })

/** Ani calls Budi; what Budi does with the call is the test's. */
async function twoPhones(budiDoes: (call: IncomingCall) => unknown = call => call.answer()) {
  const stack = new AsyncDisposableStack()
  const ani = stack.use(await Softphone.open({ address: '127.0.77.1' }))
  const budi = stack.use(await Softphone.open({ address: '127.0.77.2' }))
  const { promise: rung, resolve } = Promise.withResolvers<IncomingCall>()
  budi.onCall(call => {
    resolve(call)
    return budiDoes(call)
  })
  const call = (options: Partial<DialOptions> = {}) =>
    ani.dial({ to: `sip:bpbd-1@${budi.address}:${budi.port}`, from: '+627215550112', ...options })
  return { ani, budi, call, rung, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** A proxy on their way (it stays there: Record-Route), which asks what to do with each message, by its start line. */
async function proxyBetween({ ani, budi }: { ani: Softphone, budi: Softphone }, handle: (kind: string, pass: () => void) => void) {
  const socket = createSocket('udp4')
  socket.bind({ address: '127.0.77.3' })
  await once(socket, 'listening')
  const uri = `sip:127.0.77.3:${socket.address().port}`
  socket.on('message', (datagram, { port }) => {
    const message = datagram.toString('latin1').replace(/^(INVITE .*\r\n)/, `$1Record-Route: <${uri};lr>\r\n`)
    const to = port === ani.port ? budi : ani
    handle(message.split('\r\n')[0]!.replace(/ sip:\S+/, ''), () => socket.send(message, to.port, to.address))
  })
  return { uri, [Symbol.asyncDispose]: () => new Promise<void>(resolve => socket.close(() => resolve())) }
}

test('they talk, and each hears byte for byte what the other said', async () => {
  await using phones = await twoPhones(call => { call.ring(); return call.answer() })
  const here = phones.call()
  await here.answered
  const there = await phones.rung
  expect(there).toMatchObject({ line: 'bpbd-1', from: '+627215550112' })
  expect(here.progress.map(({ status }) => status)).toEqual([100, 180])

  const [said, replied] = [speech(1, 600), speech(2, 610)]
  expect(await Promise.all([here.say(said), there.say(replied)])).toEqual([true, true])
  await eventually(() => {
    expect(spoken(there.heard.map(({ alaw }) => alaw)).equals(said)).toBe(true)
    expect(spoken(here.heard.map(({ alaw }) => alaw)).subarray(0, replied.length).equals(replied)).toBe(true)
  })
  await here.hangUp()
  const received = Buffer.concat(there.heard.map(({ alaw }) => alaw))
  expect(received.equals(Buffer.concat(here.sent).subarray(0, received.length))).toBe(true)
  expect(await here.ended).toMatchObject({ by: 'here' })
  expect(await there.ended).toMatchObject({ by: 'there' })
  expect([...phones.ani.faults, ...phones.budi.faults]).toEqual([])
})

test('frames leave every 20 ms, however late the timers are', async () => {
  await using phones = await twoPhones()
  const here = phones.call()
  await here.answered
  const [first] = [performance.now(), await here.say(speech(3, 20))]
  await here.say(speech(3, 980))
  expect(performance.now() - first).toBeGreaterThan(930)
  expect(performance.now() - first).toBeLessThan(1_500)
})

test('the one who was called hangs up', async () => {
  await using phones = await twoPhones(async call => { await call.answer(); await call.hangUp() })
  const call = phones.call()
  await call.answered
  expect(await call.ended).toMatchObject({ by: 'there' })
  expect(await (await phones.rung).ended).toMatchObject({ by: 'here' })
  expect(await call.say(speech(1, 100))).toBe(false)
})

test('busy', async () => {
  await using phones = await twoPhones(call => call.refuse(486, 'Sedang bicara'))
  const call = phones.call()
  await expect(call.answered).rejects.toMatchObject({ name: 'Refused', status: 486, reason: 'Sedang bicara' })
  expect(await call.ended).toMatchObject({ by: 'there', status: 486 })
  expect(await (await phones.rung).ended).toMatchObject({ by: 'here', status: 486 })
})

test('nobody looks at a refused call, and nothing is unhandled', async () => {
  await using phones = await twoPhones(call => call.refuse(603))
  await phones.call().ended
})

test('nobody answers: the caller gives up, and it stops ringing', async () => {
  await using phones = await twoPhones(call => call.ring())
  const call = phones.call()
  await eventually(() => expect(call.progress.at(-1)).toMatchObject({ status: 180 }))
  await call.hangUp()
  await expect(call.answered).rejects.toBeInstanceOf(Refused)
  expect(await call.ended).toMatchObject({ by: 'here', status: 487 })
  expect(await (await phones.rung).ended).toMatchObject({ by: 'there', status: 487 })
})

test('a call that is given up before it left is never made', async () => {
  await using phones = await twoPhones()
  const call = phones.call()
  await call.hangUp()
  expect(await call.ended).toMatchObject({ by: 'here' })
})

test('CANCEL and 200 cross: the answered call is acknowledged and hung up', async () => {
  await using phones = await twoPhones(call => call.ring())
  const passed: string[] = []
  let keptBack = () => {}
  await using proxy = await proxyBetween(phones, (kind, pass) => {
    passed.push(kind)
    if (kind === 'SIP/2.0 200 OK' && !passed.includes('CANCEL SIP/2.0')) keptBack = pass
    else pass()
    if (kind === 'CANCEL SIP/2.0') keptBack()
  })
  const call = phones.ani.dial({ to: proxy.uri, from: '1' })
  await eventually(() => expect(call.progress.at(-1)).toMatchObject({ status: 180 }))
  const there = await phones.rung
  void there.answer()
  await eventually(() => expect(passed.at(-1)).toBe('SIP/2.0 200 OK'))
  await call.hangUp()
  expect(await call.ended).toMatchObject({ by: 'here' })
  await expect(call.answered).rejects.toBeInstanceOf(Refused)
  expect(await there.ended).toMatchObject({ by: 'there' })
  expect(passed.filter(kind => !kind.startsWith('SIP'))).toEqual(['INVITE SIP/2.0', 'CANCEL SIP/2.0', 'ACK SIP/2.0', 'BYE SIP/2.0'])
  expect([...phones.ani.faults, ...phones.budi.faults]).toEqual([])
})

test('the one who is called declines by hanging up', async () => {
  await using phones = await twoPhones(call => call.hangUp())
  await expect(phones.call().answered).rejects.toMatchObject({ status: 603 })
})

test('keys are heard, each once and for as long as it was pressed', async () => {
  await using phones = await twoPhones()
  const call = phones.call()
  await call.answered
  const there = await phones.rung
  expect(await call.press('9')).toBe(true)
  expect(await call.press('2#', 200)).toBe(true)
  await eventually(() => expect(there.keys).toHaveLength(3))
  expect(there.keys.map(({ digit, ms }) => [digit, ms])).toEqual([['9', 100], ['2', 200], ['#', 200]])
  await expect(call.press('x')).rejects.toThrow('not on a telephone')
})

test('a telephone that only takes µ-law is understood', async () => {
  await using phones = await twoPhones()
  const call = phones.call({ codecs: ['ulaw'] })
  await call.answered
  const there = await phones.rung
  await call.say(Buffer.alloc(1_600, 0x2a))
  await eventually(() => expect(spoken(there.heard.map(({ alaw }) => alaw)).subarray(0, 1_600).every(byte => (byte ^ 0x2a) < 4)).toBe(true))
})

test('a From, a request URI and headers as ugly as wanted', async () => {
  await using phones = await twoPhones()
  const call = phones.call({
    fromHeader: '"Ibu Ani, éé" <sip:anonymous@anonymous.invalid>', requestUri: 'sip:%31%31%32;x=y@127.0.77.2',
    headers: { 'P-Asserted-Identity': '<tel:+627215550113>' }
  })
  await call.answered
  const there = await phones.rung
  expect(there).toMatchObject({ line: '112;x=y', from: '+627215550113' })
  expect(there.fromHeader).toMatch(/^"Ibu Ani, éé" <sip:anonymous@anonymous.invalid>;tag=/)
})

test('a caller without a number', async () => {
  await using phones = await twoPhones()
  await phones.call({ from: '' }).answered
  expect((await phones.rung).from).toBe('')
})

test('nothing leaves this machine', async () => {
  await using phones = await twoPhones()
  expect(() => phones.call({ to: 'sip:112@192.0.2.1' })).toThrow('127.0.0.0/8')
})

test('a handler that fails refuses the call, and the failure can be seen', async () => {
  await using phones = await twoPhones(() => { throw new Error('broken') })
  await expect(phones.call().answered).rejects.toMatchObject({ status: 500 })
  expect(phones.budi.faults).toHaveLength(1)
})

test('what is malformed or unknown disturbs nobody', async () => {
  await using phones = await twoPhones()
  const { ani, budi } = phones
  const replies: string[] = []
  ani.onDatagram(datagram => replies.push(datagram.toString('latin1').split('\r\n')[0]!))
  const request = (method: string, more = '') => [
    `${method} sip:x@127.0.77.2 SIP/2.0`, `Via: SIP/2.0/UDP 127.0.77.1:${ani.port};branch=z9hG4bK${method}`, 'From: <sip:a@127.0.77.1>;tag=1',
    `To: <sip:x@127.0.77.2>${more}`, `Call-ID: ${method}`, `CSeq: 1 ${method}`, '', ''
  ].join('\r\n')
  for (const ugly of ['', '\r\n\r\n', 'INVITE', '\0'.repeat(2_000), request('INVITE').slice(0, 60), 'SIP/2.0 200 OK\r\n\r\n', request('ACK'), 'x'.repeat(9_000)]) {
    ani.raw(ugly, budi)
  }
  for (const odd of [request('OPTIONS'), request('REFER'), request('BYE', ';tag=none'), request('CANCEL'), request('OPTIONS')]) ani.raw(odd, budi)
  await eventually(() => expect(replies).toEqual([
    'SIP/2.0 200 OK', 'SIP/2.0 405 Method Not Allowed', 'SIP/2.0 481 Call/Transaction Does Not Exist',
    'SIP/2.0 481 Call/Transaction Does Not Exist', 'SIP/2.0 200 OK'
  ]))
  await phones.call().answered
  expect(budi.faults).toEqual([])
})

test('what gets lost is sent again, and what comes twice counts once', async () => {
  let calls = 0
  await using phones = await twoPhones(call => { calls++; call.ring(); return call.answer() })
  const lost = new Set<string>()
  await using proxy = await proxyBetween(phones, (kind, pass) => {
    if (!lost.has(kind)) return void lost.add(kind)
    pass()
    pass()
  })
  const call = phones.ani.dial({ to: proxy.uri, from: '1' })
  await call.answered
  await call.hangUp({ within: 5_000 })
  expect(await call.ended).toMatchObject({ by: 'here' })
  expect(calls).toBe(1)
  expect([...lost]).toEqual(expect.arrayContaining(['INVITE SIP/2.0', 'SIP/2.0 200 OK', 'ACK SIP/2.0', 'BYE SIP/2.0']))
}, 20_000)

test('re-INVITE and UPDATE are answered, with the sound where they say', async () => {
  await using phones = await twoPhones()
  const { ani, budi } = phones
  const call = phones.call()
  await call.answered
  const there = await phones.rung
  const replies: string[] = []
  ani.onDatagram(datagram => replies.push(datagram.toString('latin1')))
  const moved = createSocket('udp4')
  moved.bind({ address: '127.0.77.4' })
  await once(moved, 'listening')
  const sdp = ['v=0', 'o=- 1 2 IN IP4 127.0.77.4', 's=-', 'c=IN IP4 127.0.77.4', 't=0 0', `m=audio ${moved.address().port} RTP/AVP 0 8`, 'm=video 9 RTP/AVP 99', ''].join('\r\n')
  const inside = (method: string, number: number, body: string) => ani.raw([
    `${method} sip:x@127.0.77.2 SIP/2.0`, `Via: SIP/2.0/UDP 127.0.77.1:${ani.port};branch=z9hG4bK${number}`,
    `From: ${there.fromHeader}`, `To: <sip:x@127.0.77.2>;tag=${there.tag}`, `Call-ID: ${call.id}`, `CSeq: ${number} ${method}`,
    `Content-Length: ${body.length}`, '', body
  ].join('\r\n'), budi)

  inside('INVITE', 5, sdp)
  await once(moved, 'message')
  await eventually(() => expect(replies.at(-1)).toMatch(/^SIP\/2.0 200[^]*m=audio \d+ RTP\/AVP 8\r[^]*m=video 0 RTP\/AVP 99/))
  inside('ACK', 5, '')
  inside('UPDATE', 6, '')
  await eventually(() => expect(replies.at(-1)).toMatch(/^SIP\/2.0 200[^]*6 UPDATE[^]*Content-Length: 0/))
  inside('INFO', 4, '')
  await eventually(() => expect(replies.at(-1)).toMatch(/^SIP\/2.0 500/))
  moved.close()
})

test('closing a telephone hangs up, and leaves no sockets and no timers', async () => {
  const open = () => process.getActiveResourcesInfo().filter(it => it === 'Timeout' || it === 'UDPWrap').length
  const before = open()
  {
    await using phones = await twoPhones()
    const call = phones.call()
    await call.answered
    await call.say(speech(1, 40))
    phones.call({ to: 'sip:112@127.0.77.9:5999' })
    phones.budi.onCall(it => it.ring())
    const ringing = phones.call()
    await eventually(() => expect(ringing.progress.at(-1)).toMatchObject({ status: 180 }))
    expect(open()).toBeGreaterThan(before + 4)
  }
  expect(open()).toBeLessThanOrEqual(before)
})

test('a telephone that knows no telephone-event has tones alone, and says so', async () => {
  await using phones = await twoPhones(call => call.answer({ events: false }))
  const here = phones.call()
  await here.answered
  const there = await phones.rung
  expect(await here.press('1')).toBe(false)
  await here.pressTones('12')
  await eventually(() => expect(there.tones).toBe('12'))
  expect(there.keys).toEqual([])
  await here.hangUp()
})

test('a faulty telephone gives each packet of a key, or each of its ends, a time of its own', async () => {
  await using phones = await twoPhones()
  const here = phones.call()
  await here.answered
  const there = await phones.rung
  for (const [stamps, keys] of [['once', 1], ['ends', 4], ['each', 7]] as const) {
    there.keys.length = 0
    await here.press('2', 100, stamps)
    await eventually(() => expect(there.keys).toHaveLength(keys))
  }
  await here.hangUp()
})
