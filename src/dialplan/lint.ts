/**
 * Looks at rendered files before Asterisk does: only applications and functions that we know, no way to the shell,
 * the file system or the network, and nothing that a caller can type may choose where a call goes.
 */
import { byPlace, didYouMean, orMeant, quote, type Fault } from '../plan/faults.ts'
import { call, parseDialplan, splitArguments, step, steps, withoutComment, type Statement } from './dialplan.ts'
import { strangers } from './dialled.ts'
import { branches, labels, targets } from './targets.ts'
import { timeFault } from './times.ts'
import { wrongWays } from './ways.ts'

export const applications = new Set([
  'Answer', 'Background', 'BackgroundDetect', 'Busy', 'CELGenUserEvent', 'Congestion', 'Dial', 'ExecIf', 'Gosub', 'GosubIf', 'Goto', 'GotoIf',
  'GotoIfTime', 'Hangup', 'HangupCauseClear', 'Log', 'MSet', 'MusicOnHold', 'NoOp', 'PJSIPHangup', 'Playback', 'PlayTones', 'Progress', 'Read', 'Record', 'Return', 'Ringing',
  'Set', 'Stasis', 'StopPlayTones', 'Verbose', 'Wait', 'WaitExten'
])

export const functions = new Set([
  'ABS', 'CALLERID', 'CHANNEL', 'CHANNEL_EXISTS', 'CUT', 'EXISTS', 'FIELDQTY', 'FILTER', 'GLOBAL', 'GROUP', 'GROUP_COUNT', 'HANGUPCAUSE', 'HANGUPCAUSE_KEYS', 'IF', 'IFTIME',
  'ISNULL', 'LEN', 'LOCK', 'MASTER_CHANNEL', 'MATH', 'MD5', 'PJSIP_HEADER', 'PJSIP_HEADERS', 'RAND', 'RECORDING_INFO', 'REGEX', 'SHIFT', 'SORT', 'STRFTIME', 'TIMEOUT', 'TOLOWER', 'TOUPPER', 'UNLOCK', 'URIENCODE'
])

/** No list allows these: they reach the shell, the file system, the network, or run what a text says. */
export const never = new Set([
  'System', 'TrySystem', 'AGI', 'EAGI', 'DeadAGI', 'AsyncAGI', 'ExternalIVR', 'Exec', 'TryExec', 'JACK', 'MinivmNotify', 'Originate',
  'SHELL', 'CURL', 'FILE', 'EVAL', 'DB', 'ENV', 'STAT', 'DUNDILOOKUP', 'ODBC', 'REALTIME'
])

/** What a caller (or whoever sends us SIP) chooses. It may be logged and compared, but it never leads anywhere. */
const callersWords = /\$\{(EXTEN|CALLERID|CALLERIDNUM|CALLERIDNAME|DNID|RDNIS|SIPDOMAIN|PJSIP_HEADERS?|SIP_HEADER|CHANNEL\(pjsip)\b/
const leading = new Set(['Dial', 'Goto', 'GotoIf', 'Gosub', 'GosubIf', 'GotoIfTime', 'Background', 'Playback', 'Read', 'MusicOnHold'])
/** What FILTER may let through into MSet: letters and digits, or all but what ends a word there, or means something: comma, quote, backslash. */
const inOneWord = String.raw`(?:0-9|a-z|A-Z|\+)+|\\x21\\x23-\\x2b\\x2d-\\x5b\\x5d-\\xff`
/** Where calls come in. */
const ways = new Set(['trunk-in', 'agencies-in', 'told'])
const jumps = /^(Goto|Gosub|GotoIf|GosubIf|GotoIfTime)$/

export interface LintOptions {
  /** Contexts that other files define. */
  elsewhere?: Iterable<string>
  /** What may be used beyond our own lists (lint-allow.ts). */
  allow?: { applications: readonly string[], functions: readonly string[] }
  /** The plan's lines as Dial knows them, e.g. `PJSIP/bpbd-1@gateway`: nothing else may be dialled. Left out, that is not looked at. */
  lines?: ReadonlySet<string>
  /** The trunk that citizens are rung back by; without one nobody is. */
  callbacks?: string
}

/** Who is rung back, as Dial knows them: SN_CITIZEN is the service's, and the dialplan compares it with the allow-list. */
export const citizenBy = (trunk: string) => `PJSIP/\${SN_CITIZEN}@${trunk}`

/** Where a message is recorded, the one place that Record may write to: nothing of it is of the plan, or of a caller. */
export const recording = '/var/spool/asterisk/mailbox/${UNIQUEID}.alaw'

type Find = (line: number, place: string, sentence: string, suggestion?: string) => void

interface Rules {
  contexts: ReadonlySet<string>
  applications: ReadonlySet<string>
  functions: ReadonlySet<string>
  citizens: ReadonlySet<string>
}

/** Checks all rendered files (by name), dialplans (`extensions*.conf`) in full. Findings are faults whose line is the rendered file's. */
export function lint(files: ReadonlyMap<string, string>, { elsewhere = [], allow, lines, callbacks }: LintOptions = {}): Fault[] {
  const faults: Fault[] = []
  const findIn = (file: string): Find => (line, path, sentence, suggestion) => {
    faults.push({ severity: 'error', file, line, column: 1, path, sentence, suggestion })
  }
  for (const [file, text] of files) anyFile(text, findIn(file))

  const dialplans = [...files].filter(([file]) => /^extensions.*\.conf$/.test(file))
    .map(([file, text]) => ({ find: findIn(file), ...parseDialplan(text) }))
  const contexts = new Set([...elsewhere, ...dialplans.flatMap(dialplan => [...dialplan.contexts])])
  const rules: Rules = { contexts, applications: applications.union(new Set(allow?.applications)), functions: functions.union(new Set(allow?.functions)), citizens: new Set(callbacks === undefined ? [] : [citizenBy(callbacks)]) }
  for (const { find, ...dialplan } of dialplans) {
    for (const statement of dialplan.statements) look(statement, rules, find)
    for (const { line, context, sentence, suggestion } of wrongWays(dialplan, contexts.difference(dialplan.contexts))) find(line, `[${context}]`, sentence, suggestion)
    if (lines) for (const { line, context, sentence, suggestion } of strangers(steps(dialplan), lines)) find(line, `[${context}]`, sentence, suggestion)
    for (const { line, context, app, args } of steps(dialplan)) {
      const fault = app === 'GotoIfTime' ? timeFault(splitArguments(args, '?')[0]!) : undefined
      if (fault) find(line, `[${context}]`, fault, 'hours, days, dates, months: 08:00-16:00,mon-fri,*,*')
    }
  }
  return faults.sort(byPlace)
}

function anyFile(text: string, find: Find) {
  text.split('\n').forEach((line, index) => {
    const code = withoutComment(line)
    if (/^\s*#/.test(code)) find(index + 1, '', `has ${quote(code.trim().split(/\s/)[0]!)}`, 'files load no others and run no programs: write it out')
    if (/^\s*(application\s*=|mode\s*=>?\s*custom)/i.test(code)) find(index + 1, '', 'runs a program', 'music on hold plays files: mode = playlist')
    if (/;--/.test(line)) find(index + 1, '', 'begins a block comment (;--)', 'begin each line with "; " instead')
  })
}

function look(statement: Statement, rules: Rules, find: Find) {
  const { line, context, word, value } = statement
  const place = `[${context}]`
  if (context === 'general' || context === 'globals') return functionsIn(value, rules, line, place, find)
  if (word === 'include') return known(value, rules.contexts, line, place, find)
  if (word !== 'exten' && word !== 'same') return find(line, place, `has ${quote(word || value)}`, 'contexts hold exten, same and include')
  const does = step(statement)
  if (!does) return find(line, place, `cannot be read: ${quote(value)}`, 'write "exten => 10,1,App(…)" or "same => n,App(…)"')
  if (/\bPJSIP_HEADER(?:S\b|\(\s*read\b)/i.test(value) && !ways.has(context)) find(line, place, 'reads what the caller sent in a header', 'headers are read where calls come in: [trunk-in], [agencies-in], [told]')
  functionsIn(value, rules, line, place, find)
  application(does, rules, line, place, find)
}

function application({ app, args }: { app: string, args: string }, rules: Rules, line: number, place: string, find: Find) {
  if (!rules.applications.has(app)) return find(line, place, `runs ${app}, which is not among the known applications`, never.has(app) ? 'it is never allowed' : orMeant('whoever may, allows it in asterisk-config/lint-allow.yaml', app, rules.applications))
  if (leading.has(app) && callersWords.test(jumps.test(app) ? labels(app, args).join() : args)) {
    find(line, place, `${app} is led by what the caller sent`, 'compare it with what is in the plan, and go to a fixed place')
  }
  if (app === 'ExecIf') {
    for (const branch of branches(args)) {
      const inner = call(branch)
      if (inner) application(inner, rules, line, place, find)
      else find(line, place, `cannot be read: ${quote(branch)}`, 'write "ExecIf(condition?App(…):App(…))"')
    }
  }
  if (app === 'Record' && splitArguments(args)[0] !== recording) find(line, place, 'records to another place than the mailbox', `write Record(${recording},…)`)
  const sets = app === 'MSet' ? splitArguments(args) : app === 'Set' ? [args] : []
  if (app === 'MSet') {
    if (callersWords.test(withoutCleaned(args, `MD5|REGEX|LEN|FILTER(?=\\((?:${inOneWord}),)`))) find(line, place, 'MSet has what the caller sent', 'a comma in it would begin another variable: write a Set of its own')
    for (const part of sets) functionsIn(`Set(${part.trim()})`, rules, line, place, find)
  }
  if (sets.some(part => /^\s*_*SN_CITIZEN\b/.test(part))) find(line, place, 'sets SN_CITIZEN', 'the service alone says who is rung back')
  if (app === 'Dial' && !rules.citizens.has(splitArguments(args)[0]!) && /\$\{(?!ARG\d)/.test(splitArguments(args)[0]!)) {
    find(line, place, 'Dial takes its line from a variable', 'only lines written out, or the ARGs of a Gosub, may be dialled')
  }
  if (!callersWords.test(args) && labels(app, args).some(label => /\$[{[]/.test(label.replace(/(\d)\(.*$/s, '$1')))) {
    find(line, place, `${app} goes where a variable says`, 'compare it with what is in the plan, and go to a fixed place')
  }
  for (const target of targets(app, args)) known(target, rules.contexts, line, place, find)
}

/** Without what is given to functions after which nothing of it can stand for anything else: a sum, a yes or no, a number, letters that were let through. */
function withoutCleaned(text: string, functions: string): string {
  const innermost = new RegExp(`\\$\\{(?:${functions})\\((?:[^{}]|\\{[^{}]*\\})*\\)(?::\\d+:\\d+)?\\}`, 'g')
  const rest = text.replace(innermost, '')
  return rest === text ? text : withoutCleaned(rest, functions)
}

function known(context: string, contexts: ReadonlySet<string>, line: number, place: string, find: Find) {
  const name = splitArguments(context)[0]!.trim()
  if (!contexts.has(name)) find(line, place, `leads to the context ${quote(name)}, which does not exist`, didYouMean(name, contexts))
}

/** Functions are read as ${NAME(…)} and written as Set(NAME(…)=…). A name that is itself computed could be any. */
function functionsIn(value: string, rules: Rules, line: number, place: string, find: Find) {
  const read = [...value.matchAll(/\$\{([^}(:$]*)([({:}$]|$)/g)]
  for (const [, name = '', next] of read) {
    if (next === '$' || !/^\w[\w-]*$/.test(name)) find(line, place, 'has a variable whose name is computed', 'name it')
    else if (next === '(') allowed(name, rules, line, place, find)
  }
  // A global variable of each line (SN_TURN_<line>) may be named by the ARG of a Gosub: function and beginning are written out.
  if (/\bSet\((?!GLOBAL\(SN_TURN_\$\{ARG\d\}\)=)[^=]*[$]/.test(value)) find(line, place, 'sets a variable whose name is computed', 'name it')
  for (const [, expression = ''] of value.matchAll(/\$\[((?:[^\][]|\[[^\]]*\])*)\]/g)) {
    if (callersWords.test(withoutCleaned(expression, 'MD5|REGEX|LEN|FILTER'))) find(line, place, 'has what the caller sent in an expression, unfiltered', 'let only known letters through first: Set(X=${FILTER(0-9+,${CALLERID(num)})})')
  }
  for (const [, name = ''] of value.matchAll(/\bSet\(([A-Za-z_]\w*)\(/g)) allowed(name, rules, line, place, find)
}

function allowed(name: string, rules: Rules, line: number, place: string, find: Find) {
  if (!rules.functions.has(name)) find(line, place, `uses ${name}(), which is not among the known functions`, never.has(name) ? 'it is never allowed' : orMeant('whoever may, allows it in asterisk-config/lint-allow.yaml', name, rules.functions))
}
