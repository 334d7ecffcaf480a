/** The stories' stage on the fake exchange, with the real switchboard, walk and records' fold. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { expect } from 'vitest'
import { project } from '../../setup/project.mjs'
import type { Note } from '../../src/calls/call.ts'
import type { Step } from '../../src/calls/story.ts'
import { Switchboard } from '../../src/calls/switchboard.ts'
import { tell } from '../../src/calls/tell.ts'
import { WaitingRoom } from '../../src/calls/waiting-room.ts'
import { readPlan } from '../../src/plan/read.ts'
import { plainPlan } from '../parts/plain-plan.ts'
import type { Caller, Line, Stage } from '../stories/stage.ts'
import { FakeExchange, guard, heardEnough, type FakeChannel } from './fake-exchange.ts'

/** @param edit rewrites the plan's text */
export async function fakeStage(edit = (text: string) => text): Promise<Stage> {
  const text = plainPlan(await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8'))
  const { plan } = readPlan(edit(text.replaceAll('patience: 3 s', 'patience: 500 ms').replaceAll('ringTime: 20 s', 'ringTime: 5 s')), { file: 'plan.yaml' })
  const exchange = new FakeExchange(plan)
  const channels = new Map<Caller, FakeChannel>()
  let notes = 0
  const noteFor = (callId: string): Note => (kind, facts) =>
    exchange.steps.push({ callId, key: `service-${++notes}`, at: Date.now(), witness: 'service', kind, facts } as Step)
  const room = new WaitingRoom()
  const switchboard = new Switchboard({ plan: () => plan, noteFor, room, guard, log: pino({ level: 'silent' }) })
  exchange.onStep = step => room.heard(step)
  exchange.onReturned = (callId, agency, status) => { switchboard.comesBack(callId, { agency, status }) }

  return {
    dials(number = '+627215550112') {
      const channel = exchange.arrives(number)
      const heard: string[] = []
      channel.happened.on('hears', prompt => heard.push(prompt))
      switchboard.arrives({ channel, at: { node: 'utama' } })
      const caller: Caller = {
        number,
        async hears(prompt) {
          while (!heard.includes(prompt)) await once(channel.happened, 'hears')
          heard.splice(0, heard.indexOf(prompt) + 1)
        },
        presses: digits => { for (const digit of digits) channel.presses(digit) },
        answers: async digit => {
          await setTimeout(heardEnough)
          channel.presses(digit)
        },
        hangsUp: () => channel.hangsUp(),
        talksWith: async line => { if (channel.talkingWith !== line) expect(await once(channel.happened, 'talks')).toEqual([line]) },
        isHungUp: async () => { if (!channel.hungUp.aborted) await once(channel.happened, 'ended') }
      }
      channels.set(caller, channel)
      return caller
    },
    line(id): Line {
      const line = exchange.lines.get(id)!
      const become = (behaviour: typeof line.behaviour) => () => { line.behaviour = behaviour }
      return {
        rings: become('rings'), isBusy: become('busy'), doesNotExist: become('nonexistent'), isOutOfOrder: become('unavailable'), isSwitchedOff: become('noanswer'), answers: become('answers'),
        isRung: async () => { if (!line.ringing || line.ringing.hungUp.aborted) await once(line.happened, 'rung') },
        picksUp: () => { line.happened.emit('picks-up') },
        hangsUp: () => { line.happened.emit('hangs-up') },
        shows: async () => line.ringing!.number
      }
    },
    async record(caller) {
      const { callId } = channels.get(caller)!
      await expect.poll(() => tell(exchange.steps.filter(step => step.callId === callId))?.disposition ?? null).not.toBeNull()
      return tell(exchange.steps.filter(step => step.callId === callId))!
    },
    nothingIsLeft: () => switchboard.settled(),
    async [Symbol.asyncDispose]() { await switchboard.settled() }
  }
}
