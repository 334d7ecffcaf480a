/** What the lint allows in a template, Asterisk has: a call that comes to an application that is not loaded is hung up. And where it listens. */
import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inRoot } from '../../setup/root.mjs'
import { applications, functions } from '../../src/dialplan/lint.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { withContainers } from '../parts/launch.ts'

let city: City
beforeAll(async () => { city = await openCity({ number: 91, withService: false }) })
afterAll(() => city?.[Symbol.asyncDispose]())

/** The addresses and ports at which Asterisk takes datagrams (udp) or connections (tcp), out of the kernel's tables. */
async function listening(kind: 'udp' | 'udp6' | 'tcp' | 'tcp6'): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const ours = await Promise.all(pids.map(async pid => (await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')).includes(`${city.state}/asterisk/etc`) ? pid : undefined))
  const files = await Promise.all(ours.filter(pid => pid !== undefined).map(async pid => {
    const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
    return Promise.all(names.map(name => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
  }))
  const sockets = new Set(files.flat())
  return (await readFile(`/proc/net/${kind}`, 'utf8')).trim().split('\n').slice(1).flatMap(line => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
    if (!sockets.has(`socket:[${inode}]`) || (kind.startsWith('tcp') && state !== '0A')) return []
    const [address, port] = local!.split(':') as [string, string]
    const inWords = address.length === 8 ? address.match(/../g)!.reverse().map(byte => parseInt(byte, 16)).join('.') : address.replace(/^0{32}$/, '::')
    return [inWords === '0.0.0.0' || inWords === '::' ? inWords : `${inWords}:${parseInt(port, 16)}`]
  }).sort()
}

test.skipIf(withContainers)('Asterisk listens at the addresses that it was given; on all addresses are three sockets that docs/operations.md names', async () => {
  await eventually('it has asked the gateway whether it is there, and has copied that', async () => (await listening('udp')).length >= 3)
  expect(await listening('tcp')).toEqual([`${city.address}:5038`, `${city.address}:8088`])
  expect(await listening('tcp6')).toEqual([])
  // Of PJSIP's resolver one for IPv4 and one for IPv6; and the one that sends copies of SIP (HEP), which nobody reads.
  expect(await listening('udp')).toEqual(['0.0.0.0', '0.0.0.0', `${city.address}:5060`])
  expect(await listening('udp6')).toEqual(['::'])
})

test.skipIf(withContainers)('every application and function on the allow-list is loaded (asked by Asterisk\'s CLI, beside it in our root)', async () => {
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
