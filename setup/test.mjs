// `npm test`: sets up what is missing, checks the types, and runs every test; arguments go to vitest.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { installPackages, node } from './packages.mjs'
import { project } from './project.mjs'
import { makeRoot } from './root.mjs'
import { run, step, steps } from './steps.mjs'

await steps(async () => {
  await installPackages()
  await makeRoot()
  await step('Types', 'a few seconds', async () => {
    await run(node, [join(project, 'node_modules', 'typescript', 'bin', 'tsc'), '--noEmit'], { cwd: project, advice: 'Mend what the lines above name.' })
  })
})
const vitest = join(project, 'node_modules', 'vitest', 'vitest.mjs')
const child = spawn(node, [vitest, 'run', ...process.argv.slice(2)], { cwd: project, stdio: 'inherit' })
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(signal ? 1 : code ?? 1))
