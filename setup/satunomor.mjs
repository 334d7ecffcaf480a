#!/usr/bin/env node
// `npx satunomor <verb>`: the admin's commands (src/satunomor.ts), on the project's own Node 24.
process.argv.splice(2, 0, 'src/satunomor.ts')
await import('./run.mjs')
