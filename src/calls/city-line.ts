import { seconds } from '../plan/duration.ts'
import { outboundTrunk } from '../plan/follow-up-policy.ts'
import { openingInWords } from '../plan/hours.ts'
import type { AgencyNode, MenuNode, Plan } from '../plan/plan.ts'
import { beginning, type Switches } from '../plan/switches.ts'
import { mayBeRungBack } from '../plan/telephone.ts'
import { arrive, overflow } from '../plan/walk.ts'
import type { Call } from './call.ts'
import type { Returned } from './channel.ts'

/** Where a call is on its way over the service plan: at a node (a menu or an agency), or back from an agency's lines. */
export type Place = { node: string } | { returned: Returned }

/** A new call stands before the node where its number begins. */
export type Beginning = { entry: string } | Place

/** What else decides: the time (Unix ms), for the opening hours, what an admin has switched by hand, and callbacks. */
export interface Circumstances {
  now(): number
  switches(): Switches
  /** Withdraws a callback that rings this agency and that nobody there has accepted; false where there is none. Does not reject. */
  giveWay(agency: string): Promise<boolean>
}

/**
 * The city's number: ask where to, have the lines of an agency that is open rung, then those of its overflow, and say sorry
 * where nobody answered. An agency that is closed leads on, or offers a callback for when it is open. Where they may leave a message,
 * the dialplan takes it, and the call. The dialplan has answered, and written down where the call begins.
 */
export async function cityLine(call: Call, plan: Plan, at: Beginning, { now, switches, giveWay }: Circumstances): Promise<void> {
  let written = 'entry' in at ? at.entry : 'node' in at ? at.node : undefined
  let here: Place = 'entry' in at ? { node: beginning(plan, at.entry, now(), switches()) } : at
  while (true) {
    if ('returned' in here) {
      const { agency } = here.returned
      call.note('returned', here.returned)
      // Who calls now goes before who is rung back: the line is the caller's.
      const next = await giveWay(agency) ? agency : helper(call, plan, here.returned)
      if (next === undefined) return sayGoodbye(call, plan, agency)
      here = { node: next }
      continue
    }
    const arrival = arrive(plan, here.node, now(), switches(), () => canBeRung(call))
    const { node, detours } = arrival
    for (const { agency, opening, to } of detours) call.note('closed', { agency, why: openingInWords(opening), to })
    if ('opens' in arrival) {
      call.note('closed', { agency: node.id, why: openingInWords(arrival.opening), to: null })
      return offerOpening(call, plan, node.id)
    }
    if (node.kind === 'mailbox') return await call.leaveMessage(node.id)
    if (node.kind === 'menu' && node.id !== written) await call.at(`menu:${written = node.id}`)
    here = node.kind === 'menu' ? { node: await choose(call, node) } : { returned: await call.connect(node.id) }
  }
}

/** A menu, until the caller has chosen: a wrong key is said so, silence or too many of them lead to a human. */
async function choose(call: Call, menu: MenuNode): Promise<string> {
  call.note('menu', { node: menu.id })

  let question = menu.greeting ? [menu.greeting, menu.prompt] : [menu.prompt]
  for (let wrong = 0; wrong < menu.tries; wrong++) {
    const digit = await call.ask(question, { patience: menu.patience })
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

/** The agency that helps out, or undefined where there is none. */
function helper(call: Call, plan: Plan, { agency, status }: Returned): string | undefined {
  const { ladder, to } = overflow(agencyOf(plan, agency), status)
  if (to !== undefined) call.note('overflow', { agency, ladder, to })
  return to
}

const canBeRung = ({ caller }: Call) => caller !== null && mayBeRungBack(caller)

/** Whoever can be rung back is asked whether they want to be, and everybody whether they want to leave a message; they are owed a call all the same. */
async function sayGoodbye(call: Call, plan: Plan, agency: string) {
  const { sorry } = agencyOf(plan, agency)
  const { prompts: { offer, promised } } = plan
  const rungBack = canBeRung(call) && outboundTrunk(plan) !== undefined
  call.note('decided', { disposition: 'unanswered', why: `lines-exhausted:${agency}` })

  const digit = await choice(call, plan, rungBack ? [offer] : plan.followups.mailbox === undefined ? [] : [sorry])
  if (digit === '1' && rungBack) {
    call.note('decided', { disposition: 'callback', why: `asked:${agency}` })
    await call.play(promised)
  } else if (rungBack || plan.followups.mailbox === undefined) {
    await call.play(sorry)
  }
  await call.hangUp()
}

/** The agency is closed, and whoever asks for it is called back when it is open. */
async function offerOpening(call: Call, plan: Plan, agency: string) {
  const { prompts: { closed, offerOpening, promisedOpening } } = plan
  call.note('decided', { disposition: 'unanswered', why: `closed:${agency}` })

  const digit = await choice(call, plan, [closed, offerOpening])
  if (digit === '1') call.note('decided', { disposition: 'callback', why: `closed:${agency}` })
  await call.play(digit === '1' ? promisedOpening : closed)
  await call.hangUp()
}

/** The key that is pressed at an offer; key 2 leads to the mailbox, where there is one for it. */
async function choice(call: Call, { prompts: { offerMessage }, followups: { mailbox } }: Plan, offer: string[]): Promise<string | undefined> {
  const question = mailbox === undefined ? offer : [...offer, offerMessage]
  const digit = question.length > 0 ? await call.ask(question, { patience: seconds(3) }) : undefined
  return digit === '2' && mailbox !== undefined ? await call.leaveMessage(mailbox) : digit
}

function agencyOf(plan: Plan, name: string): AgencyNode {
  const node = plan.nodes.get(name)
  if (node?.kind !== 'agency') throw new Error(`a call came back from "${name}", which is no agency of the service plan`)
  return node
}
