import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What fills the cores by itself, or measures how long something takes: one file after the other, with nothing beside it. */
const ALONE = ['test/faults/**/*.long.test.ts', 'test/package/**/*.long.test.ts'];
/** Of those that run beside others the longest: begun last it would run on by itself. */
const FIRST = /simulation\.long/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => Number(FIRST.test(b.moduleId)) - Number(FIRST.test(a.moduleId)));
  }
}

const COMMON = { testTimeout: 600_000, hookTimeout: 60_000, setupFiles: ['test/support/setup.ts'] };

/** `npm run test:long`: fault, crash and simulation runs of the gate. What mostly waits, or runs on a virtual clock, runs two files at a time. */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...COMMON,
          name: 'beside',
          include: ['test/**/*.long.test.ts'],
          exclude: [...configDefaults.exclude, ...ALONE],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: { ...COMMON, name: 'alone', include: ALONE, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
