// Step: Satunomor's own root, a small Debian tree with Asterisk, Redis and the tools, kept once for all clones.
// Debian's stable releases have no Asterisk; forky has. Nothing of it touches the machine's own system.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { holesOf } from './advisories.mjs'
import { cache } from './project.mjs'
import { run, step, StepFailed } from './steps.mjs'

const suite = 'forky'
const packages = ['asterisk', 'asterisk-modules', 'ca-certificates', 'redis-server', 'espeak-ng', 'sox', 'sip-tester', 'postgresql', 'libfaketime']
/** Debian gives out no number from 30000 to 59999 (Debian policy 9.2.2). */
const firstId = Number(process.env['SATUNOMOR_IDS'] || 47101)
/** Folders that `inRoot` mounts something on. */
const mountPoints = ['/srv/satunomor', '/run/asterisk', '/run/redis', '/run/postgresql']

const key = createHash('sha256').update(JSON.stringify([suite, packages, mountPoints])).digest('hex').slice(0, 12)
const first = `root-${suite}-${key}`
/** After so many days without a renewal the start says so. */
const old = 90

/**
 * The whole roots in a folder, oldest first: the one of the first start, and each renewal beside it, with its time in its name.
 * @param {string} folder @returns {string[]}
 */
export function rootsIn(folder) {
  const names = existsSync(folder) ? readdirSync(folder) : []
  return names.filter(name => name.startsWith(first) && /^(\+\d{14})?$/.test(name.slice(first.length)) && existsSync(join(folder, name, '.complete'))).sort().map(name => join(folder, name))
}

/** The root's folder: the newest. What runs keeps the one that it began with: a renewal counts from the next `npm start` on. */
export const root = rootsIn(cache).at(-1) ?? join(cache, first)

/** The version of Asterisk in a root, and how many days ago the root was made. @param {string} folder */
export function ageOf(folder) {
  const file = join(folder, '.complete')
  return { version: readFileSync(file, 'utf8').trim(), days: Math.floor((Date.now() - statSync(file).mtimeMs) / 86_400_000) }
}

/** What a person is to be told of a root, in sentences. @param {{ version: string, days: number }} made */
export function warningsOf({ version, days }) {
  return [
    ...holesOf(version).map(({ id, what }) => `Asterisk ${version} has a known hole, ${id}: ${what}. Renew the root: npx satunomor root renew`),
    ...days > old ? [`Asterisk, Redis and OpenSSL are as they were ${days} days ago. Renew the root: npx satunomor root renew`] : []
  ]
}

export async function makeRoot() {
  await step('Asterisk, Redis and tools in a root of their own', 'about 3 minutes and 900 MB the first time on this machine', async () => {
    if (existsSync(join(root, '.complete'))) return `present (Asterisk ${ageOf(root).version}, ${ageOf(root).days} days old)`
    await build(root)
  })
  for (const warning of warningsOf(ageOf(root))) process.stderr.write(`    ! ${warning}\n`)
}

/** Makes a new root of Debian's packages as they are today, beside the one that is in use. Nothing that runs is touched. @returns {Promise<string>} its folder */
export async function renewRoot() {
  const folder = join(cache, `${first}+${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}`)
  await step('A new root, beside the one that is in use', 'about 3 minutes and 900 MB', () => build(folder))
  return folder
}

/** @param {string} folder */
async function build(folder) {
  if (process.getuid?.() !== 0) throw new StepFailed('making it needs root', 'Run as root, or use `docker compose up`.')
  await installDebootstrap()
  const keys = keyring()
  const partial = `${folder}.partial-${process.pid}`
  mkdirSync(cache, { recursive: true })
  try {
    await run('debootstrap', ['--variant=minbase', '--force-check-gpg', `--keyring=${keys}`, `--include=${packages.join(',')}`, suite, partial, await mirror(), '/usr/share/debootstrap/scripts/sid'], {
      env: { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      advice: 'Look at the lines above. Mostly the Debian mirror is not reachable, or the disk is full; another mirror can be named with SATUNOMOR_MIRROR. ' +
        'If it says that the release is signed by an unknown key, the keyring is too old: apt-get update && apt-get install debian-archive-keyring'
    })
    for (const mountPoint of mountPoints) mkdirSync(join(partial, mountPoint), { recursive: true })
    rmSync(join(partial, 'var/cache/apt/archives'), { recursive: true, force: true })
    const version = (await run('chroot', [partial, 'asterisk', '-V'], { advice: 'Remove the cache folder and run again.' })).match(/\d+\.\d+\.\d+/)?.[0] ?? 'unknown'
    writeFileSync(join(partial, '.complete'), version)
    if (!existsSync(folder)) renameSync(partial, folder)      // another clone may have been faster
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/** The keys that Debian signs its releases with. Without them nobody could tell whose packages these are, and they run as root. */
export function keyring(folder = '/usr/share/keyrings') {
  const named = process.env['SATUNOMOR_KEYRING']
  const found = named ? [named] : ['debian-archive-keyring.gpg', 'debian-archive-keyring.pgp'].map(name => join(folder, name))
  const there = found.find(file => existsSync(file))
  if (there) return there
  if (named) throw new StepFailed(`there is no keyring ${named} (SATUNOMOR_KEYRING)`, 'Name a file that is there, or leave SATUNOMOR_KEYRING out.')
  throw new StepFailed(`Debian's keys are not on this machine (${found[0]}): nobody could tell whether the packages are Debian's`,
    'Install them: apt-get install debian-archive-keyring. If the mirror is signed with a key of your own, name its keyring: SATUNOMOR_KEYRING=/path/to/keyring.gpg npm start')
}

async function installDebootstrap() {
  if (existsSync('/usr/sbin/debootstrap') && (process.env['SATUNOMOR_KEYRING'] || existsSync('/usr/share/keyrings/debian-archive-keyring.gpg') || existsSync('/usr/share/keyrings/debian-archive-keyring.pgp'))) return
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
