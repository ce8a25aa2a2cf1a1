/**
 * From opening the log to being ready, on `sqlite:`, for pools of 1 k to 1 M events: with the snapshot that a stopped manager
 * leaves, and without one. Half of the events are grants, the other half releases; 1 000 leases are live at the end.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createResourceDetector, DEFAULT_POOL_CONFIG, type Lease, ResourcePoolManager } from '../../src/index.ts';
import { note, progress, summary, tell } from '../measure.ts';

const LENGTHS = [1_000, 10_000, 100_000, 1_000_000];
const ROUNDS = 5;
const LIVE = 1_000;
const detector = createResourceDetector({ capacity: { memory: '64Gi', cpu: 6400 } });
const folder = mkdtempSync(join(tmpdir(), 'rpm-recovery-'));

const open = (url: string): ResourcePoolManager =>
  new ResourcePoolManager(detector, DEFAULT_POOL_CONFIG, { eventStore: url });

async function fill(url: string, events: number): Promise<void> {
  const manager = open(url);
  await manager.ready();
  let live: Lease[] = [];
  const width = Math.min(LIVE, events / 4);
  for (let done = 0; done < events; done += 2 * width) {
    const granted = await Promise.all(
      Array.from({ length: width }, () => manager.allocate({ requirements: { memory: 1, cpu: 1 } })),
    );
    await Promise.all(live.map((lease) => manager.release(lease)));
    live = granted;
  }
  await manager.dispose();
}

async function ready(url: string): Promise<number> {
  globalThis.gc?.();
  const began = performance.now();
  const manager = open(url);
  await manager.ready();
  const tookMs = performance.now() - began;
  await manager.dispose();
  return tookMs;
}

for (const [n, events] of LENGTHS.entries()) {
  const file = join(folder, `${events}.db`);
  const url = `sqlite:${file}`;
  await fill(url, events);
  const snapshots = `${file}.snapshots`;
  const bytes = readdirSync(snapshots).reduce((sum, name) => sum + statSync(join(snapshots, name)).size, 0);
  const withSnapshot: number[] = [];
  const without: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    withSnapshot.push(await ready(url));
    rmSync(snapshots, { recursive: true });
    without.push(await ready(url));
    progress(n * ROUNDS + i + 1, LENGTHS.length * ROUNDS);
  }
  const bar = events === 1_000_000 ? { bar: { is: 'below' as const, value: 200 } } : {};
  tell({
    what: `${events} events, from a snapshot of ${Math.round(bytes / 1000)} kB`,
    ...summary(withSnapshot),
    unit: 'ms',
    ...bar,
  });
  tell({ what: `${events} events, without one`, ...summary(without), unit: 'ms' });
}
rmSync(folder, { recursive: true });
note(`${ROUNDS} starts each; the files were in the page cache`);
