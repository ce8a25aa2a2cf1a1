import { expect, test } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../../src/index.ts';
import { isPoolError } from '../../../src/model/errors.ts';
import { checkLog } from '../../../src/testing/check-log.ts';
import { history } from '../../manager/fixture.ts';
import { TestCluster } from '../../support/eventstoredb/cluster/cluster.ts';
import { FAST, FAULTS, type Fault, mend } from './faults.ts';

/** Faults in all (RELIABILITY, R18), and clusters at once: most of the time is waited. */
const FAULT_COUNT = 200;
const CLUSTERS = 8;
const CALLERS = 4;
/** Grants after which a pool counts as served again. */
const SERVED = 8;
/** In earnest 2 s beside a deadline of 3 s. */
const PATIENCE = { patienceMs: 60_000, giveUpMs: 120_000, closeMs: 2_000 };

interface Tally {
  readonly granted: Map<string, number>;
  grants: number;
  /** Of calls whose callers were told of an outage although their patience had not ended. */
  readonly errors: string[];
}

test('200 faults of a cluster under load: each time served again while the fault lasts, nothing lost, nothing doubled', {
  timeout: 240_000,
}, async () => {
  const faults = Array.from({ length: FAULT_COUNT }, (_, n) => FAULTS[n % FAULTS.length]!);
  const each = Math.ceil(FAULT_COUNT / CLUSTERS);
  const runs = Array.from({ length: CLUSTERS }, (_, n) => run(faults.slice(n * each, (n + 1) * each)));
  const done = await Promise.all(runs);
  const [grants, batches] = [done.map((run) => run.grants), done.map((run) => run.unknown)].map((of) =>
    of.reduce((sum, each) => sum + each),
  );
  console.log(`cluster: ${FAULT_COUNT} faults, ${grants} grants, ${batches} appends in doubt`);
});

async function run(faults: readonly Fault[]) {
  const cluster = await TestCluster.start();
  const store = await openEventStore(cluster.url(FAST));
  const manager = new ResourcePoolManager(createResourceDetector({ capacity: { memory: '8Gi' } }), CONFIG, {
    eventStore: store,
    tuning: { unknown: PATIENCE, healthIntervalMs: 0 },
  });
  await manager.ready();
  const tally: Tally = { granted: new Map(), grants: 0, errors: [] };
  const stop = new AbortController();
  const callers = Array.from({ length: CALLERS }, (_, n) => call(manager, tally, n, stop.signal));
  for (const fault of faults) {
    await fault.begin(cluster);
    const before = tally.grants;
    while (tally.grants < before + SERVED) await new Promise((resolve) => setTimeout(resolve, 5));
    await mend(cluster);
  }
  stop.abort();
  await Promise.all(callers);
  const { unknown } = (await manager.getMetrics()).appends;
  await manager.dispose();
  expect(tally.errors).toEqual([]);
  await check(cluster, tally);
  await store.close();
  await cluster.stop();
  return { grants: tally.grants, unknown };
}

/** Faults in a row would keep the breaker open for seconds after each. */
const CONFIG = { ...DEFAULT_POOL_CONFIG, enableCircuitBreaker: false };

/** As the client does it: what is away is tried again under the same key. */
async function call(manager: ResourcePoolManager, tally: Tally, caller: number, stop: AbortSignal): Promise<void> {
  for (let n = 0; !stop.aborted; n++) {
    const id = `task-${caller}-${n}`;
    const request = { id, idempotencyKey: id, requirements: { memory: 1 } };
    const lease = await again(() => manager.allocate(request), tally);
    tally.granted.set(id, lease.token);
    tally.grants += 1;
    await again(() => manager.release(lease), tally);
  }
}

/** A call that comes while the log is known to be away is told so at once; one that was taken in is not given up. */
async function again<T>(run: () => Promise<T>, { errors }: Tally): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!isPoolError(error) || !error.message.includes('does not accept events')) errors.push(String(error));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** The log is whole, and holds each grant that a caller was told of, once, under the token that it was told. */
async function check(cluster: TestCluster, { granted }: Tally): Promise<void> {
  const store = await openEventStore(cluster.url());
  const log = await history(store);
  checkLog(log);
  expect(log.map(({ revision }) => revision)).toEqual(log.map((_, n) => n));
  const recorded = log.flatMap((event) =>
    event.type === 'LeaseGranted' ? [[event.data.request.id, event.data.token] as const] : [],
  );
  expect(new Map(recorded)).toEqual(granted);
  expect(recorded).toHaveLength(granted.size);
  await store.close();
}
