/** Names that the plan may not give, as the files that Asterisk loads have them. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { layOut } from '../../src/dialplan/lay-out.ts'
import { sectionsOfPjsip } from '../../src/plan/check-names.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { folder } from '../dialplan/folder.ts'
import { townWith } from './town.ts'

const sectionsOf = (text: string) => [...text.matchAll(/^\[([^\]{]+)\]/gm)].map(([, name]) => name!)

test('no trunk has the name of a section that pjsip.conf has without the plan: all of them are known', async () => {
  await using etc = await folder()
  await layOut({ config: 'asterisk-config', site: { address: '127.0.0.1', port: 5060, control: '127.0.0.1', ariPort: 8088, amiPort: 5038, rtp: [10_000, 10_100], sounds: '/sounds' }, secrets: { ari: 'x', ami: 'x', watchdog: 'x', redis: 'x' }, to: etc.path })
  const texts = [await readFile(join(etc.path, 'pjsip.conf'), 'utf8'), await readFile(join(etc.path, 'satunomor/transport.conf'), 'utf8'), await readFile('dialplan/templates/pjsip.conf.liquid', 'utf8')]
  expect([...new Set(texts.flatMap(sectionsOf))].sort()).toEqual([...sectionsOfPjsip].sort())
})

test('no node, line or mailbox can have the name of a context that is there without the plan: each has a word before it, by which none begins', async () => {
  const texts = [await readFile('dialplan/templates/extensions.conf.liquid', 'utf8')]
  for (const name of await readdir('asterisk-config')) if (/^(extensions|last-resort|messages)\.conf$/.test(name)) texts.push(await readFile(join('asterisk-config', name), 'utf8'))
  const named = [...new Set(texts.flatMap(text => [...text.matchAll(/^\[([^\]]+)\{\{/gm)].map(([, word]) => word!)))]
  expect(named.sort()).toEqual(['agency-', 'hours-', 'line-', 'mailbox-', 'menu-', 'one-of-'])
  const fixed = texts.flatMap(sectionsOf)
  expect(fixed).toContain('callback-agency')
  expect(fixed.filter(name => named.some(word => name.startsWith(word)))).toEqual([])
})

test('a plan that was live before such names were refused is walked on: it is told of, and the next edit must mend it', () => {
  const text = townWith(['  posko:\n', '  b-pbd:\n'], ['silence: posko', 'silence: b-pbd'])
  expect(() => readPlan(text, { file: 'plan.yaml' })).toThrow('differs from "bpbd" in hyphens alone')
  const { plan, faults } = readPlan(text, { file: 'plan.yaml', kept: true })
  expect(plan.nodes.has('b-pbd')).toBe(true)
  expect(faults.map(formatFault)).toEqual([expect.stringMatching(/^plan\.yaml:32:3 agencies\.b-pbd: \(warning\) differs from "bpbd"/)])
  expect(() => readPlan(text.replace('silence: b-pbd', 'silence: posko'), { file: 'plan.yaml', kept: true })).toThrow('leads to "posko"')
})
