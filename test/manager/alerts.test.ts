import { describe, expect, test } from 'vitest';
import { rejection, world } from './fixture.ts';

const TASK = { id: 'task-1', owner: 'ann', requirements: { memory: 10 }, ttlMs: 5_000 } as const;

describe('a lease that is not given back', () => {
  test('is alerted as a leak when its time is up: whose it is, which task, how old', async () => {
    const { manager, clock, issues } = world();
    const lease = await manager.allocate(TASK);
    await clock.advanceAsync(3_000);
    await lease.renew();
    await clock.advanceAsync(5_000);
    expect(issues).toEqual([
      {
        code: 'LEASE_LEAKED',
        severity: 'warning',
        message: `lease ${lease.id} of ann (task-1) expired without being released, 8000 ms after it was granted`,
        at: clock.now(),
        tier: 'all',
        leaseId: lease.id,
      },
    ]);
    await manager.dispose();
  });

  test('and comes back late is told to its holder as FENCED, and to the monitor as come back, how late', async () => {
    const { manager, clock, issues } = world({ config: { reserve: '0%', leases: { quarantineMs: 60_000 } } });
    const lease = await manager.allocate(TASK);
    await clock.advanceAsync(5_000);
    await clock.advanceAsync(1_500);
    expect(await rejection(lease.release())).toMatchObject({ code: 'FENCED', details: { reason: 'expired' } });
    expect(issues.map(({ code }) => code)).toEqual(['LEASE_LEAKED', 'LEASE_CAME_BACK']);
    expect(issues[1]).toMatchObject({
      severity: 'info',
      leaseId: lease.id,
      tier: 'all',
      message: `lease ${lease.id} of ann (task-1) came back 1500 ms after it was reclaimed (expired)`,
    });
    await manager.dispose();
  });

  test('is no leak when it was revoked, released or is given back under another token', async () => {
    const { manager, issues } = world();
    const revoked = await manager.allocate({ requirements: { memory: 1 } });
    await manager.revoke(revoked.id, { graceMs: 0 });
    await rejection(manager.release({ id: revoked.id, token: 99 }));
    const released = await manager.allocate({ requirements: { memory: 1 } });
    await manager.release(released);
    await manager.release(released);
    expect(issues).toEqual([]);
    await rejection(manager.release(revoked));
    expect(issues.map(({ code }) => code)).toEqual(['LEASE_CAME_BACK']);
    await manager.dispose();
  });
});
