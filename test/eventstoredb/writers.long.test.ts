import { expect, test } from 'vitest';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import { startEventStoreDb } from '../support/eventstoredb/start.ts';

const WRITERS = 4;
const CALLERS = 64;
const ROUNDS = 8;
/** Whoever takes waiting for an outage would tell nearly every caller of one. */
const IMPATIENT = { patienceMs: 1, giveUpMs: 60_000, closeMs: 2_000 };

/** A machine under other load may be slow to append: that is no matter here. */
const CONFIG = { ...DEFAULT_POOL_CONFIG, enableCircuitBreaker: false };

test('4 writers with 64 callers each on one pool: none is told of an outage, and no append fails or is in doubt', {
  timeout: 180_000,
}, async () => {
  const server = await startEventStoreDb({ fsync: false });
  const managers = Array.from(
    { length: WRITERS },
    (_, n) =>
      new ResourcePoolManager(createResourceDetector({ capacity: { memory: '8Gi' } }), CONFIG, {
        eventStore: `${server.url}&defaultDeadline=60000`,
        writerId: `w${n}`,
        tuning: { unknown: IMPATIENT, healthIntervalMs: 0 },
      }),
  );
  await Promise.all(managers.map((manager) => manager.ready()));
  const told: string[] = [];
  const callers = managers.flatMap((manager) =>
    Array.from({ length: CALLERS }, async () => {
      for (let round = 0; round < ROUNDS; round++)
        await manager
          .allocate({ requirements: { memory: 1 } })
          .then((lease) => manager.release(lease))
          .catch((error: unknown) => told.push(String(error)));
    }),
  );
  await Promise.all(callers);
  const appends = (await Promise.all(managers.map((manager) => manager.getMetrics()))).map(
    (metrics) => metrics.appends,
  );
  const sum = (name: 'conflicts' | 'failed' | 'unknown' | 'batches') => appends.reduce((all, of) => all + of[name], 0);
  console.log(`writers: ${sum('batches')} batches, ${sum('conflicts')} conflicts, ${told.length} outages told`);
  expect(told).toEqual([]);
  expect([sum('failed'), sum('unknown')]).toEqual([0, 0]);
  expect(sum('conflicts')).toBeGreaterThan(0);
  await Promise.all(managers.map((manager) => manager.dispose()));
  await server.stop();
});
