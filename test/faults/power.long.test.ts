import { expect, it } from 'vitest';
import { canTrace } from './io/run.ts';
import { launch, newSeed, showCounts } from './launch.ts';

const traced = canTrace();
if (!traced) console.log('power: skipped, strace cannot trace processes here');

it.skipIf(!traced)(
  'a power cut loses nothing that was acknowledged, whatever of the unsynced writes is left',
  async () => {
    const seed = newSeed();
    const counts = await launch('power', { count: 20_000, seed, jobs: 2 });
    console.log(`power: seed ${seed}, ${showCounts(counts)}`);
    expect(counts['images']).toBe(20_000);
  },
);

it.skipIf(!traced)(
  'a power cut loses nothing that was acknowledged after a sync had failed and its process was killed',
  async () => {
    const counts = await launch('failed-sync', { count: 0, seed: 0, jobs: 2 });
    console.log(`failed-sync: ${showCounts(counts)}`);
    expect(counts['failed syncs of the WAL']).toBeGreaterThan(3);
  },
);

it.skipIf(!traced)(
  'a power cut loses nothing that was acknowledged over stale frames of a batch that found no room, and they are no damage',
  async () => {
    const seed = newSeed();
    const counts = await launch('stale-frames', { count: 300, seed, jobs: 2 });
    console.log(`stale-frames: seed ${seed}, ${showCounts(counts)}`);
    expect(counts['images']).toBe(300);
  },
);
