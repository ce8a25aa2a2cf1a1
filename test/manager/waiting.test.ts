import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { FaultyStore, fakeClock } from '../../src/testing/index.ts';
import { history, rejection, typesOf, world } from './fixture.ts';

describe('a caller that waits', () => {
  test('gets its lease when room comes', async () => {
    const { manager } = world();
    const first = await manager.allocate({ requirements: { memory: 80 } });
    const second = manager.allocate({ requirements: { memory: 50 }, waitMs: 10_000 });
    await manager.release(first);
    expect((await second).token).toBe(2);
    await manager.dispose();
  });

  test('is told WAIT_EXPIRED when its time is over', async () => {
    const { manager, clock } = world();
    await manager.allocate({ requirements: { memory: 80 } });
    const waiting = rejection(manager.allocate({ requirements: { memory: 50 }, waitMs: 1_000 }));
    await clock.advanceAsync(1_100);
    expect((await waiting).code).toBe('WAIT_EXPIRED');
    expect((await manager.getPool()).queue.waiting).toBe(0);
    await manager.dispose();
  });

  test('is told CANCELLED when its request is cancelled', async () => {
    const { manager } = world();
    await manager.allocate({ requirements: { memory: 80 } });
    const waiting = rejection(manager.allocate({ id: 'w', requirements: { memory: 50 }, waitMs: 1_000 }));
    expect(await manager.cancel('w')).toMatchObject({ requestId: 'w' });
    expect((await waiting).code).toBe('CANCELLED');
    expect((await rejection(manager.cancel('w'))).code).toBe('NOT_FOUND');
    await manager.dispose();
  });

  test('gets its lease though it has ended, and is forgotten, by the time the grant is heard of', async () => {
    const store = new MemoryEventStore();
    const config = { idempotency: { maxEntries: 1 }, overload: { pressureRatio: 1 } };
    const clock = fakeClock();
    const deaf = new FaultyStore(store, { clock, random: () => 0.5 });
    const { manager } = world({ store: deaf, clock, config });
    await manager.ready();
    const other = world({ store, clock, config, options: { writerId: 'writer-2' } }).manager;
    await other.ready();
    const first = await other.allocate({ requirements: { memory: 80 } });
    await clock.advanceAsync(10);
    const waiting = manager.allocate({ id: 'late', requirements: { memory: 50 }, waitMs: 10_000 });
    await clock.advanceAsync(10);
    deaf.setRates({ subscriptionCut: 1 });
    await other.release(first);
    const late = (await other.listLeases({ state: 'active' })).items[0]!;
    await other.release(late);
    await other.release(await other.allocate({ requirements: { memory: 1 } }));
    await manager.cordon('all'); // a conflict: all of the tail is folded at once
    expect(await waiting).toMatchObject({ requestId: 'late', state: 'reclaimed' });
    await Promise.all([manager.dispose(), other.dispose(), clock.advanceAsync(100)]);
  });

  test('that aborts leaves the queue and nothing behind', async () => {
    const { manager, store } = world();
    await manager.allocate({ requirements: { memory: 80 } });
    const stop = new AbortController();
    const waiting = manager.allocate({ requirements: { memory: 50 }, waitMs: 60_000, signal: stop.signal });
    await Promise.resolve();
    expect((await manager.getPool()).queue.waiting).toBe(1);
    stop.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await manager.ready();
    expect((await manager.getPool()).queue.waiting).toBe(0);
    expect((await history(store)).at(-1)).toMatchObject({ type: 'RequestCancelled', data: { reason: 'callerGone' } });
    await manager.dispose();
  });

  test('that aborts before its grant is committed has it released, as an event', async () => {
    const { manager, store } = world();
    await manager.ready();
    const stop = new AbortController();
    const asked = manager.allocate({ requirements: { memory: 50 }, waitMs: 60_000, signal: stop.signal });
    stop.abort(new Error('gone'));
    await expect(asked).rejects.toThrow('gone');
    await manager.getPool();
    const types = typesOf(await history(store));
    expect(types.filter((type) => type === 'LeaseGranted').length).toBe(
      types.filter((type) => type === 'LeaseReleased').length,
    );
    expect((await manager.getPool()).leases).toBe(0);
    await manager.dispose();
  });

  test('that aborts with a key leaves its request in the queue, where the key finds it', async () => {
    const { manager } = world();
    const first = await manager.allocate({ requirements: { memory: 80 } });
    const stop = new AbortController();
    const request = { id: 'w', requirements: { memory: 50 }, waitMs: 60_000, idempotencyKey: 'k' };
    const waiting = manager.allocate({ ...request, signal: stop.signal });
    await manager.getPool();
    stop.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect((await manager.getPool()).queue.waiting).toBe(1);
    const again = manager.allocate(request);
    await manager.release(first);
    expect((await again).requestId).toBe('w');
    await manager.dispose();
  });

  test('two callers with one key get the one lease', async () => {
    const { manager } = world();
    const first = await manager.allocate({ requirements: { memory: 80 } });
    const request = { requirements: { memory: 50 }, waitMs: 60_000, idempotencyKey: 'k' };
    const both = Promise.all([manager.submit(request), manager.submit(request)]);
    await manager.release(first);
    const [one, other] = await both;
    expect(one).toMatchObject({ kind: 'granted', replayed: false });
    expect(other).toMatchObject({ kind: 'granted', replayed: true });
    expect(one).toHaveProperty('lease.id', (other as { lease: { id: string } }).lease.id);
    await manager.dispose();
  });

  test('a detached request is answered at once and granted without a caller', async () => {
    const { manager } = world();
    const first = await manager.allocate({ requirements: { memory: 80 } });
    const queued = await manager.submit({ id: 'd', requirements: { memory: 50 }, waitMs: 60_000 }, { detached: true });
    expect(queued).toMatchObject({ kind: 'queued', request: { requestId: 'd', position: 0 } });
    await manager.release(first);
    const { items } = await manager.listLeases({ state: 'active' });
    expect(items.map((lease) => lease.requestId)).toEqual(['d']);
    await manager.dispose();
  });
});
