// Bundles the packages that `src/` imports: of each only what is used, without comments, in a few files. A service that
// loads these instead of some 900 files is ready sooner (by some 0.8 s), and has 20 MB less. setup/bundled.mjs puts them in the
// packages' place; without a bundle the service runs as ever. Run by the set-up on our own Node: `node setup/bundle.mjs`.
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundleFolder, bundleIndex, readIndex } from './bundled.mjs'
import { project } from './project.mjs'

/** Loaded as they lie, since they look for files beside them. */
const asTheyLie = ['@fastify/swagger-ui']

/** What `src/` imports by name from each package: neither types, nor what is imported when it is needed. @returns {Map<string, Set<string>>} */
function imports() {
  /** @type {Map<string, Set<string>>} */
  const wanted = new Map()
  for (const file of globSync('src/**/*.ts', { cwd: project }).sort()) {
    for (const [, what, from] of readFileSync(join(project, file), 'utf8').matchAll(/^import (?!type )([^'"]+) from '([^.'"][^'"]*)'$/gm)) {
      if (!what || !from || from.startsWith('node:') || asTheyLie.includes(from)) continue
      const names = wanted.get(from) ?? new Set()
      wanted.set(from, names)
      const form = /^(\w+)?(?:, )?(?:\{([^}]*)\})?$/.exec(what)
      if (!form) throw new Error(`${file}: "import ${what} from '${from}'" is no form that setup/bundle.mjs knows`)
      if (form[1]) names.add('default')
      for (const name of form[2]?.split(',').map(one => one.trim()) ?? []) if (name && !name.startsWith('type ')) names.add(name.split(' as ')[0] ?? name)
    }
  }
  return wanted
}

/** A character beyond ASCII doubles what a file takes in memory; an escape says the same (also where a backslash stood before it). @param {string} code */
const ascii = code => code.replaceAll(/(\\*)([^\0-\x7f])/g, (_, slashes, character) =>
  `${slashes}${slashes.length % 2 ? '' : '\\'}u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

const wanted = imports()
const text = [...wanted].map(([from, names]) => `export { ${[...names].sort().join(', ')} } from '${from}'`).sort()
const stamp = createHash('sha256').update(readFileSync(join(project, 'package-lock.json'))).update(readFileSync(import.meta.filename)).update(text.join('\n')).digest('hex')
if (readIndex()?.stamp !== stamp) {
  rmSync(bundleFolder, { recursive: true, force: true })                               // better none than one that lacks something
  const { rolldown } = await import('rolldown')
  const prefix = '\0satunomor:'
  const bundle = await rolldown({
    input: Object.fromEntries([...wanted.keys()].map(from => [from.replaceAll(/[^\w-]/g, '_'), `${prefix}${from}`])),
    platform: 'node', logLevel: 'silent',                                              // it warns of what packages do to themselves
    plugins: [{
      name: 'what src imports',
      resolveId: (id, importer) => id.startsWith(prefix) ? id : importer?.startsWith(prefix) ? { id: new URL(import.meta.resolve(id)).pathname } : undefined,
      load: id => id.startsWith(prefix) ? text.find(line => line.endsWith(` from '${id.slice(prefix.length)}'`)) : undefined
    }]
  })
  // Functions and classes keep their names, and so do errors; comments, blanks and the names of variables go.
  const { output } = await bundle.generate({ format: 'esm', minify: { compress: false, mangle: { keepNames: true }, codegen: { removeWhitespace: true } }, entryFileNames: '[name].mjs', chunkFileNames: 'shared-[name]-[hash].mjs' })
  mkdirSync(bundleFolder, { recursive: true })
  for (const file of output) if (file.type === 'chunk') writeFileSync(join(bundleFolder, file.fileName), ascii(file.code))
  const files = Object.fromEntries(output.flatMap(file => file.type === 'chunk' && file.facadeModuleId?.startsWith(prefix) ? [[file.facadeModuleId.slice(prefix.length), file.fileName]] : []))
  writeFileSync(bundleIndex, JSON.stringify({ stamp, files }))
  process.stdout.write(`${Object.keys(files).length} packages bundled\n`)
}
