/** What the store, the ledger and Redis say of one citizen's follow-up. */
import type { Step } from '../../src/calls/story.ts'
import { attemptId } from '../../src/followups/attempt.ts'
import { idOf } from '../../src/followups/make.ts'
import { transitions } from '../../src/followups/states.ts'
import type { Attempt, FollowUp, FollowUpEvent } from '../../src/records/follow-up.ts'
import type { Records } from '../../src/records/records.ts'
import type { Ring } from './called-back.ts'
import type { Ground } from './ground.ts'

export class Story {
  readonly #ground: Ground
  readonly #records: Records
  readonly #number: string

  constructor(ground: Ground, records: Records, number: string) {
    this.#ground = ground
    this.#records = records
    this.#number = number
  }

  readonly followUp = (): Promise<FollowUp | undefined> =>
    this.#records.db.selectFrom('followups').selectAll().where('cli', '=', this.#number).executeTakeFirst()

  /** The id that the follow-up has, or will have. */
  readonly id = async (): Promise<string | undefined> => {
    const call = await this.#records.db.selectFrom('calls').select('callId').where('cli', '=', this.#number).executeTakeFirst()
    return call && idOf(call.callId)
  }

  readonly owed = async (): Promise<boolean> => await this.#records.db.selectFrom('outbox').innerJoin('calls', 'calls.callId', 'outbox.callId')
    .select('outbox.id').where('calls.cli', '=', this.#number).where('doneAt', 'is', null).executeTakeFirst() !== undefined

  readonly queued = async (): Promise<boolean> => {
    const id = await this.id()
    return id !== undefined && await this.#ground.redisSays('EXISTS', `bull:followups:${attemptId(id, 1)}`) === 1
  }

  readonly attempts = (): Promise<Attempt[]> =>
    this.#records.db.selectFrom('attempts').selectAll().where('cli', '=', this.#number).orderBy('attempt').execute()

  readonly attemptIs = async (state: Attempt['state']): Promise<boolean> => (await this.attempts()).some(attempt => attempt.state === state)

  readonly history = async (): Promise<FollowUpEvent[]> => {
    const rows = await this.#records.db.selectFrom('followupEvents').innerJoin('followups', 'followups.id', 'followupEvents.followupId')
      .selectAll('followupEvents').where('cli', '=', this.#number).orderBy('followupEvents.id').execute()
    return rows.map(row => ({ ...row, facts: JSON.parse(row.facts) as Record<string, unknown> }))
  }

  /** The ledger's steps of each attempt. */
  readonly steps = async (): Promise<Map<number, Step[]>> => {
    const attempts = await this.attempts()
    return new Map(await Promise.all(attempts.map(async ({ followupId, attempt }) => [attempt, await this.#records.steps(attemptId(followupId, attempt))] as const)))
  }

  /** What is not as it must be, whatever broke: of the rings at the citizen's telephone, the attempts, and the states. */
  async faults(rings: readonly Ring[]): Promise<string[]> {
    const [followUp, attempts, history, steps] = [await this.followUp(), await this.attempts(), await this.history(), await this.steps()]
    if (!followUp) return ['there is no follow-up']
    return [
      ...ringsWithoutAttempt(rings, steps),
      ...attempts.filter(({ state, outcome }) => state !== 'ended' || outcome === null).map(({ attempt, state }) => `attempt ${attempt} is ${state}`),
      ...attempts.length === followUp.attempt ? [] : [`${attempts.length} attempts are written down, ${followUp.attempt} counted`],
      ...attempts.filter(({ attempt }) => history.filter(({ what, facts }) => what === 'attempt-ended' && facts['attempt'] === attempt).length !== 1).map(({ attempt }) => `attempt ${attempt} did not end once in the history`),
      ...astray(followUp, history)
    ]
  }
}

/** Each ring belongs to an attempt that the ledger says has rung, each attempt has one at most. */
function ringsWithoutAttempt(rings: readonly Ring[], steps: Map<number, Step[]>): string[] {
  const rung = [...steps].flatMap(([attempt, all]) => all.filter(({ kind }) => kind === 'citizen').map(({ at }) => ({ attempt, at, rings: 0 })))
  const strays = rings.filter(({ inTheLedger }) => {
    const last = rung.filter(step => step.at <= inTheLedger + 50).sort((a, b) => a.at - b.at).at(-1)
    if (last) last.rings++
    return !last
  })
  const twice = Map.groupBy(rung, ({ attempt }) => attempt)
  return [
    ...strays.map(() => 'the citizen\'s telephone rang without an attempt'),
    ...rung.filter(step => step.rings > 1).map(({ attempt, rings }) => `attempt ${attempt} rang the citizen's telephone ${rings} times`),
    ...[...twice].filter(([, all]) => all.length > 1).map(([attempt]) => `attempt ${attempt} dialled twice`)
  ]
}

/** The history, walked along the states. */
function astray(followUp: FollowUp, history: readonly FollowUpEvent[]): string[] {
  let state: FollowUp['state'] | undefined
  for (const { what } of history) {
    if (what === 'opened') state = 'open'
    else if (what !== 'attempt-ended' && what !== 'called-again') {
      const ways: Record<string, FollowUp['state']> = state === undefined ? {} : transitions[state]
      if (!(what in ways)) return [`"${what}" happened while it was ${state}: ${history.map(it => it.what).join(', ')}`]
      state = ways[what]
    }
  }
  return state === followUp.state ? [] : [`its history leads to ${state}, it is ${followUp.state}`]
}
