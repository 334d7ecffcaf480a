/** What docker-compose's `setup` finds in the volumes, it hands over to whose it is: here with the container's users, and without its preparations. */
import { execFile } from 'node:child_process'
import { chown, readdir, readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import { folder } from '../dialplan/folder.ts'

const run = promisify(execFile)
const ids = { root: [0, 0], asterisk: [4701, 4701], satunomor: [4702, 4702], redis: [4703, 4703] }

/** Needs root, and the right to mount. */
const may = process.getuid?.() === 0 && await run('unshare', ['--mount', 'true']).then(() => true, () => false)

/** As the container sees it: its own users, and a `node` that prepares what matters here. */
async function prepare(place: string, state: string) {
  const script = 'mount --bind "$0/passwd" /etc/passwd; mount --bind "$0/group" /etc/group; PATH="$0/bin:$PATH" exec sh "$1"'
  await run('unshare', ['--mount', '--propagation', 'private', 'sh', '-ec', script, place, join(project, 'setup', 'docker-prepare.sh')], { env: { ...process.env, SATUNOMOR_STATE: state } })
}

test.skipIf(!may)('a restore before the first `up`, as root: the service opens its store and all else that is its own, and Asterisk its ledger', async () => {
  const restored = {
    service: ['records.sqlite', 'records.sqlite-wal', 'records.sqlite.before-1', 'token', 'people.json', 'switches.json', 'secrets.json', 'webhooks/bpbd.json', 'versions/2-6c3dfb93a378/meta.json', 'versions/lock'],
    asterisk: ['asterisk/log/cel-custom/calls.csv.2026-01', 'asterisk/spool/mailbox/satunomor-1.1.alaw']
  }
  await using disk = await folder({
    passwd: 'root:x:0:0::/:/bin/sh\nasterisk:x:4701:4701::/:/bin/sh\nsatunomor:x:4702:4702::/:/bin/sh\n', group: 'root:x:0:\nasterisk:x:4701:satunomor\nsatunomor:x:4702:\nredis:x:4703:\n',
    'bin/node': '', 'not-ours': '', ...Object.fromEntries([...restored.service, ...restored.asterisk].map(name => [`state/${name}`, '']))
  })
  const state = join(disk.path, 'state')
  await run('chmod', ['755', join(disk.path, 'bin', 'node')])
  for (const name of await readdir(state, { recursive: true })) await chown(join(state, name), 0, 0)
  await symlink(join(disk.path, 'not-ours'), join(state, 'a-link'))
  await prepare(disk.path, state)

  const owner = async (name: string) => { const { uid } = await stat(join(state, name)); return [name, Object.entries(ids).find(([, [id]]) => id === uid)?.[0]] }
  for (const name of [...restored.service, 'webhooks', 'versions']) expect(await owner(name)).toEqual([name, 'satunomor'])
  for (const name of restored.asterisk) expect(await owner(name)).toEqual([name, 'asterisk'])
  for (const name of ['a-link', 'asterisk/etc']) expect(await owner(name)).toEqual([name, 'root'])
})

test.skipIf(!may)('an empty volume: nothing is missed that a first start has not', async () => {
  await using disk = await folder({
    passwd: 'root:x:0:0::/:/bin/sh\nasterisk:x:4701:4701::/:/bin/sh\nsatunomor:x:4702:4702::/:/bin/sh\n', group: 'root:x:0:\nasterisk:x:4701:satunomor\nsatunomor:x:4702:\nredis:x:4703:\n',
    'bin/node': 'mkdir "$SATUNOMOR_STATE/versions"; echo \'{"ari":"a","redis":"p-_9"}\' >"$SATUNOMOR_STATE/secrets.json"\n', 'state/.keep': ''
  })
  await run('chmod', ['755', join(disk.path, 'bin', 'node')])
  await prepare(disk.path, join(disk.path, 'state'))
  expect((await stat(join(disk.path, 'state', 'secrets.json'))).uid).toBe(ids.satunomor[0])
  const settings = join(disk.path, 'state', 'redis-etc', 'redis.conf')
  expect(await readFile(settings, 'utf8')).toBe('requirepass p-_9\n')
  expect(await stat(settings)).toMatchObject({ uid: 0, gid: ids.redis[1], mode: 0o100640 })
})
