/** Who is dialled: only lines of the plan, whether they stand in Dial itself or are handed to it by a Gosub. */
import { splitArguments, type Step } from './dialplan.ts'

/** Each line that is dialled and is none of the plan's, where it is written. */
export function strangers(all: readonly Step[], lines: ReadonlySet<string>): { line: number, context: string, target: string }[] {
  const found: { line: number, context: string, target: string }[] = []
  const look = ({ line, context }: Step, dialled: string) => {
    for (const target of dialled.split('&')) if (target !== '' && !target.includes('${') && !lines.has(target)) found.push({ line, context, target })
  }
  /** What is handed to a Dial is written out, or handed on. */
  const handed = (step: Step, target: string) => {
    look(step, target)
    if (/\$[{[](?!ARG\d\})/.test(target)) found.push({ line: step.line, context: step.context, target })
  }
  // Subroutines that dial one of their arguments, and which.
  const dialling = new Map<string, Set<number>>()
  for (const step of all) {
    if (step.app !== 'Dial') continue
    const target = splitArguments(step.args)[0]!
    look(step, target)
    for (const [, number] of target.matchAll(/\$\{ARG(\d)/g)) dialling.set(step.context, (dialling.get(step.context) ?? new Set()).add(Number(number)))
  }
  for (const step of all) {
    if (step.app !== 'Gosub') continue
    const parts = splitArguments(step.args).map(part => part.trim())
    const [, given = ''] = /\((.*)\)$/s.exec(parts.at(-1)!) ?? []
    const args = splitArguments(given)
    for (const number of dialling.get(parts.at(-3) ?? step.context) ?? []) handed(step, args[number - 1] ?? '')
  }
  return found
}
