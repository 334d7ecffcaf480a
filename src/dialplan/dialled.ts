/** Who is dialled: only lines of the plan, whether they stand in Dial itself or are handed to it by a Gosub. */
import { quote } from '../plan/faults.ts'
import { agencies, type Plan } from '../plan/plan.ts'
import { call, splitArguments, type Step } from './dialplan.ts'
import { branches, targets } from './targets.ts'

/** The plan's lines as Dial knows them, by each of their trunks: `PJSIP/bpbd-1@gateway`. */
export function dialledLines(plan: Plan): Set<string> {
  return new Set(agencies(plan).flatMap(({ lines }) => lines.flatMap(({ number, trunks }) => trunks.map(trunk => `PJSIP/${number}@${trunk}`))))
}

interface Finding {
  line: number
  context: string
  sentence: string
  suggestion: string
}

/** What is dialled and is none of the plan's lines, nor a place of the dialplan (`Local/…`) that leads to them. */
export function strangers(all: readonly Step[], lines: ReadonlySet<string>): Finding[] {
  const found: Finding[] = []
  const done = all.flatMap(doings)
  const places = new Set(all.map(({ context, exten }) => `${exten}@${context}`))
  let onward: ReadonlyMap<string, Set<string>> | undefined
  for (const { line, context, target } of dialled(done)) {
    const tell = (sentence: string, suggestion: string) => found.push({ line, context, sentence: `dials ${quote(target)}, ${sentence}`, suggestion })
    const local = localPlace(target)
    if (target.includes('${')) tell('which a variable says', 'only lines written out may be handed to a Dial')
    else if (!local && !lines.has(target)) tell('which is no line of the plan', 'write the line into plan.yaml, and take it from there')
    else if (local && !places.has(local.place)) tell('where there is no such extension', 'write it out there, or lead elsewhere')
    else if (local && reaches(local.context, context, onward ??= leads(done))) tell('which comes back here: each call would make calls without end', 'let it lead to a line alone')
  }
  return found
}

/** `Local/together@line-bpbd-1/n`: what is dialled is a place of the dialplan, and that dials on. */
function localPlace(target: string): { place: string, context: string } | undefined {
  const [, place, context] = /^Local\/([\w+-]+@([\w-]+))(?:\/n)?$/.exec(target) ?? []
  return context === undefined ? undefined : { place: place!, context }
}

/** Everything that is dialled, where it is written. What a Dial takes from an ARG is looked for at the Gosubs that hand it over. */
function dialled(done: readonly Doing[]): { line: number, context: string, target: string }[] {
  const found: { line: number, context: string, target: string }[] = []
  const look = ({ line, context }: Step, dialled: string, fits = (_: string) => true) => {
    for (const target of dialled.split('&')) if (target !== '' && fits(target)) found.push({ line, context, target })
  }
  // Subroutines that dial one of their arguments, and which.
  const dialling = new Map<string, Set<number>>()
  for (const { step, app, args } of done) {
    if (app !== 'Dial') continue
    const target = splitArguments(args)[0]!
    look(step, target, one => !one.includes('${'))                      // lint.ts tells the others
    for (const [, number] of target.matchAll(/\$\{ARG(\d)/g)) dialling.set(step.context, (dialling.get(step.context) ?? new Set()).add(Number(number)))
  }
  for (const { step, app, args } of done) {
    if (app !== 'Gosub') continue
    const parts = splitArguments(args).map(part => part.trim())
    const numbers = dialling.get(parts.at(-3) ?? step.context)
    if (!numbers) continue
    const [, given = ''] = /\((.*)\)$/s.exec(parts.at(-1)!) ?? []
    const handed = splitArguments(given)
    for (const number of numbers) look(step, handed[number - 1] ?? '')
  }
  return found
}

interface Doing { step: Step, app: string, args: string }

/** What a step does, also behind a condition. */
function doings(step: Step): Doing[] {
  const { app, args } = step
  if (app === 'GosubIf') return branches(args).map(branch => ({ step, app: 'Gosub', args: branch }))
  if (app === 'ExecIf') return branches(args).flatMap(branch => call(branch) ?? []).flatMap(inner => doings({ ...step, ...inner }))
  return [{ step, app, args }]
}

/** From each context to those that its steps lead to, or dial. */
function leads(done: readonly Doing[]): Map<string, Set<string>> {
  const onward = new Map<string, Set<string>>()
  for (const { step, app, args } of done) {
    const dials = [...args.matchAll(/Local\/[^&,/)]+/g)].flatMap(([target]) => localPlace(target)?.context ?? [])
    const here = onward.get(step.context) ?? new Set()
    for (const context of [...targets(app, args), ...dials]) here.add(context)
    onward.set(step.context, here)
  }
  return onward
}

function reaches(from: string, to: string, onward: ReadonlyMap<string, Set<string>>): boolean {
  const reached = new Set([from])
  for (const one of reached) for (const next of onward.get(one) ?? []) reached.add(next)
  return reached.has(to)
}
