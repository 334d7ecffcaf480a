/** A low limit of open files is named, at the start and by /readyz. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { fewOpenFiles } from '../../setup/open-files.mjs'
import { project } from '../../setup/project.mjs'

const script = `import(${JSON.stringify(join(project, 'setup', 'open-files.mjs'))}).then(files => {
  console.log(files.openFiles(), files.fewOpenFiles() ?? 'enough')
})`
const started = async (...under: string[]) => (await promisify(execFile)(under[0]!, [...under.slice(1), process.execPath, '--eval', script])).stdout.trim()

test('a low limit is named', async () => {
  expect(await started('prlimit', '--nofile=200:200')).toMatch(
    /^200 a process may open only 200 files: Asterisk refuses callers from about 40 calls at once\. Raise it to 65536 /)
})

test('a limit that is enough is not named', () => {
  expect(fewOpenFiles(4_096)).toBeUndefined()
  expect(fewOpenFiles(Infinity)).toBeUndefined()
  expect(fewOpenFiles(4_095)).toContain('only 4095 files')
})
