import { describe, expect, test } from 'vitest';
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
