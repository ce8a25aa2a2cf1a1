import { expect, it } from 'vitest';
import { launch, newSeed, showCounts } from './launch.ts';

it('300 kill -9 under load, in recovery and in snapshots: what was acknowledged stands, nothing is granted twice', async () => {
  const seed = newSeed();
  const counts = await launch('kill', { count: 300, seed, jobs: 4 });
  console.log(`kill: seed ${seed}, ${showCounts(counts)}`);
  expect(counts['kills']).toBe(300);
  for (const place of ['load', 'recovery', 'a snapshot'])
    expect(counts[`killed in: ${place}`], place).toBeGreaterThan(0);
  expect(counts['acknowledged: granted']).toBeGreaterThan(1_000);
});

it('50 kill -9 of poolctl serve under load over HTTP: the same', async () => {
  const seed = newSeed();
  const counts = await launch('kill-serve', { count: 50, seed, jobs: 4 });
  console.log(`kill-serve: seed ${seed}, ${showCounts(counts)}`);
  expect(counts['kills']).toBe(50);
  expect(counts['acknowledged: granted']).toBeGreaterThan(100);
});

it('60 takeovers by a standby whose writer is killed under load: the same, and never two writers', async () => {
  const seed = newSeed();
  const counts = await launch('takeover', { count: 60, seed, jobs: 3 });
  console.log(`takeover: seed ${seed}, ${showCounts(counts)}`);
  expect(counts['takeovers']).toBe(60);
});
