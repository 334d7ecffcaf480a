/** What the set-up starts ends with it, also where it is killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'
import { eventually } from '../parts/city.ts'

/** The `sleep` processes of this length. */
async function running(mark: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map(pid => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter(line => line.startsWith(`sleep\0${mark}`))
}

test.skipIf(process.getuid?.() !== 0)('a step of the set-up, and what it started, end when the set-up is killed', async () => {
  const mark = `600${process.pid}`
  const setUp = spawn(process.execPath, ['-e', `import(${JSON.stringify(join(project, 'setup', 'steps.mjs'))}).then(({ run }) => run('sh', ['-c', 'sleep ${mark} & sleep ${mark}'], { advice: '' }))`], { stdio: 'ignore' })
  await eventually('both run', async () => (await running(mark)).length === 2)
  setUp.kill('SIGKILL')
  await once(setUp, 'exit')
  await eventually('none runs', async () => (await running(mark)).length === 0)
  expect(await running(mark)).toEqual([])
})
