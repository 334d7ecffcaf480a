// The processes that `npm start` and the tests start: each in a session of its own, so that Ctrl-C reaches only us,
// and ended by us, in order. Each dies with us, too, should we be killed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export class Child {
  /**
   * @param {string} name @param {[string, string[]]} commandLine
   * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, output?: 'inherit' | 'ignore' | number, errors?: 'inherit' | 'ignore' | number, only?: boolean, secrets?: string }} [options]
   *   `output` and `errors`: a file descriptor, or ours; `only`: it gets `env` and nothing of our own environment;
   *   `secrets`: it reads this from the descriptor 3, and SATUNOMOR_SECRETS says so
   */
  constructor(name, [command, args], { env, cwd, output = 'inherit', errors = output, only = false, secrets } = {}) {
    this.name = name
    /** @type {{ code: number | null, signal: NodeJS.Signals | null } | undefined} */
    this.exit = undefined
    this.process = spawn(command, args, {
      env: { ...only ? {} : process.env, ...env, ...secrets === undefined ? {} : { SATUNOMOR_SECRETS: '3' } }, cwd, detached: true,
      stdio: ['ignore', output, errors, ...secrets === undefined ? [] : [/** @type {const} */ ('pipe')]]
    })
    const handed = /** @type {import('node:stream').Writable | null | undefined} */ (this.process.stdio[3])
    handed?.on('error', () => {})                      // it has ended already
    handed?.end(secrets)
    this.ended = Promise.race([
      once(this.process, 'exit').then(([code, signal]) => { this.exit = { code, signal } }),
      once(this.process, 'error').then(([error]) => { this.exit = { code: null, signal: null }; this.error = error })
    ]).then(() => this)
  }

  /** SIGTERM, and SIGKILL when `patience` ms were not enough. Resolves when it is gone. */
  async stop(patience = 20_000) {
    if (this.exit) return
    this.process.kill('SIGTERM')
    const timer = setTimeout(() => this.process.kill('SIGKILL'), patience)
    await this.ended
    clearTimeout(timer)
  }
}

/** A command line that is sent SIGTERM when its parent dies. @param {[string, string[]]} commandLine @returns {[string, string[]]} */
export const dyingWithUs = ([command, args]) => ['setpriv', ['--pdeathsig', 'TERM', '--', command, ...args]]

/** The same, without any right of root's beside its files: it needs no more than addresses and what it reads. @param {[string, string[]]} commandLine @returns {[string, string[]]} */
export const withoutRights = ([command, args]) => process.getuid?.() === 0
  ? ['setpriv', ['--bounding-set', '-all', '--inh-caps', '-all', '--ambient-caps', '-all', '--no-new-privs', '--pdeathsig', 'TERM', '--', command, ...args]]
  : dyingWithUs([command, args])

/** What the service, as root, needs of root's rights: the root folder and the users in it, for the tools and the trial's Asterisk; everybody's files; a nice value. */
const ofTheService = ['sys_admin', 'sys_chroot', 'setuid', 'setgid', 'setpcap', 'chown', 'dac_override', 'dac_read_search', 'fowner', 'kill', 'sys_nice']

/** Sent SIGTERM when its parent dies, and with those rights of root's alone. @param {[string, string[]]} commandLine @returns {[string, string[]]} */
export const withFewRights = ([command, args]) => process.getuid?.() === 0
  ? ['setpriv', ['--bounding-set', ['-all', ...ofTheService.map(name => `+${name}`)].join(), '--inh-caps', '-all', '--ambient-caps', '-all', '--no-new-privs', '--pdeathsig', 'TERM', '--', command, ...args]]
  : dyingWithUs([command, args])

/**
 * A command line of the set-up whose processes, also those that it starts itself, end at once when we are gone, even by SIGKILL: they are in
 * a process namespace that ends with its first process. Elsewhere than as root there are no such namespaces, and it runs as it is.
 * @param {[string, string[]]} commandLine @returns {[string, string[]]}
 */
export const endingWithUs = ([command, args]) => process.platform === 'linux' && process.getuid?.() === 0
  ? ['setpriv', ['--pdeathsig', 'KILL', '--', 'unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--', command, ...args]]
  : [command, args]

/**
 * Asks until `ready` says yes; throws when the child ends first or `patience` ms are over.
 * @param {Child} child @param {() => Promise<boolean>} ready
 */
export async function until(child, ready, patience = 30_000) {
  const deadline = Date.now() + patience
  while (Date.now() < deadline) {
    if (child.exit) throw new Error(`${child.name} ended at its start (${child.error?.message ?? child.exit.signal ?? `code ${child.exit.code}`})`)
    if (await ready().catch(() => false)) return
    await Promise.race([child.ended, new Promise(resolve => setTimeout(resolve, 50))])
  }
  throw new Error(`${child.name} was not ready within ${patience / 1000} s`)
}
