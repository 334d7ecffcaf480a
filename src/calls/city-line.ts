import type { MenuNode, Plan } from '../plan/plan.ts'
import type { Call } from './call.ts'
import type { Returned } from './channel.ts'

/** Where a call is on its way over the service plan: at a node (a menu or an agency), or back from an agency's lines. */
export type Place = { node: string } | { returned: Returned }

/** The city's number: ask where to, have the agency's lines rung, and say sorry where nobody answered. The dialplan has answered. */
export async function cityLine(call: Call, plan: Plan, at: Place): Promise<void> {
  let here = at
  while ('node' in here) {
    const node = plan.nodes.get(here.node)
    if (!node) throw new Error(`the service plan has no node "${here.node}" (any more)`)
    // Whoever brought the call to where it begins has written that place down already.
    if (here !== at && node.kind === 'menu') await call.at(`menu:${node.id}`)
    here = node.kind === 'menu' ? { node: await choose(call, node) } : { returned: await call.connect(node.id) }
  }
  await sayGoodbye(call, plan, here.returned)
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
    const means = menu.keys.get(digit) ?? null
    call.note('key', { digit, node: menu.id, means })
    if (means) return means
    question = [menu.wrongKey, menu.prompt]
  }
  return menu.silence
}

async function sayGoodbye(call: Call, plan: Plan, { agency, status }: Returned) {
  const node = plan.nodes.get(agency)
  if (node?.kind !== 'agency') throw new Error(`a call came back from "${agency}", which is no agency of the service plan`)
  call.note('returned', { agency, status })
  call.note('decided', { disposition: 'unanswered', why: `lines-exhausted:${agency}` })
  await call.play(node.sorry)
  await call.hangUp()
}
