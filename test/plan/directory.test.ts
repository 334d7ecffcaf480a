/** The directory and the rooms: what they hold, how they are searched, and every mistake with its place. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { search } from '../../src/plan/directory.ts'
import { formatFault, PlanFaults } from '../../src/plan/faults.ts'
import { loadPlan } from '../../src/plan/load.ts'
import { readPlan } from '../../src/plan/read.ts'
import { townWith } from './town.ts'

const heading = 'kecamatan_code,kecamatan,kelurahan_code,kelurahan\n'
const csv = `${heading}18.71.01,Kedaton,18.71.01.1003,Kedaton\n18.71.01,Kedaton,18.71.01.1004,Surabaya\n18.71.03,Tanjungkarang Barat,18.71.03.1001,Gedong Air\n`
const directory = `directory:
  opd:
    dinkes: { name: Dinas Kesehatan, agencies: [posko] }
  wilayah: kota.csv
  contacts:
    dinkes: { trunk: gateway, number: dinkes-1 }
    18.71.01: { trunk: carrier, number: "+627215550103" }
    18.71.01.1004: { trunk: gateway, number: lurah-surabaya }
rooms:
  banjir:
    name: Banjir
    lines: [bpbd-1]
    directory: [dinkes, 18.71.01]
  rapat:
    name: Rapat pagi
    lines: [bpbd-1, posko-1]
    pin: none
`
const withThem = (...edits: [string, string][]) => edits.reduce((text, [from, to]) => {
  expect(text).toContain(from)
  return text.replace(from, () => to)
}, townWith(['prompts:\n', `${directory}prompts:\n`]))
const read = (text: string, files = csv) => readPlan(text, { file: 'plan.yaml', directory: new Map([['kota.csv', { file: 'directory/kota.csv', text: files }]]) })
function refusal(text: string, files?: string): string[] {
  try {
    return read(text, files).faults.map(formatFault)
  } catch (error) {
    if (error instanceof PlanFaults) return error.message.split('\n')
    throw error
  }
}

test('a directory has offices and areas, each kecamatan before its kelurahan, with their contacts', () => {
  const { plan, faults } = read(withThem())
  expect(faults).toEqual([])
  expect(plan.directory).toEqual([
    { kind: 'opd', id: 'dinkes', name: 'Dinas Kesehatan', agencies: ['posko'], contact: { trunk: 'gateway', number: 'dinkes-1' } },
    { kind: 'kecamatan', id: '18.71.01', name: 'Kedaton', agencies: [], contact: { trunk: 'carrier', number: '+627215550103' } },
    { kind: 'kelurahan', id: '18.71.01.1003', name: 'Kedaton', within: '18.71.01', agencies: [] },
    { kind: 'kelurahan', id: '18.71.01.1004', name: 'Surabaya', within: '18.71.01', agencies: [], contact: { trunk: 'gateway', number: 'lurah-surabaya' } },
    { kind: 'kecamatan', id: '18.71.03', name: 'Tanjungkarang Barat', agencies: [] },
    { kind: 'kelurahan', id: '18.71.03.1001', name: 'Gedong Air', within: '18.71.03', agencies: [] }
  ])
  expect(plan.rooms.get('banjir')).toEqual({ name: 'Banjir', lines: ['bpbd-1'], directory: ['dinkes', '18.71.01'], pin: 'asked' })
  expect(plan.rooms.get('rapat')).toEqual({ name: 'Rapat pagi', lines: ['bpbd-1', 'posko-1'], directory: [], pin: 'none' })
  expect(() => (plan.directory as unknown[]).push({})).toThrow()
})

test('the plan\'s version is of the directory\'s file, too', () => {
  const version = (files: string) => read(withThem(), files).plan.version
  expect(version(csv)).toBe(version(csv))
  expect(version(csv.replace('Gedong Air', 'Gedung Air'))).not.toBe(version(csv))
})

test('a file as a spreadsheet saves it is read, too', () => {
  expect(read(withThem(), `\uFEFF${csv.replaceAll('\n', '\r\n')}`).plan.directory).toEqual(read(withThem()).plan.directory)
})

test('the city\'s own directory has 20 kecamatan and 126 kelurahan, and spaces and capitals do not matter to whoever looks for one', async () => {
  const { plan } = await loadPlan('dialplan/plan.yaml')
  expect(Object.entries(Object.groupBy(plan.directory, ({ kind }) => kind)).map(([kind, all]) => [kind, all.length])).toEqual([['opd', 1], ['kecamatan', 20], ['kelurahan', 126]])
  const found = (text: string) => search(plan.directory, text).map(({ name }) => name)
  expect(found('tanjung karang')).toEqual(['Tanjungkarang Barat', 'Tanjungkarang Timur', 'Tanjungkarang Pusat', 'Tanjungkarang'])
  expect(found('Tanjungkarang')).toEqual(found('TANJUNG KARANG'))
  expect(search(plan.directory, '18.71.01').map(({ id }) => id).slice(0, 2)).toEqual(['18.71.01', '18.71.01.1003'])
  expect(found('tidak ada')).toEqual([])
  expect(found('')).toHaveLength(147)
  expect(readFileSync('dialplan/directory/bandar-lampung-wilayah.csv', 'utf8').split('\n')).toHaveLength(128)
})

test.each<[string, [string, string][], ...string[]]>([
  ['an agency that is none', [['agencies: [posko]', 'agencies: [pokso]']], '40:49 directory.opd.dinkes.agencies.0: "pokso" is no agency — did you mean "posko"?'],
  ['an agency of two offices', [['  wilayah:', '    dua: { name: Dua, agencies: [posko] }\n  wilayah:']], '41:34 directory.opd.dua.agencies.0: "posko" belongs to dinkes already — an agency has one parent office'],
  ['a file that is not there', [['kota.csv', 'kot.csv']], '41:3 directory.wilayah: there is no directory/kot.csv — put it there, as docs/plan.md says; did you mean "kota.csv"?'],
  ['a file elsewhere', [['kota.csv', '../kota.csv']], '41:3 directory.wilayah: is "../kota.csv"; it must be the name of a file of directory/, as in "bandar-lampung-wilayah.csv"',
    '44:5 directory.contacts.18.71.01: "18.71.01" is no OPD, kecamatan or kelurahan of the directory — npx satunomor directory lists them',
    '45:5 directory.contacts.18.71.01.1004: "18.71.01.1004" is no OPD, kecamatan or kelurahan of the directory — npx satunomor directory lists them',
    '50:25 rooms.banjir.directory.1: "18.71.01" is no entry of the directory — npx satunomor directory lists them'],
  ['a contact of nobody', [['18.71.01.1004:', '18.71.01.1005:']], '45:5 directory.contacts.18.71.01.1005: "18.71.01.1005" is no OPD, kecamatan or kelurahan of the directory — npx satunomor directory lists them; did you mean "18.71.01.1003"?'],
  ['a contact on no trunk', [['gateway, number: dinkes-1', 'gatway, number: dinkes-1']], '43:15 directory.contacts.dinkes.trunk: "gatway" is no trunk — did you mean "gateway"?'],
  ['a contact abroad', [['+627215550103', '+14155550103']], '44:33 directory.contacts.18.71.01.number: "+14155550103" may not be dialled: it is abroad (only +62 is dialled) — write a number of Indonesia, as in "+62721…", or the name of an endpoint'],
  ['a contact that is ourselves', [['"+627215550103"', '"112"']], '44:33 directory.contacts.18.71.01.number: "112" is our own number — a call to it would come back to us'],
  ['two contacts on one line', [['lurah-surabaya', 'dinkes-1']], '45:38 directory.contacts.18.71.01.1004.number: (warning) "dinkes-1" is the contact of dinkes, too — is that meant?'],
  ['a member of no agency', [['lines: [bpbd-1]', 'lines: [bpdb-1]']], '49:13 rooms.banjir.lines.0: "bpdb-1" is no line of an agency — did you mean "bpbd-1"?'],
  ['a member twice', [['lines: [bpbd-1, posko-1]', 'lines: [bpbd-1, bpbd-1]']], '53:21 rooms.rapat.lines.1: "bpbd-1" is listed twice — delete one of the two'],
  ['a member that is not in the directory', [['[dinkes, 18.71.01]', '[dinkes, 18.71.02]']], '50:25 rooms.banjir.directory.1: "18.71.02" is no entry of the directory — did you mean "18.71.01"?'],
  ['a member without a contact', [['[dinkes, 18.71.01]', '[18.71.03]']], '50:17 rooms.banjir.directory.0: "18.71.03" (Tanjungkarang Barat) has no contact — say under directory.contacts on which line Tanjungkarang Barat is reached'],
  ['a member alone', [['    lines: [bpbd-1]\n    directory: [dinkes, 18.71.01]\n', '    lines: [bpbd-1]\n']], '47:3 rooms.banjir: has 1 member — a conference is of two at least: name them under lines and directory'],
  ['a PIN in the plan', [['pin: none', 'pin: 1234']], '54:5 rooms.rapat.pin: is "1234"; it must be one of asked, none']
])('a plan is told of %s', (_, edits, ...faults) => {
  expect(refusal(withThem(...edits))).toEqual(faults.map(fault => `plan.yaml:${fault}`))
})

test.each<[string, string, ...string[]]>([
  ['semicolons', csv.replaceAll(',', ';'), '1:1 has the heading "kecamatan_code;kecamatan;kelurahan_code;kelurahan"; it must be "kecamatan_code,kecamatan,kelurahan_code,kelurahan" — save it as CSV with commas, not semicolons'],
  ['other columns', csv.replace('kelurahan_code,', 'code,'), '1:1 has the heading "kecamatan_code,kecamatan,code,kelurahan"; it must be "kecamatan_code,kecamatan,kelurahan_code,kelurahan"'],
  ['no line at all', heading, '1:1 has no kelurahan — write a line for each'],
  ['a line of other columns, and one without a name', csv.replace(',Surabaya', ',Surabaya,x').replace('Gedong Air', ''),
    '3:1 has 5 columns instead of 4 — a name has no comma in it', '4:44 kelurahan is ""; it must be a name of 1 to 80 letters'],
  ['codes of another form', csv.replace('18.71.01,Kedaton,18.71.01.1003', '1871.01,Kedaton,18.71.01.103'),
    '2:1 kecamatan_code is "1871.01"; it must be a code as in 18.71.01', '2:17 kelurahan_code is "18.71.01.103"; it must be a code as in 18.71.01.1003'],
  ['a kelurahan of another kecamatan', csv.replace('18.71.03.1001', '18.71.04.1001'), '4:30 18.71.04.1001 is no code within 18.71.03 (Tanjungkarang Barat) — it begins with that of its kecamatan'],
  ['a kelurahan twice', csv.replace('18.71.01.1004', '18.71.01.1003'), '3:18 18.71.01.1003 stands in line 2 already — delete one of the two'],
  ['a kecamatan of two names', csv.replace('Kedaton,18.71.01.1004', 'Kedatun,18.71.01.1004'), '3:10 18.71.01 is "Kedatun" here, and "Kedaton" in line 2 — a kecamatan has one name'],
  ['a name that is a formula', csv.replace('Surabaya', '=cmd'), '3:32 kelurahan is "=cmd"; it must be a name of 1 to 80 letters']
])('a file is told of %s', (_, files, ...faults) => {
  expect(refusal(withThem(), files)).toEqual(faults.map(fault => `directory/kota.csv:${fault}`))
})
