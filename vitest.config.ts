import { defineConfig } from 'vitest/config'

/** `fast` needs nothing but Node; `real` runs on a real Asterisk, Redis and PostgreSQL, one file after the other. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'fast', testTimeout: 20_000, setupFiles: 'test/parts/seed.ts', include: ['test/**/*.test.ts'], exclude: ['test/real/**', 'test/faults/**'] } },
      { test: { name: 'real', setupFiles: 'test/parts/seed.ts', include: ['test/real/**/*.test.ts', 'test/faults/**/*.test.ts'], exclude: ['test/faults/followup-flood.test.ts'], fileParallelism: false, maxConcurrency: 3, testTimeout: 60_000, hookTimeout: 120_000 } }
    ]
  }
})
