/** The links to a real Asterisk, cut, stuck and refused; and what that means to a caller (src/asterisk/). */
import { EventEmitter } from 'node:events'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { AmiLink } from '../../src/asterisk/ami-link.ts'
import { ariClient } from '../../src/asterisk/ari-client.ts'
import { AsteriskAway } from '../../src/asterisk/ari-errors.ts'
import { AriLink } from '../../src/asterisk/ari-link.ts'
import { pause } from '../../src/calls/time.ts'
import { milliseconds, seconds } from '../../src/plan/duration.ts'
import type { Service } from '../../src/main.ts'
import { eventually } from '../parts/city.ts'
import { openTown, type Town } from '../asterisk/town.ts'

const uncaught: unknown[] = []
const catchIt = (error: unknown) => { uncaught.push(error) }
process.on('uncaughtExceptionMonitor', catchIt)
process.on('unhandledRejection', catchIt)
afterEach(() => expect(uncaught).toEqual([]))

const log = pino({ level: process.env['SATUNOMOR_LOG'] ?? 'silent' })

// Two minutes take two minutes: they go by beside everything else in this file, in a city and a process of their own.
const away = Promise.withResolvers<void>()
const enough = new AbortController()
let outage: Promise<void>
beforeAll(async () => {
  outage = twoMinutesAway()
  outage.catch(away.reject)
  await away.promise
})
// Where only some of the tests run, nobody waits for it: it is cut short, and cleans up.
afterAll(async () => {
  enough.abort()
  await outage.catch(() => {})
})

async function twoMinutesAway() {
  await using town = await openTown(20)
  await town.city.run('src/main.ts')
  const served = async (from: string) => {
    const call = town.city.dial({ from })
    await town.city.ear.hears(call, 'menu-utama')
    const byTheService = (await town.city.inService()).length === 1
    await call.press('2')
    const leg = await town.city.rung('bpbd-1', from)
    await Promise.all([call.answered, leg.answered])
    await call.hangUp()
    await leg.ended
    return byTheService
  }
  expect(await served('+627215550120')).toBe(true)

  await Promise.all([town.wires.ari.refuse(), town.wires.ami.refuse()])
  const since = performance.now()
  await eventually('a call is served by the fallback', async () => !await served(`+62721555${String(Math.floor(performance.now())).slice(-4).padStart(4, '0')}`), 30_000)
  away.resolve()
  await pause(milliseconds(seconds(120) - (performance.now() - since)), enough.signal)
  await Promise.all([town.wires.ari.pass(), town.wires.ami.pass()])
  const back = performance.now()
  await eventually('the service is ready', async () => (await fetch(`http://${town.city.address}:8080/readyz`)).ok)
  expect(performance.now() - back).toBeLessThan(6000)
  expect(await served('+627215550129')).toBe(true)
  await eventually('no channel is left', async () => (await town.city.channels()).length === 0)
}

describe('the links alone', () => {
  let town: Town
  let ari: AriLink
  let ami: AmiLink
  const clients: EventEmitter[] = []

  beforeAll(async () => {
    town = await openTown(21)
    const { connect } = ariClient
    vi.spyOn(ariClient, 'connect').mockImplementation(async (...args: Parameters<typeof connect>) => {
      const client = await connect(...args)
      clients.push(client as unknown as EventEmitter)
      return client
    })
    ari = new AriLink({ url: `http://${town.city.address}:${town.ports.ari}`, user: 'satunomor', password: town.secrets.ari, app: 'fences' },
      { onEvent: () => {}, onUp: async () => {}, log })
    ami = new AmiLink({ host: town.city.address, port: town.ports.ami, user: 'satunomor', password: town.secrets.ami }, { log })
    ari.open()
    ami.open()
    await bothUp()
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    await ari?.close()
    await ami?.close()
    await town?.[Symbol.asyncDispose]()
  })
  const bothUp = () => eventually('both links are up', async () => ari.up && ami.up)

  test('cut a hundred times in a row they come back each time, and leave nothing behind', { timeout: 120_000 }, async () => {
    const before = resources()
    const { lost } = ari.counts
    for (let round = 1; round <= 100; round++) {
      const { connections } = town.wires.ami
      town.wires.ari.cut()
      town.wires.ami.cut()
      await eventually(`both links are back, round ${round}`, async () => ari.up && ami.up && ari.counts.lost === lost + round && town.wires.ami.connections > connections)
    }
    await Promise.all([ari.request('channels', 'list'), ami.action('Ping')])
    await eventually('nothing more is there than before', async () => {
      const now = resources()
      for (const [name, count] of Object.entries(now)) if (count > (before[name] ?? 0)) throw new Error(`${name}: ${before[name] ?? 0}, now ${count}`)
      return true
    })
    // Nobody listens to a client: events are taken from its socket.
    expect(clients.length).toBeGreaterThan(100)
    expect(clients.map(listeners)).toEqual(clients.map(() => 0))
  })

  test('a request that never returns is Asterisk away, in its time, and the next one works', async () => {
    town.wires.ari.loses = 'GET /ari/bridges'
    const asked = performance.now()
    await expect(ari.request('bridges', 'list')).rejects.toThrow(AsteriskAway)
    expect(performance.now() - asked).toBeLessThan(3500)
    expect(await ari.request('bridges', 'list')).toEqual([])
    expect(town.wires.ari.loses).toBe(undefined)
  })

  test('slow is not lost', async () => {
    const { lost } = ari.counts
    town.wires.ari.delay = 300
    town.wires.ami.delay = 300
    const { beatAt } = ari
    await eventually('it beats on', async () => ari.beatAt !== undefined && beatAt !== undefined && ari.beatAt > beatAt + 3000)
    await ami.action('Ping')
    town.wires.ari.delay = town.wires.ami.delay = 0
    expect(ari.counts.lost).toBe(lost)
  })

  test('stuck without a word, the link is given up within 5 s, and made again when it gets through', async () => {
    const { lost } = ari.counts
    const stuck = performance.now()
    town.wires.ari.stall()
    town.wires.ami.stall()
    await eventually('ARI is given up', async () => !ari.up && ari.counts.lost === lost + 1)
    expect(performance.now() - stuck).toBeLessThan(5000)
    await eventually('AMI is given up', async () => !ami.up)
    expect(performance.now() - stuck).toBeLessThan(9500)
    await expect(ari.request('channels', 'list')).rejects.toThrow(AsteriskAway)
    await expect(ami.action('Ping')).rejects.toThrow(AsteriskAway)
    await eventually('it is tried over and over', async () => town.wires.ari.open > 4)
    await Promise.all([town.wires.ari.pass(), town.wires.ami.pass()])
    await bothUp()
    // Each link has one connection, and ARI's requests one or two.
    await eventually('no socket is left of the tries', async () => town.wires.ari.open <= 6 && town.wires.ami.open === 2)
  })

  test('an AMI value with a line of its own is refused before a byte of it is sent', async () => {
    const { sent } = town.wires.ami
    await expect(ami.action('Ping', { Key: 'x\r\nAction: Command\r\nCommand: core stop now' })).rejects.toThrow(TypeError)
    await expect(ami.action('Ping', { Variable: { a: '1\r\nAction: Command' } })).rejects.toThrow(TypeError)
    expect(await ami.action('Ping')).toMatchObject({ response: 'Success' })
    expect(town.wires.ami.sent.slice(sent.length)).not.toMatch(/Command/)
  })

  test('an AMI action in flight when the socket drops is rejected at once', async () => {
    town.wires.ami.loses = 'CoreSettings'
    const asked = ami.action('CoreSettings').catch((error: unknown) => error)
    await eventually('it is on its way', async () => town.wires.ami.loses === undefined)
    const dropped = performance.now()
    town.wires.ami.cut()
    expect(await asked).toBeInstanceOf(AsteriskAway)
    expect(performance.now() - dropped).toBeLessThan(500)
    await bothUp()
  })

  test('a wrong AMI password is said in the log, not thrown', async () => {
    const lines: string[] = []
    const wrong = new AmiLink({ host: town.city.address, port: 5038, user: 'satunomor', password: 'wrong' },
      { log: pino({ level: 'warn' }, { write: (line: string) => { lines.push(line) } }) })
    wrong.open()
    await eventually('it has been tried twice', async () => lines.length === 2)
    expect(lines.every(line => line.includes('Authentication failed') && line.includes('"nextTryInMs":2000'))).toBe(true)
    await wrong.close()
  })

  test('a second ARI link with another password is refused', () => {
    expect(() => new AriLink({ url: `http://${town.city.address}:8088`, user: 'satunomor', password: 'another', app: 'x' }, { onEvent: () => {}, onUp: async () => {}, log })).toThrow(/one password/)
  })

  test('Asterisk killed and started again: both links come back', async () => {
    const { lost } = ari.counts
    await town.city.restartAsterisk()
    await eventually('both links are back', async () => ari.up && ami.up && ari.counts.lost > lost)
    await Promise.all([ari.request('channels', 'list'), ami.action('Ping')])
  })
})

describe('the service', () => {
  let town: Town
  let service: Service
  const clients: EventEmitter[] = []

  beforeAll(async () => {
    town = await openTown(22)
    const { connect } = ariClient
    vi.spyOn(ariClient, 'connect').mockImplementation(async (...args: Parameters<typeof connect>) => {
      const client = await connect(...args)
      clients.push(client as unknown as EventEmitter)
      return client
    })
    service = await town.city.serve()
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    await town?.[Symbol.asyncDispose]()
  })
  const ready = () => eventually('the service is ready', async () => (await service.health.ready()).ready)
  const quiet = (within?: number) => eventually('nothing is left behind', async () => {
    const { events: { listening }, switchboard } = service
    const channels = await town.city.channels()
    if (listening.length + switchboard.size + channels.length > 0) throw new Error(`${listening.join(', ')}; ${switchboard.size} calls; ${channels.length} channels`)
    return true
  }, within)

  test('a caller in the menu whose link is cut presses a key when it is back, and is connected', async () => {
    const from = '+627215550201'
    const call = town.city.dial({ from })
    await town.city.ear.hears(call, 'menu-utama')
    town.wires.ari.cut()
    await eventually('the link is lost', async () => !service.ari.up)
    await eventually('the link is back', async () => service.ari.up)
    await call.press('2')
    const leg = await town.city.rung('bpbd-1', from)
    await Promise.all([call.answered, leg.answered])
    expect(await town.city.inService()).toEqual([])
    await call.hangUp()
    await quiet()
  })

  test('a silent caller whose prompt ended while the link was away is led to the desk all the same', async () => {
    const from = '+627215550202'
    const call = town.city.dial({ from })
    const { length, from: begun } = await town.city.ear.hears(call, 'menu-utama')
    await town.wires.ari.refuse()
    const spoken = performance.now() + length - begun + 500
    await eventually('the prompt is over', async () => performance.now() > spoken, 30_000)
    expect(service.switchboard.size).toBe(1)
    await town.wires.ari.pass()
    const leg = await town.city.rung('posko-1', from)
    await Promise.all([call.answered, leg.answered])
    await call.hangUp()
    await quiet()
  })

  test('a caller who hung up while the link was away is not held', async () => {
    const call = town.city.dial({ from: '+627215550203' })
    await town.city.ear.hears(call, 'menu-utama')
    await Promise.all([town.wires.ari.refuse(), town.wires.ami.refuse()])
    await call.hangUp()
    await eventually('the channel is gone', async () => (await town.city.channels()).length === 0)
    await Promise.all([town.wires.ari.pass(), town.wires.ami.pass()])
    await ready()
    await quiet()
  })

  test('a call that came back from an agency unheard, the link being stuck, is told so when it is unstuck', async () => {
    const from = '+627215550204'
    town.city.line('hallo-1', call => call.ring())
    const call = town.city.dial({ from })
    await town.city.ear.hears(call, 'menu-utama')
    await call.press('3')
    const leg = await town.city.rung('hallo-1', from)
    const { lost } = service.ari.counts
    town.wires.ari.stall()
    await leg.refuse(486)
    await eventually('the link is given up', async () => service.ari.counts.lost > lost)
    await town.wires.ari.pass()
    await town.city.ear.hears(call, 'maaf-akhir')
    expect((await call.ended).by).toBe('there')
    await quiet()
  })

  test('a call that arrives while the link is stuck is taken up when it is unstuck', async () => {
    const from = '+627215550205'
    await ready()
    const { lost } = service.ari.counts
    town.wires.ari.stall()
    const call = town.city.dial({ from })
    await eventually('it waits in the application', async () => (await town.city.inService()).length === 1)
    await eventually('the link is given up', async () => service.ari.counts.lost > lost)
    await town.wires.ari.pass()
    await town.city.ear.hears(call, 'menu-utama')
    await call.hangUp()
    await quiet()
  })

  test('Asterisk killed with a caller in the menu, and started again: the next call is served', async () => {
    const lostCall = town.city.dial({ from: '+627215550206' })
    await town.city.ear.hears(lostCall, 'menu-utama')
    await town.city.restartAsterisk()
    await ready()
    await quiet()
    await lostCall.hangUp()
    const call = town.city.dial({ from: '+627215550207' })
    await town.city.ear.hears(call, 'menu-utama')
    expect(await town.city.inService()).toHaveLength(1)
    await call.hangUp()
    await quiet()
  })

  test('after a thousand calls no listener is left, and no call', { timeout: 90_000 }, async () => {
    await ready()
    const before = resources()
    const client = clients.at(-1)!
    let arrived = 0
    service.events.onStasisStart(({ args }) => { if (args[0] === 'inbound') arrived++ })
    let next = 0
    const oneAfterTheOther = async () => {
      for (let n = next++; n < 1000; n = next++) {
        const call = town.city.dial({ from: `+62721556${String(n).padStart(4, '0')}` })
        await call.answered
        if (n % 3 === 1) await eventually('the menu begins', async () => call.heard.length > 3)
        if (n % 3 === 2) await call.press('2', 60)
        await call.hangUp()
      }
    }
    await Promise.all(Array.from({ length: 20 }, oneAfterTheOther))
    await quiet(30_000)
    // Whoever hangs up in the very moment of the answer may be gone before the service hears of them; on record they all are.
    expect(arrived).toBeGreaterThan(666)
    await eventually('each of them is on record', async () => {
      await service.scribe.flush()
      const { calls } = await service.records.db.selectFrom('calls').select(({ fn }) => fn.countAll().as('calls'))
        .where('cliRaw', 'like', '+62721556%').where('disposition', 'is not', null).executeTakeFirstOrThrow()
      return Number(calls) === 1000
    })
    expect(clients.at(-1)).toBe(client)
    expect(listeners(client)).toBe(0)
    expect(service.ari.counts.unknownEvents).toBe(0)
    await eventually('no socket more than before', async () => (resources()['TCPSocketWrap'] ?? 0) <= (before['TCPSocketWrap'] ?? 0))
  })
})

test('two minutes without a link: the fallback serves, then the link is back by itself, and the service serves', { timeout: 200_000 }, async () => {
  await outage
})

/** What keeps this process alive, by kind, and the listeners on the process itself. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  for (const name of process.eventNames()) counts[`listeners of ${String(name)}`] = process.listenerCount(name as string)
  return counts
}

const listeners = (emitter: EventEmitter) => emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0)
