/** The plan while it is being checked: what did not conform is missing from it, and everything may be missing. */
import type { Line, PlanFile, SharedLine } from './schema.ts'

export type Partly<T> =
  T extends string | number ? T
  : T extends ReadonlyMap<infer K, infer V> ? ReadonlyMap<K, Partly<V>>
  : T extends readonly (infer I)[] ? Partly<I>[]
  : { [K in keyof T]?: Partly<T[K]> }

export type Draft = Partly<PlanFile>

/** Keys and indexes that lead to a place in the plan. */
export type Path = readonly (string | number)[]

/** Takes down what is wrong at a place; a path that is not written in the file stands at its nearest parent. */
export type Report = (path: Path, sentence: string, suggestion?: string, severity?: 'error' | 'warning') => void

/** Where callers of a closed agency go, to whom no callback is offered. */
export const closedTo = (agency: { closed?: string | { to?: string } } | undefined): string | undefined =>
  typeof agency?.closed === 'object' ? agency.closed.to : agency?.closed

/** Whether callers of the agency are offered a callback while it is closed. */
export const offersCallback = (agency: { closed?: string | object } | undefined) => typeof agency?.closed === 'object'

/** Whether a line is one of another agency's, which rings for this one, too. */
export const isShared = <T>(line: T): line is Extract<T, { line?: string }> => typeof line === 'object' && line !== null && 'line' in line

/** Every line of every agency, with its place; not those that are another's. */
export function* allLines({ agencies }: Draft) {
  for (const [agency, { lines = [] } = {}] of agencies ?? []) {
    for (const [index, line] of lines.entries()) {
      if (!isShared(line)) yield { agency, line: line as Partly<Line> | undefined, path: ['agencies', agency, 'lines', index] as Path }
    }
  }
}

/** Every line that is one of another agency's, with its place. */
export function* sharedLines({ agencies }: Draft) {
  for (const [agency, { lines = [] } = {}] of agencies ?? []) {
    for (const [index, line] of lines.entries()) {
      if (isShared(line)) yield { agency, line: line as Partly<SharedLine>, path: ['agencies', agency, 'lines', index] as Path }
    }
  }
}
