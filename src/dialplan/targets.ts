/** Where an application leads, as it is written. */
import { splitArguments } from './dialplan.ts'

/** The places that it jumps to: `context,exten,priority`, or fewer of them. */
export const labels = (app: string, args: string) => app === 'Goto' || app === 'Gosub' ? [args] : /^(GotoIf|GosubIf|GotoIfTime)$/.test(app) ? branches(args) : []

/** Contexts that it leads to; those made from variables are left out. */
export function targets(app: string, args: string): string[] {
  const contexts = labels(app, args).map(label => splitArguments(label)).filter(parts => parts.length >= 3).map(parts => parts[0]!)
  // Dial's options that run dialplan: U(context^…), b(context^exten^priority), B, F, G
  const subroutines = [...args.matchAll(/[UbBFG]\(([A-Za-z][\w-]*)\^?/g)].map(([, context]) => context!)
  return [...contexts, ...(app === 'Dial' || app === 'Gosub' ? subroutines : [])].filter(context => !context.includes('${'))
}

/** `then` and `else` out of `condition?then:else`. */
export function branches(args: string): string[] {
  const [, ...rest] = splitArguments(args, '?')
  return splitArguments(rest.join('?'), ':').map(branch => branch.trim()).filter(Boolean)
}
