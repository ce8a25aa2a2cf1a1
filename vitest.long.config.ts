import { defineConfig } from 'vitest/config';

/** `npm run test:long`: fault, crash and simulation runs of the gate, one file after the other. */
export default defineConfig({
  test: {
    include: ['test/**/*.long.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    setupFiles: ['test/support/setup.ts'],
  },
});
