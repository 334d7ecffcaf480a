/** The checks of lines and the trunks that reach them: check.ts has them in its list. */
import { allLines, type Draft, type Partly, type Path, type Report } from './draft.ts'
import { milliseconds, seconds, type Duration } from './duration.ts'
import type { PlanFile, Trunk } from './schema.ts'

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

/** A trunk that is never asked whether it is there costs each caller seconds while it says nothing. */
export function unnoticed(plan: Draft, report: Report) {
  const first = new Map([...allLines(plan)].flatMap(({ line }) => trunksOf(line).slice(0, -1).map(([, trunk]) => [trunk, line?.id] as const)))
  for (const [name, line] of first) {
    const trunk = plan.trunks?.get(name)
    if (!trunk || trunk.role === undefined || qualifyOf({ role: trunk.role, qualify: trunk.qualify }) > 0) continue
    report(['trunks', name], `is never asked whether it is there, and ${line} has another trunk behind it`, 'while it says nothing, each caller waits 6 s for the next trunk: qualify: 10 s', 'warning')
  }
}

/**
 * How often a trunk is asked whether it is there, in ms; 0: never. A carrier is asked only where the plan says so: its calls come in
 * anyway, and one that does not answer OPTIONS would be rung for no callback.
 */
export function qualifyOf({ role, qualify }: Pick<Trunk, 'role'> & { qualify?: Duration | undefined }): Duration {
  return qualify ?? (role === 'agencies' ? seconds(10) : milliseconds(0))
}
