// A Docker engine of our own while a command runs, with our images in it, and no registry asked:
//
//   node setup/engine.mjs npm test -- --project 'real*'        on Debian, as root
//
// The images' bases are made from what `npm start` has made here: our root and our Node. Everything lies in one
// folder that goes at the end; the machine's own engine, if it has one, is neither used nor touched.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, dyingWithUs, until } from './children.mjs'
import { installPackages, node } from './packages.mjs'
import { cache, project } from './project.mjs'
import { makeRoot, root } from './root.mjs'
import { run, step, StepFailed, steps } from './steps.mjs'

const images = { base: 'satunomor/base', node: 'satunomor/node' }

/**
 * @typedef {object} Engine
 * @property {NodeJS.ProcessEnv} env for whoever uses it: where it is, and the names of our base images
 * @property {() => Promise<void>} stop ends it with all its containers, images and volumes
 */

/** Installs Debian's docker.io and docker-compose where they are missing, without starting them. */
export async function installEngine() {
  await step('Docker Engine and docker-compose', 'about a minute the first time', async () => {
    const missing = [['dockerd', 'docker.io'], ['docker', 'docker-cli'], ['docker-compose', 'docker-compose']].filter(([program]) => !onPath(program ?? ''))
    if (missing.length === 0) return 'present'
    const advice = 'It takes Debian (or its kin) and root. See apt\'s lines above.'
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    await run('apt-get', ['update', '-q'], { advice, env })
    // On some releases the command `docker` comes with docker.io, on others it is a package of its own.
    const known = (await run('apt-cache', ['pkgnames', 'docker-c'], { advice })).split('\n')
    const packages = missing.map(([, name]) => name ?? '').filter(name => name === 'docker.io' || known.includes(name))
    const policy = '/usr/sbin/policy-rc.d'
    const ours = !existsSync(policy)
    if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })      // "start nothing", to invoke-rc.d
    try {
      await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages], { advice, env })
    } finally {
      if (ours) rmSync(policy)
    }
  })
}

/** @param {string} program */
const onPath = program => (process.env['PATH'] ?? '').split(':').some(folder => existsSync(join(folder, program)))

/** Starts a dockerd that changes nothing of the machine's network. Needs root. @returns {Promise<Engine>} */
export async function startEngine() {
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'engine-'))
  const socket = join(folder, 'docker.sock')
  mkdirSync(join(folder, 'client'))
  writeFileSync(join(folder, 'daemon.json'), '{}')
  const env = {
    DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(folder, 'client'), DOCKER_CONTEXT: undefined, DOCKER_TLS_VERIFY: undefined,
    // What Debian's docker and docker-compose can without a plugin.
    DOCKER_BUILDKIT: '0', COMPOSE_DOCKER_CLI_BUILD: '1', DOCKER_CLI_HINTS: 'false',
    SATUNOMOR_BASE_IMAGE: images.base, SATUNOMOR_NODE_IMAGE: images.node
  }
  const docker = (/** @type {string[]} */ ...args) => run('docker', args, { advice: 'See docker\'s lines above.', env })
  /** @type {Child | undefined} */
  let daemon
  const stop = async () => {
    if (daemon && !daemon.exit) {
      const left = (await docker('ps', '--all', '--quiet').catch(() => '')).split('\n').filter(Boolean)
      if (left.length > 0) await docker('rm', '--force', '--volumes', ...left).catch(() => {})
      await daemon.stop(30_000)
    }
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await step('A Docker engine', 'a few seconds', async () => {
      for (const driver of ['overlay2', 'vfs']) {
        daemon = new Child('dockerd', dockerd(folder, socket, driver), { output: 'ignore' })
        const up = await until(daemon, () => docker('info').then(() => true), 60_000).then(() => true, () => false)
        if (up) return `up, on ${driver}`
        await daemon.stop()
      }
      const log = join(folder, 'dockerd.log')
      throw new StepFailed('dockerd does not come up', 'It needs root, cgroups and the right to mount. Its last lines are above.',
        existsSync(log) ? readFileSync(log, 'utf8') : '')
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { env, stop }
}

/** @param {string} folder @param {string} socket @param {string} driver @returns {[string, string[]]} */
function dockerd(folder, socket, driver) {
  const at = (/** @type {string} */ name) => join(folder, name)
  const flags = [
    '--host', `unix://${socket}`, '--config-file', at('daemon.json'), '--data-root', at('data'), '--exec-root', at('exec'),
    '--pidfile', at('dockerd.pid'), '--storage-driver', driver, '--containerd-namespace', `satunomor-${process.pid}`,
    '--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false', '--userland-proxy=false'
  ]
  // In a mount namespace of its own: whatever it mounts goes when it does, and the key it writes to /etc is not the machine's.
  const script = 'log=$1; shift; mkdir -p /etc/docker; mount -t tmpfs -o mode=755 tmpfs /etc/docker; exec dockerd "$@" >>"$log" 2>&1'
  return dyingWithUs(['unshare', ['--mount', '--propagation', 'private', 'sh', '-ec', script, 'dockerd', at('dockerd.log'), ...flags]])
}

/** Makes the Dockerfile's bases out of our root and our Node, and then the images. @param {Engine} engine */
export async function makeImages({ env }) {
  const advice = 'See docker\'s lines above.'
  await step('Base images, out of the root', 'half a minute', async () => {
    await run('sh', ['-ec', `tar --create --one-file-system --directory "$1" --exclude=./var/lib/apt/lists/* --exclude=./tmp/* . | docker import - "$2"`, 'sh', root, images.base], { advice, env })
    const context = mkdtempSync(join(cache, 'node-image-'))
    try {
      await layOutNode(context)
      await run('docker', ['build', '--quiet', '--tag', images.node, context], { advice, env })
    } finally {
      rmSync(context, { recursive: true, force: true })
    }
  })
  await step('Satunomor\'s images', 'a minute', async () => {
    await run('docker-compose', ['--project-directory', project, '--file', join(project, 'docker-compose.yml'), 'build'], { advice, env })
  })
}

/**
 * What makes the base into an image with Node and npm, which reach the registry as they do on this machine: its
 * npm configuration and certificates come along. Only packages are copied out of that image.
 * @param {string} context
 */
async function layOutNode(context) {
  const advice = 'See npm\'s lines above.'
  const local = join(context, 'usr', 'local')
  mkdirSync(join(local, 'bin'), { recursive: true })
  cpSync(node, join(local, 'bin', 'node'))
  await run('npm', ['install', '--global', '--prefix', local, '--no-audit', '--no-fund', '--loglevel=error', 'npm@11'], { advice })

  /** @type {string[]} */
  const settings = []
  mkdirSync(join(context, 'etc', 'this-machine'), { recursive: true })
  const bring = (/** @type {string | undefined} */ file, /** @type {string} */ variable) => {
    if (!file || !existsSync(file)) return
    cpSync(file, join(context, 'etc', 'this-machine', variable), { dereference: true })
    settings.push(`${variable}=/etc/this-machine/${variable}`)
  }
  for (const option of ['userconfig', 'globalconfig', 'cafile']) {
    const file = (await run('npm', ['config', 'get', option], { advice })).trim()
    bring(file === 'null' ? undefined : file, `npm_config_${option}`)
  }
  bring(process.env['NODE_EXTRA_CA_CERTS'], 'NODE_EXTRA_CA_CERTS')
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']) {
    if (process.env[name]) settings.push(`${name}=${process.env[name]}`)
  }
  writeFileSync(join(context, 'Dockerfile'), [`FROM ${images.base}`, 'COPY usr /usr', 'COPY etc /etc', ...settings.map(setting => `ENV ${setting}`), ''].join('\n'))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [command, ...args] = process.argv.slice(2)
  let code = 1
  await steps(async () => {
    if (!command) throw new StepFailed('no command was given', 'For example: node setup/engine.mjs npm test -- --project \'real*\'')
    /** @type {import('node:child_process').ChildProcess | undefined} */
    let child
    let interrupted = false
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => { interrupted = true; child?.kill(signal) })
    await installPackages()
    await makeRoot()
    await installEngine()
    const engine = await startEngine()
    try {
      await makeImages(engine)
      if (interrupted) return
      code = await new Promise((resolve, reject) => {
        child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...engine.env } })
        child.on('error', error => reject(new StepFailed(`${command} could not be started (${error.message})`, 'Is it on PATH?')))
        child.on('exit', (code, signal) => resolve(signal ? 1 : code ?? 1))
      })
    } finally {
      await engine.stop()
    }
  })
  process.exit(code)
}
