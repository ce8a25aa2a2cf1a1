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

  it('two patches at once are both in force', async () => {
    const { manager } = world();
    await manager.ready();
    await Promise.all([manager.configure({ cacheMaxSize: 77 }), manager.configure({ cleanupIntervalMs: 12_345 })]);
    expect((await manager.getConfig()).config).toMatchObject({ cacheMaxSize: 77, cleanupIntervalMs: 12_345 });
    await manager.dispose();
  });
});
