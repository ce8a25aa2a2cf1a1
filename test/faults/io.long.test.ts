import { expect, it } from 'vitest';
import { canTrace } from './io/run.ts';
import { launch, newSeed, showCounts } from './launch.ts';

/** Every k-th call once and for ever makes about 1 700, each with one error; a full sweep takes every error at each. */
const CASES = 1_800;
const traced = canTrace();
if (!traced) console.log('io: skipped, strace cannot trace processes here');

it.skipIf(!traced)(
  'every kind of failing write, sync and open: never acknowledged, and a restart is clean',
  async () => {
    const seed = newSeed();
    const counts = await launch('io', { count: CASES, seed, jobs: 2 });
    console.log(`io: seed ${seed}, ${showCounts(counts)}`);
    for (const error of ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE']) expect(counts[error], error).toBeGreaterThan(0);
    expect(counts['fsync forever']).toBeGreaterThan(0);
    expect(counts['once: not opened'] ?? 0).toBe(0);
  },
);
