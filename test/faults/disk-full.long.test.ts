import { expect, it } from 'vitest';
import { copiesRun } from './disk-full/copies.ts';
import { whyNoDisk } from './disk-full/small-disk.ts';
import { launch, newSeed, showCounts } from './launch.ts';

const noDisk = whyNoDisk();
if (noDisk !== undefined) console.log(`disk-full: skipped, ${noDisk}`);

it.skipIf(noDisk !== undefined)(
  'a full disk loses nothing, and the store goes on by itself when there is room',
  async () => {
    const seed = newSeed();
    const counts = await launch('disk-full', { count: 100, seed, jobs: 2 });
    console.log(`disk-full: seed ${seed}, ${showCounts(counts)}`);
    expect(counts['rounds']).toBe(100);
  },
);

it.skipIf(noDisk !== undefined)(
  'a backup or a repair onto a nearly full disk publishes what it reports, or nothing',
  async () => {
    const counts = await copiesRun();
    console.log(`disk-full: ${showCounts(counts)}`);
    for (const what of ['repaired', 'not repaired', 'backed up', 'not backed up'])
      expect(counts[what], what).toBeGreaterThan(0);
  },
);
