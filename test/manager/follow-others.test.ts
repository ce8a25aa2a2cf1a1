import { expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { EventStore } from '../../src/model/event-store.ts';
import { type FakeClock, fakeClock } from '../../src/testing/index.ts';
import { world } from './fixture.ts';

/** The store as a shared one, and how many subscriptions to the pool's stream there are on it. */
function listening(inner: EventStore): { store: EventStore; listeners: () => number } {
  let listeners = 0;
  const store: EventStore = {
    traits: inner.traits,
    snapshots: inner.snapshots,
    append: (stream, events, expected) => inner.append(stream, events, expected),
    read: (stream, options) => inner.read(stream, options),
    readAll: (options) => inner.readAll(options),
    subscribe: async function* (stream, options) {
      const counts = stream.endsWith('-audit') ? 0 : 1;
      listeners += counts;
      try {
        yield* inner.subscribe(stream, options);
      } finally {
        listeners -= counts;
      }
    },
    close: () => inner.close(),
  };
  return { store, listeners: () => listeners };
}

async function served() {
  const [memory, clock] = [new MemoryEventStore(), fakeClock()];
  const { store, listeners } = listening(memory);
  const { manager } = world({ store, clock, options: { writerId: 'w1' } });
  const { manager: other } = world({ store: memory, clock, options: { writerId: 'w2' } });
  await Promise.all([manager.ready(), other.ready(), clock.advanceAsync(100)]);
  const close = () => Promise.all([manager.dispose(), other.dispose(), clock.advanceAsync(10_000)]);
  return { manager, other, clock, listeners, close };
}

type Manager = Awaited<ReturnType<typeof served>>['manager'];

async function busily(manager: Manager, clock: FakeClock, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await manager.release(await manager.allocate({ requirements: { memory: 1 } }));
    await clock.advanceAsync(1);
  }
}

test('a writer listens to the others, also while it appends now and then', async () => {
  const { manager, clock, listeners, close } = await served();
  expect(listeners()).toBe(1);
  for (let i = 0; i < 40; i++) {
    await busily(manager, clock, 1);
    await clock.advanceAsync(25);
  }
  expect(listeners()).toBe(1);
  await close();
});

test('a writer whose appends follow each other is not sent what it wrote, and listens again once it is quiet', async () => {
  const { manager, other, clock, listeners, close } = await served();
  await busily(manager, clock, 20);
  expect(listeners()).toBe(0);
  await busily(manager, clock, 100);
  expect(listeners()).toBe(0);
  const lease = await other.allocate({ requirements: { memory: 30 } });
  await clock.advanceAsync(25);
  expect(listeners()).toBe(1);
  expect(await manager.getLease(lease.id)).toMatchObject({ state: 'active', token: lease.token });
  await close();
});

test('a busy writer that another has defeated listens at once', async () => {
  const { manager, other, clock, listeners, close } = await served();
  await busily(manager, clock, 20);
  const lease = await other.allocate({ requirements: { memory: 30 } });
  await busily(manager, clock, 1);
  expect(listeners()).toBe(1);
  expect(await manager.getLease(lease.id)).toMatchObject({ state: 'active' });
  await close();
});
