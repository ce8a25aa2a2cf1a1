import { describe, expect, it } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { history, world } from '../manager/fixture.ts';

/** What one append of EventStoreDB holds. */
const APPEND_BYTES = 1_048_576;

function small() {
  const memory = new MemoryEventStore();
  return Object.assign(memory, { traits: { ...memory.traits, maxAppendBytes: APPEND_BYTES, maxAppendEvents: 1_500 } });
}

/** The log of a writer that was killed when it had committed the first part of a release that makes room for 600 waiters. */
async function killedAfterTheFirstPart(keyed: boolean) {
  const { manager, clock, store } = world(roomy);
  const all = await manager.allocate({ requirements: { memory: 600 } });
  for (let i = 0; i < 600; i++)
    void manager
      .allocate({ requirements: { memory: 1 }, waitMs: 60_000, ...(keyed && { idempotencyKey: `key-${i}` }) })
      .catch(() => undefined);
  await clock.advanceAsync(10);
  await manager.release(all);
  const log = await history(store);
  const released = log.find(({ type }) => type === 'LeaseReleased')!.metadata.causationId;
  const cut = log.slice(0, log.findLastIndex(({ metadata }) => metadata.causationId === released) + 1);
  await manager.dispose();
  const memory = new MemoryEventStore();
  for (const event of cut) await memory.append('pool-default', [event], event.revision - 1);
  return { store: memory, clock, granted: cut.filter(({ type }) => type === 'LeaseGranted').length };
}

const RELEASED_LATER = { reserve: '0%', maxPoolSize: 10_000 };

const roomy = {
  capacity: { memory: 600 },
  config: {
    ...RELEASED_LATER,
    tiers: [
      {
        name: 'all',
        nominal: '100%',
        queue: { policy: 'bestEffort', maxLength: 5_000, maxWaitMs: 3_600_000, ageingMs: 1_000 } as const,
      },
    ],
  },
};

const grantedIn = async (store: MemoryEventStore) =>
  (await history(store)).filter(({ type }) => type === 'LeaseGranted').length;

describe('what a writer that was killed had left to do', () => {
  it('is done when it starts again: waiters that fit do not wait for the sweep', async () => {
    const { store, clock, granted } = await killedAfterTheFirstPart(true);
    expect(granted).toBeLessThan(600);
    const { manager } = world({ ...roomy, store, clock });
    await Promise.all([manager.ready(), clock.advanceAsync(100)]);
    expect(await grantedIn(store)).toBe(601);
    await manager.dispose();
  });

  it('is not done for waiters whose callers went with it: none of them is granted while the others are sent away', async () => {
    const { store, clock, granted } = await killedAfterTheFirstPart(false);
    const { manager } = world({ ...roomy, store, clock });
    await Promise.all([manager.ready(), clock.advanceAsync(100)]);
    expect(await grantedIn(store)).toBe(granted);
    expect((await manager.getPool()).tiers[0]?.waiting).toBe(0);
    await manager.dispose();
  });
});

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
    let patch: Promise<unknown> | undefined;
    manager.committed$.subscribe(({ type }) => {
      if (type === 'LeaseReclaimed') patch ??= manager.configure({ cleanupIntervalMs: 12_345 });
    });
    await clock.advanceAsync(10_000);
    expect((await manager.getPool()).tiers[0]).toMatchObject({ admission: 'drained', allocated: { memory: 0 } });
    const log = await history(store);
    const ended = log.filter(({ type }) => type === 'LeaseReclaimed');
    expect(ended).toHaveLength(3_000);
    await patch;
    // What came while it was under way had its turn in between.
    const patched = log.findLast(({ type }) => type === 'ConfigChanged')!;
    expect(patched.revision).toBeLessThan(ended[600]!.revision);
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
    const labels = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`label-${i}`, 'x'.repeat(250)]));
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
