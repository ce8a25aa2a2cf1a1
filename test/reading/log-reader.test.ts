import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createResourceDetector } from '../../src/detection/detector.ts';
import { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import { openLogReader } from '../../src/reading/log-reader.ts';

const dir = mkdtempSync(join(tmpdir(), 'rpm-log-reader-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const config = { reserve: '0%', tiers: [{ name: 'all', nominal: '100%' }], overload: { pressureRatio: 1 } };
const open = (url: string, snapshotEvery = 50_000) =>
  new ResourcePoolManager(createResourceDetector({ capacity: { memory: 100 } }), config, {
    eventStore: url,
    tuning: { healthIntervalMs: 0, metricsIntervalMs: 0, snapshotEvery },
  });

async function busy(manager: ResourcePoolManager): Promise<void> {
  for (let i = 0; i < 5; i++) {
    const lease = await manager.allocate({
      id: `task-${i}`,
      owner: i % 2 ? 'ann' : 'bob',
      requirements: { memory: 10 },
    });
    if (i > 2) await manager.release(lease);
  }
  await manager.tryAllocate({ requirements: { memory: 99 } });
  await manager.submit({ id: 'waits', requirements: { memory: 90 }, waitMs: 60_000 }, { detached: true });
}

describe('a log that is read beside its writer', () => {
  test('tells all that the manager tells, also of what was committed meanwhile', async () => {
    const url = `sqlite:${join(dir, 'beside.db')}`;
    await using manager = open(url);
    await busy(manager);
    const reader = await openLogReader(url, 'default');
    for (let round = 0; round < 2; round++) {
      const { revision } = await manager.getPool();
      expect(await reader.getPool()).toEqual(await manager.getPool());
      expect(await reader.getPool({ revision: 4 })).toEqual(await manager.getPool({ revision: 4 }));
      expect(await reader.listLeases()).toEqual(await manager.listLeases());
      expect(await reader.listRequests()).toEqual(await manager.listRequests());
      expect(await reader.getRequest('waits')).toEqual(await manager.getRequest('waits'));
      expect(await reader.getUtilization()).toEqual(await manager.getUtilization());
      for (const filter of [{}, { owner: 'ann' }, { types: ['LeaseReleased'], owner: 'ann' }, { to: revision - 1 }])
        expect(await reader.pageEvents(filter, { limit: 3 })).toEqual(await manager.pageEvents(filter, { limit: 3 }));
      const refused = await manager.pageRefusals({}, {});
      expect(refused.items).toHaveLength(1);
      expect(await reader.pageRefusals({}, {})).toEqual(refused);
      const [lease] = (await manager.listLeases({ state: 'active' })).items;
      expect(await reader.getLease(lease!.id)).toEqual(await manager.getLease(lease!.id));
      await manager.release(lease!);
    }
    await reader.close();
  });

  test("follows an owner's leases, those granted meanwhile too, to their ends", async () => {
    const url = `sqlite:${join(dir, 'owner.db')}`;
    await using manager = open(url);
    await manager.allocate({ owner: 'ann', requirements: { memory: 1 } });
    const reader = await openLogReader(url, 'default');
    const stop = new AbortController();
    const seen: string[] = [];
    const from = (await manager.getPool()).revision + 1;
    const following = (async () => {
      for await (const item of reader.followEvents({ owner: 'ann', from }, stop.signal)) {
        if ('event' in item) seen.push(item.event.type);
        if (seen.length === 2) stop.abort();
      }
    })();
    const bobs = await manager.allocate({ owner: 'bob', requirements: { memory: 1 } });
    const anns = await manager.allocate({ owner: 'ann', requirements: { memory: 1 } });
    await manager.release(bobs);
    await manager.release(anns);
    await following;
    expect(seen).toEqual(['LeaseGranted', 'LeaseReleased']);
    await reader.close();
  });

  test('replays to one hash at one revision: twice, from any start, after a restart, with and without a snapshot', async () => {
    const url = `sqlite:${join(dir, 'replay.db')}`;
    const first = open(url, 5);
    await busy(first);
    const { revision } = await first.getPool();
    const beside = await openLogReader(url, 'default');
    const progress: number[] = [];
    const whole = await beside.replay({
      verify: true,
      to: revision,
      onProgress: ({ events }) => progress.push(events),
    });
    expect(whole).toMatchObject({ revision, events: revision + 1, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(progress.at(-1)).toBe(2 * (revision + 1));
    expect(await beside.replay({ from: 7, to: revision })).toEqual({ ...whole, events: revision + 1 - 7 });
    expect((await beside.replay({ to: revision - 1 })).sha256).not.toBe(whole.sha256);
    await expect(beside.replay({ to: revision + 1_000 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await beside.close();
    await first.dispose();
    await using second = open(url, 5);
    await second.ready();
    const after = await openLogReader(url, 'default');
    expect(await after.replay({ to: revision })).toEqual(whole);
    expect(await after.check()).toMatchObject({ events: (await second.getPool()).revision + 1, refusals: 1 });
    expect(await after.getPool()).toEqual(await second.getPool());
    await after.close();
  });

  test('is not there for a pool that is not in it, nor without a file', async () => {
    const url = `sqlite:${join(dir, 'none.db')}`;
    await open(url).dispose();
    await expect(openLogReader(url, 'another')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(openLogReader(`${url}.none`, 'default')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('of all pools is checked whatever pool is named; without any pool it is not there', async () => {
    const sqlite = `sqlite:${join(dir, 'pools.db')}`;
    for (const poolId of ['a', 'b']) {
      const pool = new ResourcePoolManager(createResourceDetector({ capacity: { memory: 100 } }), undefined, {
        poolId,
        eventStore: sqlite,
      });
      await pool.allocate({ requirements: { memory: 1 } });
      await pool.dispose();
    }
    const all = await openLogReader(sqlite, 'default', { anyPool: true });
    const one = await openLogReader(sqlite, 'a');
    expect((await all.check(undefined, true)).events).toBeGreaterThan((await one.check()).events);
    await Promise.all([all.close(), one.close()]);
    const none = await openLogReader('memory:', 'default', { anyPool: true });
    await expect(none.check(undefined, true)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await none.close();
  });
});
