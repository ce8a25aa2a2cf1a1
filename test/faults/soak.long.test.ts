import { expect, it } from 'vitest';
import { launch, newSeed, showCounts } from './launch.ts';

it('a server under load holds no more at its rests than when it was warm', async () => {
  const seed = newSeed();
  const counts = await launch('soak', { count: 9, seed, jobs: 1 });
  console.log(`soak: seed ${seed}, ${showCounts(counts)}`);
  expect(counts['granted']).toBeGreaterThan(0);
});

it('asked for ten times what it has, a server refuses in time, keeps its queue short, and is well afterwards', async () => {
  const counts = await launch('overload', { count: 8, seed: 0, jobs: 1 });
  console.log(`overload: ${showCounts(counts)}`);
  expect(counts['granted: low']).toBeGreaterThan(0);
});
