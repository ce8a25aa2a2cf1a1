import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEventStore } from '../../src/eventstore/open.ts';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import { NO_STREAM } from '../../src/model/event-store.ts';
import { poolStream } from '../../src/model/ids.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';
import { poolctl, type Serving, scratch, serve } from './poolctl.ts';

let store: EventStoreDbProcess;
const folder = scratch();
beforeAll(async () => {
  store = await startEventStoreDb();
});
afterAll(async () => {
  await store.stop();
  folder.remove();
});

const serveOn = (pool: string): Promise<Serving> => serve(folder.dir, '--store', store.url, '--pool', pool);
const onLog = (pool: string, ...args: string[]) => poolctl('--store', store.url, '--pool', pool, ...args);
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

/** What an export holds of each stream, in its order. */
const recordedIn = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { record: { stream?: string; event?: { type: string } } }).record)
    .filter(({ event }) => event !== undefined && event.type !== 'TokenFloorRaised');

const allocate = (manager: Serving, id: string, ...flags: string[]) =>
  poolctl('--server', manager.url, '-o', 'json', 'allocate', '--id', id, '--memory', '1Gi', '--ttl', '600s', ...flags);

async function liveRequests(manager: Serving): Promise<string[]> {
  const body = (await (await fetch(`${manager.url}/v1/leases?state=active`)).json()) as {
    items: { requestId: string }[];
  };
  return body.items.map(({ requestId }) => requestId).sort();
}

const readiness = async (manager: Serving): Promise<number> => (await fetch(`${manager.url}/readyz`)).status;

describe('poolctl serve on an EventStoreDB', { timeout: 60_000 }, () => {
  it('finds its leases after kill -9, and the log can be read, checked and replayed beside it', async () => {
    const first = await serveOn('kill');
    const lease = json((await allocate(first, 'task-1')).stdout);
    await first.stop('SIGKILL');
    const second = await serveOn('kill');
    expect(await liveRequests(second)).toEqual(['task-1']);
    expect(json((await allocate(second, 'task-2')).stdout)['token']).toBe((lease['token'] as number) + 1);
    const events = (await onLog('kill', '-o', 'ndjson', 'events')).stdout.trim().split('\n').map(json);
    expect(events.map(({ revision }) => revision)).toEqual(events.map((_, n) => n));
    const granted = events.filter(({ type }) => type === 'LeaseGranted');
    expect(granted.map(({ data }) => (data as { request: { id: string } }).request.id)).toEqual(['task-1', 'task-2']);
    const at = String(granted[0]!['revision']);
    expect(json((await onLog('kill', '-o', 'json', 'at', at)).stdout)).toMatchObject({ leases: 1 });
    const replays = [await onLog('kill', 'replay', '--verify'), await onLog('kill', 'replay', '--verify')];
    const hashes = replays.map(({ stdout }) => /sha256 ([0-9a-f]{64})/.exec(stdout)?.[1]);
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(hashes[1]).toBe(hashes[0]);
    const check = await onLog('kill', 'check');
    expect([check.code, check.stdout]).toEqual([0, expect.stringMatching(/^ok: \d+ events/)]);
    expect((await poolctl('--server', second.url, 'allocate', '--memory', '900Gi')).code).toBe(4);
    expect((await second.stop()).code).toBe(0);
    expect((await onLog('kill', 'refusals')).stdout).toContain('RequestRefused');
  });

  it('checks the pool that it was told to, and every pool on the server only with --all', async () => {
    const manager = await serveOn('sound');
    await manager.stop();
    const writer = await openEventStore(store.url);
    const metadata = { correlationId: 'c', causationId: 'c', actor: 'a' };
    const unknown = { id: randomUUID(), type: 'NeverHeardOf', schemaVersion: 1, at: 0, data: {}, metadata };
    await writer.append(poolStream('damaged'), [unknown], NO_STREAM);
    await writer.close();
    expect((await onLog('sound', 'check')).code).toBe(0);
    const all = await onLog('sound', 'check', '--all');
    expect([all.code, all.stderr]).toEqual([expect.any(Number), expect.stringContaining('NeverHeardOf')]);
    expect(all.code).not.toBe(0);
    expect((await onLog('damaged', 'check')).code).not.toBe(0);
  });

  it('two managers serve one pool: each knows the leases of the other, and when one is killed the other goes on at once', async () => {
    const [one, two] = [await serveOn('twins'), await serveOn('twins')];
    const lease = json((await allocate(one, 'at-one')).stdout);
    expect((await allocate(two, 'at-two')).code).toBe(0);
    for (const manager of [one, two]) await expect.poll(() => liveRequests(manager)).toEqual(['at-one', 'at-two']);
    await one.stop('SIGKILL');
    expect(json((await allocate(two, 'after')).stdout)['token']).toBe((lease['token'] as number) + 2);
    const released = await poolctl('--server', two.url, 'release', `${lease['id']}`, '--token', `${lease['token']}`);
    expect(released.code).toBe(0);
    expect(await liveRequests(two)).toEqual(['after', 'at-two']);
    expect((await two.stop()).code).toBe(0);
    expect((await onLog('twins', 'check')).code).toBe(0);
  });

  it('a pool moves into a file and from there to another server, and is the same on all three but for the floor that each import raises', async () => {
    const manager = await serveOn('moved');
    await allocate(manager, 'task-1');
    await poolctl('--server', manager.url, 'allocate', '--memory', '900Gi');
    await manager.stop();
    const elsewhere = await startEventStoreDb({ fsync: false });
    const stores = [store.url, `sqlite:${join(folder.dir, 'moved.db')}`, elsewhere.url];
    const on = (url: string, ...args: string[]) => poolctl('--store', url, '--pool', 'moved', ...args);
    const file = join(folder.dir, 'moved.ndjson');
    for (const [i, url] of stores.entries()) {
      if (i > 0) expect((await on(url, 'import', file)).stdout).toContain('1 refusals, 0 of them there already');
      expect((await on(url, 'check')).code).toBe(0);
      const before = i === 0 ? undefined : readFileSync(file, 'utf8');
      rmSync(file, { force: true });
      expect((await on(url, 'export', file)).code).toBe(0);
      if (before !== undefined) expect(recordedIn(readFileSync(file, 'utf8'))).toEqual(recordedIn(before));
    }
    await elsewhere.stop();
  });

  it('refuses honestly while the event store is away, and goes on when it is back', async () => {
    const manager = await serveOn('away');
    expect((await allocate(manager, 'before')).code).toBe(0);
    await store.kill();
    const during = await allocate(manager, 'during');
    expect(during.code).not.toBe(0);
    expect(during.stderr).toMatch(/OUTCOME_UNKNOWN|LOG_UNAVAILABLE/);
    expect(await readiness(manager)).toBe(503);
    expect(await liveRequests(manager)).toEqual(['before']);
    await store.restart();
    await expect.poll(() => readiness(manager), { timeout: 20_000 }).toBe(200);
    await expect.poll(async () => (await allocate(manager, 'after')).code, { timeout: 30_000, interval: 500 }).toBe(0);
    const live = await liveRequests(manager);
    if (during.stderr.includes('LOG_UNAVAILABLE')) expect(live).toEqual(['after', 'before']);
    else expect(live).toEqual(expect.arrayContaining(['after', 'before']));
    expect((await onLog('away', 'check')).code).toBe(0);
    expect((await manager.stop()).code).toBe(0);
  });

  it('says at once what a log command lacks: a server that is not there, a pool that is not there', async () => {
    const nobody = await poolctl('--store', 'esdb://127.0.0.1:1?tls=false', 'events');
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('LOG_UNAVAILABLE')]);
    expect((await onLog('none', 'check')).code).toBe(3);
    const wrong = await poolctl('--store', 'esdb://user:secret@h:1?tsl=false', 'events');
    expect([wrong.code, wrong.stderr]).toEqual([expect.any(Number), expect.stringContaining('options: tls')]);
    expect(wrong.stderr).not.toContain('secret');
  });
});

describe('the library on an EventStoreDB', { timeout: 60_000 }, () => {
  const open = (poolId: string) =>
    new ResourcePoolManager(createResourceDetector({ capacity: { memory: '8Gi', cpu: 400 } }), DEFAULT_POOL_CONFIG, {
      eventStore: store.url,
      poolId,
    });

  it('leases, and a second manager of the pool sees it as soon as it is committed', async () => {
    const [one, two] = [open('shared'), open('shared')];
    const lease = await one.allocate({ id: 'task-1', requirements: { memory: 1000, cpu: 10 } });
    await expect.poll(async () => (await two.listLeases()).items.map(({ id }) => id)).toEqual([lease.id]);
    const other = await two.allocate({ requirements: { memory: 1000 } });
    expect(other.token).toBeGreaterThan(lease.token);
    await one.release(lease);
    await two.release(other);
    await Promise.all([one.dispose(), two.dispose()]);
    const again = open('shared');
    expect((await again.getState()).leases).toBe(0);
    await again.dispose();
  });

  it('restarts from a snapshot in its own stream', async () => {
    const first = open('snapped');
    await first.allocate({ id: 'kept', requirements: { memory: 1000 }, ttlMs: 600_000 });
    await first.dispose();
    const log = await openEventStore(store.url, { readOnly: true });
    expect((await log.snapshots.load(poolStream('snapped')))?.revision).toBeGreaterThan(0);
    await log.close();
    const second = open('snapped');
    expect((await second.listLeases()).items.map(({ requestId }) => requestId)).toEqual(['kept']);
    await second.dispose();
  });
});
