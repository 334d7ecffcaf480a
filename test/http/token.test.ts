import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadToken } from '../../src/http/token.ts'
import { tempFolder } from '../records/stories.ts'

test('a token is made once, for its owner only, and read from then on', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'token')
  const first = await loadToken(file)
  expect(first).toEqual({ token: expect.stringMatching(/^[\w-]{43}$/), made: true })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await loadToken(file)).toEqual({ token: first.token, made: false })
  expect((await readFile(file, 'utf8')).trim()).toBe(first.token)
})

test('ten that start at once agree', async () => {
  await using folder = await tempFolder()
  const got = await Promise.all(Array.from({ length: 10 }, () => loadToken(join(folder.path, 'token'))))
  expect(new Set(got.map(({ token }) => token)).size).toBe(1)
  expect(got.filter(({ made }) => made).length).toBe(1)
})

test('a token that others can read, or that is none, is refused with what to do', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'token')
  await loadToken(file)
  await chmod(file, 0o640)
  await expect(loadToken(file)).rejects.toThrow(/others can read or write it \(mode 640\): chmod 600/)
  await writeFile(file, 'secret')
  await chmod(file, 0o600)
  await expect(loadToken(file)).rejects.toThrow(/does not hold a token/)
  await expect(loadToken(join(folder.path, 'no', 'token'))).rejects.toThrow(/cannot make the API's token .*ENOENT/)
})
