import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { project } from '../../setup/project.mjs'
import type { Returned } from '../../src/calls/channel.ts'
import { readPlan } from '../../src/plan/read.ts'
import type { Bench } from '../stories/contract.ts'
import { FakeExchange } from './fake-exchange.ts'
import { plainPlan } from '../parts/plain-plan.ts'

/** The contract's bench on the fake exchange. */
export async function fakeBench(): Promise<Bench> {
  const { plan } = readPlan(plainPlan(await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8')), { file: 'plan.yaml' })
  const exchange = new FakeExchange(plan)
  const waiting = new Map<string, (from: Returned) => void>()
  exchange.onReturned = (callId, agency, status) => waiting.get(callId)?.({ agency, status })
  const line = exchange.lines.get('hallo-1')!
  return {
    lines: behaviour => { line.behaviour = behaviour },
    async caller() {
      const channel = exchange.arrives('+627215550112')
      const { promise: returned, resolve } = Promise.withResolvers<Returned>()
      waiting.set(channel.callId, resolve)
      return {
        channel, returned,
        presses: digit => channel.presses(digit),
        hangsUp: () => channel.hangsUp(),
        agencyHangsUp: () => { line.happened.emit('hangs-up') },
        talking: async () => { if (!channel.talkingWith) await once(channel.happened, 'talks') }
      }
    },
    async [Symbol.asyncDispose]() {}
  }
}
