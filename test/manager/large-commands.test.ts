import { describe, expect, it } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory.ts';
import { history, world } from './fixture.ts';

/** What one append of EventStoreDB holds. */
const APPEND_BYTES = 1_048_576;

function small() {
  const memory = new MemoryEventStore();
  return Object.assign(memory, { traits: { ...memory.traits, maxAppendBytes: APPEND_BYTES, maxAppendEvents: 1_500 } });
}

const RELEASED_LATER = { reserve: '0%', maxPoolSize: 10_000 };

describe('a command that concerns very many leases or waiters', () => {
  it('a release that makes room for 3 000 waiters passes, and all of them are granted', async () => {
    const store = small();
    const tiers = [
      {
        name: 'all',
        nominal: '100%',
        queue: { policy: 'bestEffort', maxLength: 5_000, maxWaitMs: 3_600_000, ageingMs: 1_000 } as const,
      },
    ];
    const { manager, clock } = world({ store, capacity: { memory: 3_000 }, config: { ...RELEASED_LATER, tiers } });
    const all = await manager.allocate({ requirements: { memory: 3_000 } });
    const waiting = Array.from({ length: 3_000 }, () =>
      manager.allocate({ requirements: { memory: 1 }, waitMs: 60_000 }),
    );
    await clock.advanceAsync(10);
    await manager.release(all);
    const granted = await Promise.all(waiting);
    expect(new Set(granted.map(({ token }) => token)).size).toBe(3_000);
    await manager.dispose();
  });

  it('a drain of 3 000 leases ends, a part at a time', async () => {
    const store = small();
    const { manager, clock } = world({ store, capacity: { memory: 3_000 }, config: RELEASED_LATER });
    for (let i = 0; i < 30; i++)
      await Promise.all(Array.from({ length: 100 }, () => manager.allocate({ requirements: { memory: 1 } })));
    await manager.drainTier('all', { deadlineMs: 1_000 });
    await clock.advanceAsync(10_000);
    expect((await manager.getPool()).tiers[0]).toMatchObject({ admission: 'drained', allocated: { memory: 0 } });
    const ended = (await history(store)).filter(({ type }) => type === 'LeaseReclaimed');
    expect(ended).toHaveLength(3_000);
    await manager.dispose();
  });

  it('a stall renews 12 000 leases, a part at a time, and none of them expires', async () => {
    const store = small();
    const config = { ...RELEASED_LATER, maxPoolSize: 12_000 };
    const { manager, clock } = world({ store, capacity: { memory: 12_000 }, config });
    for (let i = 0; i < 120; i++)
      await Promise.all(
        Array.from({ length: 100 }, () => manager.allocate({ requirements: { memory: 1 }, ttlMs: 6_000 })),
      );
    clock.stall(30_000);
    await clock.advanceAsync(1_000);
    const log = await history(store);
    const renewed = log.flatMap((event) => (event.type === 'LeasesRenewed' ? event.data.renewals : []));
    expect(new Set(renewed.map(({ leaseId }) => leaseId)).size).toBe(12_000);
    expect(log.filter(({ type }) => type === 'ClockGapObserved')).toHaveLength(1);
    expect(log.filter(({ type }) => type === 'LeaseReclaimed')).toHaveLength(0);
    await manager.dispose();
  });

  it('a release wakes waiters whose labels are large, in parts as small as the append is', async () => {
    const store = small();
    const { manager, clock } = world({ store, capacity: { memory: 200 }, config: RELEASED_LATER });
    const all = await manager.allocate({ requirements: { memory: 200 } });
    const labels = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`label-${i}`, 'x'.repeat(250)]));
    const waiting = Array.from({ length: 200 }, () =>
      manager.allocate({ requirements: { memory: 1 }, waitMs: 60_000, labels }),
    );
    await clock.advanceAsync(10);
    await manager.release(all);
    expect(await Promise.all(waiting)).toHaveLength(200);
    await manager.dispose();
  });

  it('two patches at once are both in force', async () => {
    const { manager } = world();
    await manager.ready();
    await Promise.all([manager.configure({ cacheMaxSize: 77 }), manager.configure({ cleanupIntervalMs: 12_345 })]);
    expect((await manager.getConfig()).config).toMatchObject({ cacheMaxSize: 77, cleanupIntervalMs: 12_345 });
    await manager.dispose();
  });
});
