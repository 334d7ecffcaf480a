/** What is wrong with a file that a person wrote: where, what, and what to do about it. */
export interface Fault {
  /** A `warning` is told and lived with; an `error` refuses the whole file. */
  severity: 'error' | 'warning'
  file: string
  /** Both count from 1. */
  line: number
  column: number
  /** The place in the file's own terms, e.g. `menus.utama.keys.2`; empty where there is none. */
  path: string
  sentence: string
  suggestion?: string
}

/** One line for a terminal: `dialplan/plan.yaml:23:7 menus.utama.keys.2: leads to "bpdb", … — did you mean "bpbd"?` */
export function formatFault({ severity, file, line, column, path, sentence, suggestion }: Fault): string {
  const what = (path && `${path}: `) + (severity === 'warning' ? `(warning) ${sentence}` : sentence)
  return `${file}:${line}:${column} ${what}${suggestion ? ` — ${suggestion}` : ''}`
}

export function byPlace(a: Fault, b: Fault): number {
  return a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column
}

/** The plan is refused; `faults` are all of its faults, warnings too, in the order of the file. */
export class PlanFaults extends Error {
  override name = 'PlanFaults'
  readonly faults: Fault[]

  constructor(faults: Fault[]) {
    super(faults.map(formatFault).join('\n'))
    this.faults = faults
  }
}

/** Quotes what somebody wrote, short enough for one line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

/** `a, b, c`, or where there are more than `most`, those and how many more. */
export function listed(items: readonly unknown[], { most = 12, between = ', ' } = {}): string {
  const rest = items.length - most
  return [...items.slice(0, most), ...rest > 0 ? [`and ${rest} more`] : []].join(between)
}

/** `there are a, b, c`: what may stand where something is that there is not. */
export function thereAre(names: Iterable<string | undefined>): string {
  return `there are ${listed([...names]) || 'none yet'}`
}

/** What to do, and after it the name that may have been meant. */
export function orMeant(remedy: string, word: string, known: Iterable<string>): string {
  const meant = didYouMean(word, known)
  return meant === undefined ? remedy : `${remedy}; ${meant}`
}

/** `did you mean "bpbd"?`, or undefined where nothing known is near. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  if (word.length > 60) return undefined
  let near: string | undefined
  let least = Math.max(1, Math.round(word.length / 3)) + 1
  for (const candidate of [...known].slice(0, 500)) {
    if (candidate === word || Math.abs(candidate.length - word.length) >= least) continue
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < least) [near, least] = [candidate, distance]
  }
  return near === undefined ? undefined : `did you mean ${quote(near)}?`
}

/** Levenshtein's distance, where two neighbours swapped count as one slip of the fingers. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row[j] = Math.min(
        above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1), swapped ? before[j - 2]! + 1 : Infinity
      )
    }
    before = above
    above = row
  }
  return above[b.length]!
}
