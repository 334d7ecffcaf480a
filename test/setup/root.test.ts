/** The root: which one counts, what is said of it, and that no unsigned package gets into it. */
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { holesOf } from '../../setup/advisories.mjs'
import { keyring, root, rootsIn, warningsOf } from '../../setup/root.mjs'
import { versionFault } from '../../src/asterisk/health.ts'
import { folder } from '../dialplan/folder.ts'

afterEach(() => { vi.unstubAllEnvs() })
const name = root.split('/').at(-1)!.replace(/\+\d+$/, '')

test('the newest whole root counts; one that is half made, or of another suite, does not', async () => {
  await using disk = await folder({
    [`${name}/.complete`]: '22.10.1', [`${name}+20261130090000/.complete`]: '22.11.0', [`${name}+20261201090000/etc/passwd`]: '', [`${name}.partial-12/.complete`]: '',
    [`${name}+20261202090000.partial-12/.complete`]: '', 'root-forky-000000000000/.complete': '22.9.0'
  })
  expect(rootsIn(disk.path)).toEqual([join(disk.path, name), join(disk.path, `${name}+20261130090000`)])
  expect(rootsIn(join(disk.path, 'not-there'))).toEqual([])
})

test('without Debian\'s keys nothing is fetched; the error says how to get them', async () => {
  vi.stubEnv('SATUNOMOR_KEYRING', undefined)
  await using empty = await folder()
  expect(() => keyring(empty.path)).toThrow(/Debian's keys are not on this machine/)
  await using disk = await folder({ 'debian-archive-keyring.pgp': '' })
  expect(keyring(disk.path)).toBe(join(disk.path, 'debian-archive-keyring.pgp'))
  vi.stubEnv('SATUNOMOR_KEYRING', join(disk.path, 'own.gpg'))
  expect(() => keyring(disk.path)).toThrow(/own\.gpg \(SATUNOMOR_KEYRING\)/)
})

test.each([
  ['22.10.1', []], ['22.10.1+dfsg+~cs6.17', []], ['22.11.0', []], ['23.2.2', []], ['23.2.1', ['CVE-2026-23738']], ['22.8.2', ['CVE-2026-57191']],
  ['22.8.1', ['CVE-2026-57191', 'CVE-2026-23738']], ['22.4.0', ['CVE-2026-57191', 'CVE-2026-23738', 'CVE-2025-47779']], ['certified-22.8-cert1', ['CVE-2026-57191', 'CVE-2026-23738']]
])('the holes of Asterisk %s that are known', (version, ids) => {
  expect(holesOf(version).map(({ id }) => id)).toEqual(ids)
})

test('a root that is bad is named at the start, with the advisory; one that is old, too', () => {
  expect(warningsOf({ version: '22.10.1', days: 90 })).toEqual([])
  expect(warningsOf({ version: '22.8.2', days: 3 })).toEqual([expect.stringContaining('CVE-2026-57191')])
  expect(warningsOf({ version: '22.11.0', days: 91 })).toEqual([expect.stringMatching(/91 days ago.*npx satunomor root renew/)])
})

test('a service on an Asterisk with known holes is not ready, and says which', () => {
  for (const version of ['22.10.1', '22.10.1+dfsg', '22.11.0', '23.2.2']) expect(versionFault(version)).toEqual([])
  expect(versionFault('22.8.2')).toEqual([expect.stringMatching(/22\.10\.1 or later.*22\.8\.2 \(CVE-2026-57191: .*root renew/)])
  expect(versionFault('23.1.0')).toEqual([expect.stringContaining('CVE-2026-23738')])
  for (const version of ['unknown', '21.9.9', '22.9.9']) expect(versionFault(version)).toHaveLength(1)
})
