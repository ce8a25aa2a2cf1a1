/** 10 000 leases that expire at one moment, over `memory:`: from the first reclamation to the last, and how long the event loop stood still meanwhile. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import { note, progress, summary, tell } from '../measure.ts';

const LEASES = 10_000;
const ROUNDS = 7;
const TTL_MS = 3_000;

const detector = createResourceDetector({ capacity: { memory: '64Gi', cpu: 6400 } });
const config = { ...DEFAULT_POOL_CONFIG, enableCircuitBreaker: false };
const keptAlive = setInterval(() => {}, 1_000); // a manager's own timers keep no process alive
const tookMs: number[] = [];
const stallMs: number[] = [];
for (let i = 0; i < ROUNDS; i++) {
  const manager = new ResourcePoolManager(detector, config);
  await manager.ready();
  const requests = Array.from({ length: LEASES }, () =>
    manager.allocate({ requirements: { memory: 1 }, ttlMs: TTL_MS }),
  );
  await Promise.all(requests);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let first = 0;
  let reclaimed = 0;
  const took = await new Promise<number>((resolve) => {
    manager.committed$.subscribe(({ type }) => {
      if (type !== 'LeaseReclaimed') return;
      if (reclaimed === 0) first = performance.now();
      reclaimed += 1;
      if (reclaimed === LEASES) resolve(performance.now() - first);
    });
  });
  delay.disable();
  tookMs.push(took);
  stallMs.push(delay.percentile(99) / 1e6);
  await manager.dispose();
  await sleep(10);
  progress(i + 1, ROUNDS);
}
clearInterval(keptAlive);
tell({ what: `reclaim ${LEASES} expired leases`, ...summary(tookMs), unit: 'ms', bar: { is: 'below', value: 100 } });
tell({
  what: 'event-loop delay meanwhile, p99 of a round',
  ...summary(stallMs),
  unit: 'ms',
  bar: { is: 'below', value: 10 },
});
note(
  `${ROUNDS} rounds, one subscriber; delay as monitorEventLoopDelay tells it at a resolution of 1 ms, which it includes`,
);
