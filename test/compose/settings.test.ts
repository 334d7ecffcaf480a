/** In containers the settings are those of `npm start`: each one that a program reads is handed to it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { project } from '../../setup/project.mjs'
import { readSettings } from '../../src/settings.ts'

/** What nobody sets from outside of the containers, and why. */
const exceptions = {
  SATUNOMOR_STATE: 'the image says where the volumes are',
  SATUNOMOR_SOUNDS: 'in the state folder, where a volume is',
  SATUNOMOR_CEL: 'in the state folder, where Asterisk\'s volume is',
  SATUNOMOR_MAILBOX: 'in the state folder, where Asterisk\'s volume is',
  SATUNOMOR_TOOLS: 'the image has its tools on its own path',
  SATUNOMOR_WATCHDOG_SOCKET: 'npm start, which asks there whether the watchdog lives, says it itself'
}
/** What only the service has to do with. */
const serviceOnly = ['SATUNOMOR_TOKEN', 'SATUNOMOR_METRICS_TOKEN', 'REDIS_URL', 'SATUNOMOR_REDIS_PORT', 'DATABASE_URL']

/** The names that readSettings asks for. */
function asked(): string[] {
  const names = new Set<string>()
  readSettings(new Proxy({}, { get: (_, name) => { names.add(String(name)) } }), project)
  return [...names]
}

const { services } = parse(await readFile(join(project, 'docker-compose.yml'), 'utf8'), { merge: true }) as { services: Record<string, { environment: Record<string, string> }> }

test.each(['setup', 'watchdog', 'service'])('%s has every setting', part => {
  const wanted = asked().filter(name => !(name in exceptions) && (part === 'service' || !serviceOnly.includes(name)))
  expect(wanted).toContain('SATUNOMOR_MESSAGES')
  const handedOn = Object.entries(services[part]!.environment).filter(([name, value]) => value.startsWith(`\${${name}:-`)).map(([name]) => name)
  expect(wanted.filter(name => !handedOn.includes(name))).toEqual([])
})

test('what is excepted is asked for, and no setting of the compose file is asked for by nobody', () => {
  expect(Object.keys(exceptions).filter(name => !asked().includes(name))).toEqual([])
  expect(Object.keys(services['service']!.environment).filter(name => !asked().includes(name))).toEqual([])
})
