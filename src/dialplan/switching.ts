/** Sets a switch: read, changed and written by one at a time, so that two admins at once do not lose each other's. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Plan } from '../plan/plan.ts'
import { orderInWords, switched, type SwitchOrder } from '../plan/switching.ts'
import { readSwitches, writeSwitches, type Switches } from '../plan/switches.ts'
import { inTurn } from './lock.ts'

export interface Switching {
  /** Where the switches are kept. */
  file: string
  /** Where it cannot be read, only what is set can be ended. */
  plan: Plan | undefined
  /** Writes down who did what. */
  audit: (who: string, what: string) => Promise<void>
}

/** It is set, and holds, but does not stand in the audit. */
export class NotAudited extends Error {
  override name = 'NotAudited'
  readonly switches: Switches

  constructor(switches: Switches, cause: unknown) {
    super(`it is set, but does not stand in the audit (${(cause as Error).message})`, { cause })
    this.switches = switches
  }
}

/** Throws `NotSwitched`, `Locked` where somebody else is at it for long, `NotAudited`, or what the disk says. */
export async function setSwitches({ file, plan, audit }: Switching, order: SwitchOrder): Promise<Switches> {
  await mkdir(dirname(file), { recursive: true })
  const after = await (async () => {
    await using _ = await inTurn(dirname(file), { who: order.who, does: 'switches' }, { name: 'switches.lock', look: 'npx satunomor switch' })
    const after = switched(plan, await readSwitches(file), order, Date.now())
    await writeSwitches(file, after)
    return after
  })()
  await audit(order.who, orderInWords(order, after)).catch(error => { throw new NotAudited(after, error) })
  return after
}
