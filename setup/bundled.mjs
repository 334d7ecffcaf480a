// Preloaded by the service (`node --import`): what `src/` imports of packages comes from the bundle of setup/bundle.mjs.
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { project } from './project.mjs'

export const bundleFolder = join(project, 'node_modules', '.satunomor-bundle')
export const bundleIndex = join(bundleFolder, 'index.json')

/** Undefined where there is no bundle, or a half one. @returns {{ stamp: string, files: Record<string, string> } | undefined} */
export function readIndex() {
  try {
    return JSON.parse(readFileSync(bundleIndex, 'utf8'))
  } catch {
    return undefined
  }
}

if (isMainThread && process.execArgv.some(flag => flag.endsWith('bundled.mjs'))) {
  const { files = {} } = readIndex() ?? {}
  const ours = pathToFileURL(join(project, 'src')).href
  registerHooks({
    resolve(specifier, context, next) {
      const file = files[specifier]
      return file && context.parentURL?.startsWith(ours) ? { url: pathToFileURL(join(bundleFolder, file)).href, shortCircuit: true } : next(specifier, context)
    }
  })
}
