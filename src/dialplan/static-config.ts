/** What is wrong with asterisk-config/ as it is written: lines that Asterisk would not understand, and ways of its dialplans that lead nowhere. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { byPlace, orMeant, quote, type Fault } from '../plan/faults.ts'
import { parseDialplan, splitArguments, steps, withoutComment } from './dialplan.ts'
import { applications } from './lint.ts'
import { readAllowed } from './lint-allow.ts'
import { targets } from './targets.ts'
import { wrongWays } from './ways.ts'

/** The dialplans that lead a caller, loaded as one. (messages.conf leads none: it may end anywhere.) */
const dialplans = ['extensions.conf', 'last-resort.conf']

/**
 * Looks at each file of a folder of Asterisk's settings. An application that neither our own list nor lint-allow.yaml has is a warning:
 * its module may not be loaded.
 */
export async function staticFaults(folder: string): Promise<Fault[]> {
  const { applications: allowed } = await readAllowed(join(folder, 'lint-allow.yaml')).catch(() => ({ applications: [] }))          // what is wrong there, the lint of the templates says
  const names = (await readdir(folder)).filter(name => name.endsWith('.conf'))
  const texts = new Map(await Promise.all(names.map(async name => [name, await readFile(join(folder, name), 'utf8')] as const)))
  const faults = [...texts].flatMap(([name, text]) => unreadable(join(folder, name), text))
  if (faults.some(({ file }) => dialplans.some(name => file === join(folder, name)))) return faults.sort(byPlace)          // where its ways lead cannot be seen
  const plans = dialplans.flatMap(name => texts.has(name) ? [{ file: join(folder, name), dialplan: parseDialplan(texts.get(name)!) }] : [])
  const contexts = new Set(plans.flatMap(({ dialplan }) => [...dialplan.contexts]))
  const known = new Set([...applications, ...allowed])
  for (const { file, dialplan } of plans) {
    for (const { line, context, sentence, suggestion } of wrongWays(dialplan, contexts.difference(dialplan.contexts))) {
      faults.push({ severity: 'error', file, line, column: 1, path: `[${context}]`, sentence, suggestion })
    }
    for (const { line, context, app, args } of steps(dialplan)) {
      const warn = (sentence: string, suggestion: string) => faults.push({ severity: 'warning', file, line, column: 1, path: `[${context}]`, sentence, suggestion })
      for (const name of targets(app, args).map(target => splitArguments(target)[0]!.trim())) {
        if (!contexts.has(name)) warn(`leads to ${quote(name)}, which no file here has`, orMeant('if the plan renders it, it is gone when the plan no longer does: lead to a context of these files', name, contexts))
      }
      if (!known.has(app)) warn(`runs ${app}, which Satunomor does not use: without its module Asterisk ends the call there`,
        orMeant('load its module in asterisk-config/modules.conf, and name it in asterisk-config/lint-allow.yaml', app, known))
    }
  }
  return faults.sort(byPlace)
}

/** Lines that are no section, no setting, no comment and no #include. A section that is not closed has Asterisk refuse the whole file. */
function unreadable(file: string, text: string): Fault[] {
  const faults: Fault[] = []
  let section = false
  text.split('\n').forEach((raw, index) => {
    const code = withoutComment(raw).trim()
    const tell = (sentence: string, suggestion: string) => faults.push({ severity: 'error', file, line: index + 1, column: 1, path: '', sentence, suggestion })
    if (code === '') return
    if (code.startsWith('[')) {
      section = true
      if (!code.includes(']')) tell(`has a section that is not closed: ${quote(code)}`, 'write [name]; Asterisk would refuse the whole file')
    } else if (code.startsWith('#')) {
      if (!/^#(try)?include\s+\S|^#exec\b/.test(code)) tell(`has ${quote(code)}`, 'a comment begins with ";"')
    } else if (!/^[^=]+=/.test(code)) {
      tell(`has a line that sets nothing: ${quote(code)}`, 'write "name = value", or begin a comment with ";"')
    } else if (!section) {
      tell('sets something before the first section', 'begin with a section, as in [general]')
    }
  })
  return faults
}
