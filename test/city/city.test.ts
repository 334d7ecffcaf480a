/** A city's own folder: made of what is shipped, named by SATUNOMOR_CITY, and all of it is read from there. */
import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { project } from '../../setup/project.mjs'
import { baseOf, makeCity, shipped } from '../../src/city/shipped.ts'
import { changesOf } from '../../src/prepare.ts'
import { serviceCard, withFoldersOfService } from '../../src/service-card.ts'
import { editedBy, readSettings } from '../../src/settings.ts'
import { folder } from '../dialplan/folder.ts'

vi.setConfig({ testTimeout: 60_000 })

const log = pino({ level: 'silent' })
const run = promisify(execFile)
/** Stands in for espeak-ng and sox: a second of silence. */
const speaks = async () => Buffer.alloc(8000)
const satunomor = async (env: Record<string, string>, ...args: string[]) =>
  run(process.execPath, ['--disable-warning=ExperimentalWarning', join(project, 'src/satunomor.ts'), ...args], { env: { ...process.env, ...env } })
    .then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }), ({ code, stdout, stderr }) => ({ code: code as number, stdout: stdout as string, stderr: stderr as string }))

/** A clone of the project, of which only what is shipped matters here. */
async function clone() {
  const place = await folder({ 'package.json': '{"version":"1.2.3"}' })
  for (const name of ['dialplan', 'asterisk-config']) await cp(join(project, name), join(place.path, name), { recursive: true })
  return place
}

test.each([
  [{}, { plan: '/p/dialplan/plan.yaml', templates: '/p/dialplan/templates', prompts: '/p/dialplan/prompts', config: '/p/asterisk-config' }],
  [{ SATUNOMOR_CITY: ' ' }, { plan: '/p/dialplan/plan.yaml', config: '/p/asterisk-config' }],
  [{ SATUNOMOR_CITY: '/srv/city' }, { city: '/srv/city', plan: '/srv/city/plan.yaml', templates: '/srv/city/templates', prompts: '/srv/city/prompts', config: '/srv/city/asterisk-config' }],
  [{ SATUNOMOR_CITY: '../city' }, { city: '/city', plan: '/city/plan.yaml' }],
  [{ SATUNOMOR_CITY: '/srv/city', SATUNOMOR_PLAN: '/tmp/other.yaml' }, { plan: '/tmp/other.yaml', templates: '/srv/city/templates' }]
])('%o names what is edited', (env, expected) => {
  expect(readSettings(env as Record<string, string>, '/p')).toMatchObject(expected)
})

test('a city\'s folder is what the clone has, with what is shipped as its base', async () => {
  await using place = await folder({})
  await using from = await clone()
  const city = join(place.path, 'city')
  await makeCity(from.path, city)
  expect((await readdir(city)).sort()).toEqual(['.base', 'asterisk-config', 'calls.yaml', 'directory', 'holidays', 'plan.schema.json', 'plan.yaml', 'prompts', 'templates'])
  const base = await baseOf(city)
  expect(base).toEqual({ files: await shipped(from.path), from: '1.2.3' })
  for (const path of ['templates/pjsip.conf.liquid', 'asterisk-config/modules.conf', 'prompts/id/sambutan.txt', 'holidays/indonesia.yaml']) {
    expect(base!.files.get(path)?.toString()).toBe(await readFile(join(city, path), 'utf8'))
  }
  for (const path of ['plan.yaml', 'calls.yaml', 'directory/bandar-lampung-wilayah.csv']) expect(base!.files.has(path)).toBe(false)
})

test('what the city had edited in the clone comes along, and the base is what was shipped', async () => {
  await using place = await folder({})
  await using from = await clone()
  for (const args of [['init', '-q'], ['add', '.'], ['-c', 'user.name=a', '-c', 'user.email=a@example.org', 'commit', '-qm', 'shipped']]) await run('git', ['-C', from.path, ...args])
  await from.write({ 'dialplan/prompts/id/sambutan.txt': 'Kota lain.\n', 'asterisk-config/ours.conf': '[a]\n' })
  const city = join(place.path, 'city')
  await makeCity(from.path, city)
  expect(await readFile(join(city, 'prompts/id/sambutan.txt'), 'utf8')).toBe('Kota lain.\n')
  const { files } = (await baseOf(city))!
  expect(files.get('prompts/id/sambutan.txt')?.toString()).toBe(await readFile(join(project, 'dialplan/prompts/id/sambutan.txt'), 'utf8'))
  expect(files.has('asterisk-config/ours.conf')).toBe(false)
})

test('plan, templates, prompts and holidays are read from the city\'s folder', async () => {
  await using place = await folder({})
  const city = join(place.path, 'city')
  await makeCity(project, city)
  const template = join(city, 'templates/extensions.conf.liquid')
  await writeFile(template, `; a template of the city's\n${await readFile(template, 'utf8')}`)
  await writeFile(join(city, 'prompts/id/sambutan.txt'), 'Kota lain.\n')
  const plan = join(city, 'plan.yaml')
  await writeFile(plan, (await readFile(plan, 'utf8')).replace(/^city: .*$/m, 'city: Kota Lain'))
  const settings = readSettings({ SATUNOMOR_CITY: city, SATUNOMOR_STATE: join(place.path, 'state') }, project)
  await using draft = await changesOf(settings, log, { run: speaks }).draft()
  const { candidate } = draft
  expect(candidate.plan.city).toBe('Kota Lain')
  expect(candidate.files.get('extensions.conf')).toContain('; a template of the city\'s')
  expect(await readFile(join(candidate.folder, 'dialplan/prompts/id/sambutan.txt'), 'utf8')).toBe('Kota lain.\n')
  expect(await readdir(join(candidate.folder, 'dialplan/holidays'))).toContain('indonesia.yaml')
})

test('npx satunomor init makes the folder and says what comes next; a folder that is not empty is refused', async () => {
  await using place = await folder({})
  const city = join(place.path, 'city')
  const env = { SATUNOMOR_STATE: join(place.path, 'state') }
  await mkdir(join(city, '.git'), { recursive: true })          // a city may keep its folder in Git
  const made = await satunomor(env, 'init', city)
  expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining(`1. Write SATUNOMOR_CITY=${city} into satunomor.env`), stderr: '' })
  expect(await readFile(join(city, 'plan.yaml'), 'utf8')).toBe(await readFile(join(project, 'dialplan/plan.yaml'), 'utf8'))
  expect(await satunomor(env, 'init', city)).toMatchObject({ code: 1, stderr: expect.stringContaining(`${city} is not empty`) })
  expect(await satunomor(env, 'init', join(project, 'dialplan', 'kota'))).toMatchObject({ code: 1, stderr: expect.stringContaining('is in the project\'s folder') })
  expect(await satunomor(env, 'init')).toMatchObject({ code: 2, stderr: expect.stringContaining('say where') })

  const ofCity = { ...env, SATUNOMOR_CITY: city }
  await writeFile(join(city, 'prompts/id/sambutan.txt'), 'Kota lain.\n')
  expect(await satunomor(ofCity, 'simulate', '--press', '2')).toMatchObject({ code: 0, stdout: expect.stringContaining('Kota lain.'), stderr: expect.stringContaining(join(city, 'plan.yaml')) })
  expect(await satunomor(ofCity, 'expect')).toMatchObject({ code: 0, stdout: expect.stringContaining(join(city, 'calls.yaml')) })
  await rm(join(city, 'plan.yaml'))
  for (const verb of ['validate', 'expect']) {
    expect([verb, await satunomor(ofCity, verb)]).toEqual([verb, expect.objectContaining({ code: 1, stderr: expect.stringContaining(`there is no ${join(city, 'plan.yaml')}: SATUNOMOR_CITY names`) })])
  }
})

test('a command whose shell names no folder goes by the running service\'s', async () => {
  await using place = await folder({})
  const ofService = readSettings({ SATUNOMOR_CITY: '/srv/city', SATUNOMOR_STATE: place.path }, project)
  const here = readSettings({ SATUNOMOR_STATE: place.path }, project)
  expect(withFoldersOfService(here, {})).toEqual(here)
  await using _ = await serviceCard(place.path, log, editedBy(ofService))
  await _.show('http://127.77.201.1:8080')
  expect(withFoldersOfService(here, {})).toMatchObject({ city: '/srv/city', plan: '/srv/city/plan.yaml', config: '/srv/city/asterisk-config' })
  expect(withFoldersOfService(here, { SATUNOMOR_CITY: '/srv/other' })).toEqual(here)
})
