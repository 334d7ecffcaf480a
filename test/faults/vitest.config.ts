import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/** `npm run test:faults`: the whole crash matrix, which writes docs/crash-matrix.md. */
export default defineConfig({
  test: { name: 'faults', root: join(import.meta.dirname, '..', '..'), include: ['test/faults/**/*.test.ts'], maxConcurrency: 3, env: { SATUNOMOR_CRASH_MATRIX: 'whole' }, hookTimeout: 120_000 }
})
