/** What agencies' own systems are told, made of the ledger's steps and the follow-ups' history. An agency hears only of calls that rang its lines. */
import type { Step } from '../calls/story.ts'
import { talksIn } from '../calls/tell.ts'
import { attemptOf } from '../followups/attempt.ts'
import type { WebhookEvent } from '../plan/schema-webhook.ts'
import type { FollowUp } from '../records/follow-up.ts'
import type { StoredCall } from '../records/tables.ts'

export interface Event {
  agency: string
  type: WebhookEvent
  /** What it is about: it is told once. */
  key: string
  /** Unix ms. */
  at: number
  data: object
}

/** A call as the receiver knows it: one that came in, or a callback. */
export interface Story {
  call?: StoredCall | undefined
  /** Of a callback: what it is for. */
  followUp?: FollowUp | undefined
  /** All of its steps up to now, in order. */
  steps: readonly Step[]
}

/** The kinds of steps that events are made of. */
export const telling: ReadonlySet<string> = new Set(['line', 'accepted', 'connected', 'joined', 'ended'])
/** The kinds that say besides how long they have heard each other. */
export const measuring: readonly string[] = ['arrived', 'parted', 'line-outcome', 'hangup']

const time = (at: number | null) => at === null ? null : new Date(at).toISOString()
const seconds = (from: number, to: number) => Math.max(0, Math.round((to - from) / 1000))

/** What a step tells whom. `number` is in full: whoever is rung sees it, too. */
export function ofStep(step: Step, { call, followUp, steps }: Story): Event[] {
  const { callId } = step
  const inCallback = attemptOf(callId)?.followUp ?? null
  const arrivedAt = call?.arrivedAt ?? steps[0]?.at ?? step.at
  const about = { call: callId, number: (call ?? followUp)?.cli ?? null, dialled: (call ?? followUp)?.did ?? null, followUp: inCallback, arrivedAt: time(arrivedAt) }
  const tell = (agency: string, type: WebhookEvent, key: string, at: number, data: object): Event => ({ agency, type, key: `${callId} ${key}`, at, data: { ...about, ...data } })
  const lines = steps.filter(one => one.kind === 'line')
  const citizen = steps.find(one => one.kind === 'connected' && one.facts.agency === 'citizen')
  /** When the agency and the citizen heard each other first, and on which line; of a callback, both ends are joined by then. */
  const talk = (agency: string) => {
    const own = steps.find(one => one.kind === 'connected' && one.facts.agency === agency) as Extract<Step, { kind: 'connected' }> | undefined
    if (!own || inCallback && !citizen) return undefined
    return { line: own.facts.line, at: Math.max(own.at, inCallback ? citizen!.at : 0) }
  }

  /** Of a call that came in: when this agency and the citizen heard each other. */
  const talks = (agency: string) => talksIn(steps).filter(one => one.agency === agency)

  /** The talks that begin with this step: who of the two came last. After a talk that was too short another line may be picked up. */
  const begun = (at: number) => talksIn(steps).filter(({ since }) => since === at).flatMap(({ agency, line }) => {
    const which = talks(agency).findIndex(({ since }) => since === at)
    const key = which === 0 ? '' : String(which)
    return [tell(agency, 'call.claimed', key, at, { line }), tell(agency, 'call.connected', key, at, { line, waited: seconds(arrivedAt, at) })]
  })

  switch (step.kind) {
    case 'line': return [tell(step.facts.agency, 'call.ringing', step.key, step.at, { line: step.facts.line })]
    case 'accepted': {
      const line = lines.findLast(({ at }) => at <= step.at)?.facts          // lines with a key to accept are rung one after the other
      return line ? [tell(line.agency, 'call.claimed', '', step.at, { line: line.line })] : []
    }
    case 'joined': return inCallback ? [] : begun(step.at)
    case 'connected': {
      if (!inCallback) return begun(step.at)
      const agency = step.facts.agency === 'citizen' ? lines.at(-1)?.facts.agency : step.facts.agency
      const talked = agency === undefined ? undefined : talk(agency)
      if (agency === undefined || !talked) return []
      const { line, at } = talked
      return [tell(agency, 'call.connected', '', at, { line, waited: seconds(arrivedAt, at) })]
    }
    case 'ended': return [...new Set(lines.map(({ facts }) => facts.agency))].flatMap(agency => {
      const own = talks(agency)
      const inThis = inCallback ? talk(agency) : undefined
      const parted = inThis && steps.find(one => one.kind === 'leg-ended' && one.at >= inThis.at)?.at          // what the agency is asked after it is no talk
      const talked = inCallback ? inThis && seconds(inThis.at, parted ?? step.at) : own.length > 0 ? seconds(0, own.reduce((sum, { since, until }) => sum + (until ?? step.at) - since, 0)) : undefined
      const ended = tell(agency, 'call.ended', '', step.at, { disposition: call?.disposition ?? null, talked: talked ?? null })
      return call?.disposition === 'abandoned' ? [tell(agency, 'call.abandoned', '', step.at, { waited: seconds(arrivedAt, step.at) }), ended] : [ended]
    })
    default: return []
  }
}

/** A line of a follow-up's history. */
export interface Change { id: number, what: string, at: number }

/**
 * What a line of a follow-up's history tells, and whom: the agency that the citizen chose (or, where they chose none, the desk), and each
 * that a person has had rung for it since. The history says who they are: what has been delivered is forgotten after a day.
 * @param rung of this follow-up, in order: the lines of history by which another agency is rung
 * @param desk whom who chose no agency is for
 */
export function ofFollowUp(followUp: FollowUp, { id, what, at }: Change, rung: readonly { id: number, agency: string }[], desk: string): Event[] {
  const first = followUp.agency ?? (rung.length === 0 ? followUp.rings : desk)
  const told = new Set([first, ...rung.filter(one => one.id < id).map(({ agency }) => agency)])
  const { endedAt } = followUp
  const tell = (type: WebhookEvent, key: number, at: number, whom: Iterable<string> = told) => [...whom].map((agency): Event => ({ agency, type, key: `${followUp.id} ${key}`, at, data: shown(followUp) }))
  switch (what) {
    case 'opened': case 'reopened': return tell('followup.opened', id, at)
    case 'call-now': return tell('followup.opened', id, at, rung.filter(one => one.id === id && !told.has(one.agency)).map(({ agency }) => agency))
    // After its opening, also where both came in one moment; after its reopening, where it has been reopened, and ended again, since (null: not ended).
    case 'spoke': case 'closed': return endedAt === null ? [] : tell('followup.closed', endedAt, Math.max(at, endedAt))
    default: return []          // what is written of it after its end ends it no second time
  }
}

const shown = ({ id, kind, cli, did, language, state, why, priority, arrivedAt, deadlineAt, endedAt }: FollowUp) => ({
  followUp: id, kind, number: cli, dialled: did, language, state, why, priority, arrivedAt: time(arrivedAt), deadlineAt: time(deadlineAt), endedAt: time(endedAt)
})
