import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { history, rejection, typesOf, world } from './fixture.ts';

const reclaimed = (events: readonly RecordedPoolEvent[]) =>
  events.filter((event) => event.type === 'LeaseReclaimed').map((event) => event.data.leaseId);

describe('a lease', () => {
  test('ends at its deadline, as an event, and tells of a leak', async () => {
    const { manager, clock, store, issues } = world();
    const lease = await manager.allocate({ requirements: { memory: 1 }, ttlMs: 1_000 });
    await clock.advanceAsync(999);
    expect(lease.state).toBe('active');
    await clock.advanceAsync(2);
    expect(lease.state).toBe('reclaimed');
    expect((await history(store)).at(-1)).toMatchObject({ type: 'LeaseReclaimed', data: { reason: 'expired' } });
    expect(issues).toMatchObject([{ code: 'LEASE_LEAKED', leaseId: lease.id }]);
    expect(await rejection(manager.release(lease))).toMatchObject({ code: 'FENCED', details: { reason: 'expired' } });
    expect((await rejection(manager.renew(lease))).code).toBe('FENCED');
    await manager.dispose();
  });

  test('lives a full TTL on from the commit of a renewal', async () => {
    const { manager, clock } = world();
    const lease = await manager.allocate({ requirements: { memory: 1 }, ttlMs: 1_000 });
    await clock.advanceAsync(900);
    await lease.renew();
    await clock.advanceAsync(999);
    expect(lease.state).toBe('active');
    await clock.advanceAsync(2);
    expect(lease.state).toBe('reclaimed');
    await manager.dispose();
  });

  test('ends at its deadline whatever the wall clock does', async () => {
    for (const jumpMs of [-3_600_000, 3_600_000]) {
      const { manager, clock } = world();
      const lease = await manager.allocate({ requirements: { memory: 1 }, ttlMs: 1_000 });
      clock.jumpWall(jumpMs);
      await clock.advanceAsync(990);
      expect(lease.state).toBe('active');
      await clock.advanceAsync(20);
      expect(lease.state).toBe('reclaimed');
      await manager.dispose();
    }
  });

  test('gets a renewal interval after a stall, and the log says so', async () => {
    const { manager, clock, store } = world();
    const lease = await manager.allocate({ requirements: { memory: 1 }, ttlMs: 6_000 });
    clock.stall(30_000);
    await clock.advanceAsync(10);
    expect(lease.state).toBe('active');
    expect(typesOf(await history(store))).toContain('ClockGapObserved');
    await clock.advanceAsync(1_900);
    expect(lease.state).toBe('active');
    await clock.advanceAsync(200);
    expect(lease.state).toBe('reclaimed');
    await manager.dispose();
  });

  test('whose signal is asked for hears of the end before it comes', async () => {
    const { manager, clock } = world();
    const lease = await manager.allocate({ requirements: { memory: 1 }, ttlMs: 10_000 });
    const { signal } = lease;
    await clock.advanceAsync(8_900);
    expect(signal.aborted).toBe(false);
    await lease.renew();
    await clock.advanceAsync(8_900);
    expect(signal.aborted).toBe(false);
    await clock.advanceAsync(200);
    expect([signal.aborted, lease.state]).toEqual([true, 'active']);
    await manager.dispose();
  });

  test('that is revoked hears of it at once and ends after the grace', async () => {
    const { manager, clock } = world();
    const lease = await manager.allocate({ requirements: { memory: 1 } });
    const { signal } = lease;
    expect(signal.aborted).toBe(false);
    await manager.revoke(lease.id, { reason: 'maintenance', graceMs: 5_000 });
    expect([signal.aborted, lease.state]).toEqual([true, 'active']);
    await clock.advanceAsync(5_001);
    expect(await manager.getLease(lease.id)).toMatchObject({ state: 'reclaimed', reason: 'revoked' });
    await manager.dispose();
  });
});

describe('leases that are learnt from the log', () => {
  test('live at least a renewal interval after a downtime, and their ends are spread', async () => {
    const store = new MemoryEventStore();
    const clock = fakeClock();
    const first = world({ store, clock });
    for (let i = 0; i < 20; i++) await first.manager.allocate({ requirements: { memory: 1 }, ttlMs: 9_000 });
    await first.manager.dispose();
    clock.stall(3_600_000);
    const { manager } = world({ store, clock });
    await manager.ready();
    await clock.advanceAsync(2_990);
    expect(reclaimed(await history(store))).toEqual([]);
    await clock.advanceAsync(1_500);
    const half = reclaimed(await history(store)).length;
    expect(half).toBeGreaterThan(0);
    expect(half).toBeLessThan(20);
    await clock.advanceAsync(1_600);
    expect(reclaimed(await history(store)).length).toBe(20);
    await manager.dispose();
  });

  test('live no longer than their TTL, however far ahead the clock of their writer was', async () => {
    const store = new MemoryEventStore();
    const ahead = fakeClock(Date.UTC(2030, 0, 1));
    const first = world({ store, clock: ahead });
    await first.manager.allocate({ requirements: { memory: 1 }, ttlMs: 9_000 });
    await first.manager.dispose();
    const { manager, clock } = world({ store });
    await manager.ready();
    await clock.advanceAsync(9_001);
    expect((await manager.getPool()).leases).toBe(0);
    await manager.dispose();
  });
});

test('capacity in quarantine comes back when its time is over', async () => {
  const { manager, clock } = world({ config: { leases: { quarantineMs: 5_000 } } });
  await manager.allocate({ requirements: { memory: 80 }, ttlMs: 1_000 });
  await clock.advanceAsync(1_001);
  expect((await rejection(manager.allocate({ requirements: { memory: 80 } }))).code).toBe('EXHAUSTED');
  await clock.advanceAsync(5_001);
  expect((await manager.allocate({ requirements: { memory: 80 } })).token).toBe(2);
  await manager.dispose();
});
