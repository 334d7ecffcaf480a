/** The checks of lines and the trunks that reach them: check.ts has them in its list. */
import { allLines, type Draft, type Partly, type Path, type Report } from './draft.ts'
import type { PlanFile } from './schema.ts'

type DraftLine = Partly<PlanFile['agencies'] extends ReadonlyMap<string, infer Agency extends { lines: unknown[] }> ? Agency['lines'][number] : never>

/** The trunks of a line, in order, each with its place in the line; those that did not conform are left out. */
export function trunksOf(line: DraftLine | undefined): [below: Path, trunk: string][] {
  const several = (line?.trunks ?? []).flatMap((trunk, index): [Path, string][] => trunk === undefined ? [] : [[['trunks', index], trunk]])
  return line?.trunk === undefined ? several : [[['trunk'], line.trunk], ...several]
}

/** Each line says by which trunks it is reached, in one of the two ways. */
export function linesOnTrunks(plan: Draft, report: Report) {
  for (const { path, line } of allLines(plan)) {
    if (!line) continue
    if (line.trunk !== undefined && line.trunks) report([...path, 'trunks'], 'stands beside `trunk`', 'write all of them into `trunks`, in the order in which they are tried')
    if (!('trunk' in line) && !('trunks' in line)) report([...path, 'trunk'], 'is missing', 'it must be the trunk that reaches the line; where there are several, write `trunks`')
  }
}

/** A trunk that says nothing at all looks like a line that nobody picks up, unless it is asked whether it is there. */
export function unnoticed(plan: Draft, report: Report) {
  const first = new Map([...allLines(plan)].flatMap(({ line }) => trunksOf(line).slice(0, -1).map(([, trunk]) => [trunk, line?.id] as const)))
  for (const [name, line] of first) {
    const trunk = plan.trunks?.get(name)
    if (!trunk || 'qualify' in trunk) continue
    report(['trunks', name], `has no \`qualify\`, and ${line} has another trunk behind it`, 'a trunk that does not answer at all is passed over only if it is asked: qualify: 30 s', 'warning')
  }
}
