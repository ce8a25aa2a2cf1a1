import { expect, it } from 'vitest';
import { launch, newSeed, showCounts } from './launch.ts';

it('one of two managers of a pool is killed 50 times: the other goes on, what was acknowledged stands, nothing is granted twice', async () => {
  const seed = newSeed();
  const counts = await launch('fail-over', { count: 50, seed, jobs: 2 });
  console.log(`fail-over: seed ${seed}, ${showCounts(counts)}`);
  expect(counts['takeovers']).toBe(50);
  expect(counts['acknowledged: granted']).toBeGreaterThan(200);
});
