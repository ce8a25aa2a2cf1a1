import { describe, expect, test } from 'vitest';
import { createResourceDetector } from '../../src/detection/detector.ts';
import {
  DEFAULT_POOL_CONFIG,
  isPoolError,
  Priority,
  type RecordedEvent,
  ResourcePoolManager,
  ResourceType,
} from '../../src/index.ts';
import { history, MiB, rejection, typesOf, world } from './fixture.ts';

describe('the library', () => {
  test('runs the quick start on this machine', async () => {
    const poolManager = new ResourcePoolManager(createResourceDetector(), DEFAULT_POOL_CONFIG);
    const resource = await poolManager.allocate({
      id: 'task-1',
      type: ResourceType.Memory,
      priority: Priority.High,
      requirements: { memory: 1000, cpu: 10 },
    });
    expect(resource).toMatchObject({
      requestId: 'task-1',
      token: 1,
      tier: 'standard',
      priority: 'high',
      state: 'active',
    });
    expect(resource.amounts).toEqual({ memory: 1000 * MiB, cpu: 100 });
    await poolManager.release(resource);
    expect(resource.state).toBe('released');
    await poolManager.dispose();
  });

  test('throws at once on a wrong configuration, naming every field', () => {
    const detector = createResourceDetector({ capacity: { memory: 1 } });
    const make = () => new ResourcePoolManager(detector, { maxPoolSize: -1, cacheMaxSize: 'many' as never });
    expect(make).toThrowError(/maxPoolSize: -1[\s\S]*cacheMaxSize: "many"/);
  });

  test('throws at once on a wrong option', () => {
    const detector = createResourceDetector({ capacity: { memory: 1 } });
    expect(() => new ResourcePoolManager(detector, {}, { poolId: 'a-audit' })).toThrowError(
      /options.poolId: "a-audit"/,
    );
    expect(() => new ResourcePoolManager({} as never)).toThrowError(/detector/);
  });

  test('a store that does not exist makes every call reject, naming what is allowed', async () => {
    const detector = createResourceDetector({ capacity: { memory: 1 } });
    const manager = new ResourcePoolManager(detector, {}, { eventStore: 'redis://localhost' });
    expect((await rejection(manager.ready())).code).toBe('INVALID_CONFIG');
    expect((await rejection(manager.allocate({ requirements: { memory: 1 } }))).code).toBe('INVALID_CONFIG');
    await manager.dispose();
  });

  test('a refusal rejects an allocate with its details, and is a value of tryAllocate', async () => {
    const { manager } = world();
    const error = await rejection(manager.allocate({ requirements: { memory: 101 } }));
    expect(isPoolError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'NEVER_FITS', details: { ceiling: { memory: 100 * MiB } } });
    await manager.allocate({ requirements: { memory: 80 } });
    const tried = await manager.tryAllocate({ requirements: { memory: 30 } });
    expect(tried).toMatchObject({ refused: { code: 'EXHAUSTED', shortfall: { memory: 10 * MiB }, tier: 'all' } });
    await manager.dispose();
  });

  test('a malformed request rejects with every wrong field', async () => {
    const { manager } = world();
    const error = await rejection(manager.allocate({ requirements: { memory: -1 }, ttlMs: 0.5 }));
    expect(error.code).toBe('INVALID_REQUEST');
    expect(error.details['errors']).toMatchObject([{ path: 'requirements.memory' }, { path: 'ttlMs' }]);
    await manager.dispose();
  });

  test('what the caller changes in the request afterwards changes nothing that is recorded', async () => {
    const { manager, store } = world();
    const requirements = { memory: 1 };
    const lease = await manager.allocate({ requirements });
    requirements.memory = 99;
    expect(lease.requirements).toEqual({ memory: 1 });
    const granted = (await history(store)).find((event) => event.type === 'LeaseGranted');
    expect(granted?.data).toMatchObject({ request: { requirements: { memory: 1 } } });
    await manager.dispose();
  });

  test('use releases whatever happens', async () => {
    const { manager } = world();
    expect(await manager.use({ requirements: { memory: 10 } }, async (lease) => lease.token)).toBe(1);
    const failing = manager.use({ requirements: { memory: 10 } }, () => Promise.reject(new Error('work')));
    await expect(failing).rejects.toThrow('work');
    expect((await manager.getPool()).leases).toBe(0);
    await manager.dispose();
  });

  test('use renews until the work settles', async () => {
    const { manager, clock } = world();
    await manager.ready();
    const { promise, resolve } = Promise.withResolvers<void>();
    const used = manager.use({ requirements: { memory: 10 }, ttlMs: 3_000 }, () => promise);
    await clock.advanceAsync(10_000);
    expect((await manager.getPool()).leases).toBe(1);
    resolve();
    await used;
    expect((await manager.getMetrics()).renewedTotal).toBeGreaterThanOrEqual(9);
    await manager.dispose();
  });

  test('a lease is released at the end of its block by `await using`', async () => {
    const { manager } = world();
    {
      await using lease = await manager.allocate({ requirements: { memory: 10 } });
      expect(lease.state).toBe('active');
    }
    expect((await manager.getPool()).leases).toBe(0);
    await manager.dispose();
  });

  test('committed$ and events tell the same events in the order of the log', async () => {
    const { manager, store } = world();
    await manager.ready();
    const seen: RecordedEvent[] = [];
    const subscription = manager.committed$.subscribe((event) => seen.push(event));
    const lease = await manager.allocate({ requirements: { memory: 10 } });
    await manager.release(lease);
    subscription.unsubscribe();
    const followed: RecordedEvent[] = [];
    for await (const event of manager.events({ filter: { types: ['LeaseGranted', 'LeaseReleased'] } }))
      if (followed.push(event) === 2) break;
    expect(seen).toEqual(followed);
    expect(typesOf(await history(store)).slice(-2)).toEqual(typesOf(seen));
    await manager.dispose();
  });

  test('stateAt shows the pool as it was', async () => {
    const { manager } = world();
    const lease = await manager.allocate({ requirements: { memory: 10 } });
    const { revision } = await manager.getState();
    await manager.release(lease);
    expect((await manager.stateAt(revision)).leases).toBe(1);
    expect((await manager.stateAt(revision + 1)).leases).toBe(0);
    expect((await rejection(manager.stateAt(revision + 2))).code).toBe('NOT_FOUND');
    await manager.dispose();
  });

  test('the router sends a task to this pool while it fits', async () => {
    const { manager } = world();
    await manager.ready();
    const node = await manager.router.routeTask({ id: 't', requirements: { memory: 60 } });
    expect(node).toMatchObject({ id: 'default', healthy: true, available: { memory: 100 * MiB } });
    await manager.allocate({ requirements: { memory: 60 } });
    expect((await rejection(manager.router.routeTask({ id: 't', requirements: { memory: 60 } }))).code).toBe(
      'EXHAUSTED',
    );
    await manager.dispose();
  });
});
