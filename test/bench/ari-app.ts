/**
 * What the service is compared with: the least that an app on ari-client does to ask for a key, dial the agency and bridge
 * the two over ARI. It forgives nothing (a fault ends it), and remembers nothing of a call that is over.
 *
 *   node test/bench/ari-app.ts http://127.77.60.1:8088 <user> <password> <host> <port>
 *
 * On `http://host:port` it says its event loop's delay since it was last asked, in ms.
 */
import Ari, { type Bridge, type Channel, type Playback } from 'ari-client'
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'

interface Pair {
  caller: Channel
  prompt: Playback
  leg?: string
  bridge?: Bridge
}

const app = 'bench'
const [url, user, password, host, port] = process.argv.slice(2) as [string, string, string, string, string]
const client = await Ari.connect(url, user, password)
const pairs = new Map<string, Pair>()          // by the caller's channel, and by the agency's
const gone = () => {}                          // what we ask about has just ended

client.on('StasisStart', async ({ args }, channel) => {
  if (args[0] === 'inbound') {
    const pair: Pair = { caller: channel, prompt: client.Playback() }
    pairs.set(channel.id, pair)
    try {
      await channel.answer()
      await channel.play({ media: ['sound:sambutan', 'sound:menu-utama'] as unknown as string }, pair.prompt)
    } catch { gone() }
  } else {
    const pair = pairs.get(channel.id)
    if (!pair) return void channel.hangup().catch(gone)
    const bridge = pair.bridge = client.Bridge()
    try {
      await bridge.create({ type: 'mixing' })
      await bridge.addChannel({ channel: [pair.caller.id, channel.id] })
    } catch { gone() }
  }
})

client.on('ChannelDtmfReceived', async ({ digit }, channel) => {
  const pair = pairs.get(channel.id)
  if (!pair || pair.leg || digit !== '1') return
  pair.leg = `${channel.id}-leg`
  pairs.set(pair.leg, pair)
  pair.prompt.stop().catch(gone)
  await client.channels.originate({
    endpoint: 'PJSIP/ambulans-1@gateway', app, appArgs: 'dialed', channelId: pair.leg, callerId: channel.caller.number, timeout: 20
  }).catch(gone)
})

/** One of the two is gone: the other is let go, and the bridge. */
const ends = (id: string) => {
  const pair = pairs.get(id)
  if (!pair) return
  pairs.delete(pair.caller.id)
  if (pair.leg) pairs.delete(pair.leg)
  const other = id === pair.leg ? pair.caller.id : pair.leg
  if (other) client.channels.hangup({ channelId: other }).catch(gone)
  pair.bridge?.destroy().catch(gone)
}
client.on('StasisEnd', (_, channel) => ends(channel.id))
client.on('ChannelDestroyed', (_, channel) => ends(channel.id))

await client.start(app)
const loop = monitorEventLoopDelay({ resolution: 10 })
loop.enable()
createServer((_, response) => {
  const ms = (nanoseconds: number) => nanoseconds / 1e6
  response.end(JSON.stringify({ p50: ms(loop.percentile(50)), p99: ms(loop.percentile(99)), max: ms(loop.max), pairs: pairs.size }))
  loop.reset()
}).listen(Number(port), host)
process.on('SIGTERM', () => process.exit(0))
