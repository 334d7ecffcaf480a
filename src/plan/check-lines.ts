/** The checks of lines and the trunks that reach them: check.ts has them in its list. */
import { allLines, isShared, sharedLines, type Draft, type Partly, type Path, type Report } from './draft.ts'
import { milliseconds, seconds, type Duration } from './duration.ts'
import { didYouMean, quote, thereAre } from './faults.ts'
import type { Line, Trunk } from './schema.ts'

type DraftLine = Partly<Line>

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

/**
 * What Asterisk takes in one word of the dialplan is 4,096 bytes, and it cuts off the rest without a word: lines beyond that would never ring. Measured: of names
 * with 40 letters 57 lines rang, and not the 58th, at about 3,640 bytes: the rest is what else the word holds.
 */
const mostBytes = 3_400
/** What each line takes besides its name: `Local/together@line-…/n&`, or `…:01234567.123,` twice as a name. */
const besides = { 'all-at-once': 23, 'longest-idle': 16 } as const

/** All lines of a group that is rung together, or by who has been free longest, fit into what Asterisk takes. */
export function linesThatFit(plan: Draft, report: Report) {
  for (const [agency, one] of plan.agencies ?? []) {
    const order = one?.order
    if (order !== 'all-at-once' && order !== 'longest-idle') continue
    for (const [priority, lines] of Map.groupBy(one?.lines ?? [], line => line?.priority ?? 1)) {
      let bytes = 0
      const fit = lines.findIndex(line => (bytes += Buffer.byteLength(isShared(line) ? `${line.line}_${agency}` : (line as DraftLine | undefined)?.id ?? '') + besides[order]) > mostBytes)
      if (fit === -1) continue
      report(['agencies', agency, 'order'], `is ${order}, and only the first ${fit} of its ${lines.length} lines of priority ${priority} would ring: Asterisk takes no more at once`,
        `give the others another priority, at most ${fit} lines in each, or shorter names, or an agency of their own as overflow`)
    }
  }
}

/** A context of Asterisk has 79 letters at most: `line-`, the line, `_`, the agency, and a checksum of nine. */
const mostLetters = 64

/** A line that an agency shares is one of another agency's, and is named once. */
export function sharedTelephones(plan: Draft, report: Report) {
  const owners = new Map([...allLines(plan)].flatMap(({ line, agency }) => line?.id === undefined ? [] : [[line.id, agency] as const]))
  const named = new Set<string>()
  for (const { path, line: { line: id }, agency } of sharedLines(plan)) {
    if (id === undefined) continue
    const owner = owners.get(id)
    if (owner === undefined) report([...path, 'line'], `${quote(id)} is no line`, didYouMean(id, owners.keys()) ?? thereAre(owners.keys()))
    else if (owner === agency || named.has(`${agency} ${id}`)) report([...path, 'line'], `${quote(id)} is a line of ${agency} already`, 'delete one of the two')
    else if (id.length + agency.length > mostLetters) report([...path, 'line'], `${quote(id)} and ${quote(agency)} have more than ${mostLetters} letters together`, 'give the agency or the line a shorter name')
    named.add(`${agency} ${id}`)
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
