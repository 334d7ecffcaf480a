/** What a channel promises (src/calls/channel.ts), at its edges: things that happen together, too early, or never. */
import { afterEach, expect, test } from 'vitest'
import { AriChannel } from '../../src/asterisk/ari-channel.ts'
import { AriEvents } from '../../src/asterisk/ari-events.ts'
import { AsteriskAway, Gone } from '../../src/asterisk/ari-errors.ts'
import { Hangup } from '../../src/calls/channel.ts'
import { eventually } from '../parts/city.ts'

const uncaught: unknown[] = []
process.on('unhandledRejection', error => { uncaught.push(error) })
afterEach(() => expect(uncaught).toEqual([]))

/** A link that remembers what it was asked, and does what the test says. */
class FakeLink {
  readonly asked: string[] = []
  playbackId = ''
  does: (what: string) => unknown = () => {}

  async request<T>(resource: string, operation: string, params: Record<string, unknown> = {}): Promise<T> {
    const what = `${resource}.${operation}`
    this.asked.push(what)
    if (operation === 'play') this.playbackId = params['playbackId'] as string
    return await this.does(what) as T
  }
}

function stage() {
  const link = new FakeLink()
  const events = new AriEvents()
  const channel = new AriChannel(link, events, { id: 'one' })
  return {
    link, events, channel,
    says: (type: string, more: object = {}) => events.tell({ type, channel: { id: 'one' }, ...more }),
    finishes: () => events.tell({ type: 'PlaybackFinished', playback: { id: link.playbackId } })
  }
}
const fail = (error: Error) => () => { throw error }
const never = () => new Promise(() => {})
const { signal: on } = new AbortController()

test('a prompt that has finished before the request returned has been played', async () => {
  const { link, channel, finishes, events } = stage()
  link.does = () => finishes()
  await channel.play(['sambutan'], on)
  expect(link.asked).toEqual(['channels.play'])
  channel.ended(16)
  expect(events.listening).toEqual([])
})

test('a key stops the prompt, also one that comes before the prompt has begun', async () => {
  for (const early of [true, false]) {
    const { link, channel } = stage()
    const key = new AbortController()
    link.does = what => { if (early && what === 'channels.play') key.abort() }
    const played = channel.play(['sambutan'], key.signal)
    await eventually('it was asked for', async () => link.asked.length > 0)
    key.abort()
    await played
    expect(link.asked).toEqual(['channels.play', 'playbacks.stop'])
  }
})

test('a prompt that is already over need not be stopped', async () => {
  const { link, channel } = stage()
  const key = new AbortController()
  link.does = what => { if (what === 'playbacks.stop') throw new Gone('Playback not found'); key.abort() }
  await channel.play(['sambutan'], key.signal)
})

test('nothing is played for a key that was there before', async () => {
  const { link, channel } = stage()
  await channel.play(['sambutan'], AbortSignal.abort())
  expect(link.asked).toEqual([])
})

test.for(['remember', 'play', 'ring', 'fallBack'] as const)('%s on a channel that is gone is a hang-up, and leaves no listener', async verb => {
  const { link, channel, events } = stage()
  link.does = fail(new Gone('Channel not found'))
  const does = { remember: () => channel.remember('menu:utama'), play: () => channel.play(['x'], on), ring: () => channel.ring('bpbd'), fallBack: () => channel.fallBack() }
  await expect(does[verb]()).rejects.toThrow(Hangup)
  expect(channel.hungUp.reason).toBeInstanceOf(Hangup)
  expect(channel.inHand).toBe(false)
  expect(events.listening).toEqual([])
  link.asked.length = 0
  await expect(does[verb]()).rejects.toThrow(Hangup)
  expect(link.asked).toEqual([])
})

test.for(['remember', 'play', 'ring'] as const)('%s ends at once when the caller hangs up, though Asterisk does not answer', async verb => {
  const { link, channel, events } = stage()
  link.does = never
  const does = { remember: () => channel.remember('menu:utama'), play: () => channel.play(['x'], on), ring: () => channel.ring('bpbd') }
  const asked = does[verb]()
  channel.ended(16)
  await expect(asked).rejects.toMatchObject({ name: 'Hangup', q850: 16 })
  expect(events.listening).toEqual([])
})

test('Asterisk away is a fault and no hang-up', async () => {
  const { link, channel, says } = stage()
  link.does = fail(new AsteriskAway('no link'))
  await expect(channel.play(['x'], on)).rejects.toThrow(AsteriskAway)
  expect(channel.hungUp.aborted).toBe(false)
  says('StasisEnd')
  expect(channel.hungUp.aborted).toBe(true)
})

test('a call that could not be given to the dialplan leaves no listener behind', async () => {
  const { link, channel, events } = stage()
  link.does = fail(new AsteriskAway('no link'))
  await expect(channel.play(['x'], on)).rejects.toThrow(AsteriskAway)
  await expect(channel.fallBack()).rejects.toThrow(AsteriskAway)
  expect(events.listening).toEqual([])
})

test('hanging up a channel that is gone is no fault', async () => {
  const { link, channel } = stage()
  link.does = fail(new Gone('Channel not found'))
  await channel.hangUp()
})

test('the caller hangs up: with the cause that was asked for, and once', async () => {
  const { channel, says, events } = stage()
  says('ChannelHangupRequest', { cause: 16 })
  says('StasisEnd')
  says('ChannelDestroyed', { cause: 0 })
  expect(channel.hungUp.reason).toMatchObject({ q850: 16 })
  expect(events.listening).toEqual([])
})

test('a StasisEnd after our own continue is no hang-up, also when it comes before the answer', async () => {
  const { link, channel, says, events } = stage()
  link.does = () => says('StasisEnd')
  await channel.ring('bpbd')
  says('StasisEnd')
  expect(channel.hungUp.aborted).toBe(false)
  expect(channel.inHand).toBe(false)
  expect(events.listening).toEqual([])
})

test('a call that comes back is heard again: keys, and the hang-up', async () => {
  const { channel, says } = stage()
  const keys: string[] = []
  channel.onDigit(digit => { keys.push(digit) })
  says('ChannelDtmfReceived', { digit: '2' })
  await channel.ring('bpbd')
  says('ChannelDtmfReceived', { digit: '3' })
  channel.taken()
  channel.taken()
  says('ChannelDtmfReceived', { digit: '4' })
  expect(keys).toEqual(['2', '4'])
  says('StasisEnd')
  expect(channel.hungUp.aborted).toBe(true)
})

test('events that come together are all heard', async () => {
  const { link, channel, says, finishes } = stage()
  const keys: string[] = []
  channel.onDigit(digit => { keys.push(digit) })
  const played = channel.play(['sambutan'], on)
  await eventually('it plays', async () => link.playbackId !== '')
  for (const digit of '123') says('ChannelDtmfReceived', { digit })
  finishes()
  says('StasisEnd')
  await played
  expect(keys).toEqual(['1', '2', '3'])
  expect(channel.hungUp.aborted).toBe(true)
})

test('a prompt whose end was not heard ends when the link is back; one that still plays goes on', async () => {
  const { link, channel } = stage()
  await channel.catchUp()
  expect(link.asked).toEqual([])
  let over = false
  const played = channel.play(['sambutan'], on).then(() => { over = true })
  await eventually('it plays and is asked about', async () => {
    await channel.catchUp()
    return link.asked.includes('playbacks.get')
  })
  link.asked.length = 0
  expect(over).toBe(false)
  link.does = what => { if (what === 'playbacks.get') throw new Gone('Playback not found') }
  await channel.catchUp()
  await played
  await channel.catchUp()
  expect(link.asked).toEqual(['playbacks.get'])
})
