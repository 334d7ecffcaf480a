/** The plan's text: turned into YAML nodes with places, or refused. All values stay text; the schema gives them types. */
import { Alias, LineCounter, parseDocument, visit, type ParsedNode, type YAMLError } from 'yaml'
import type { Path, Report } from './draft.ts'
import { quote, type Fault } from './faults.ts'

/** Bytes. A plan of a large city has 20,000; refusing more keeps the worst text's reading time near a second. */
const limit = 128 * 1024

/** Files that lie beside the plan, by the name that the plan calls them; `file` is for the faults' places. */
export type FileTexts = ReadonlyMap<string, { file: string, text: string | Uint8Array }>

export interface Source {
  root: ParsedNode | null
  faults: Fault[]
  report: Report
  place(path: Path, node: ParsedNode): void
}

/** Decodes and parses; one fault a line, as the parser's second thoughts on a line are noise. With syntax faults `root` is null: what else could be said of a broken text would be guesses. */
export function openSource(raw: string | Uint8Array, file: string): Source & { text: string } {
  const faults: Fault[] = []
  const lines = new LineCounter()
  const places = new Map<string, number>()

  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const add = (where: { line: number, column: number }, sentence: string, suggestion?: string) => {
    faults.push({ severity: 'error', file, ...where, path: '', sentence, suggestion })
  }
  const source = (text: string, root: ParsedNode | null) => ({
    text, root, faults,
    place: (path: Path, node: ParsedNode) => void places.set(path.join('\0'), node.range[0]),
    report: (path: Path, sentence: string, suggestion?: string, severity: Fault['severity'] = 'error') => {
      let known = path.length
      while (known > 0 && !places.has(path.slice(0, known).join('\0'))) known--
      const where = known > 0 ? at(places.get(path.slice(0, known).join('\0'))!) : { line: 1, column: 1 }
      faults.push({ severity, file, ...where, path: path.map(printable).join('.'), sentence, suggestion })
    }
  })

  if (Buffer.byteLength(raw) > limit) {
    add({ line: 1, column: 1 }, `is larger than ${limit / 1024} KiB`, 'no service plan is; is it the right file?')
    return source('', null)
  }
  const text = typeof raw === 'string' ? raw.replace(/^\uFEFF/, '') : decode(raw)
  if (typeof text === 'number') {
    add({ line: text, column: 1 }, 'is not UTF-8 text', 'save it as UTF-8')
    return source('', null)
  }
  const control = /[\0-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F\u2028\u2029\uFEFF]/.exec(text)
  if (control) {
    const before = text.slice(0, control.index).split('\n')
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
    add({ line: before.length, column: before.at(-1)!.length + 1 }, `has a control character (U+${code})`, 'delete it')
    return source(text, null)
  }

  const root = parse(text, lines, (offset, sentence, suggestion) => add(at(offset), sentence, suggestion))
  return source(text, faults.length > 0 ? null : root)
}

function parse(text: string, lines: LineCounter, refuse: (offset: number, sentence: string, suggestion?: string) => void) {
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false, stringKeys: true, resolveKnownTags: false })
  let last = -1
  for (const error of [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])) {
    const { line } = lines.linePos(error.pos[0])
    if (line !== last) refuse(error.pos[0], ...inOurWords(error, text))
    last = line
  }
  if (document.errors.length > 0) return null
  visit(document, {
    Node(_, node) {
      const offset = node.range?.[0] ?? 0
      if (node instanceof Alias) refuse(offset, `refers to an anchor (*${node.source})`, 'write the value out; a "*" that is meant as a key or text needs quotes')
      else if (node.anchor) refuse(offset, `has an anchor (&${node.anchor})`, 'a plan has none; write the value out where it is needed')
    }
  })
  return document.contents
}

/** What yaml says, as a sentence and a suggestion. */
function inOurWords(error: YAMLError, text: string): [string, string?] {
  const [start, end] = error.pos
  const line = text.slice(text.lastIndexOf('\n', start - 1) + 1, end)
  if (text[start] === '*' || /^\s*\*/.test(line)) return ['has a bare *', 'write the key in quotes: "*"']
  switch (error.code) {
    case 'DUPLICATE_KEY': return [`${quote(/^(?:"[^"]*"|[^\s:]*)/.exec(text.slice(start))![0].replaceAll('"', ''))} stands here a second time`, 'delete one of the two, or rename it']
    case 'NON_STRING_KEY': return ['has a key that is no text', 'write a name before the colon']
    case 'MULTIPLE_DOCS': return ['begins a second document', 'delete the line ---']
    case 'TAG_RESOLVE_FAILED': return ['has a tag that is not known', 'delete it; a text that begins with ! needs quotes']
    case 'RESOURCE_EXHAUSTION': return ['is nested too deeply', 'no service plan is; look for a bracket that is not closed']
    case 'TAB_AS_INDENT': return ['is indented with a tab', 'use spaces']
    default: return [`is not YAML: ${error.message}`, 'look at the indentation, quotes and brackets here and just above']
  }
}

/** The text, or the number of the first line that is not UTF-8. */
export function decode(bytes: Uint8Array): string | number {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    const lines = new TextDecoder('latin1').decode(bytes).split('\n')
    const bad = lines.findIndex(line => Buffer.from(line, 'latin1').toString('utf8').includes('\uFFFD'))
    return Math.max(0, bad) + 1
  }
}

const printable = (key: string | number) => String(key).replace(/[^\x20-\x7E]/gu, '?').slice(0, 60)
