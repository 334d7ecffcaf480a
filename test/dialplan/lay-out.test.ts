/** Where Asterisk listens, as the site's address says: its controls are never where SIP faces a network. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import { differing, layOut } from '../../src/dialplan/lay-out.ts'
import { siteOf } from '../../src/prepare.ts'
import { readSettings } from '../../src/settings.ts'
import { folder } from './folder.ts'

const secrets = { ari: 'a', ami: 'b', watchdog: 'c', redis: 'd' }

test.each([
  ['the default', undefined, '127.0.0.1', '127.0.0.1'],
  ['a city of its own on the loopback', '127.77.9.1', '127.77.9.1', '127.77.9.1'],
  ['an address that faces a carrier', '192.0.2.2', '192.0.2.2', '127.0.0.1'],
  ['every interface', '0.0.0.0', '0.0.0.0', '127.0.0.1'],
  ['an address of IPv6', '2001:db8::2', '2001:db8::2', '127.0.0.1']
])('%s: SIP there, ARI and AMI on the loopback', async (_, address, sip, control) => {
  await using desk = await folder({})
  const settings = readSettings({ SATUNOMOR_SIP_ADDRESS: address }, project)
  await layOut({ config: join(project, 'asterisk-config'), site: siteOf(settings), secrets, to: desk.path })
  const local = (name: string) => readFile(join(desk.path, 'satunomor', name), 'utf8')
  expect(await local('transport.conf')).toContain(`\nbind = ${sip}:5060\n`)
  expect(await local('http.conf')).toBe(`bindaddr = ${control}\nbindport = 8088\n`)
  expect(await local('manager.conf')).toContain(`bindaddr = ${control}\nport = 5038\n`)
  expect(settings.asterisk.control).toBe(control)                // where the service and the watchdog ask
})

test('what a restart would leave to Asterisk\'s own is named file by file, and nothing is written', async () => {
  await using desk = await folder({})
  const files = { config: join(project, 'asterisk-config'), secrets, to: desk.path }
  const site = (address: string) => siteOf(readSettings({ SATUNOMOR_SIP_ADDRESS: address }, project))
  await layOut({ ...files, site: site('127.77.9.1') })
  expect(await differing({ ...files, site: site('127.77.9.1') })).toEqual([])
  expect(await differing({ ...files, site: site('127.77.9.2') })).toEqual(['hep', 'http', 'manager', 'transport'].map(name => join('satunomor', `${name}.conf`)))
  await writeFile(join(desk.path, 'gone.conf'), '')
  expect(await differing({ ...files, site: site('127.77.9.1'), modules: ['res_x.so'] })).toEqual(['gone.conf', join('satunomor', 'modules.conf')])
  expect(await readFile(join(desk.path, 'satunomor', 'transport.conf'), 'utf8')).toContain('bind = 127.77.9.1:')
})
