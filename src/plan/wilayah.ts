/** A city's kecamatan and kelurahan, out of a CSV file with a heading: a line for each kelurahan. */
import type { DirectoryEntry } from './directory.ts'
import { quote, type Fault } from './faults.ts'
import { decode } from './source.ts'

const columns = ['kecamatan_code', 'kecamatan', 'kelurahan_code', 'kelurahan']
/** Bytes; a whole province has 200,000. */
const limit = 1024 * 1024

/** The entries, each kecamatan before its kelurahan, in the order of the file; and what is wrong with it. */
export function readWilayah({ file, text: raw }: { file: string, text: string | Uint8Array }): { entries: DirectoryEntry[], faults: Fault[] } {
  const faults: Fault[] = []
  const tell = (line: number, column: number, sentence: string, suggestion?: string) =>
    void faults.push({ severity: 'error', file, line, column, path: '', sentence, suggestion })
  const text = typeof raw === 'string' ? raw : decode(raw)
  if (typeof text === 'number') tell(text, 1, 'is not UTF-8 text', 'save it as UTF-8')
  else if (Buffer.byteLength(text) > limit) tell(1, 1, `is larger than ${limit / 1024 / 1024} MiB`, 'is it the right file?')
  if (typeof text === 'number' || faults.length > 0) return { entries: [], faults }

  const [heading = '', ...rows] = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  if (heading !== columns.join()) {
    tell(1, 1, `has the heading ${quote(heading)}; it must be "${columns.join()}"`, heading.includes(';') ? 'save it as CSV with commas, not semicolons' : undefined)
    return { entries: [], faults }
  }
  const kecamatan = new Map<string, { entry: DirectoryEntry, line: number, kelurahan: DirectoryEntry[] }>()
  const seen = new Map<string, number>()
  rows.forEach((row, index) => {
    if (row === '') return
    const line = index + 2
    const fields = row.split(',')
    if (fields.length !== columns.length) return tell(line, 1, `has ${fields.length} columns instead of ${columns.length}`, 'a name has no comma in it')
    const at = (column: number) => fields.slice(0, column).join().length + (column > 0 ? 2 : 1)
    const before = faults.length
    fields.forEach((field, column) => {
      const form = columns[column]!.endsWith('_code') ? column === 0 ? /^\d{2}\.\d{2}\.\d{2}$/ : /^\d{2}\.\d{2}\.\d{2}\.\d{4}$/ : /^[\p{L}\p{N}][\p{L}\p{N} .'()/-]{0,79}$/u
      if (!form.test(field)) tell(line, at(column), `${columns[column]} is ${quote(field)}; it must be ${column === 0 ? 'a code as in 18.71.01' : column === 2 ? 'a code as in 18.71.01.1003' : 'a name of 1 to 80 letters'}`)
    })
    if (faults.length > before) return
    const [code, name, own, ownName] = fields as [string, string, string, string]
    if (!own.startsWith(`${code}.`)) tell(line, at(2), `${own} is no code within ${code} (${name})`, 'it begins with that of its kecamatan')
    const twice = seen.get(own)
    if (twice !== undefined) tell(line, at(2), `${own} stands in line ${twice} already`, 'delete one of the two')
    seen.set(own, twice ?? line)
    const here = kecamatan.get(code) ?? { entry: { kind: 'kecamatan', id: code, name, agencies: [] }, line, kelurahan: [] }
    if (here.entry.name !== name) tell(line, at(1), `${code} is ${quote(name)} here, and ${quote(here.entry.name)} in line ${here.line}`, 'a kecamatan has one name')
    kecamatan.set(code, here)
    here.kelurahan.push({ kind: 'kelurahan', id: own, name: ownName, within: code, agencies: [] })
  })
  if (kecamatan.size === 0 && faults.length === 0) tell(1, 1, 'has no kelurahan', 'write a line for each')
  return { entries: [...kecamatan.values()].flatMap(({ entry, kelurahan }) => [entry, ...kelurahan]), faults }
}
