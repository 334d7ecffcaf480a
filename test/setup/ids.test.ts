/** Asterisk and Redis run under numbers that are nobody's on the machine. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { project } from '../../setup/project.mjs'

const run = promisify(execFile)
const script = `import(${JSON.stringify(join(project, 'setup', 'root.mjs'))}).then(root => root.usersOfOurOwn()).catch(error => { console.log(error.message); console.log(error.advice) })`
const look = async (ids?: string) => (await run(process.execPath, ['--eval', script], { env: { ...process.env, SATUNOMOR_IDS: ids } })).stdout

test('a number that is somebody\'s is refused, by whose it is', async () => {
  expect(await look('1')).toBe('asterisk would run as user 1, but 1 is "daemon" on this machine\nSet SATUNOMOR_IDS to a free number whose next number is free, too: SATUNOMOR_IDS=47201\n')
  expect(await look('0')).toMatch(/^asterisk would run as user 0, but 0 is "root"/)
})

test('the numbers that are ours by default are nobody\'s here', async () => {
  expect(await look()).toBe('')
})
