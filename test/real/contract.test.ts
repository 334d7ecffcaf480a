/** The contract of `Channel` on the real Asterisk: the service's own switchboard steps aside for the test's. */
import type { IncomingCall } from '../../demo/softphone.ts'
import type { Returned } from '../../src/calls/channel.ts'
import type { Arrival } from '../../src/calls/switchboard.ts'
import { eventually, openCity } from '../parts/city.ts'
import { contract, type Bench } from '../stories/contract.ts'

async function realBench(): Promise<Bench> {
  const city = await openCity({ number: 2 })
  const { switchboard } = city.service
  const arrivals: Arrival[] = []
  const waiting = new Map<string, (from: Returned) => void>()
  const taken = new Map<string, Arrival>()
  Object.assign(switchboard, {
    arrives: (arrival: Arrival) => { arrivals.push(arrival) },
    has: (callId: string) => taken.has(callId),
    channel: (callId: string) => taken.get(callId)?.channel,
    comesBack: (callId: string, from: Returned) => { waiting.get(callId)?.(from); return true }
  })
  let leg: IncomingCall | undefined
  return {
    lines: behaviour => city.line('hallo-1', call => {
      leg = call
      return behaviour === 'busy' ? call.refuse(486) : call.answer()
    }),
    async caller() {
      const phone = city.dial()
      const arrival = await eventually('the call is in our hands', async () => arrivals.shift())
      const { channel } = arrival
      taken.set(channel.callId, arrival)
      const { promise: returned, resolve } = Promise.withResolvers<Returned>()
      waiting.set(channel.callId, resolve)
      return {
        channel, returned,
        presses: digit => { void phone.press(digit) },
        hangsUp: () => { void phone.hangUp() },
        agencyHangsUp: () => { void leg!.hangUp() },
        talking: async () => { await eventually('they talk', async () => leg !== undefined && leg.heard.length > 10 && !leg.ending) }
      }
    },
    [Symbol.asyncDispose]: () => city[Symbol.asyncDispose]()
  }
}

contract(realBench)
