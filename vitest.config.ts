import { configDefaults, defineConfig } from 'vitest/config';

/** `npm test`: everything that is quick. Long runs are named *.long.test.ts and have a configuration of their own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/**/*.long.test.ts'],
    testTimeout: 120_000, // of what hangs: on a machine that others use, too, a test may take many times as long
    hookTimeout: 60_000,
    maxWorkers: 2,
    isolate: false, // files of one worker share what they import: it took a third of the time
    setupFiles: ['test/support/setup.ts'],
  },
});
