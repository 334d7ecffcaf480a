/**
 * From which line of its template a rendered line comes. The templates are rendered once more with a mark after the
 * first letter of each line's own text; where the marks change anything but themselves, nothing is said.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fault } from '../plan/faults.ts'
import type { Plan } from '../plan/plan.ts'
import { render } from './render.ts'
import type { Site } from './view.ts'

/** Two letters of the private use area, which no plan and no template has: a line's number stands between them. */
const [open, close] = ['\uE000', '\uE001']
const mark = new RegExp(`${open}(\\d+)${close}`)

/** The findings of the lint at the templates' lines, with the rendered place in their sentence. */
export async function traced(findings: readonly Fault[], templates: string, plan: Plan, site: Site, files: ReadonlyMap<string, string>): Promise<Fault[]> {
  const marked = await render(templates, plan, site, marks).catch(() => new Map<string, string>())
  return Promise.all(findings.map(async fault => {
    const template = join(templates, `${fault.file}.liquid`)
    const text = marked.get(fault.file)
    if (text === undefined || text.replace(new RegExp(mark, 'g'), '') !== files.get(fault.file)) return fault
    const upTo = text.split('\n').slice(0, fault.line)
    const line = Number(mark.exec(upTo.at(-1)!)?.[1] ?? mark.exec(upTo.findLast(line => mark.test(line)) ?? '')?.[1] ?? 0)
    if (line === 0) return fault
    const column = (await readFile(template, 'utf8')).split('\n')[line - 1]!.search(/\S/) + 1
    return { ...fault, file: template, line, column, sentence: `${fault.sentence} (rendered: ${fault.file}:${fault.line})` }
  }))
}

/** A template with a mark in each line, after the first letter that stands outside of `{{ }}` and `{% %}`. */
function marks(text: string): string {
  let done = 0                     // the last line that has its mark
  let line = 1
  return text.split(/(\{%[^]*?%\}|\{\{[^]*?\}\})/).map((part, at) => {
    if (at % 2 === 1) {
      line += part.split('\n').length - 1
      return part
    }
    return part.split('\n').map((piece, below) => {
      if (below > 0) line++
      if (done === line || !/\S/.test(piece)) return piece
      done = line
      return piece.replace(/\S/, letter => `${letter}${open}${line}${close}`)
    }).join('\n')
  }).join('')
}
