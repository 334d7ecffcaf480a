// The parts that the service stands on, started natively in our root: Asterisk and Redis, each the process that is spawned.
import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { inRoot, userInRoot } from './root.mjs'

/**
 * Makes the folders of an Asterisk instance and gives them to its user.
 * @param {string} folder
 */
export function asteriskFolders(folder) {
  const owner = userInRoot('asterisk')
  for (const name of ['etc', 'log', 'log/cel-custom', 'lib', 'spool', 'run']) {
    const path = join(folder, name)
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o750)
    chownSync(path, name === 'etc' ? 0 : owner.uid, owner.gid)
  }
  return owner
}

/**
 * Asterisk with everything of its own in `folder` (etc, log, lib, spool, run), playing the prompts of `sounds`.
 * @param {{ folder: string, sounds: string }} where @returns {[string, string[]]}
 */
export const asterisk = ({ folder, sounds }) => inRoot({
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

/** Redis with its data in `folder`. @param {{ folder: string, address: string, port: number }} where @returns {[string, string[]]} */
export function redis({ folder, address, port }) {
  const owner = userInRoot('redis')
  mkdirSync(folder, { recursive: true })
  chownSync(folder, owner.uid, owner.gid)
  return inRoot({
    command: ['redis-server', '--bind', address, '--port', String(port), '--dir', '/var/lib/redis', '--daemonize', 'no',
      '--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--save', '', '--protected-mode', 'yes'],
    user: 'redis',
    binds: [{ from: folder, to: '/var/lib/redis' }]
  })
}
