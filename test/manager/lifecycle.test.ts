import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { history, rejection, typesOf, world } from './fixture.ts';

describe('a start', () => {
  test('records the pool, the writer, the configuration and the capacity, in this order', async () => {
    const { manager, store } = world();
    await manager.ready();
    expect(typesOf(await history(store))).toEqual(['PoolOpened', 'WriterStarted', 'ConfigChanged', 'CapacityObserved']);
    await manager.dispose();
  });

  test('again records only the writer: the barrier after which nothing of an earlier one can land', async () => {
    const store = new MemoryEventStore();
    for (let start = 0; start < 2; start++) {
      const { manager } = world({ store });
      await manager.ready();
      await manager.dispose();
    }
    expect(typesOf(await history(store)).slice(4)).toEqual(['WriterStarted']);
  });

  test('finds leases, keyed waiters, modes, counters and a patched configuration as they were', async () => {
    const store = new MemoryEventStore();
    const clock = fakeClock();
    const first = world({ store, clock });
    const kept = await first.manager.allocate({ id: 'kept', requirements: { memory: 60 } });
    const keyed = { id: 'keyed', requirements: { memory: 50 }, waitMs: 600_000, idempotencyKey: 'k' };
    const lost = rejection(first.manager.allocate(keyed));
    const keyless = rejection(first.manager.allocate({ id: 'keyless', requirements: { memory: 50 }, waitMs: 600_000 }));
    await first.manager.cordon('all');
    await first.manager.setBreaker('forcedOpen');
    await first.manager.configure({ maxPoolSize: 77 });
    await first.manager.dispose();
    expect([(await lost).code, (await keyless).code]).toEqual(['OUTCOME_UNKNOWN', 'DRAINING']);

    const { manager } = world({ store, clock });
    const pool = await manager.getPool();
    expect(pool).toMatchObject({ leases: 1, queue: { waiting: 1 }, breaker: { mode: 'forcedOpen' } });
    expect(pool.tiers[0]).toMatchObject({ admission: 'cordoned', waiting: 1 });
    expect((await manager.getConfig()).config.maxPoolSize).toBe(77);
    expect(await manager.getMetrics()).toMatchObject({ grantedTotal: 1, queuedTotal: 2, cancelledTotal: 1 });
    await manager.setBreaker('closed');
    await manager.uncordon('all');
    const again = manager.allocate(keyed);
    await manager.release({ id: kept.id, token: kept.token });
    expect(await again).toMatchObject({ requestId: 'keyed', token: 2 });
    await manager.dispose();
  });

  test('from a snapshot gives the same state as from the first event', async () => {
    const store = new MemoryEventStore();
    const clock = fakeClock();
    const { manager } = world({ store, clock });
    for (let i = 0; i < 20; i++) await manager.allocate({ requirements: { memory: 1 } });
    await manager.dispose();
    const fromSnapshot = world({ store, clock });
    const [pool, metrics] = [await fromSnapshot.manager.getPool(), await fromSnapshot.manager.getMetrics()];
    await fromSnapshot.manager.dispose();
    await store.snapshots.delete('pool-default');
    const folded = world({ store, clock });
    expect({ ...(await folded.manager.getPool()), revision: 0 }).toEqual({ ...pool, revision: 0 });
    expect({ ...(await folded.manager.getMetrics()), revision: 0 }).toEqual({ ...metrics, revision: 0 });
    await folded.manager.dispose();
  });

  test('ignores a damaged snapshot', async () => {
    const store = new MemoryEventStore();
    const first = world({ store });
    await first.manager.allocate({ requirements: { memory: 1 } });
    await first.manager.dispose();
    const whole = await store.snapshots.load('pool-default');
    await store.snapshots.save('pool-default', { ...whole!, parts: [...whole!.parts].slice(0, 1) });
    const { manager } = world({ store });
    expect((await manager.getPool()).leases).toBe(1);
    await manager.dispose();
  });

  test('with a configuration that drops a tier in use is refused, naming the tier', async () => {
    const store = new MemoryEventStore();
    const first = world({ store });
    await first.manager.allocate({ requirements: { memory: 1 } });
    await first.manager.dispose();
    const { manager } = world({ store, config: { tiers: [{ name: 'other', nominal: '100%' }] } });
    expect(await rejection(manager.ready())).toMatchObject({ code: 'INVALID_CONFIG' });
    await manager.dispose();
  });
});

describe('dispose', () => {
  test('waits for what is in flight, and never for leases', async () => {
    const { manager } = world();
    await manager.ready();
    const inFlight = manager.allocate({ requirements: { memory: 1 } });
    await manager.dispose();
    expect((await inFlight).token).toBe(1);
    expect((await rejection(manager.allocate({ requirements: { memory: 1 } }))).code).toBe('DRAINING');
  });

  test('is the same promise twice, and works while recovering', async () => {
    const { manager } = world();
    const disposed = manager.dispose();
    expect(manager.dispose()).toBe(disposed);
    await disposed;
    expect(manager.status()).toMatchObject({ ready: false, state: 'closed' });
    expect((await rejection(manager.ready())).code).toBe('DRAINING');
  });

  test('leaves no timer behind', async () => {
    const { manager, clock } = world({ tuning: { healthIntervalMs: 1_000, metricsIntervalMs: 1_000 } });
    await manager.allocate({ requirements: { memory: 1 } });
    await manager.dispose();
    await clock.advanceAsync(0);
    expect(clock.pending()).toBe(0);
  });
});

describe('drain', () => {
  test('refuses new work and settles when the last lease is gone; the next start serves again', async () => {
    const store = new MemoryEventStore();
    const { manager } = world({ store });
    const lease = await manager.allocate({ requirements: { memory: 1 } });
    let drained = false;
    const draining = manager.drain().then(() => {
      drained = true;
    });
    await manager.getPool();
    expect((await rejection(manager.allocate({ requirements: { memory: 1 } }))).code).toBe('DRAINING');
    expect(drained).toBe(false);
    await manager.release(lease);
    await draining;
    await manager.dispose();
    const next = world({ store });
    expect((await next.manager.allocate({ requirements: { memory: 1 } })).token).toBe(2);
    await next.manager.dispose();
  });

  test('settles at its deadline though leases are left', async () => {
    const { manager, clock } = world();
    await manager.allocate({ requirements: { memory: 1 } });
    const draining = manager.drain({ deadlineMs: 5_000 });
    await clock.advanceAsync(5_000);
    await draining;
    expect((await manager.getPool()).leases).toBe(1);
    await manager.dispose();
  });
});
