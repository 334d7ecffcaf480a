// Step: the Node packages, and with them Node 24 (the npm package `node-linux-…` of this processor), whatever Node the machine has. package-lock.json has
// the checksum of each: npm refuses what differs.
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { project } from './project.mjs'
import { run, step, StepFailed } from './steps.mjs'

const packages = join(project, 'node_modules')
const stamp = join(project, 'node_modules', '.satunomor-installed')

/** The project's own Node 24. */
export const node = join(project, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')

/**
 * How our own programs run: what Node has compiled (and stripped of its types) is kept for the next start; young garbage has
 * 2 MB and malloc one arena, since a service that waits for calls needs little of either.
 */
export const nodeEnv = {
  NODE_COMPILE_CACHE: join(project, 'node_modules', '.compile-cache'),
  NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --disable-warning=ExperimentalWarning --max-semi-space-size=2 --v8-pool-size=1`.trim(),
  MALLOC_ARENA_MAX: '1'
}

/** Of programs that run for long: their packages come from the bundle, and their heap is collected before it grows. */
const flags = ['--heap-growing-percent=20', '--expose-gc', '--import', join(project, 'setup', 'bundled.mjs')]

/**
 * The command line of a program that runs for long.
 * @param {string} file in the project, e.g. `src/main.ts` @param {string[]} more flags of Node's
 * @returns {[string, string[]]}
 */
export const program = (file, more = []) => [node, [...flags, ...more, join(project, file)]]

/** @param {string} folder with the package files */
async function install(folder) {
  await run('npm', ['ci', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    // Set by `npm start` for its scripts; an inner npm must not take them for its own.
    env: { npm_config_package_lock_only: undefined, NODE_ENV: undefined },
    advice: 'See npm\'s lines above. Mostly the npm registry is not reachable (network, proxy), or the disk is full.'
  })
  const brought = join(folder, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
  const version = existsSync(brought) ? (await run(brought, ['--version'], { advice: 'Remove node_modules and run again.' })).trim() : 'none'
  if (!version.startsWith('v24.')) {
    throw new StepFailed(`npm brought ${version === 'none' ? 'no Node' : version} for ${process.platform} on ${process.arch} instead of Node 24`,
      'Satunomor runs on Linux on x64 and arm64. There: npm leaves the package out where it cannot fetch it, where its checksum is another than in package-lock.json, or where it is told to omit optional packages. Remove node_modules and run again.')
  }
}

/** A service may run on the packages that are there, and must be able to start again on them if the new ones cannot be fetched. */
async function installBeside() {
  const [next, before] = [`${packages}.next`, `${packages}.before`]
  for (const folder of [next, before]) rmSync(folder, { recursive: true, force: true })
  mkdirSync(next)
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) copyFileSync(join(project, file), join(next, file))
  await install(next)
  renameSync(packages, before)
  renameSync(join(next, 'node_modules'), packages)
  for (const folder of [next, before]) rmSync(folder, { recursive: true, force: true })
}

export async function installPackages() {
  await step('Node packages and Node 24', 'about a minute the first time', async () => {
    const wanted = createHash('sha256').update(readFileSync(join(project, 'package-lock.json'))).digest('hex')
    if (existsSync(stamp) && existsSync(node) && readFileSync(stamp, 'utf8') === wanted) return 'present'
    if (existsSync(stamp) && lstatSync(packages).isDirectory()) await installBeside()
    else await install(project)
    writeFileSync(stamp, wanted)
  })
  await step('Packages in a bundle', 'a few seconds', async () => {
    try {
      if (!await run(node, [join(project, 'setup', 'bundle.mjs')], { cwd: project, advice: '' })) return 'present'
      // What is compiled now need not be at the first start.
      for (const file of ['main', 'watchdog']) await run(node, [...flags, '--eval', `import('./src/${file}.ts').then(() => process.exit())`], { cwd: project, env: nodeEnv, advice: '' })
      return undefined
    } catch (error) {
      return `left out; the service runs without it, and takes more memory: ${error instanceof StepFailed && error.output.trim().split('\n').at(-1) || error}`
    }
  })
}
