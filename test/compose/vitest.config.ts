import { defineConfig } from 'vitest/config'

/** `npm test -- --config test/compose/vitest.config.ts`, where a Docker engine and docker-compose are. */
export default defineConfig({
  test: { name: 'compose', root: import.meta.dirname, include: ['*.stories.ts'], fileParallelism: false, testTimeout: 120_000, hookTimeout: 600_000 }
})
