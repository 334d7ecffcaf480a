/** Reads an extensions file the way Asterisk's pbx_config does, as far as the lint needs it. */

export interface Statement {
  /** The line in the rendered file, from 1. */
  line: number
  context: string
  /** `exten`, `same`, `include`, …; empty for a line that is none. */
  word: string
  /** What follows `=>` or `=`. */
  value: string
}

export interface Dialplan {
  contexts: Set<string>
  statements: Statement[]
}

export function parseDialplan(text: string): Dialplan {
  const contexts = new Set<string>()
  const statements: Statement[] = []
  let context = ''
  text.split('\n').forEach((raw, index) => {
    const code = withoutComment(raw).trim()
    if (code === '') return
    const heading = /^\[([^\]]+)\]/.exec(code)
    if (heading) {
      context = heading[1]!
      contexts.add(context)
      return
    }
    const [, word = '', value = code] = /^([A-Za-z_][\w-]*)\s*=>?\s*(.*)$/.exec(code) ?? []
    statements.push({ line: index + 1, context, word, value })
  })
  return { contexts, statements }
}

/** The line up to its first `;` that no backslash precedes. */
export function withoutComment(line: string): string {
  const end = /(?<!\\);/.exec(line)
  return end ? line.slice(0, end.index) : line
}

/** `App(args)` out of `10,1,App(args)` (exten) or `n(label),App(args)` (same); undefined where it is neither. */
export function step({ word, value }: Statement): { app: string, args: string } | undefined {
  const parts = splitArguments(value)
  const before = word === 'exten' ? 2 : 1
  if (parts.length <= before || !/^(\d+|n|s|hint)([+\d]*)?(\([\w-]+\))?$/.test(parts[before - 1]!.trim())) return undefined
  return call(parts.slice(before).join(','))
}

/** A step as Asterisk counts it. */
export interface Step {
  line: number
  context: string
  exten: string
  priority: number
  label: string | undefined
  app: string
  args: string
}

/** The steps of a dialplan, `n` counted out; statements that are none are left out, `same` without an `exten` before it, too. */
export function steps({ statements }: Dialplan): Step[] {
  const found: Step[] = []
  let last: { context: string, exten: string, priority: number } | undefined
  for (const statement of statements) {
    const { line, context, word, value } = statement
    const does = step(statement)
    if (!does || (word === 'same' && last?.context !== context)) continue
    const parts = splitArguments(value)
    const exten = word === 'exten' ? parts[0]!.trim() : last!.exten
    const [, written = '', label] = /^(\w+)(?:\(([\w-]+)\))?$/.exec(parts[word === 'exten' ? 1 : 0]!.trim()) ?? []
    const before: number = last?.context === context && last.exten === exten ? last.priority : 0
    const priority = /^\d+$/.test(written) ? Number(written) : written === 's' ? before : before + 1
    last = { context, exten, priority }
    found.push({ line, context, exten, priority, label, ...does })
  }
  return found
}

/** `App(args)` or `App` alone. */
export function call(text: string): { app: string, args: string } | undefined {
  const [, app, args = ''] = /^([A-Za-z_]\w*)(?:\((.*)\))?$/s.exec(text.trim()) ?? []
  return app ? { app, args } : undefined
}

/** Splits at commas (or another mark) that stand in no bracket and no quotes. */
export function splitArguments(text: string, mark = ','): string[] {
  const parts = ['']
  let depth = 0
  let quoted = false
  for (const letter of text) {
    if (letter === '"') quoted = !quoted
    else if ('({['.includes(letter)) depth++
    else if (')}]'.includes(letter)) depth--
    if (letter === mark && depth <= 0 && !quoted) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts
}
