/** Rooms: who belongs into which teleconference. The plan says no more than that; the conferences themselves are not its matter. */
import { Type, type Static } from 'typebox'
import type { DirectoryEntry } from './directory.ts'
import type { Draft, Path, Report } from './draft.ts'
import { isShared } from './draft.ts'
import { didYouMean, quote, thereAre } from './faults.ts'
import { oneOf, reference, text } from './schema-words.ts'

export const Room = Type.Object({
  name: text('For people to read'),
  lines: Type.Array(reference('The id of an agency’s line'), { default: [], uniqueItems: true, description: 'Members by their agency’s line; none if left out' }),
  directory: Type.Array(reference('An OPD, or the code of a kecamatan or kelurahan, that has a contact'), {
    default: [], uniqueItems: true, description: 'Members by their contact in the directory; none if left out'
  }),
  pin: oneOf(['asked', 'none'], 'Whether who dials in must know a PIN (which is no part of the plan); asked if left out', 'asked')
}, { description: 'A teleconference' })
export type Room = Static<typeof Room>

/** Members are there and can be rung, and are two at least. `entries` left out: what there is in the directory, is not known. */
export function checkRooms({ rooms, agencies }: Draft, entries: readonly DirectoryEntry[] | undefined, report: Report) {
  const lines = [...agencies?.values() ?? []].flatMap(agency => agency?.lines?.map(line => isShared(line) ? undefined : (line as { id?: string } | undefined)?.id).filter(id => id !== undefined) ?? [])
  const byId = new Map(entries?.map(entry => [entry.id, entry]))
  const unknown = (path: Path, id: string, what: string, known: Iterable<string>, otherwise: string) => report(path, `${quote(id)} is no ${what}`, didYouMean(id, known) ?? otherwise)
  for (const [name, room] of rooms ?? []) {
    const path = ['rooms', name]
    const { lines: byLine = [], directory = [] } = room ?? {}
    byLine.forEach((id, index) => {
      if (id !== undefined && !lines.includes(id)) unknown([...path, 'lines', index], id, 'line of an agency', lines, thereAre(lines))
    })
    directory.forEach((id, index) => {
      const entry = id === undefined ? undefined : byId.get(id)
      if (id !== undefined && entries && !entry) unknown([...path, 'directory', index], id, 'entry of the directory', byId.keys(), 'npx satunomor directory lists them')
      if (entry && !entry.contact) report([...path, 'directory', index], `${quote(entry.id)} (${entry.name}) has no contact`, `say under directory.contacts on which line ${entry.name} is reached`)
    })
    if (room && byLine.length + directory.length < 2) report(path, `has ${byLine.length + directory.length || 'no'} member${byLine.length + directory.length === 1 ? '' : 's'}`, 'a conference is of two at least: name them under lines and directory')
  }
}
