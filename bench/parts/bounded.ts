/** Heap and buffers of a manager over `memory:` after many grants + releases, and after many refusals: what is kept is bounded. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import { note, progress, tell } from '../measure.ts';

const PAIRS = 2_000_000;
const REFUSALS = 2_000_000;
const AT_ONCE = 64;

const detector = createResourceDetector({ capacity: { memory: '8Gi' } });
const overload = { ...DEFAULT_POOL_CONFIG.overload, pressureRatio: 1 };
const config = { ...DEFAULT_POOL_CONFIG, enableCircuitBreaker: false, overload };
const manager = new ResourcePoolManager(detector, config, { tuning: { refusalsPerSecond: 1e9 } });
await manager.ready();

const pair = async () => manager.release(await manager.allocate({ requirements: { memory: 1 } }));
const refusal = () => manager.tryAllocate({ requirements: { memory: '900Gi' } });
await grow('grants + releases', PAIRS, pair, 0);
await grow('refusals', REFUSALS, refusal, PAIRS);
await manager.dispose();
note('the history of `memory:` keeps 100 000 events and 64 MiB of each stream, and the state before them');

function usedMb(): number {
  globalThis.gc!();
  globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

async function many(count: number, act: () => Promise<unknown>, done: number): Promise<void> {
  for (let n = 0; n < count; n += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, act));
    if (n % (AT_ONCE * 64) !== 0) continue;
    await sleep(0); // refusals are recorded beside
    progress(done + n, PAIRS + REFUSALS);
  }
}

/** By the half of them it has grown to its bounds. */
async function grow(what: string, count: number, act: () => Promise<unknown>, before: number): Promise<void> {
  await many(count / 2, act, before);
  const half = usedMb();
  await many(count / 2, act, before + count / 2);
  const whole = usedMb();
  tell({ what: `heap and buffers after ${count} ${what}`, p50: whole, unit: 'MB' });
  tell({
    what: `the same, of that after half of them`,
    p50: whole / half,
    unit: 'x',
    bar: { is: 'at most', value: 1.1 },
  });
}
