/** What the lint allows in a template, Asterisk has: a call that comes to an application that is not loaded is hung up. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { inRoot } from '../../setup/root.mjs'
import { applications, functions } from '../../src/dialplan/lint.ts'
import { openCity } from '../parts/city.ts'
import { withContainers } from '../parts/launch.ts'

test.skipIf(withContainers)('every application and function on the allow-list is loaded (asked by Asterisk\'s CLI, beside it in our root)', async () => {
  await using city = await openCity({ number: 91, withService: false })
  const ask = async (command: string) => {
    const [program, args] = inRoot({
      command: ['asterisk', '-C', '/etc/asterisk/asterisk.conf', '-rx', command], user: 'asterisk',
      binds: [
        { from: join(city.state, 'asterisk', 'etc'), to: '/etc/asterisk', readOnly: true },
        { from: join(city.state, 'asterisk', 'run'), to: '/run/asterisk' }
      ]
    })
    const { stdout } = await promisify(execFile)(program, args)
    return new Set(stdout.split('\n').map(line => /^\s*(\w+)(:|\s)/.exec(line)?.[1]?.toLowerCase()))
  }
  await ask('core waitfullybooted')
  const [apps, funcs] = [await ask('core show applications'), await ask('core show functions')]
  expect([...applications].filter(name => !apps.has(name.toLowerCase()))).toEqual([])
  expect([...functions].filter(name => !funcs.has(name.toLowerCase()))).toEqual([])
})
