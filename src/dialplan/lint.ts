/**
 * Looks at rendered files before Asterisk does: only applications and functions that we know, no way to the shell,
 * the file system or the network, and nothing that a caller can type may choose where a call goes.
 */
import { didYouMean, quote, type Fault } from '../plan/faults.ts'
import { call, parseDialplan, splitArguments, step, withoutComment, type Statement } from './dialplan.ts'

export const applications = new Set([
  'Answer', 'Background', 'Busy', 'CELGenUserEvent', 'Congestion', 'Dial', 'ExecIf', 'Gosub', 'GosubIf', 'Goto', 'GotoIf',
  'GotoIfTime', 'Hangup', 'Log', 'MusicOnHold', 'NoOp', 'Playback', 'PlayTones', 'Progress', 'Read', 'Return', 'Ringing',
  'Set', 'Stasis', 'StopPlayTones', 'Verbose', 'Wait', 'WaitExten'
])

export const functions = new Set([
  'ABS', 'CALLERID', 'CHANNEL', 'CUT', 'EXISTS', 'FILTER', 'GLOBAL', 'GROUP', 'GROUP_COUNT', 'HANGUPCAUSE', 'IF', 'IFTIME',
  'ISNULL', 'LEN', 'MATH', 'RAND', 'REGEX', 'STRFTIME', 'TIMEOUT', 'TOLOWER', 'TOUPPER', 'URIENCODE'
])

/** What a caller (or whoever sends us SIP) chooses. It may be logged and compared, but it never leads anywhere. */
const callersWords = /\$\{(EXTEN|CALLERID|CALLERIDNUM|CALLERIDNAME|DNID|RDNIS|SIPDOMAIN|PJSIP_HEADER)\b/
const leading = new Set(['Dial', 'Goto', 'GotoIf', 'Gosub', 'GosubIf', 'GotoIfTime', 'Background', 'Playback'])

type Find = (line: number, place: string, sentence: string, suggestion?: string) => void

/**
 * Checks all rendered files (by name), dialplans (`extensions*.conf`) in full. `elsewhere` names contexts that other
 * files define. Findings are faults whose line is the rendered file's.
 */
export function lint(files: ReadonlyMap<string, string>, { elsewhere = [] as Iterable<string> } = {}): Fault[] {
  const faults: Fault[] = []
  const findIn = (file: string): Find => (line, path, sentence, suggestion) => {
    faults.push({ severity: 'error', file, line, column: 1, path, sentence, suggestion })
  }
  for (const [file, text] of files) anyFile(text, findIn(file))

  const dialplans = [...files].filter(([file]) => /^extensions.*\.conf$/.test(file))
    .map(([file, text]) => ({ find: findIn(file), ...parseDialplan(text) }))
  const contexts = new Set([...elsewhere, ...dialplans.flatMap(dialplan => [...dialplan.contexts])])
  for (const { statements, find } of dialplans) for (const statement of statements) look(statement, contexts, find)
  return faults
}

function anyFile(text: string, find: Find) {
  text.split('\n').forEach((line, index) => {
    const code = withoutComment(line)
    if (/^\s*#/.test(code)) find(index + 1, '', `has ${quote(code.trim().split(/\s/)[0]!)}`, 'files load no others and run no programs: write it out')
    if (/^\s*(application\s*=|mode\s*=>?\s*custom)/i.test(code)) find(index + 1, '', 'runs a program', 'music on hold plays files: mode = playlist')
    if (/;--/.test(line)) find(index + 1, '', 'begins a block comment (;--)', 'begin each line with "; " instead')
  })
}

function look(statement: Statement, contexts: Set<string>, find: Find) {
  const { line, context, word, value } = statement
  const place = `[${context}]`
  if (context === 'general' || context === 'globals') return functionsIn(value, line, place, find)
  if (word === 'include') return known(value, contexts, line, place, find)
  if (word !== 'exten' && word !== 'same') return find(line, place, `has ${quote(word || value)}`, 'contexts hold exten, same and include')
  const does = step(statement)
  if (!does) return find(line, place, `cannot be read: ${quote(value)}`, 'write "exten => 10,1,App(…)" or "same => n,App(…)"')
  functionsIn(value, line, place, find)
  application(does, contexts, line, place, find)
}

function application({ app, args }: { app: string, args: string }, contexts: Set<string>, line: number, place: string, find: Find) {
  if (!applications.has(app)) return find(line, place, `runs ${app}, which is not among the known applications`, didYouMean(app, applications) ?? 'see src/dialplan/lint.ts')
  if (leading.has(app) && callersWords.test(args)) {
    find(line, place, `${app} is led by what the caller sent`, 'compare it with what is in the plan, and go to a fixed place')
  }
  if (app === 'ExecIf') {
    for (const branch of branches(args)) {
      const inner = call(branch)
      if (inner) application(inner, contexts, line, place, find)
      else find(line, place, `cannot be read: ${quote(branch)}`, 'write "ExecIf(condition?App(…):App(…))"')
    }
  }
  if (app === 'Dial' && /\$\{(?!ARG\d)/.test(splitArguments(args)[0]!)) {
    find(line, place, 'Dial takes its line from a variable', 'only lines written out, or the ARGs of a Gosub, may be dialled')
  }
  for (const target of targets(app, args)) known(target, contexts, line, place, find)
}

/** Contexts that an application leads to; those made from variables are left out. */
function targets(app: string, args: string): string[] {
  const labels = app === 'Goto' || app === 'Gosub' ? [args] : /^(GotoIf|GosubIf|GotoIfTime)$/.test(app) ? branches(args) : []
  const jumps = labels.map(label => splitArguments(label)).filter(parts => parts.length >= 3).map(parts => parts[0]!)
  // Dial's options that run dialplan: U(context^…), b(context^exten^priority), B, F, G
  const subroutines = [...args.matchAll(/[UbBFG]\(([A-Za-z][\w-]*)\^?/g)].map(([, context]) => context!)
  return [...jumps, ...(app === 'Dial' || app === 'Gosub' ? subroutines : [])].filter(context => !context.includes('${'))
}

/** `then` and `else` out of `condition?then:else`. */
function branches(args: string): string[] {
  const [, ...rest] = splitArguments(args, '?')
  return splitArguments(rest.join('?'), ':').map(branch => branch.trim()).filter(Boolean)
}

function known(context: string, contexts: Set<string>, line: number, place: string, find: Find) {
  const name = splitArguments(context)[0]!.trim()
  if (!contexts.has(name)) find(line, place, `leads to the context ${quote(name)}, which does not exist`, didYouMean(name, contexts))
}

/** Functions are read as ${NAME(…)} and written as Set(NAME(…)=…). A name that is itself computed could be any. */
function functionsIn(value: string, line: number, place: string, find: Find) {
  const read = [...value.matchAll(/\$\{([^}(:$]*)([({:}$]|$)/g)]
  for (const [, name = '', next] of read) {
    if (next === '$' || !/^\w+$/.test(name)) find(line, place, 'has a variable whose name is computed', 'name it')
    else if (next === '(') allowed(name, line, place, find)
  }
  for (const [, name = ''] of value.matchAll(/\bSet\(([A-Za-z_]\w*)\(/g)) allowed(name, line, place, find)
}

function allowed(name: string, line: number, place: string, find: Find) {
  if (!functions.has(name)) find(line, place, `uses ${name}(), which is not among the known functions`, didYouMean(name, functions) ?? 'see src/dialplan/lint.ts')
}
