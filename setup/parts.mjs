// The parts that the service stands on, as programs with folders: natively they run in our root (`inRoot`), with an
// engine in a container; the folders inside are the same.
import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { userInRoot } from './root.mjs'

/**
 * Makes the folders of an Asterisk instance and gives them to its user.
 * @param {string} folder
 */
export function asteriskFolders(folder) {
  const owner = userInRoot('asterisk')
  for (const name of ['etc', 'etc/plan', 'log', 'log/cel-custom', 'lib', 'spool', 'spool/mailbox', 'run']) {
    const path = join(folder, name)
    mkdirSync(path, { recursive: true })
    chmodSync(path, name === 'spool/mailbox' ? 0o770 : 0o750)                 // the service deletes there what is old
    chownSync(path, name.startsWith('etc') ? 0 : owner.uid, owner.gid)
  }
  return owner
}

/**
 * Asterisk with everything of its own in `folder` (etc, log, lib, spool, run), playing the prompts of `sounds`.
 * @param {{ folder: string, sounds: string }} where @returns {import('./root.mjs').Program}
 */
export const asterisk = ({ folder, sounds }) => ({
  command: ['asterisk', '-f', '-C', '/etc/asterisk/asterisk.conf'],
  user: 'asterisk',
  binds: [
    { from: join(folder, 'etc'), to: '/etc/asterisk', readOnly: true },
    { from: join(folder, 'log'), to: '/var/log/asterisk' },
    { from: join(folder, 'lib'), to: '/var/lib/asterisk' },
    { from: join(folder, 'spool'), to: '/var/spool/asterisk' },
    { from: join(folder, 'run'), to: '/run/asterisk' },
    { from: sounds, to: '/usr/share/asterisk/sounds', readOnly: true }
  ]
})

/** Redis with its data in `folder`. @param {{ folder: string, address: string, port: number }} where @returns {import('./root.mjs').Program} */
export function redis({ folder, address, port }) {
  const owner = userInRoot('redis')
  mkdirSync(folder, { recursive: true })
  chownSync(folder, owner.uid, owner.gid)
  return {
    command: ['redis-server', '--bind', address, '--port', String(port), '--dir', '/var/lib/redis', '--daemonize', 'no',
      '--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--save', '', '--protected-mode', 'yes'],
    user: 'redis',
    binds: [{ from: folder, to: '/var/lib/redis' }]
  }
}

/** PostgreSQL with its data in `folder`: made at the first start, no password asked on this address. @param {{ folder: string, address: string, port: number }} where @returns {import('./root.mjs').Program} */
export function postgres({ folder, address, port }) {
  const owner = userInRoot('postgres')
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o700)
  chownSync(folder, owner.uid, owner.gid)
  const script = [
    'bin=$(ls -d /usr/lib/postgresql/*/bin)', 'data=/var/lib/postgresql/data',
    '[ -f $data/PG_VERSION ] || $bin/initdb -D $data -U satunomor --auth=trust --encoding=UTF8 --locale=C.UTF-8 >/dev/null',
    `$bin/postgres -D $data -h ${address} -p ${port} -k '' -c fsync=off &`,
    'trap "kill -INT $!" TERM',              // SIGTERM alone would wait for every client to go by itself
    'wait $! || wait $!'
  ].join('\n')
  return { command: ['sh', '-uc', script], user: 'postgres', binds: [{ from: folder, to: '/var/lib/postgresql' }] }
}
