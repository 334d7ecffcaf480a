/** Where the packages of our root come from: where the machine's own Debian does, or from whom the operator names. */
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { mirror } from '../../setup/root.mjs'
import { folder } from '../dialplan/folder.ts'

/** An apt-get whose sources are these, and that knows no more after an update. */
async function apt(...sources: string[]) {
  const bin = await folder({ 'apt-get': `#!/bin/sh\n[ "$1" != indextargets ] || printf '%s\\n' ${sources.map(source => `'${source}'`).join(' ')}\n` })
  await chmod(join(bin.path, 'apt-get'), 0o755)
  vi.stubEnv('PATH', `${bin.path}:${process.env['PATH']}`)
  vi.stubEnv('SATUNOMOR_MIRROR', undefined)
  return bin
}
afterEach(() => { vi.unstubAllEnvs() })

test('on Debian it is the machine\'s own', async () => {
  await using _ = await apt('Debian-Security|main|http://security.example/debian-security/', 'Debian|contrib|http://other.example/debian/', 'Debian|main|http://mirror.example/debian/')
  expect(await mirror()).toBe('http://mirror.example/debian/')
})

test('on Ubuntu there is none: it is said what to name, and what is named is taken', async () => {
  await using _ = await apt('Ubuntu|main|http://mirror.example/ubuntu/')
  await expect(mirror()).rejects.toMatchObject({ message: 'no Debian mirror is among this machine\'s apt sources', advice: expect.stringMatching(/Ubuntu's are others\. .*SATUNOMOR_MIRROR=http:\/\/…\/debian npm start/) })
  vi.stubEnv('SATUNOMOR_MIRROR', 'http://named.example/debian')
  expect(await mirror()).toBe('http://named.example/debian')
})
