import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SnapshotFiles } from '../../src/eventstore/sqlite/snapshot-files.ts';
import type { Snapshot } from '../../src/model/event-store.ts';
import { SILENT } from '../../src/model/interfaces.ts';
import { fastFolder } from './fast-folder.ts';
import { launch, newSeed, showCounts } from './launch.ts';

it('no flipped bit of a page that holds events is passed over', async () => {
  const counts = await launch('damage-rows', { count: 0, seed: 0, jobs: 2 });
  console.log(`damage-rows: ${showCounts(counts)}`);
  expect(counts['flipped bits refused']).toBeGreaterThan(0);
});

it('a flipped bit or a cut anywhere is refused with its place, or no event reads differently', async () => {
  const seed = newSeed();
  const counts = await launch('damage', { count: 40_000, seed, jobs: 2 });
  console.log(`damage: seed ${seed}, ${showCounts(counts)}`);
  expect(counts['flipped bits refused']).toBeGreaterThan(1_000);
  expect(counts['truncations refused']).toBeGreaterThan(100);
  expect(counts['flipped bits cut']).toBeGreaterThan(0);
});

it('a snapshot with any flipped bit, or cut anywhere, is ignored with a warning', async () => {
  const { folder, remove } = fastFolder();
  mkdirSync(folder, { recursive: true });
  let warnings = 0;
  const files = new SnapshotFiles(folder, false, { ...SILENT, warn: () => void warnings++ });
  const snapshot: Snapshot = { revision: 7, schemaVersion: 1, codeVersion: '1', parts: [{ leases: [1, 2, 3] }, 4] };
  await files.save('pool-a', snapshot);
  const path = join(folder, readdirSync(folder)[0]!);
  const whole = readFileSync(path);
  expect(await files.load('pool-a')).toEqual(snapshot);
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = Buffer.from(whole);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, bytes);
    expect(await files.load('pool-a'), `bit ${bit}`).toBeUndefined();
  }
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    expect(await files.load('pool-a'), `${length} bytes`).toBeUndefined();
  }
  expect(warnings).toBe(whole.length * 9);
  console.log(`snapshot: ${whole.length * 8} flipped bits and ${whole.length} truncations ignored`);
  remove();
});
