import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/** `npm run test:faults`: both crash matrices whole, of calls and of follow-ups, which write docs/crash-matrix.md and docs/followup-matrix.md; and the flood of a thousand callbacks. */
export default defineConfig({
  test: { name: 'faults', root: join(import.meta.dirname, '..', '..'), include: ['test/faults/**/*.test.ts'], fileParallelism: false, maxConcurrency: 3, env: { SATUNOMOR_CRASH_MATRIX: 'whole' }, hookTimeout: 120_000 }
})
