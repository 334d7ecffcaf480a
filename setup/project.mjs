// Where things are.
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const project = dirname(dirname(fileURLToPath(import.meta.url)))

/** What this clone makes and keeps: records, rendered files, prompts, logs, secrets. */
export const state = resolve(project, process.env['SATUNOMOR_STATE'] || 'var')

/** What is big and the same for all clones. */
export const cache = process.env['SATUNOMOR_CACHE'] ? resolve(project, process.env['SATUNOMOR_CACHE']) : join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'satunomor')
