/** What becomes of the calls when the link to Asterisk is back: nobody is held, nobody is forgotten. */
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { AriEvents } from '../../src/asterisk/ari-events.ts'
import { AsteriskAway, Gone } from '../../src/asterisk/ari-errors.ts'
import type { AriLink } from '../../src/asterisk/ari-link.ts'
import type { Seen } from '../../src/asterisk/channels.ts'
import { TrunkLine } from '../../src/asterisk/trunk-line.ts'
import { Switchboard } from '../../src/calls/switchboard.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { noSwitches } from '../../src/plan/switches.ts'
import { eventually } from '../parts/city.ts'

const uncaught: unknown[] = []
process.on('unhandledRejection', error => { uncaught.push(error) })
afterEach(() => expect(uncaught).toEqual([]))

const plan = {
  timezone: 'Asia/Jakarta', hours: new Map(), holidays: new Map(), exceptions: [],
  siaga: { entry: 'banjir' }, prompts: {}, followups: {},
  numbers: new Map([['112', { did: '112', entry: 'utama', language: 'id' }]]),
  nodes: new Map<string, object>([
    ['utama', { kind: 'menu', id: 'utama', prompt: 'menu-utama', patience: 10, tries: 2, keys: new Map([['2', { to: 'bpbd' }]]), silence: 'bpbd', wrongKey: 'salah' }],
    ['banjir', { kind: 'menu', id: 'banjir', prompt: 'menu-banjir', patience: 10, tries: 2, keys: new Map(), silence: 'bpbd', wrongKey: 'salah' }],
    ['bpbd', { kind: 'agency', id: 'bpbd', sorry: 'maaf', lines: [] }]
  ])
} as unknown as Plan

/** An Asterisk in memory: channels in the application and their variables; prompts that last until they are told to end. */
function stage({ switches = noSwitches, planOf = () => plan } = {}) {
  const events = new AriEvents()
  const channels = new Map<string, Record<string, string>>()
  const inApp = new Set<string>()
  const playing = new Map<string, string>()
  const asked: string[] = []
  let whileListing = () => {}
  let fails: (operation: string, params: Record<string, string>) => Error | undefined = () => undefined
  const link = {
    up: true,
    async request(resource: string, operation: string, params: Record<string, string> = {}) {
      const { channelId = '', variable = '', playbackId = '' } = params
      asked.push([operation, params['context'] ?? params['media'] ?? variable].join(' ').trim())
      const failure = fails(operation, params)
      if (failure) throw failure
      if (resource === 'applications') return { channel_ids: [...inApp] }
      if (operation === 'list') {
        const list = [...channels.keys()].map(id => ({ id }))
        whileListing()
        return list
      }
      if (resource === 'playbacks') {
        if (!playing.has(playbackId)) throw new Gone('Playback not found')
        return {}
      }
      const channel = channels.get(channelId)
      if (!channel) throw new Gone('Channel not found')
      if (operation === 'getChannelVar') {
        const value = channel[variable]
        if (value === undefined) throw new Error('Provided variable was not found')
        return { value }
      }
      if (operation === 'setChannelVar') channel[variable] = params['value']!
      if (operation === 'play') playing.set(playbackId, channelId)
      if (operation === 'get') return { id: channelId }
      if (operation === 'continueInDialplan') inApp.delete(channelId)
      return {}
    }
  }
  const log = pino({ level: 'silent' })
  const noted: string[] = []
  const switchboard = new Switchboard({ plan: planOf, noteFor: () => (kind, facts) => { noted.push(`${kind} ${Object.values(facts).join(' ')}`.trim()) }, switches: () => switches, log })
  const trunkLine = new TrunkLine({ link: link as unknown as AriLink, channels: () => link.request('channels', 'list') as Promise<Seen[]>, events, switchboard, app: 'satunomor', log })
  return {
    events, channels, inApp, playing, asked, switchboard, trunkLine, noted, link,
    set fails(does: typeof fails) { fails = does },
    set whileListing(does: () => void) { whileListing = does },
    /** The dialplan hands a call over; `unheard` if nobody listens. */
    enters(id: string, args: string[], { unheard = false, variables = {} }: { unheard?: boolean, variables?: Record<string, string> } = {}) {
      channels.set(id, { SN_STATE: 'menu:utama', ...channels.get(id), ...variables })
      inApp.add(id)
      if (!unheard) events.tell({ type: 'StasisStart', args, channel: { id } })
    },
    has: (what: string) => eventually(what, async () => asked.includes(what))
  }
}

test('a call that is found at its beginning begins where calls begin now: in surge mode elsewhere', async () => {
  const it = stage({ switches: { closed: new Map(), siaga: { until: Infinity, reason: 'Banjir' } } })
  it.enters('begins', [], { unheard: true, variables: { SN_STATE: 'entry:utama' } })
  it.enters('chose', [], { unheard: true, variables: { SN_STATE: 'menu:utama' } })
  await it.trunkLine.reconcile()
  await it.has('play sound:menu-banjir')
  await it.has('play sound:menu-utama')
  expect([it.channels.get('begins')?.['SN_STATE'], it.channels.get('chose')?.['SN_STATE']]).toEqual(['menu:banjir', 'menu:utama'])
})

test('a call that is gone is let go, one that is there stays, one that we do not know is taken up', async () => {
  const it = stage()
  it.enters('gone', ['inbound', 'utama'])
  it.enters('there', ['inbound', 'utama'])
  await eventually('both hear the menu', async () => it.playing.size === 2)
  it.channels.delete('gone')
  it.inApp.delete('gone')
  it.enters('new', [], { unheard: true })
  await it.trunkLine.reconcile()
  await eventually('it is let go', async () => !it.switchboard.has('gone'))
  expect(it.switchboard.callIds()).toEqual(['there', 'new'])
})

test('what a service before us played to a call is stopped before it goes on: it would hold up every request', async () => {
  const it = stage()
  it.enters('orphan', [], { unheard: true })
  await it.trunkLine.reconcile()
  await it.has('play sound:menu-utama')
  expect(it.asked.indexOf('stop')).toBeGreaterThan(-1)
  expect(it.asked.indexOf('stop')).toBeLessThan(it.asked.indexOf('play sound:menu-utama'))
})

test.for([{ old: [0] }, { old: [3] }, { old: [0, 1] }, { old: [3, 0] }])('the end of what a service before us played ($old) is not the end of what is played now: the key counts', async ({ old }) => {
  const it = stage()
  it.enters('orphan', [], { unheard: true })
  for (const n of old) it.playing.set(`orphan-prompt-${n}`, 'orphan')
  await it.trunkLine.reconcile()
  await it.has('play sound:menu-utama')
  for (const n of old) it.events.tell({ type: 'PlaybackFinished', playback: { id: `orphan-prompt-${n}` } })
  await setTimeout(50)                                        // the caller thinks, for longer than the patience of this plan (10 ms)
  it.events.tell({ type: 'ChannelDtmfReceived', digit: '2', channel: { id: 'orphan' } })
  await it.has('continueInDialplan agency-bpbd')
  expect(it.noted.slice(1)).toEqual(['menu utama', 'key 2 utama bpbd'])
})

test('a call that arrives while we ask is not taken for one that is gone', async () => {
  const it = stage()
  it.whileListing = () => it.enters('late', ['inbound', 'utama'])
  await it.trunkLine.reconcile()
  expect(it.switchboard.has('late')).toBe(true)
  expect(it.switchboard.channel('late')!.hungUp.aborted).toBe(false)
})

test('a prompt that ended unheard has ended: the silent caller is led on', async () => {
  const it = stage()
  it.enters('one', ['inbound', 'utama'])
  await it.has('play sound:menu-utama')
  it.playing.clear()
  await eventually('the caller is led on', async () => {
    await it.trunkLine.reconcile()
    return it.asked.includes('continueInDialplan agency-bpbd')
  })
})

test('a call that came back from an agency unheard is told so', async () => {
  const it = stage()
  it.enters('one', ['inbound', 'bpbd'])
  await it.has('continueInDialplan agency-bpbd')
  it.enters('one', [], { unheard: true, variables: { SN_STATE: 'returned:bpbd:BUSY' } })
  await it.trunkLine.reconcile()
  await it.has('play sound:maaf')
  expect(it.noted).toContain('returned bpbd BUSY')
})

test('a call that is on its way into the dialplan is left alone', async () => {
  const it = stage()
  it.enters('one', ['inbound', 'bpbd'])
  await it.has('continueInDialplan agency-bpbd')
  it.inApp.add('one')
  await it.trunkLine.reconcile()
  expect(it.asked.filter(what => what.startsWith('play') || what.startsWith('continue'))).toEqual(['continueInDialplan agency-bpbd'])
})

test('a call that does not say where it was goes to the fallback, and harms no other', async () => {
  const it = stage()
  it.channels.set('lost', {})
  it.inApp.add('lost')
  it.enters('new', [], { unheard: true })
  await it.trunkLine.reconcile()
  await it.has('continueInDialplan fallback')
  await it.has('play sound:menu-utama')
})

test('a call that Asterisk loses while it is told to go on is a hang-up', async () => {
  const it = stage()
  it.enters('one', ['inbound', 'utama'])
  await it.has('play sound:menu-utama')
  it.channels.delete('one')
  for (const id of it.playing.keys()) it.events.tell({ type: 'PlaybackFinished', playback: { id } })
  await eventually('it is let go', async () => it.switchboard.size === 0)
  expect(it.events.listening).toEqual([])
})

test('an Asterisk that goes away meanwhile is the link\'s matter', async () => {
  const it = stage()
  it.link.request = async () => { throw new AsteriskAway('gone again') }
  await expect(it.trunkLine.reconcile()).rejects.toThrow(AsteriskAway)
})

/** Where the service did not hear of it: it was frozen. */
test('who is taken from us and given back in one breath is in our hands', async () => {
  const it = stage()
  it.enters('one', ['inbound', 'utama'])
  await it.has('play sound:menu-utama')
  it.asked.length = 0
  it.events.tell({ type: 'StasisEnd', channel: { id: 'one' } })
  it.enters('one', ['returned', 'bpbd', 'FULL'])
  await it.has('play sound:maaf')
  expect(it.switchboard.has('one')).toBe(true)
  it.events.tell({ type: 'StasisEnd', channel: { id: 'one' } })
  await eventually('it is let go', async () => it.switchboard.size === 0)
  expect(it.events.listening).toEqual([])
})

test.for([
  ['refused', () => new Error('Internal Server Error')], ['not answered', () => new AsteriskAway('no answer in time')]
] as const)('what is %s of one call is no other\'s matter', async ([, error]) => {
  const it = stage()
  it.enters('first', [], { unheard: true })
  it.enters('next', [], { unheard: true })
  it.fails = (operation, { playbackId }) => operation === 'stop' && playbackId!.startsWith('first') ? error() : undefined
  await it.trunkLine.reconcile()
  await eventually('the other is taken up', async () => it.switchboard.has('next'))
  expect(it.asked.includes('continueInDialplan fallback')).toBe(error() instanceof AsteriskAway === false)
})

test('whether a prompt has ended is asked again by a new link, and meanwhile the others go on', async () => {
  const it = stage()
  it.enters('first', ['inbound', 'utama'])
  await eventually('they hear the menu', async () => it.playing.size === 1)
  await setTimeout(1)
  it.enters('next', [], { unheard: true })
  it.fails = (operation, { playbackId }) => operation === 'get' && playbackId?.startsWith('first') ? new AsteriskAway('no answer in time') : undefined
  await expect(it.trunkLine.reconcile()).rejects.toThrow(AsteriskAway)
  expect(it.switchboard.has('next')).toBe(true)
})

test('where nothing is heard of three calls, the others are not asked about: it is the link', async () => {
  const it = stage()
  for (const id of ['one', 'two', 'three', 'four']) it.enters(id, [], { unheard: true })
  it.fails = operation => operation === 'getChannelVar' ? new AsteriskAway('no answer in time') : undefined
  await expect(it.trunkLine.reconcile()).rejects.toThrow(AsteriskAway)
  expect(it.asked.filter(what => what === 'getChannelVar SN_STATE')).toHaveLength(3)
})

test('a call that could not be given to the fallback is seen, at the second look, and goes on', async () => {
  const it = stage()
  it.enters('one', ['inbound', 'utama'])
  await it.has('play sound:menu-utama')
  it.fails = operation => operation === 'continueInDialplan' ? new Error('Internal Server Error') : undefined
  it.events.tell({ type: 'ChannelDtmfReceived', digit: '2', channel: { id: 'one' } })
  await eventually('nobody has it', async () => it.switchboard.size === 0)
  it.fails = () => undefined
  it.asked.length = 0
  await it.trunkLine.look()
  expect(it.asked).toEqual(['get'])
  await it.trunkLine.look()
  await it.has('play sound:menu-utama')
  it.asked.length = 0
  for (let looks = 0; looks < 2; looks++) await it.trunkLine.look()
  expect(it.asked).toEqual(['get', 'get'])
})

test('a call that cannot begin goes to the fallback', async () => {
  const it = stage({ planOf: () => { throw new Error('no plan') } })
  it.enters('one', ['inbound', 'utama'])
  await it.has('continueInDialplan fallback')
  await eventually('it is let go', async () => it.switchboard.size === 0)
  expect(it.events.listening).toEqual([])
})
