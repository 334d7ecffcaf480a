/** Differences as `diff -u` writes them, for an admin's terminal. */
import { diff } from 'node:util'

/** The hunks between two texts, under their names, with three lines around each change; '' where nothing differs. */
export function unified(before: string, after: string, names: { before: string, after: string }): string {
  if (before === after) return ''
  // util.diff says 1 for a line of the first text alone, -1 for one of the second alone.
  const lines = diff(linesOf(before), linesOf(after)).map(([side, text]) => ({ mark: side === 1 ? '-' : side === -1 ? '+' : ' ', text }))
  const shown = lines.map((_, at) => lines.slice(Math.max(0, at - 3), at + 4).some(({ mark }) => mark !== ' '))
  const hunks: string[] = []
  let [old, fresh] = [1, 1]
  for (let at = 0; at < lines.length;) {
    const end = shown.indexOf(!shown[at], at)
    const part = lines.slice(at, end < 0 ? lines.length : end)
    const [of, ff] = [part.filter(({ mark }) => mark !== '+').length, part.filter(({ mark }) => mark !== '-').length]
    if (shown[at]) hunks.push(`@@ -${of ? old : old - 1},${of} +${ff ? fresh : fresh - 1},${ff} @@`, ...part.map(({ mark, text }) => mark + text))
    old += of
    fresh += ff
    at += part.length
  }
  return [`--- ${names.before}`, `+++ ${names.after}`, ...hunks, ''].join('\n')
}

const linesOf = (text: string) => text === '' ? [] : text.replace(/\n$/, '').split('\n')
