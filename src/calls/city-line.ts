import { milliseconds, seconds } from '../plan/duration.ts'
import { outboundTrunk } from '../plan/follow-up-policy.ts'
import { openingInWords } from '../plan/hours.ts'
import { isOurs } from '../plan/own-numbers.ts'
import { sharing, type AgencyNode, type MenuNode, type Plan } from '../plan/plan.ts'
import { beginning, type Switches } from '../plan/switches.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import { arrive, elsewhere, overflow, sameNumber, waits } from '../plan/walk.ts'
import type { Call } from './call.ts'
import type { Returned } from './channel.ts'
import { deadline } from './time.ts'
import type { WaitingRoom } from './waiting-room.ts'

/** Where a call is on its way over the service plan: at a node (a menu or an agency), back from an agency's lines, or waiting for one. */
export type Place = { node: string } | { returned: Returned } | { waiting: string }

/** A new call stands before the node where its number begins. */
export type Beginning = { entry: string } | Place

/** What else decides: the time (Unix ms), for the opening hours, what an admin has switched by hand, and callbacks. */
export interface Circumstances {
  now(): number
  switches(): Switches
  /** Withdraws a callback that rings this agency and that nobody there has accepted; false where there is none. Does not reject. */
  giveWay(agency: string): Promise<boolean>
  /** Where callers wait for a line. */
  room: WaitingRoom
}

/**
 * The city's number: ask where to, have the lines of an agency that is open rung, wait where all are in use, then have those of
 * its overflow rung, and say sorry where nobody answered. An agency that is closed leads on, or offers a callback for when it is open. Where they may leave a message,
 * the dialplan takes it, and the call. The dialplan has answered, and written down where the call begins.
 */
export async function cityLine(call: Call, plan: Plan, at: Beginning, { now, switches, giveWay, room }: Circumstances): Promise<void> {
  let written = 'entry' in at ? at.entry : 'node' in at ? at.node : undefined
  let here: Place = 'entry' in at ? { node: beginning(plan, at.entry, now(), switches()) } : at
  /** For whom they have begun to wait, and how long they may, on the clock of `performance.now`. */
  const patience = new Map<string, number>()
  /** Whose lines they have come back from last. */
  let tried: string | undefined
  /** How many menus they have been in, and how often they were back from lines. */
  let [menus, returns] = [0, 0]
  /** The agencies that sent them on, as their number holds lines there: each does so once. */
  const sentOn = new Set<string>()
  /** Where nobody answered: to the lines again, where a callback that rang there has given way; to wait for one; or to who helps out. */
  const onward = async (returned: Returned): Promise<Place | undefined> => {
    const { agency, status } = returned
    if (status === sameNumber) return heldAlready(agency)
    // Who calls now goes before who is rung back: the line is the caller's.
    if (await giveWay(agency)) return { node: agency }
    // A telephone that two agencies share may ring for the other one's callback.
    for (const other of status === 'FULL' ? sharing(plan, agency) : []) if (await giveWay(other)) return { node: agency }
    if (waits(agencyOf(plan, agency), status) && returns < mostReturns && performance.now() < (patience.get(agency) ?? Infinity)) return { waiting: agency }
    const to = helper(call, plan, returned)
    return to === undefined ? undefined : { node: to }
  }
  const heldAlready = (agency: string): Place | undefined => {
    const to = sentOn.has(agency) ? undefined : elsewhere(plan, agencyOf(plan, agency))
    sentOn.add(agency)
    if (to === undefined) return undefined
    call.note('overflow', { agency, ladder: 'same-number', to })
    return { node: to }
  }

  while (true) {
    if ('returned' in here) {
      const { agency, status } = here.returned
      tried = agency
      returns++
      call.note('returned', here.returned)
      const next = await onward(here.returned)
      if (next === undefined) return sayGoodbye(call, plan, agency, status === sameNumber ? 'same-number' : 'lines-exhausted')
      here = next
      continue
    }
    if ('waiting' in here) {
      const agency: string = here.waiting
      if (!patience.has(agency)) patience.set(agency, performance.now() + (agencyOf(plan, agency).wait?.longest ?? 0))
      const how = await wait(call, plan, agency, room, { until: patience.get(agency)!, tried: tried === agency })
      if (how === 'asked') return promise(call, plan, agency)
      if (how === 'message') return await call.leaveMessage(plan.followups.mailbox!)
      if (how === 'turn') {
        here = { returned: await call.connect(agency) }
        if (here.returned.status === sameNumber) room.passes(agency, call.callId)
        continue
      }
      const to = helper(call, plan, { agency, status: 'FULL' })
      if (to === undefined) return sayGoodbye(call, plan, agency)
      here = { node: to }
      continue
    }
    const arrival = arrive(plan, here.node, now(), switches(), () => canBeRung(plan, call))
    const { node, detours } = arrival
    for (const { agency, opening, to } of detours) call.note('closed', { agency, why: openingInWords(opening), to })
    if ('opens' in arrival) {
      call.note('closed', { agency: node.id, why: openingInWords(arrival.opening), to: null })
      return offerOpening(call, plan, node.id)
    }
    if (node.kind === 'mailbox') return await call.leaveMessage(node.id)
    if (node.kind === 'menu' && node.id !== written) await call.at(`menu:${written = node.id}`)
    if (node.kind === 'menu') here = { node: ++menus > mostMenus ? noMore(call, node) : await choose(call, node, menus === 1 && returns === 0) }
    else here = node.wait && room.isWaitedFor(node.id) ? { waiting: node.id } : { returned: await call.connect(node.id) }
  }
}

/**
 * What one call may add to its story: a caller needs a few menus, a machine that presses keys for hours would be told of for ever, and
 * whoever reads what it did would have no time for others. In a waiting room nobody is sent to the lines as often as this by the clock alone.
 */
const mostMenus = 30
const mostReturns = 500

/** What they hear between two announcements; it lasts for 20 s. No ring tone: nothing rings. */
const waitingTone = 'connecting-tone'
/** So many keys that mean nothing, and none is listened for until the next announcement; an offer at the end of a call is made no more. */
const wrongKeys = 3

/**
 * The caller waits for one of the agency's lines, and is told so, until it is their turn, or they ask to be called back or to leave a
 * message, or it has lasted long enough. Who is first is sent to the lines after each announcement, too: they may be in use by calls that are not ours.
 */
async function wait(call: Call, plan: Plan, agency: string, room: WaitingRoom, { until, tried }: { until: number, tried: boolean }): Promise<'turn' | 'asked' | 'message' | 'over'> {
  const every = agencyOf(plan, agency).wait?.every ?? seconds(5)
  const tones = Array.from({ length: Math.ceil(every / seconds(20)) }, () => waitingTone)
  const rungBack = canBeRung(plan, call) && outboundTrunk(plan) !== undefined
  const announcement = offers(plan, [plan.prompts.waiting, ...rungBack ? [plan.prompts.offerWaiting] : []])
  await call.at(`waiting:${agency}`)
  call.note('waiting', { agency })
  using place = room.enter(agency, call.callId, tried ? every : seconds(0))
  for (let wrong = 0, heard = false; ;) {
    let digit = await call.ask(announcement, { patience: milliseconds(500), until: place.turn, ahead: heard })
    heard = true
    using time = deadline(every, place.turn)
    digit ??= await call.ask(tones, { patience: every, until: time, ahead: true })
    if (digit === plan.offerKeys.callback && rungBack) return 'asked'
    if (digit === plan.offerKeys.message && plan.followups.mailbox !== undefined) return 'message'
    if (digit !== undefined && ++wrong < wrongKeys) continue
    if (digit !== undefined) {
      await call.hold(tones, time)
      heard = false                  // whatever was pressed meanwhile is no answer
    }
    wrong = 0
    if (place.turn.aborted || place.first) return 'turn'
    if (performance.now() >= until) return 'over'
  }
}

/**
 * A menu, until the caller has chosen: a wrong key is said so, silence or too many of them lead to a human. The `first` one begins when its greeting has been
 * heard: hanging up before that is most often a pocket call. Into the first one they may type ahead.
 */
async function choose(call: Call, menu: MenuNode, first: boolean): Promise<string> {
  const begins = () => call.note('menu', { node: menu.id })
  if (!first || !menu.greeting) begins()

  let after = menu.greeting ? { prompts: [menu.greeting], then: first ? begins : () => {} } : undefined
  let question = [menu.prompt]
  for (let wrong = 0; wrong < menu.tries; wrong++) {
    const digit = await call.ask(question, { patience: menu.patience, ahead: first || wrong > 0, ...after ? { after } : {} })
    after = undefined
    if (digit === undefined) {
      call.note('silence', { node: menu.id })
      return menu.silence
    }
    const { to, language } = menu.keys.get(digit) ?? {}
    call.note('key', { digit, node: menu.id, means: to ?? null, ...language === undefined ? {} : { language } })
    if (language !== undefined) await call.speak(language)
    if (to !== undefined) return to
    question = [menu.wrongKey, menu.prompt]
  }
  return menu.silence
}

/** After so many menus no key is listened for any more: the caller is led to a human, as by silence. */
function noMore(call: Call, menu: MenuNode): string {
  call.note('silence', { node: menu.id, menus: mostMenus })
  return menu.silence
}

/** The agency that helps out, or undefined where there is none. */
function helper(call: Call, plan: Plan, { agency, status }: Returned): string | undefined {
  const { ladder, to } = overflow(agencyOf(plan, agency), status)
  if (to !== undefined) call.note('overflow', { agency, ladder, to })
  return to
}

const canBeRung = (plan: Plan, { caller }: Call) => caller !== null && mayBeRungBack(caller) && !isOurs(plan, caller)

/** Whoever can be rung back is asked whether they want to be, and everybody whether they want to leave a message; they are owed a call all the same. */
async function sayGoodbye(call: Call, plan: Plan, agency: string, why: 'lines-exhausted' | 'same-number' = 'lines-exhausted') {
  const { sorry } = agencyOf(plan, agency)
  const { prompts: { offer } } = plan
  const rungBack = canBeRung(plan, call) && outboundTrunk(plan) !== undefined
  call.note('decided', { disposition: 'unanswered', why: `${why}:${agency}` })

  if (await accepts(call, plan, rungBack ? [offer] : plan.followups.mailbox === undefined ? [] : [sorry], rungBack)) return promise(call, plan, agency)
  if (rungBack || plan.followups.mailbox === undefined) await call.play(sorry)
  await call.hangUp()
}

/** They are owed a call, and told so. */
async function promise(call: Call, { prompts: { promised } }: Plan, agency: string) {
  call.note('decided', { disposition: 'callback', why: `asked:${agency}` })
  await call.play(promised)
  await call.hangUp()
}

/** The agency is closed, and whoever asks for it is called back when it is open. */
async function offerOpening(call: Call, plan: Plan, agency: string) {
  const { prompts: { closed, offerOpening, promisedOpening } } = plan
  call.note('decided', { disposition: 'unanswered', why: `closed:${agency}` })

  const asked = await accepts(call, plan, [closed, offerOpening])
  if (asked) call.note('decided', { disposition: 'callback', why: `closed:${agency}` })
  await call.play(asked ? promisedOpening : closed)
  await call.hangUp()
}

/**
 * Whether they take the offer of a callback, where one is made; by the other key they leave a message, where there is a mailbox for it.
 * Who presses a key that means nothing here, as the menu's, hears it again.
 */
async function accepts(call: Call, plan: Plan, offer: string[], callback = true): Promise<boolean> {
  const { offerKeys, followups: { mailbox } } = plan
  const question = offers(plan, offer)
  for (let wrong = 0; question.length > 0 && wrong < wrongKeys; wrong++) {
    const digit = await call.ask(question, { patience: seconds(3), ahead: wrong > 0 })
    if (digit === undefined) return false
    if (digit === offerKeys.callback && callback) return true
    if (digit === offerKeys.message && mailbox !== undefined) return await call.leaveMessage(mailbox)
  }
  return false
}

const offers = ({ prompts: { offerMessage }, followups: { mailbox } }: Plan, offer: string[]) => mailbox === undefined ? offer : [...offer, offerMessage]

function agencyOf(plan: Plan, name: string): AgencyNode {
  const node = plan.nodes.get(name)
  if (node?.kind !== 'agency') throw new Error(`a call came back from "${name}", which is no agency of the service plan`)
  return node
}
