/** After an upgrade: which shipped files have changed since a city took them over, and what becomes of the city's own edits. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { project } from '../../setup/project.mjs'
import { makeCity, shipped } from '../../src/city/shipped.ts'
import { changesBetween, hasMarks, upgradeInALine, type State } from '../../src/city/upgrade.ts'
import { run as upgrade } from '../../src/verbs/upgrade.ts'
import { folder, type Folder } from '../dialplan/folder.ts'

vi.setConfig({ testTimeout: 60_000 })

const one = 'templates/one.conf.liquid'
const file = (text: string | undefined) => new Map(text === undefined ? [] : [[one, Buffer.from(text)]])

test.each<[before: string | undefined, now: string | undefined, mine: string | undefined, State | undefined]>([
  ['a', 'a', 'a', undefined], ['a', 'a', 'mine', undefined], ['a', 'a', undefined, undefined], ['a', 'b', 'b', undefined], ['a', undefined, undefined, undefined],
  [undefined, 'b', undefined, 'new'], [undefined, 'b', 'mine', 'both'], ['a', 'b', 'a', 'changed'], ['a', 'b', 'mine', 'both'], ['a', 'b', undefined, 'removed'],
  ['a', undefined, 'a', 'gone'], ['a', undefined, 'mine', 'gone-edited']
])('shipped %o, then %o, and the city has %o: %o', (before, now, mine, state) => {
  expect(changesBetween(file(before), file(now), file(mine))).toEqual(state === undefined ? [] : [{ path: one, state }])
})

/** The city took these over; then they are shipped otherwise. The verb asks the project's own files, so the base is what differs. */
let place: Folder
let city: string
let said: string
beforeEach(async () => {
  place = await folder({})
  city = join(place.path, 'city')
  await makeCity(project, city)
  vi.stubEnv('SATUNOMOR_CITY', city)
  vi.stubEnv('SATUNOMOR_STATE', join(place.path, 'state'))
  said = ''
  vi.spyOn(process.stdout, 'write').mockImplementation(text => { said += text; return true })
})
afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await place[Symbol.asyncDispose]()
})

const inCity = (path: string) => readFile(join(city, path), 'utf8')
const [plain, edited, clash] = ['prompts/id/sibuk-coba-lain.txt', 'templates/pjsip.conf.liquid', 'asterisk-config/rtp.conf']

/** What was shipped before was otherwise: in three files, of which the city has edited two. */
async function upgraded() {
  const now = await shipped(project)
  const was = new Map([[plain, 'Was.\n'], [edited, `; an old first line\n${now.get(edited)}`], [clash, now.get(clash)!.toString().replace('strictrtp = yes', 'strictrtp = no')]])
  for (const [path, text] of was) for (const at of [path, join('.base', path)]) await writeFile(join(city, at), text)
  await writeFile(join(city, edited), `${was.get(edited)}; the city's last line\n`)
  await writeFile(join(city, clash), was.get(clash)!.replace('strictrtp = no', 'strictrtp = seqno'))
  return now
}

test('where nothing has changed, nothing is said', async () => {
  expect(await upgradeInALine(project, city)).toBeUndefined()
  expect(await upgradeInALine(project, undefined)).toBeUndefined()
  expect(await upgrade([])).toBe(0)
  await rm(join(city, '.base'), { recursive: true })
  expect(await upgradeInALine(project, city)).toContain('has no .base')
  await expect(upgrade([])).rejects.toThrow('has no .base')
})

test('each changed file is listed, and nothing of the city\'s is touched; merges stand beside what it has edited', async () => {
  await upgraded()
  const before = [await inCity(plain), await inCity(edited), await inCity(clash)]
  expect(await upgradeInALine(project, city)).toMatch(/^3 shipped files have changed since .*: npx satunomor upgrade$/)
  expect(await upgrade([])).toBe(1)
  expect([await inCity(plain), await inCity(edited), await inCity(clash)]).toEqual(before)
  expect(said).toContain(`  ${plain}\n    you have not edited it\n`)
  expect(said).toContain(`${edited}.merged: no place in it to decide`)
  expect(said).toContain(`${clash}.merged: 1 place between <<<<<<< and >>>>>>> to decide in it`)
  expect(hasMarks(await inCity(`${edited}.merged`))).toBe(false)
  expect(await inCity(`${clash}.merged`)).toContain('<<<<<<< yours\nstrictrtp = seqno\n||||||| shipped before\nstrictrtp = no\n=======\nstrictrtp = yes\n>>>>>>> shipped now\n')
})

test('what is taken over is what is shipped, or the merge once it is decided; then the city has what is shipped', async () => {
  const now = await upgraded()
  await upgrade([])
  expect(await upgrade(['--take-all'])).toBe(1)
  expect(await inCity(plain)).toBe(now.get(plain)!.toString())
  await expect(upgrade(['--take', clash])).rejects.toThrow('still has places between <<<<<<< and >>>>>>>')
  const decided = (await inCity(`${clash}.merged`)).replace(/<{7}[^]*>{7} shipped now\n/, 'strictrtp = seqno\n')
  await writeFile(join(city, `${clash}.merged`), decided)
  expect(await upgrade([])).toBe(1)
  expect(await inCity(`${clash}.merged`)).toBe(decided)          // what somebody has decided is not written over
  expect(await upgrade(['--take', clash])).toBe(1)
  expect(await upgrade(['--take', edited])).toBe(0)
  expect(await inCity(clash)).toBe(decided)
  expect(await inCity(edited)).toBe(`${now.get(edited)}; the city's last line\n`)
  expect(said).toContain('Make it live: npx satunomor diff, npx satunomor apply')
  expect(await upgradeInALine(project, city)).toBeUndefined()
})

test('what the city keeps is not listed again; a path that has not changed is refused', async () => {
  await upgraded()
  await upgrade(['--keep', clash])
  expect(await inCity(clash)).toContain('strictrtp = seqno')
  expect(await upgradeInALine(project, city)).toMatch(/^2 shipped files/)
  await expect(upgrade(['--take', 'templates/pjsip.conf'])).rejects.toThrow('is none of the files that have changed; did you mean')
  await expect(upgrade(['--take-all', '--keep', plain])).rejects.toThrow('say one of')
})

test('without a city\'s folder Git does it', async () => {
  vi.stubEnv('SATUNOMOR_CITY', '')
  expect(await upgrade([])).toBe(0)
  expect(said).toContain('git pull changes them')
})
