/**
 * One manager of a pool that several serve: a process of its own with callers that each allocate, and release what they got. Its
 * arguments: the store's URL, the pool, how many callers. Says `ready`, works from `go` to `stop`, and then says what it measured.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';

/** Of one writer, between `go` and `stop`. */
export interface WriterReport {
  /** One for each allocate that was granted, ms. */
  readonly allocateMs: readonly number[];
  readonly failures: Readonly<Record<string, number>>;
  readonly batches: number;
  readonly events: number;
  /** Appends that another writer's defeated. */
  readonly conflicts: number;
}

const RETRY_MS = 50;

const [url, poolId, callers] = process.argv.slice(2) as [string, string, string];
const config = { ...DEFAULT_POOL_CONFIG, maxPoolSize: 1_000_000, enableCircuitBreaker: false };
const detector = createResourceDetector({ capacity: { memory: '8Ti', cpu: 4_000_000 } });
const manager = new ResourcePoolManager(detector, config, { eventStore: url, poolId });
await manager.ready();
process.send!('ready');
await once(process, 'message'); // go

let stopped = false;
process.once('message', () => {
  stopped = true;
});
const allocateMs: number[] = [];
const failures: Record<string, number> = {};

async function caller(): Promise<void> {
  while (!stopped) {
    const began = performance.now();
    try {
      const lease = await manager.allocate({ requirements: { memory: 1, cpu: 1 } });
      allocateMs.push(performance.now() - began);
      await manager.release(lease);
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      const why = `${code}: ${message}`;
      failures[why] = (failures[why] ?? 0) + 1;
      await sleep(RETRY_MS); // else the callers leave no time for an answer
    }
  }
}

const before = (await manager.getMetrics()).appends;
await Promise.all(Array.from({ length: Number(callers) }, caller));
const after = (await manager.getMetrics()).appends;
const report: WriterReport = {
  allocateMs,
  failures,
  batches: after.batches - before.batches,
  events: after.events - before.events,
  conflicts: after.conflicts - before.conflicts,
};
process.send!(report);
await manager.dispose();
process.disconnect();
