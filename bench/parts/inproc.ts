/**
 * Allocate and release over `memory:` beside generic-pool and tarn doing acquire and release, for 1, 64 and 1024 callers,
 * in turn in one run; beside them a bare await, the decisions and the fold alone, and a manager of which everything is asked.
 * Per pair: the median and the p99 over the rounds, in us; the ratio is ours over theirs.
 */
import genericPool from 'generic-pool';
import { Pool as TarnPool } from 'tarn';
import { compilePlan, type Plan } from '../../src/domain/plan.ts';
import { createResourceDetector, parseConfig, ResourcePoolManager } from '../../src/index.ts';
import { bareRequest } from '../../test/support/bare-request.ts';
import { note, progress, summary, tell } from '../measure.ts';
import { DecidedPool } from '../support/decided-pool.ts';

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

const CAPACITY = { memory: '64Gi', cpu: 6400 };
const CONFIG = {
  maxPoolSize: 10_000,
  minPoolSize: 16,
  cleanupIntervalMs: 30_000,
  resourceTimeoutMs: 300_000,
  cacheMaxSize: 1_000,
  enableCircuitBreaker: true,
};
const manager = new ResourcePoolManager(createResourceDetector({ capacity: CAPACITY }), CONFIG);
const asked = new ResourcePoolManager(createResourceDetector({ capacity: CAPACITY }), {
  ...CONFIG,
  quotas: { team: { memory: '60Gi', cpu: 6000 } },
});
await Promise.all([manager.ready(), asked.ready()]);
const reading = Array.from({ length: 2 }, () => asked.committed$.subscribe());
let plan: Plan | undefined;
const decided = new DecidedPool({
  config: parseConfig(CONFIG),
  capacity: { memory: 2 ** 36, cpu: 64_000 },
  now: Date.now,
  planFor: (state, request) => (plan ??= compilePlan(state, request)), // as the cache has it: one shape, capacity as it is
});
const request = bareRequest({
  type: 'memory',
  priority: 'normal',
  requirements: { memory: 1, cpu: 1 },
  amounts: { memory: 2 ** 20, cpu: 10 },
});
let key = 0;
const generic = genericPool.createPool({ create: async () => ({}), destroy: async () => {} }, { max: 2_000 });
const tarn = new TarnPool({ create: () => ({}), destroy: () => {}, min: 0, max: 2_000 });

const contenders: Record<string, Pair> = {
  'allocate + release': async () => {
    const lease = await manager.allocate({ requirements: { memory: 1, cpu: 1 } });
    await manager.release(lease);
  },
  'allocate + release, all asked': async () => {
    const lease = await asked.allocate({
      requirements: { memory: 1, cpu: 1 },
      owner: 'team',
      labels: { job: 'build' },
      idempotencyKey: `key-${key++}`,
    });
    await asked.release(lease);
  },
  'decided and folded alone': async () => {
    const lease = decided.run('Allocate', { request }).leases[0]!;
    decided.run('Release', { leaseId: lease.leaseId, token: lease.token, cause: 'holder' });
  },
  'bare await': async () => {},
  'generic-pool': async () => {
    const thing = await generic.acquire();
    await generic.release(thing);
  },
  tarn: async () => {
    const { promise } = tarn.acquire();
    tarn.release(await promise);
  },
};

const CALLERS = [1, 64, 1024];
for (const [n, callers] of CALLERS.entries()) {
  const times = new Map(Object.keys(contenders).map((name): [string, number[]] => [name, []]));
  for (let i = 0; i < ROUNDS; i++) {
    for (const [name, pair] of Object.entries(contenders)) {
      const took = await round(callers, pair);
      if (i >= 3) times.get(name)!.push(took);
    }
    progress(n * ROUNDS + i + 1, CALLERS.length * ROUNDS);
  }
  for (const [name, samples] of times) tell({ what: `${name}, ${callers} callers`, ...summary(samples), unit: 'us' });
  const ours = summary(times.get('allocate + release')!).p50;
  for (const name of ['generic-pool', 'tarn'])
    tell({
      what: `allocate + release over ${name}, ${callers} callers`,
      p50: ours / summary(times.get(name)!).p50,
      unit: 'x',
      bar: { is: 'below', value: 1 },
    });
}
note('all asked: an idempotency key, labels, an owner with a quota in each request, and two subscribers of all events');
for (const subscription of reading) subscription.unsubscribe();
await Promise.all([manager.dispose(), asked.dispose()]);
await generic.drain();
await tarn.destroy();
