// The parts that the service stands on, as programs with folders: natively they run in our root (`inRoot`), with an
// engine in a container; the folders inside are the same.
import { chmodSync, chownSync, lchownSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { userInRoot } from './root.mjs'

/** Gives a folder to a user; where it was another's (an older version of ours gave it away), with all that is in it. @param {string} folder @param {number} uid @param {number} gid */
function give(folder, uid, gid) {
  const before = statSync(folder)
  chownSync(folder, uid, gid)
  if (before.uid === uid && before.gid === gid) return
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) lchownSync(join(folder, name), uid, gid)
}

/**
 * Makes the folders of an Asterisk instance and gives them to its user.
 * @param {string} folder
 */
export function asteriskFolders(folder) {
  const owner = userInRoot('asterisk')
  for (const name of ['etc', 'etc/plan', 'log', 'log/cel-custom', 'lib', 'spool', 'spool/mailbox', 'spool/messages', 'run']) {
    const path = join(folder, name)
    mkdirSync(path, { recursive: true })
    chmodSync(path, name.startsWith('spool/') ? 0o770 : 0o750)                 // the service deletes there what is old
    give(path, name.startsWith('etc') ? 0 : owner.uid, owner.gid)
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

/** Redis with its data in `folder`; whoever asks it something must know the password, if there is one. @param {{ folder: string, address: string, port: number, password?: string | undefined }} where @returns {import('./root.mjs').Program} */
export function redis({ folder, address, port, password }) {
  const owner = userInRoot('redis')
  mkdirSync(folder, { recursive: true })
  give(folder, owner.uid, owner.gid)
  const settings = password ? passwordFile(folder, owner, password) : []
  return {
    command: ['redis-server', ...settings, '--bind', address, '--port', String(port), '--dir', '/var/lib/redis', '--daemonize', 'no',
      '--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--save', '', '--protected-mode', 'yes'],
    user: 'redis',
    binds: [{ from: folder, to: '/var/lib/redis' }]
  }
}

/** A command line shows to everybody: the password stands in a file. @param {string} folder @param {{ uid: number, gid: number }} owner @param {string} password */
function passwordFile(folder, owner, password) {
  const file = join(folder, 'redis.conf')
  const text = `requirepass ${password}\n`
  if (contents(file) !== text) {
    writeFileSync(`${file}.new`, text, { mode: 0o600 })
    chownSync(`${file}.new`, owner.uid, owner.gid)
    renameSync(`${file}.new`, file)
  }
  return ['/var/lib/redis/redis.conf']
}

/** @param {string} file */
function contents(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
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
