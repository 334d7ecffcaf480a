import { defineConfig } from 'vitest/config'

/** Of the real ones: those in which milliseconds count, or that fill the machine. */
const alone = ['test/real/{hang-up,sound,surge,ugly,watchdog}.test.ts', 'test/faults/**/*.test.ts']
const real = { setupFiles: 'test/parts/seed.ts', globalSetup: 'test/parts/sounds.ts', maxConcurrency: 3, testTimeout: 60_000, hookTimeout: 120_000 }

/**
 * `fast` needs nothing but Node. The others run on a real Asterisk, Redis and PostgreSQL: `real` three files at once, since
 * mostly they wait (for ring times, beats, prompts), each in a city at addresses of its own; then `real-alone` one after the other.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'fast', testTimeout: 20_000, setupFiles: 'test/parts/seed.ts', include: ['test/**/*.test.ts'], exclude: ['test/real/**', 'test/faults/**'], maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { test: { ...real, name: 'real', include: ['test/real/**/*.test.ts'], exclude: alone, maxWorkers: 3, sequence: { groupOrder: 2 } } },
      { test: { ...real, name: 'real-alone', include: alone, exclude: ['test/faults/followup-flood.test.ts'], fileParallelism: false, sequence: { groupOrder: 3 } } }
    ]
  }
})
