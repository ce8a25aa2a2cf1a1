/**
 * Allocate and release over `memory:` beside generic-pool and tarn doing acquire and release, for 1, 64 and 1024 callers,
 * in turn in one run. Per pair: the median and the p99 over the rounds, in us; the ratio is ours over theirs.
 */
import genericPool from 'generic-pool';
import { Pool as TarnPool } from 'tarn';
import { createResourceDetector, ResourcePoolManager } from '../../src/index.ts';

const PAIRS = 20_000;
const ROUNDS = 15;

type Pair = () => Promise<void>;

async function round(callers: number, pair: Pair): Promise<number> {
  const each = Math.ceil(PAIRS / callers);
  const began = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let i = 0; i < each; i++) await pair();
    }),
  );
  return ((performance.now() - began) * 1000) / (each * callers);
}

const manager = new ResourcePoolManager(createResourceDetector({ capacity: { memory: '64Gi', cpu: 6400 } }), {
  maxPoolSize: 10_000,
  minPoolSize: 16,
  cleanupIntervalMs: 30_000,
  resourceTimeoutMs: 300_000,
  cacheMaxSize: 1_000,
  enableCircuitBreaker: true,
});
await manager.ready();
const generic = genericPool.createPool({ create: async () => ({}), destroy: async () => {} }, { max: 2_000 });
const tarn = new TarnPool({ create: () => ({}), destroy: () => {}, min: 0, max: 2_000 });

const contenders: Record<string, Pair> = {
  'allocate + release': async () => {
    const lease = await manager.allocate({ requirements: { memory: 1, cpu: 1 } });
    await manager.release(lease);
  },
  'generic-pool': async () => {
    const thing = await generic.acquire();
    await generic.release(thing);
  },
  tarn: async () => {
    const { promise } = tarn.acquire();
    tarn.release(await promise);
  },
};

const at = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;

for (const callers of [1, 64, 1024]) {
  const times: Record<string, number[]> = {};
  for (let i = 0; i < ROUNDS; i++) {
    for (const [name, pair] of Object.entries(contenders)) {
      const took = await round(callers, pair);
      if (i >= 3) times[name] = [...(times[name] ?? []), took].sort((a, b) => a - b);
    }
  }
  const ours = at(times['allocate + release']!, 0.5);
  for (const [name, sorted] of Object.entries(times)) {
    const median = at(sorted, 0.5);
    console.log(
      `${String(callers).padStart(5)} callers  ${name.padEnd(20)} p50 ${median.toFixed(2)} us  p99 ${at(sorted, 0.99).toFixed(2)} us  ours/this ${(ours / median).toFixed(2)}`,
    );
  }
}
await manager.dispose();
await generic.drain();
await tarn.destroy();
