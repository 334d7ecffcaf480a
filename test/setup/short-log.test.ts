/** A log that strangers make grow does not fill the disk, and its writer notices nothing. */
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { keepShort } from '../../setup/short-log.mjs'
import { folder } from '../dialplan/folder.ts'

test('a log that is too long is emptied under its writer; what was in it stays beside it', async () => {
  await using disk = await folder()
  const file = join(disk.path, 'messages.log')
  await using log = await open(file, 'a')
  await log.write('x'.repeat(100))
  expect(await keepShort(file, 100)).toBe(false)
  await log.write('y')
  expect(await keepShort(file, 100)).toBe(true)
  await log.write('z')
  expect(await readFile(file, 'utf8')).toBe('z')
  expect(await readFile(`${file}.before`, 'utf8')).toBe(`${'x'.repeat(100)}y`)
})

test('where there is no log, nothing happens', async () => {
  await using disk = await folder()
  expect(await keepShort(join(disk.path, 'messages.log'))).toBe(false)
})
