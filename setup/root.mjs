// Step: Satunomor's own root, a small Debian tree with Asterisk, Redis and the tools, kept once for all clones.
// Debian's stable releases have no Asterisk; forky has. Nothing of it touches the machine's own system.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { cache } from './project.mjs'
import { run, step, StepFailed } from './steps.mjs'

const suite = 'forky'
const packages = ['asterisk', 'asterisk-modules', 'ca-certificates', 'redis-server', 'espeak-ng', 'sox', 'sip-tester', 'postgresql', 'libfaketime']
/** Debian gives out no number from 30000 to 59999 (Debian policy 9.2.2). */
const firstId = Number(process.env['SATUNOMOR_IDS'] || 47101)
/** Folders that `inRoot` mounts something on. */
const mountPoints = ['/srv/satunomor', '/run/asterisk', '/run/redis', '/run/postgresql']

const key = createHash('sha256').update(JSON.stringify([suite, packages, mountPoints])).digest('hex').slice(0, 12)
/** The root's folder. */
export const root = join(cache, `root-${suite}-${key}`)

export async function makeRoot() {
  await step('Asterisk, Redis and tools in a root of their own', 'about 3 minutes and 900 MB the first time on this machine', async () => {
    if (existsSync(join(root, '.complete'))) return `present (Asterisk ${readFileSync(join(root, '.complete'), 'utf8').trim()})`
    if (process.getuid?.() !== 0) throw new StepFailed('making it needs root', 'Run as root, or use `docker compose up`.')
    await installDebootstrap()
    const partial = `${root}.partial-${process.pid}`
    mkdirSync(cache, { recursive: true })
    try {
      await run('debootstrap', ['--variant=minbase', `--include=${packages.join(',')}`, suite, partial, await mirror(), '/usr/share/debootstrap/scripts/sid'], {
        env: { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
        advice: 'Look at the lines above. Mostly the Debian mirror is not reachable, or the disk is full; another mirror can be named with SATUNOMOR_MIRROR.'
      })
      for (const folder of mountPoints) mkdirSync(join(partial, folder), { recursive: true })
      rmSync(join(partial, 'var/cache/apt/archives'), { recursive: true, force: true })
      const version = (await run('chroot', [partial, 'asterisk', '-V'], { advice: 'Remove the cache folder and run again.' })).match(/\d+\.\d+\.\d+/)?.[0] ?? 'unknown'
      writeFileSync(join(partial, '.complete'), version)
      if (!existsSync(root)) renameSync(partial, root)      // another clone may have been faster
    } finally {
      rmSync(partial, { recursive: true, force: true })
    }
  })
}

async function installDebootstrap() {
  if (existsSync('/usr/sbin/debootstrap')) return
  const advice = 'Satunomor sets itself up on Debian (or its kin) as root; elsewhere use `docker compose up`. See apt\'s lines above.'
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-q'], { advice, env })
  await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', 'debootstrap', 'debian-archive-keyring'], { advice, env })
}

/** The mirror that this machine takes Debian from. Throws where it takes none from anywhere, as on Ubuntu, and none is named. */
export async function mirror() {
  if (process.env['SATUNOMOR_MIRROR']) return process.env['SATUNOMOR_MIRROR']
  const advice = 'The root is made of Debian\'s packages; Ubuntu\'s are others. Name a mirror of Debian that this machine reaches, once: SATUNOMOR_MIRROR=http://…/debian npm start'
  const ask = async () => (await run('apt-get', ['indextargets', '--format', '$(LABEL)|$(COMPONENT)|$(REPO_URI)', 'Created-By: Packages'], { advice }))
    .split('\n').map(line => line.split('|')).find(([label, component]) => label === 'Debian' && component === 'main')?.[2]
  let found = await ask()
  if (!found) {
    await run('apt-get', ['update', '-q'], { advice })
    found = await ask()
  }
  if (!found) throw new StepFailed('no Debian mirror is among this machine\'s apt sources', advice)
  return found
}

/**
 * A command line that runs a program inside the root: in a mount namespace of its own (the mounts go when it ends),
 * the root read-only, `binds` mounted on it, as `user` (a user of the root's), ended by SIGTERM when we are.
 * The process that is started *is* the program: its pid, its signals, its exit code.
 * @typedef {{ command: string[], user?: string, binds?: { from: string, to: string, readOnly?: boolean }[] }} Program
 * @param {Program} program
 * @returns {[string, string[]]}
 */
export function inRoot({ command, user = 'root', binds = [] }) {
  const script = [
    'set -e',
    'root=$1; user=$2; count=$3; shift 3',
    'mount --make-rprivate / 2>/dev/null || true',        // inside a chroot "/" is no mount: its own are private or not ours to change
    'mount --bind "$root" "$root"',
    'mount -o remount,bind,ro "$root"',
    'mount -t proc proc "$root/proc"',
    'mount --rbind /dev "$root/dev"',
    'mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"',
    'mount -t tmpfs -o mode=755 tmpfs "$root/run"',
    'while [ "$count" -gt 0 ]; do',
    '  case $2 in /run/*) mkdir -p "$root$2";; esac',
    '  mount --bind "$1" "$root$2"',
    '  [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"',
    '  count=$((count - 1)); shift 3',
    'done',
    'case $user in *[!0-9]*) groups=--init-groups;; *) groups=--clear-groups;; esac',          // a number has no groups in the root
    'exec chroot "$root" setpriv --reuid "$user" --regid "$user" $groups --pdeathsig TERM -- "$@"'
  ].join('\n')
  const mounts = binds.flatMap(({ from, to, readOnly }) => [from, to, readOnly ? 'ro' : 'rw'])
  return ['unshare', ['--mount', '--propagation', 'unchanged', 'sh', '-c', script, 'in-root', root, String(ours[user] ?? user), String(binds.length), ...mounts, ...command]]
}

/**
 * The numbers that Asterisk and Redis run under. In the root these users have numbers that are somebody else's on the machine (e.g.
 * postgres): that user could read what is theirs. The same number is user and group.
 * @type {Record<string, number | undefined>}
 */
const ours = { asterisk: firstId, redis: firstId + 1 }

/** Throws where a number of `ours` is a user or group of the machine. */
export async function usersOfOurOwn() {
  for (const [name, id] of Object.entries(ours)) {
    for (const file of ['passwd', 'group']) {
      const owner = await run('getent', [file, String(id)], { advice: 'getent must say whose this number is.' }).then(line => line.split(':')[0], error => {
        if (!error.message.endsWith('code 2')) throw error          // 2: nobody's
      })
      if (owner) throw new StepFailed(`${name} would run as user ${id}, but ${id} is "${owner}" on this machine`, 'Set SATUNOMOR_IDS to a free number whose next number is free, too: SATUNOMOR_IDS=47201')
    }
  }
}

/** The numbers of one of the root's users, for files that it must read or write. @param {string} name */
export function userInRoot(name) {
  const id = ours[name]
  if (id !== undefined) return { uid: id, gid: id }
  const line = readFileSync(join(root, 'etc/passwd'), 'utf8').split('\n').find(line => line.startsWith(`${name}:`))
  if (!line) throw new StepFailed(`the root has no user "${name}"`, `Remove ${root} and run again.`)
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}
