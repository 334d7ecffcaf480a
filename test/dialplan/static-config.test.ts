/** asterisk-config/ is looked at as it is written. */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import { staticFaults } from '../../src/dialplan/static-config.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { folder } from './folder.ts'

/** What is found where text is added to a file of our own. */
async function found(name = '', added = ''): Promise<string[]> {
  await using place = await folder({})
  await cp(join(project, 'asterisk-config'), place.path, { recursive: true })
  if (name) await writeFile(join(place.path, name), `${await readFile(join(place.path, name), 'utf8')}${added}`)
  return (await staticFaults(place.path)).map(fault => formatFault(fault).replace(`${place.path}/`, '').replace(/:\d+:1 /, ': '))
}

test('our own is without fault', async () => {
  expect(await found()).toEqual([])
})

test.each([
  ['last-resort.conf', '[broken\n', ['last-resort.conf: has a section that is not closed: "[broken" — write [name]; Asterisk would refuse the whole file']],
  ['last-resort.conf', '[a]\nexten => s,1,Nonsense()\n same => n,Hangup()\n', ['last-resort.conf: [a]: (warning) runs Nonsense, which Satunomor does not use: without its module Asterisk ends the call there — load its module in asterisk-config/modules.conf, and name it in asterisk-config/lint-allow.yaml']],
  ['extensions.conf', '[a]\nexten => s,1,Goto(nowhere,s,1)\n', ['extensions.conf: [a]: (warning) leads to "nowhere", which no file here has — if the plan renders it, it is gone when the plan no longer does: lead to a context of these files']],
  ['pjsip.conf', 'foo\n', ['pjsip.conf: has a line that sets nothing: "foo" — write "name = value", or begin a comment with ";"']],
  ['pjsip.conf', '# a remark\n', ['pjsip.conf: has "# a remark" — a comment begins with ";"']],
  ['new.conf', 'a = b\n', ['new.conf: sets something before the first section — begin with a section, as in [general]']]
])('%s with %j', async (name, added, expected) => {
  expect(await (name === 'new.conf' ? foundIn(name, added) : found(name, added))).toEqual(expected)
})

async function foundIn(name: string, text: string): Promise<string[]> {
  await using place = await folder({ [name]: text })
  return (await staticFaults(place.path)).map(fault => formatFault(fault).replace(`${place.path}/`, '').replace(/:\d+:1 /, ': '))
}
