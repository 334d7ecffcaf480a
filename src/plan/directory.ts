/**
 * The directory: whom the command centre may have to reach. The agencies' parent offices (OPD) stand in the plan; the city's
 * kecamatan and kelurahan in a file beside it, dialplan/directory/<name>.csv; and each of them may have a line of its own.
 */
import { Type, type Static } from 'typebox'
import type { Draft, Report } from './draft.ts'
import { didYouMean, orMeant, quote, thereAre, type Fault } from './faults.ts'
import { dialled, name, named, reference, text } from './schema-words.ts'
import type { FileTexts } from './source.ts'
import { dialable, dialRefusal, domestic, looksLikeTelephone } from './telephone.ts'
import { readWilayah } from './wilayah.ts'

const Contact = Type.Object({
  trunk: reference('The trunk that reaches it'),
  number: dialled('What is dialled on the trunk')
})
export type Contact = Static<typeof Contact>

export const Directory = Type.Object({
  opd: Type.Optional(named(name, Type.Object({
    name: text('For people to read'),
    agencies: Type.Array(reference('An agency'), { default: [], uniqueItems: true, description: 'The agencies that belong to it; none if left out' })
  }), 'The agencies’ parent offices, by name')),
  wilayah: Type.Optional(Type.String({
    pattern: '^[a-z0-9-]{1,80}\\.csv$', expects: 'the name of a file of directory/, as in "bandar-lampung-wilayah.csv"',
    description: 'The kecamatan and kelurahan: a file of the folder directory/ beside the plan'
  })),
  contacts: Type.Optional(named(
    { pattern: '^([a-z0-9-]{1,40}|[0-9]{2}(\\.[0-9]{2}){2}(\\.[0-9]{4})?)$', expects: 'an OPD, or the code of a kecamatan or kelurahan, as in 18.71.01 or 18.71.01.1003' },
    Contact, 'The line at which somebody of an OPD, a kecamatan or a kelurahan is reached, by its name or code'))
})

export interface DirectoryEntry {
  kind: 'opd' | 'kecamatan' | 'kelurahan'
  /** The OPD's name in the plan, or the official code. */
  id: string
  /** For people to read. */
  name: string
  /** The code of a kelurahan's kecamatan. */
  within?: string
  /** The agencies of an OPD. */
  agencies: readonly string[]
  contact?: Contact
}

/**
 * The entries, out of the plan and the file that it names; `whole` where all of them are known. Faults of the plan go to
 * `report`, those of the file are returned. Without `texts` the file is not looked for.
 */
export function readDirectory(plan: Draft, texts: FileTexts | undefined, report: Report): { entries: DirectoryEntry[], whole: boolean, faults: Fault[] } {
  const { opd, wilayah, contacts } = plan.directory ?? {}
  const offices = [...opd ?? []].map(([id, office]): DirectoryEntry =>
    ({ kind: 'opd', id, name: office?.name ?? '', agencies: office?.agencies?.filter(agency => agency !== undefined) ?? [] }))
  officesAgencies(offices, plan, report)
  const source = wilayah === undefined ? undefined : texts?.get(wilayah)
  if (wilayah !== undefined && texts && !source) report(['directory', 'wilayah'], `there is no directory/${wilayah}`, orMeant('put it there, as docs/plan.md says', wilayah, texts.keys()))
  const { entries: areas, faults } = source ? readWilayah(source) : { entries: [], faults: [] }

  const entries = [...offices, ...areas]
  const whole = faults.length === 0 && (wilayah === undefined || source !== undefined)
  lines(plan, whole ? new Set(entries.map(({ id }) => id)) : undefined, report)
  return { whole, entries: entries.map(entry => ({ ...entry, ...contacts?.get(entry.id) ? { contact: contacts.get(entry.id) as Contact } : {} })), faults }
}

/** Every agency that is named is one, and belongs to one OPD. */
function officesAgencies(offices: readonly DirectoryEntry[], { agencies }: Draft, report: Report) {
  const taken = new Map<string, string>()
  for (const { id, agencies: named } of offices) {
    named.forEach((agency, index) => {
      const path = ['directory', 'opd', id, 'agencies', index]
      const known = [...agencies?.keys() ?? []]
      if (!known.includes(agency)) report(path, `${quote(agency)} is no agency`, didYouMean(agency, known) ?? thereAre(known))
      const other = taken.get(agency)
      if (other !== undefined && other !== id) report(path, `${quote(agency)} belongs to ${other} already`, 'an agency has one parent office')
      taken.set(agency, other ?? id)
    })
  }
}

/** Contacts are of entries that there are, and may be dialled. `ids` left out: what there is, is not known. */
function lines({ directory, trunks, numbers }: Draft, ids: ReadonlySet<string> | undefined, report: Report) {
  const ours = new Set([...numbers?.keys() ?? []].map(domestic))
  const taken = new Map<string, string>()
  for (const [id, contact] of directory?.contacts ?? []) {
    const path = ['directory', 'contacts', id]
    if (ids && !ids.has(id)) report(path, `${quote(id)} is no OPD, kecamatan or kelurahan of the directory`, orMeant('npx satunomor directory lists them', id, ids))
    const { trunk, number } = contact ?? {}
    if (trunk !== undefined && trunks && !trunks.has(trunk)) report([...path, 'trunk'], `${quote(trunk)} is no trunk`, didYouMean(trunk, trunks.keys()) ?? thereAre(trunks.keys()))
    if (number === undefined) continue
    const refusal = dialRefusal(number)
    if (refusal) report([...path, 'number'], `${quote(number)} may not be dialled: ${refusal}`, dialable)
    if (looksLikeTelephone(number) && ours.has(domestic(number))) report([...path, 'number'], `${quote(number)} is our own number`, 'a call to it would come back to us')
    const target = `${trunk} ${looksLikeTelephone(number) ? domestic(number) : number}`
    const other = taken.get(target)
    if (other === undefined) taken.set(target, id)
    else report([...path, 'number'], `${quote(number)} is the contact of ${other}, too`, 'is that meant?', 'warning')
  }
}

/** Spelling varies in daily use: Tanjungkarang is Tanjung Karang. */
const plainly = (text: string) => text.normalize('NFKD').toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')

/** The entries whose name or code has this in it, whatever its spaces and capitals; all of them where nothing is looked for. */
export function search(entries: readonly DirectoryEntry[], text: string): DirectoryEntry[] {
  const wanted = plainly(text)
  return entries.filter(({ id, name }) => plainly(name).includes(wanted) || plainly(id).includes(wanted))
}
