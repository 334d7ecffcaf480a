/** Who changes what is live does it alone. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lock, Locked } from '../../src/dialplan/lock.ts'

test('whoever finds it taken is told by whom; nobody is named while that is just being written', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-lock-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await using _ = await lock(folder, { who: 'Budi', does: 'applies' })
  const refused = () => lock(folder, { who: 'Ani', does: 'applies' }).catch((error: unknown) => error as Locked)
  expect(await refused()).toMatchObject({ name: 'Locked', holder: { who: 'Budi', does: 'applies' } })
  for (const written of ['', '{"who":"Bu']) {
    await writeFile(join(folder, 'lock.json'), written)
    expect(await refused()).toMatchObject({ name: 'Locked', holder: undefined, message: expect.stringMatching(/^somebody else is at it/) })
  }
})
