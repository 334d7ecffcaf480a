/** Nobody passes for somebody else by letters that look alike. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { looksLike, nameFault, whoFault } from '../../src/http/names.ts'
import { addPerson, readPeople } from '../../src/http/people-file.ts'
import { tempFolder } from '../records/stories.ts'

test.each([
  ['a Cyrillic letter', 'Аni', 'mixes letters of Cyrillic and Latin'], ['a joiner between letters', 'An\u034fi', 'nobody sees'], ['a variation selector', 'policy\ufe0f', 'nobody sees'],
  ['a filler before it', '\u3164Ani', 'nobody sees'], ['a direction mark', '\u202eAni', 'nobody sees'], ['full-width letters', 'Ａｎｉ', 'another form'], ['a Greek letter', 'Anι', 'Latin and Greek']
])('a name with %s is refused, for a token and as who does it', (_, name, why) => {
  expect(nameFault(name)).toContain(why)
  expect(whoFault(name)).toContain(why)
})

test.each(['Ani', 'I Made Putra', 'Siti Nur\'aini', 'José', 'Ань', 'محمد', '王 小明', 'ꦱꦶꦠꦶ', 'O’Brien-2'])('%s is a name', name => {
  expect(nameFault(name)).toBeUndefined()
})

test('a program, or somebody at a machine, says who it is', () => {
  for (const who of ['root@posko-1', 'program of ambulans', 'the set-up (nightly)']) expect(whoFault(who)).toBeUndefined()
  expect(nameFault('root@posko-1')).toContain('is no name')
})

test.each(['An1', 'anl', 'AnI', 'Anì', 'A n i', 'Ani.', 'Ani🙂', 'Anı'])('%s looks like Ani', name => expect(looksLike('Ani', name)).toBe(true))
test.each(['Anis', 'Ana', 'Andi', 'Budi'])('%s does not', name => expect(looksLike('Ani', name)).toBe(false))
test('a name all in Cyrillic may look like a Latin one', () => expect(looksLike('Copa', 'Сора')).toBe(true))

test('nobody gets a token by a name that looks like another one\'s', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'people.json')
  await addPerson(file, { name: 'Ani', role: 'desk' }, 'test')
  await expect(addPerson(file, { name: 'An1', role: 'desk' }, 'test')).rejects.toThrow('"An1" looks like Ani, who has a token: choose a name that nobody takes for theirs')
  await expect(addPerson(file, { name: 'Аni', role: 'desk' }, 'test')).rejects.toThrow('mixes letters of Cyrillic and Latin')
  expect((await readPeople(file)).map(({ name }) => name)).toEqual(['Ani'])
})
