import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { bundleFolder, readIndex } from '../../setup/bundled.mjs'
import { program } from '../../setup/packages.mjs'
import { project } from '../../setup/project.mjs'

const run = promisify(execFile)

beforeAll(async () => { await run(process.execPath, [join(project, 'setup', 'bundle.mjs')], { cwd: project }) })

test('what the service imports comes from the bundle, but for packages that look for files beside them, or are patched', async () => {
  const [node, args] = program('src/main.ts')
  const watched = `
    const packages = new Set()
    require('node:module').registerHooks({ load: (url, context, next) => {
      const [, name] = /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url) ?? []
      if (name) packages.add(name)
      return next(url, context)
    } })
    import('./src/main.ts').then(() => { console.log(JSON.stringify([...packages])); process.exit() })`
  const { stdout } = await run(node, [...args.slice(0, -1), '--eval', watched], { cwd: project })
  const loaded: string[] = JSON.parse(stdout)
  expect(loaded).toContain('.satunomor-bundle')
  expect(loaded).toContain('ari-client')
  for (const name of Object.keys(readIndex()!.files)) expect(loaded, `${name} is in the bundle, and loaded as it lies, too`).not.toContain(/^(@[^/]+\/)?[^/]+/.exec(name)![0])
})

test('a bundle has no character that would double it in memory, and says the same', async () => {
  for (const file of readdirSync(bundleFolder)) expect(readFileSync(join(bundleFolder, file), 'utf8'), file).not.toMatch(/[^\0-\x7f]/)
  const bundled = (await import(/* @vite-ignore */ pathToFileURL(join(bundleFolder, readIndex()!.files['libphonenumber-js/max']!)).href)) as typeof import('libphonenumber-js/max')
  // Digits and dashes of other scripts stand in its tables.
  expect(bundled.parsePhoneNumberFromString('٠٧٢١ ５５５‐０１１２', 'ID')?.number).toBe('+627215550112')
})
