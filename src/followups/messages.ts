/**
 * Messages to citizens: what the plan has sent when a follow-up is opened, and after an attempt that did not reach them.
 *
 * They are made from the follow-ups' history, up to a mark in the store, so that a crash loses none and makes none twice;
 * each is claimed in the store before the gateway is asked. Nothing of them is in Redis but their ids.
 */
import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { Book } from './book.ts'
import { burst } from './bursts.ts'
import { neverAcknowledged } from '../calls/story.ts'
import type { Db, Tell } from './move.ts'
import { NotSent, type Gateway } from './gateways.ts'
import { recordsLost } from './after-loss.ts'
import { Rounds } from '../calls/rounds.ts'
import { pauseAfter, type Retry } from '../delivery/courier.ts'
import { milliseconds } from '../plan/duration.ts'
import { nextHour, policyOf } from '../plan/follow-up-policy.ts'
import { isOurs } from '../plan/own-numbers.ts'
import type { Plan } from '../plan/plan.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import type { FollowUp } from '../records/follow-up.ts'
import type { Message, MessageState } from '../records/message.ts'
import type { Records } from '../records/records.ts'

export interface MessagesOptions {
  book: Book
  records: Records
  plan: () => Plan
  gateway: Gateway
  retry: Retry
  /** Takes ids that it may know already; rejects where the queue is away. */
  queue: (ids: string[]) => Promise<void>
  ready: () => boolean
  log: Logger
}

/** A gateway's word on what became of a message. */
export interface Status { id: string, state: 'delivered' | 'failed', why?: string }

export const messageTries: Retry = { tries: 6, pause: 5_000 }
const often = milliseconds(500)
/** The most messages to one number within an hour. */
const hourly = 3
/** A gateway that has not answered after this long will not, ms; the queue counts as having lost what is later than that. */
const forgotten = 60_000
const mark = 'messages'

export class Messages {
  readonly #options: MessagesOptions
  readonly #rounds: Rounds

  constructor(options: MessagesOptions) {
    this.#options = options
    this.#rounds = new Rounds({ look: () => this.look(Date.now()), every: () => often, what: 'messages', log: options.log })
  }

  start() {
    this.#rounds.start()
  }

  async close() {
    await this.#rounds.close()
  }

  /** One look, at a time (Unix ms): what the history gives reason for, and what is due. */
  async look(now: number): Promise<void> {
    const { records, gateway, ready, queue } = this.#options
    while (await this.#make(now) > 0 && !this.#rounds.closing.aborted);
    if (!ready()) return
    const due = await records.db.selectFrom('messages').select(['id', 'state']).where('state', 'in', ['waiting', 'sending']).where('dueAt', '<=', now).orderBy('dueAt').limit(200).execute()
    const lost = gateway.repeatable ? [] : due.filter(({ state }) => state === 'sending')
    for (const { id } of lost) await this.#end(id, ['sending'], 'failed', { why: 'cut-off' }, now)
    const owed = due.filter(one => !lost.includes(one))
    if (owed.length > 0) await queue(owed.map(({ id }) => id))
  }

  /** How many lines of history it took. */
  async #make(now: number): Promise<number> {
    const plan = this.#options.plan()
    return this.#options.book.alter(async db => {
      const stored = await db.selectFrom('watermarks').select('value').where('name', '=', mark).executeTakeFirst()
      // Where the plan has no messages there is nothing to be read.
      const none = (plan.followups.messages?.size ?? 0) === 0
      const after = db.selectFrom('followupEvents').where('id', '>', Number(stored?.value ?? 0))
      const events = none ? [] : await after.selectAll().orderBy('id').limit(200).execute()
      const last = none ? Number((await after.select(({ fn }) => fn.max('id').as('id')).executeTakeFirstOrThrow()).id ?? 0) : events.at(-1)?.id ?? 0
      if (last === 0) return 0
      const reasons = events.flatMap(({ followupId, at, what, facts }) => {
        const occasion = occasionOf(what, JSON.parse(facts) as Record<string, unknown>)
        return occasion === undefined ? [] : [{ followupId, at, occasion }]
      })
      const followUps = reasons.length === 0 ? [] : await db.selectFrom('followups').selectAll().where('id', 'in', reasons.map(({ followupId }) => followupId)).execute()
      const messages = reasons.flatMap(({ followupId, at, occasion }) => {
        const followUp = followUps.find(({ id }) => id === followupId)
        return followUp ? messageFor(plan, followUp, occasion, at, now) ?? [] : []
      })
      if (messages.length > 0) await db.insertInto('messages').values(messages).onConflict(conflict => conflict.doNothing()).execute()
      await db.insertInto('watermarks').values({ name: mark, value: String(last) }).onConflict(conflict => conflict.column('name').doUpdateSet({ value: String(last) })).execute()
      return events.length
    })
  }

  /** Sends one, if it is still to be sent. Rejects where it is to be tried again. */
  async send(id: string): Promise<void> {
    const { gateway, retry, log } = this.#options
    const message = await this.#claim(id, Date.now())
    if (!message) return
    try {
      const taken = await gateway.send(message, this.#rounds.closing)
      await this.#end(id, ['sending'], gateway.name === 'record' ? 'recorded' : 'sent', { gatewayId: taken.id }, Date.now())
      log.info({ message: id, followUp: message.followupId, occasion: message.occasion, by: gateway.name }, 'a message was handed over')
    } catch (error) {
      if (this.#rounds.closing.aborted) throw error          // nobody knows: as if we had been killed
      const again = error instanceof NotSent ? error.again : gateway.repeatable
      const why = (error as Error).message.slice(0, 200)
      if (!again || message.tries >= retry.tries) return this.#end(id, ['sending'], 'failed', { why }, Date.now())
      await this.#options.records.db.updateTable('messages').set({ state: 'waiting', why, dueAt: Date.now() + 2 * pauseAfter(retry, message.tries) + forgotten }).where('id', '=', id).where('state', '=', 'sending').execute()
      throw error
    }
  }

  /** The one moment from which on the gateway may have been asked; undefined where it is not to be, any more or yet. */
  async #claim(id: string, now: number): Promise<Message | undefined> {
    const { book, plan, gateway } = this.#options
    return book.alter(async (db, tell) => {
      const message = await db.selectFrom('messages').selectAll().where('id', '=', id).executeTakeFirst()
      if (!message || !(message.state === 'waiting' || message.state === 'sending' && gateway.repeatable && message.dueAt <= now)) return undefined
      const followUp = await db.selectFrom('followups').selectAll().where('id', '=', message.followupId).executeTakeFirstOrThrow()
      const why = followUp.endedAt !== null ? 'no-longer-needed' : staysSilent(plan(), followUp) ? 'by-plan' : followUp.why === burst ? burst : !mayBeRungBack(message.cli) || isOurs(plan(), message.cli) ? 'number-refused' : await tooMany(db, message, now) ? 'too-many' : undefined
      if (why) {
        await ended(db, tell, message, 'dropped', { why }, now)
        return undefined
      }
      const may = message.tries === 0 ? nextHour(plan(), policyOf(plan(), followUp.agency, followUp.kind).hours, now) : now
      const set = may > now ? { dueAt: may } : { state: 'sending' as const, tries: message.tries + 1, claimedAt: message.claimedAt ?? now, dueAt: now + forgotten }
      await db.updateTable('messages').set(set).where('id', '=', id).execute()
      return may > now ? undefined : { ...message, ...set }
    })
  }

  /** What the gateway says of a message later. False where there is no such message. */
  async status({ id, state, why }: Status): Promise<boolean> {
    const there = await this.#options.records.db.selectFrom('messages').select('id').where('id', '=', id).executeTakeFirst()
    if (!there) return false
    const before: MessageState[] = state === 'delivered' ? ['waiting', 'sending', 'sent', 'failed'] : ['waiting', 'sending', 'sent']
    await this.#end(id, before, state, { why: state === 'delivered' ? null : why ?? 'not-delivered' }, Date.now())
    return true
  }

  /** The newest ones, or those of a follow-up. */
  async list({ followUp, limit }: { followUp?: string, limit: number }): Promise<Message[]> {
    const newest = this.#options.records.db.selectFrom('messages').selectAll().orderBy('madeAt', 'desc').orderBy('id').limit(limit)
    return (followUp === undefined ? newest : newest.where('followupId', '=', followUp)).execute()
  }

  /** For the metrics: how many there are in each state. */
  async figures(): Promise<{ what: 'message', state: string, count: number }[]> {
    const rows = await this.#options.records.db.selectFrom('messages').select('state').select(({ fn }) => fn.countAll<number>().as('count')).groupBy('state').execute()
    return rows.map(({ state, count }) => ({ what: 'message', state, count: Number(count) }))
  }

  async #end(id: string, before: MessageState[], state: MessageState, set: Pick<Partial<Message>, 'why' | 'gatewayId'>, now: number) {
    await this.#options.book.alter(async (db, tell) => {
      const message = await db.selectFrom('messages').selectAll().where('id', '=', id).where('state', 'in', before).executeTakeFirst()
      if (message) await ended(db, tell, message, state, set, now)
    })
  }
}

/** Writes down what became of a message, and that into its follow-up's history. */
async function ended(db: Db, tell: Tell, message: Message, state: MessageState, set: Pick<Partial<Message>, 'why' | 'gatewayId'>, now: number) {
  await db.updateTable('messages').set({ why: null, ...set, state, endedAt: now }).where('id', '=', message.id).execute()
  const followUp = await db.selectFrom('followups').selectAll().where('id', '=', message.followupId).executeTakeFirstOrThrow()
  tell(followUp, 'policy', `message-${state}`, { message: message.id, occasion: message.occasion, name: message.name, tries: message.tries, ...set.why ? { why: set.why } : {} })
}

async function tooMany(db: Db, { id, cli, claimedAt }: Message, now: number): Promise<boolean> {
  if (claimedAt !== null) return false
  const { sent } = await db.selectFrom('messages').select(({ fn }) => fn.countAll<number>().as('sent')).where('cli', '=', cli).where('claimedAt', '>', now - 3_600_000).where('id', '<>', id).executeTakeFirstOrThrow()
  return Number(sent) >= hourly
}

/** Why a follow-up is opened whose citizen is told nothing: out of the blue, or perhaps somebody else, as the number may be forged. */
const noPromise = ['learned-of-too-late', recordsLost, neverAcknowledged, burst]

/** What a line of history gives reason for. Only an attempt whose ringing did not reach the citizen is one. */
function occasionOf(what: string, { why, attempt, outcome, rung }: Record<string, unknown>): string | undefined {
  if (what === 'opened') return noPromise.includes(why as string) ? undefined : 'opened'
  const unreached = rung === true && ['no-answer', 'busy', 'silent', 'voicemail', 'unreachable'].includes(outcome as string)
  return what === 'attempt-ended' && unreached ? `attempt-${attempt}` : undefined
}

/** Whether the agency that the citizen chose, or the one that is rung for them, sends no messages. */
function staysSilent(plan: Plan, { agency, rings }: Pick<FollowUp, 'agency' | 'rings'>): boolean {
  return [agency, rings].some(name => {
    const node = name === null ? undefined : plan.nodes.get(name)
    return node?.kind === 'agency' && node.messages === 'none'
  })
}

/** The message of the plan for an occasion; none for who cannot be rung, has been spoken with, or would hear of it out of the blue. */
export function messageFor(plan: Plan, followUp: FollowUp, occasion: string, at: number, now: number): Message | undefined {
  const { id, agency, kind, cli, language, endedAt } = followUp
  if (staysSilent(plan, followUp)) return undefined
  const policy = policyOf(plan, agency, kind)
  const name = occasion === 'opened' ? policy.message : policy.unreached
  const text = name === undefined ? undefined : plan.followups.messages?.get(name)?.get(language)
  if (name === undefined || text === undefined || cli === null || !mayBeRungBack(cli) || isOurs(plan, cli) || endedAt !== null || now - at > plan.followups.stale) return undefined
  return {
    id: createHash('sha256').update(`${id} ${occasion}`).digest('hex').slice(0, 16), followupId: id, occasion, name, cli, language, text,
    state: 'waiting', tries: 0, claimedAt: null, madeAt: now, dueAt: nextHour(plan, policy.hours, now), endedAt: null, gatewayId: null, why: null
  }
}
