/** The settings file: how it is read, and what a restart takes of it. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import { names, parseSettings } from '../../setup/settings-lines.mjs'

const run = promisify(execFile)
let folder: string
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'satunomor-settings-')) })
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a settings file has comments, quotes and plain values', () => {
  const { values, faults } = parseSettings('# the city\n\nSATUNOMOR_LOG=warn\nexport SATUNOMOR_TOKEN="a b=c"\n; off\nTZ=\'Asia/Jakarta\'\nSATUNOMOR_PLAN=\n', 'file')
  expect(Object.fromEntries(values)).toEqual({ SATUNOMOR_LOG: 'warn', SATUNOMOR_TOKEN: 'a b=c', TZ: 'Asia/Jakarta', SATUNOMOR_PLAN: '' })
  expect(faults).toEqual([])
})

test('each wrong line of a settings file is named, and counts for nothing', () => {
  const { values, faults } = parseSettings('SATUNOMOR_LOG = warn\nSATUNOMOR_PHONE=off\nSATUNOMOR_TOKEN="half\nSATUNOMOR_SHED=off\n', '/etc/satunomor.env')
  expect([...values.keys()]).toEqual(['SATUNOMOR_SHED'])
  expect(faults).toEqual([
    '/etc/satunomor.env:1: is no setting. Write NAME=value, without blanks around "=".',
    '/etc/satunomor.env:2: there is no setting SATUNOMOR_PHONE. README.md has their names.',
    '/etc/satunomor.env:3: SATUNOMOR_TOKEN has a quote that does not end. Write SATUNOMOR_TOKEN="value".'
  ])
})

test('each setting that README.md names may stand in the file', async () => {
  const table = (await readFile(join(project, 'README.md'), 'utf8')).split('\n').filter(line => line.startsWith('| `')).flatMap(line => [...(line.split('|')[1] ?? '').matchAll(/`([A-Z_]+_[A-Z_]+)`/g)].map(([, name]) => name))
  expect(table.length).toBeGreaterThan(20)
  for (const name of table) if (name !== 'SATUNOMOR_SETTINGS') expect(names).toContain(name)
})

/** What a program with this environment has, before and after the file is written anew. */
async function reads(before: string, after: string, environment: NodeJS.ProcessEnv = {}) {
  const file = join(folder, 'settings.env')
  await writeFile(file, before)
  const script = `
    import { writeFileSync } from 'node:fs'
    const { readAgain } = await import(${JSON.stringify(join(project, 'setup', 'settings-file.mjs'))})
    const now = () => Object.fromEntries(['SATUNOMOR_LOG', 'SATUNOMOR_SIP_ADDRESS', 'SATUNOMOR_MESSAGES', 'SATUNOMOR_TOKEN'].map(name => [name, process.env[name]]))
    const first = now()
    writeFileSync(process.env.SATUNOMOR_SETTINGS, process.env.AFTER)
    const { undo, ...did } = readAgain()
    const then = now()
    undo()
    console.log(JSON.stringify({ first, did, then, undone: now() }))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { env: { PATH: process.env['PATH'], SATUNOMOR_SETTINGS: file, AFTER: after, ...environment } })
  return JSON.parse(stdout) as { first: object, did: object, then: object, undone: object }
}

test('a restart takes what changed in the file, and leaves for Asterisk\'s restart what is Asterisk\'s', async () => {
  const { first, did, then, undone } = await reads('SATUNOMOR_LOG=warn\nSATUNOMOR_TOKEN=one-that-goes-away\n', 'SATUNOMOR_LOG=info\nSATUNOMOR_SIP_ADDRESS=127.0.0.9\nSATUNOMOR_MESSAGES=sip\n')
  expect(first).toEqual({ SATUNOMOR_LOG: 'warn', SATUNOMOR_TOKEN: 'one-that-goes-away' })
  expect(did).toEqual({ changed: ['SATUNOMOR_LOG', 'SATUNOMOR_TOKEN'], waiting: ['SATUNOMOR_MESSAGES', 'SATUNOMOR_SIP_ADDRESS'], masked: [] })
  expect(then).toEqual({ SATUNOMOR_LOG: 'info' })
  expect(undone).toEqual(first)
})

test('what the environment sets counts before the file, and is named', async () => {
  const { first, did, then } = await reads('SATUNOMOR_LOG=warn\n', 'SATUNOMOR_LOG=debug\n', { SATUNOMOR_LOG: 'error' })
  expect([first, then]).toEqual([{ SATUNOMOR_LOG: 'error' }, { SATUNOMOR_LOG: 'error' }])
  expect(did).toEqual({ changed: [], waiting: [], masked: ['SATUNOMOR_LOG'] })
})

test('a file with a fault changes nothing at a restart', async () => {
  await expect(reads('SATUNOMOR_LOG=warn\n', 'SATUNOMOR_LOG=info\nnonsense\n')).rejects.toThrow(/settings\.env:2: is no setting/)
})
