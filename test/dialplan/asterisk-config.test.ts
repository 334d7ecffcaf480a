/** asterisk-config/ is a part of each version: checked, compared, applied, rolled back and kept like the plan. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Exchange } from '../../src/dialplan/changes.ts'
import { damaged } from '../../src/dialplan/versions.ts'
import { town, townPrompts, townWith } from '../plan/town.ts'
import { changesIn } from './desk.ts'
import { folder } from './folder.ts'

const template = '[globals]\nSN_PLAN={{ version }}\n[a]\nexten => s,1,NoOp({{ numbers.size }})\n same => n,Hangup()\n'
const texts = Object.fromEntries([...townPrompts].flatMap(([language, names]) => [...names.keys()].map(name => [`prompts/${language}/${name}.txt`, 'Halo.'])))
const static1 = {
  'asterisk-config/extensions.conf': '[general]\nstatic = yes\n', 'asterisk-config/last-resort.conf': '[last-resort]\nexten => s,1,Answer()\n same => n,Hangup()\n',
  'asterisk-config/modules.conf': '[modules]\nautoload = no\n', 'asterisk-config/pjsip.conf': '[system]\ntimer_t1 = 100\n\n[x]\ncontact = sip:127.0.0.3\n',
  'asterisk-config/lint-allow.yaml': 'applications: []\nfunctions: []\n', 'asterisk-config/notes.txt': 'no part of it'
}
const ani = { who: 'Ani', why: 'another last resort' }

/** A folder with Asterisk's settings, whose admin hears warnings, and an Asterisk that says what it was told to reload. */
async function admin() {
  const desk = await folder({ 'plan.yaml': town, 'templates/extensions.conf.liquid': template, ...texts, ...static1 })
  const etc = join(desk.path, 'etc')
  await mkdir(etc)
  const folders = { plan: `${desk.path}/plan.yaml`, templates: `${desk.path}/templates`, prompts: `${desk.path}/prompts` }
  const warnings: string[] = []
  const reloads: string[][] = []
  const exchange: Exchange = { reload: async files => void reloads.push([...files].sort()), differs: async () => undefined }
  const with_ = ({ old = false, config = etc } = {}) => changesIn(desk.path, { desk: { ...folders, ...old ? {} : { config: `${desk.path}/asterisk-config` } }, live: { etc: `${etc}/plan`, config, sounds: `${desk.path}/sounds` }, exchange })
  const warn = (sentence: string) => void warnings.push(sentence)
  return {
    path: desk.path, warnings, reloads, warn, with_, changes: with_(), write: desk.write,
    laid: (name: string) => readFile(join(etc, name), 'utf8'),
    start: (changes = with_()) => changes.start({ who: 'the set-up', warn }),
    [Symbol.asyncDispose]: () => desk[Symbol.asyncDispose]()
  }
}

test('a version has it, an edit of it is an edit, and a start makes none of it live', async () => {
  await using desk = await admin()
  const first = await desk.start()
  expect(Object.keys(first.files).filter(path => path.startsWith('asterisk-config/'))).toEqual(
    ['asterisk-config/extensions.conf', 'asterisk-config/last-resort.conf', 'asterisk-config/lint-allow.yaml', 'asterisk-config/modules.conf', 'asterisk-config/pjsip.conf'])
  await desk.write({ 'asterisk-config/modules.conf': '[modules]\nautoload = yes\n' })
  expect((await desk.start()).version).toBe(1)
  expect(desk.warnings).toEqual([expect.stringContaining('has edits that are not live: npx satunomor diff')])
  expect(await desk.changes.diff()).toContain('+++ edited/asterisk-config/modules.conf\n@@ -1,2 +1,2 @@\n [modules]\n-autoload = no\n+autoload = yes\n')
  await writeFile(join(first.folder, 'asterisk-config/extra.conf'), '')
  expect(await damaged(first)).toEqual(['asterisk-config/extra.conf'])
})

test('apply makes it live; what a reload does not read is said in one sentence; a rollback puts it back', async () => {
  await using desk = await admin()
  await desk.start()
  await desk.write({ 'asterisk-config/last-resort.conf': '[last-resort]\nexten => s,1,Hangup()\n', 'asterisk-config/modules.conf': '[modules]\nautoload = yes\n' })
  await desk.changes.apply({ ...ani, warn: desk.warn })
  expect(await desk.laid('last-resort.conf')).toBe('[last-resort]\nexten => s,1,Hangup()\n')
  expect(await desk.laid('modules.conf')).toBe('[modules]\nautoload = yes\n')
  expect(desk.warnings.splice(0)).toEqual([expect.stringMatching(/^asterisk-config\/modules\.conf takes effect at the next restart of Asterisk/)])
  await desk.write({ 'asterisk-config/pjsip.conf': static1['asterisk-config/pjsip.conf'].replace('127.0.0.3', '127.0.0.9') })
  await desk.changes.apply({ ...ani, warn: desk.warn })
  expect(desk.reloads.at(-1)).toContain('extensions.conf')
  expect(desk.warnings.splice(0)).toEqual([])
  await desk.write({ 'asterisk-config/pjsip.conf': static1['asterisk-config/pjsip.conf'].replace('100', '200') })
  await desk.changes.apply({ ...ani, warn: desk.warn })
  expect(desk.warnings.splice(0)).toEqual([expect.stringMatching(/^asterisk-config\/pjsip\.conf takes effect at the next restart/)])
  await desk.changes.rollBack({ ...ani, to: 1, warn: desk.warn })
  for (const name of ['last-resort.conf', 'modules.conf', 'pjsip.conf'] as const) expect(await desk.laid(name)).toBe(static1[`asterisk-config/${name}`])
})

test('a wrong edit of it refuses the apply, with file and line, and nothing changes', async () => {
  await using desk = await admin()
  const first = await desk.start()
  await desk.write({ 'asterisk-config/last-resort.conf': '[broken\nexten => s,1,Answer()\n' })
  await expect(desk.changes.apply(ani)).rejects.toThrow(`${desk.path}/asterisk-config/last-resort.conf:1:1 has a section that is not closed`)
  expect((await desk.changes.versions.current())?.version).toBe(first.version)
})

test('a version of before has none: a start gives it what lay there, a rollback to it keeps what is live', async () => {
  await using desk = await admin()
  const old = desk.with_({ old: true })
  expect(Object.keys((await desk.start(old)).files).some(path => path.startsWith('asterisk-config/'))).toBe(false)
  expect(await desk.changes.diff()).toBe('version 1 is from before versions had asterisk-config/\n')
  const adopted = await desk.start()
  expect(adopted).toMatchObject({ version: 2, base: 1, why: 'asterisk-config/ belongs to the version from now on' })
  expect(desk.warnings).toEqual([])
  expect((await desk.start()).version).toBe(2)
  await desk.write({ 'plan.yaml': townWith(['tries: 3', 'tries: 4']) })
  expect((await desk.changes.apply(ani)).version).toBe(3)
  const back = await desk.changes.rollBack({ ...ani, to: 1 })
  expect(back.files).toMatchObject({ 'asterisk-config/modules.conf': adopted.files['asterisk-config/modules.conf'] })
})
