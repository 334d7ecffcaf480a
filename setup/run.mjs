// Runs one of the project's TypeScript programs on its own Node 24: `node setup/run.mjs demo/call.ts …`
import { faultsAtStart } from './settings-file.mjs'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { installPackages, node, nodeEnv } from './packages.mjs'
import { project } from './project.mjs'
import { steps } from './steps.mjs'

process.umask(0o022)          // as `npm start` has it
const [program, ...args] = process.argv.slice(2)
for (const fault of faultsAtStart) process.stderr.write(`${fault}\n`)
await steps(installPackages)
const child = spawn(node, [join(project, program ?? ''), ...args], { stdio: 'inherit', env: { ...process.env, ...nodeEnv } })
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(signal ? 1 : code ?? 1))
