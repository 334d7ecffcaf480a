#!/usr/bin/env node
// `npx satunomor <verb>`: the admin's commands (src/satunomor.ts), on the project's own Node 24.
import './settings-file.mjs'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.mjs'

process.env['SATUNOMOR_TOOLS'] ??= existsSync(join(root, '.complete')) ? 'root' : 'here'
process.argv.splice(2, 0, 'src/satunomor.ts')
await import('./run.mjs')
