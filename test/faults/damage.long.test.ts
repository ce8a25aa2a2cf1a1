import { expect, it } from 'vitest';
import { launch, newSeed, showCounts } from './launch.ts';

it('no flipped bit of a page that holds events is passed over', async () => {
  const counts = await launch('damage-rows', { count: 0, seed: 0, jobs: 2 });
  console.log(`damage-rows: ${showCounts(counts)}`);
  expect(counts['flipped bits refused']).toBeGreaterThan(0);
});

it('a flipped bit or a cut anywhere is refused with its place, or no event reads differently', async () => {
  const seed = newSeed();
  const counts = await launch('damage', { count: 6_000, seed, jobs: 2 });
  console.log(`damage: seed ${seed}, ${showCounts(counts)}`);
  expect(counts['flipped bits refused']).toBeGreaterThan(1_000);
  expect(counts['truncations refused']).toBeGreaterThan(100);
  expect(counts['flipped bits cut']).toBeGreaterThan(0);
});
