/** The stories' stage on a real Asterisk, with real SIP and real sound. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { guardTime } from '../../src/calls/call.ts'
import type { Caller, Line, Stage } from '../stories/stage.ts'
import { eventually, openCity, type City } from '../parts/city.ts'

/** What somebody says into a call: a second of bytes that nobody else says. */
export const voice = (who: string) => createHash('shake256', { outputLength: 8000 }).update(who).digest()

export async function realStage(number: number, options: Partial<Parameters<typeof openCity>[0]> = {}): Promise<Stage & { city: City }> {
  const city = await openCity({
    number, ...options,
    plan: text => (options.plan ?? (it => it))(text.replaceAll('patience: 3 s', 'patience: 1 s').replaceAll('ringTime: 20 s', 'ringTime: 5 s'))
  })
  const calls = new Map<Caller, OutgoingCall>()
  const at = new Map<string, IncomingCall>()

  return {
    city,
    dials(from = '+627215550112') {
      const call = city.dial({ from })
      let since = -Infinity
      const caller: Caller = {
        number: from,
        hears: async prompt => {
          const heard = await city.ear.hears(call, prompt, { after: since })
          since = heard.startedAt
        },
        presses: digits => { void call.answered.then(() => call.press(digits), () => {}) },
        answers: async digit => {
          await eventually('the question has been heard for long enough', async () => performance.now() - since > guardTime + 100)
          await call.press(digit)
        },
        hangsUp: () => { void call.hangUp() },
        talksWith: async line => {
          const leg = await eventually(`${line} has answered`, async () => {
            const leg = at.get(line)
            return leg?.from === from && !leg.ending ? leg : undefined
          })
          await leg.answered
          await Promise.all([hearsBytes(call, voice(line)), hearsBytes(leg, voice(from)), leg.say(voice(line)), call.say(voice(from))])
        },
        isHungUp: async () => { expect((await call.ended).by).toBe('there') }
      }
      calls.set(caller, call)
      return caller
    },
    line(id): Line {
      const becomes = (does: (call: IncomingCall) => unknown) => () => city.line(id, call => {
        at.set(id, call)
        return does(call)
      })
      return {
        rings: becomes(call => call.ring()),
        isBusy: becomes(call => call.refuse(486)),
        doesNotExist: becomes(call => call.refuse(404)),
        isOutOfOrder: becomes(call => call.refuse(503)),
        isSwitchedOff: becomes(call => call.refuse(480)),
        answers: becomes(call => call.answer()),
        isRung: async () => { await eventually(`${id} is rung`, async () => at.get(id)?.ending === null) },
        picksUp: () => { void at.get(id)!.answer() },
        hangsUp: () => { void at.get(id)!.hangUp() },
        shows: async () => at.get(id)!.from
      }
    },
    record: caller => eventually('the call\'s record', async () => {
      await city.service.scribe.flush()
      const { calls: found } = await city.service.records.list({ limit: 10 })
      return found.find(call => call.cliRaw === caller.number && call.disposition !== null && call.arrivedAt > startedAt(calls.get(caller)!))
    }),
    nothingIsLeft: () => city.quiet(),
    [Symbol.asyncDispose]: () => city[Symbol.asyncDispose]()
  }
}

/** The Unix time of a telephone's monotonic one, a little before it. */
const startedAt = (call: OutgoingCall) => Date.now() - (performance.now() - call.startedAt) - 5

/** Resolves when the sound has been heard, to the byte, for at least half a second of it in one piece. */
export async function hearsBytes(call: OutgoingCall | IncomingCall, sound: Buffer) {
  const piece = sound.subarray(2000, 6000)
  const heard = () => Buffer.concat(call.heard.map(({ alaw }) => alaw))
  await eventually('what one side said is heard by the other', async () => heard().includes(piece))
}

/** The two talk: each hears the other, and they are joined for `ms` more. */
export async function talk(one: IncomingCall | OutgoingCall, other: IncomingCall | OutgoingCall, ms = 2_500) {
  let over = false
  const speaks = async (call: IncomingCall | OutgoingCall, what: string) => { while (!over && await call.say(voice(what).subarray(0, 1600))); }
  const heard = (call: IncomingCall | OutgoingCall, what: string) => eventually(`${what} is heard`, async () => Buffer.concat(call.heard.map(({ alaw }) => alaw)).includes(voice(what).subarray(400, 1200)), 60_000)
  void speaks(one, 'one')
  void speaks(other, 'other')
  await Promise.all([heard(one, 'other'), heard(other, 'one')])
  const since = performance.now()
  await eventually('they have talked', async () => performance.now() - since >= ms)
  over = true
}
