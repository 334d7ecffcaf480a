/** The last resort that the plan gives: whom it rings, in which order, and that it stands alone. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import { parseDialplan } from '../../src/dialplan/dialplan.ts'
import { lastLines, lastResort } from '../../src/dialplan/last-resort.ts'
import { placeLastResort } from '../../src/dialplan/place.ts'
import { wrongWays } from '../../src/dialplan/ways.ts'
import { loadPlan } from '../../src/plan/load.ts'
import { folder } from './folder.ts'

const file = join(project, 'dialplan', 'plan.yaml')
const { plan } = await loadPlan(file)
const text = await readFile(file, 'utf8')

test('it rings first lines before second ones, the desk before all, and mobiles that want a key last', () => {
  expect(lastLines(plan).map(({ id }) => id)).toEqual(['posko-1', 'ambulans-1', 'bpbd-1', 'hallo-1', 'ambulans-2', 'bpbd-2'])
})

test('an office with hours is not in it', async () => {
  const edited = text.replace('    connecting: sambung-wali-kota\n', '    connecting: sambung-wali-kota\n    hours: kantor\n    closed: posko\n')
    .replace('prompts:\n', 'hours:\n  kantor: [{ days: [mon], from: 07:30, to: 16:00 }]\n\nprompts:\n')
  expect(edited).toContain('kantor')
  await using desk = await folder({ 'plan.yaml': edited, 'directory/bandar-lampung-wilayah.csv': await readFile(join(project, 'dialplan/directory/bandar-lampung-wilayah.csv'), 'utf8') })
  const { plan } = await loadPlan(join(desk.path, 'plan.yaml'))
  expect(lastLines(plan).map(({ id }) => id)).not.toContain('hallo-1')
})

test('its dialplan leads nowhere but to itself and to the static files, and each line has the next trunk', async () => {
  const files = lastResort(plan)
  const dialplan = parseDialplan(files.get('last-resort.conf')!)
  expect(wrongWays(dialplan, new Set(['last-resort']))).toEqual([])
  expect(files.get('last-resort.conf')).toContain('exten => 112,1,Goto(last-resort,s,1)\n')
  expect(files.get('last-resort.conf')).toContain(' same => n,Gosub(last-resort-plan-line,s,1(posko-1,posko-1,gateway,')
  expect(files.get('last-resort.conf')).toContain('"CONGESTION"]?last-resort-plan-line,s,1(posko-1,posko-1,gateway-2,')
  expect(files.get('last-resort-pjsip.conf')).toContain('[last-resort.gateway-2]\ntype = aor\ncontact = sip:127.0.0.4:5060\n')
})

test('it is laid out whole, apart from what is rendered; a version without one leaves the one that is there', async () => {
  await using etc = await folder({})
  const files = lastResort(plan)
  await placeLastResort(files, etc.path)
  await placeLastResort(new Map(), etc.path)
  expect((await readdir(join(etc.path, 'last-resort'))).sort()).toEqual(['extensions.conf', 'pjsip.conf'])
  expect(await readFile(join(etc.path, 'last-resort/pjsip.conf'), 'utf8')).toBe(files.get('last-resort-pjsip.conf'))
  await rm(join(etc.path, 'last-resort'), { recursive: true })
})
