import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { AppendResult } from '../../src/model/event-store.ts';
import type { NewEvent } from '../../src/model/events.ts';
import { history, typesOf, world } from '../manager/fixture.ts';

/** A store that is not in this process: it answers when told to. */
class HeldStore extends MemoryEventStore {
  held = false;
  #waiting: (() => void)[] = [];

  override append(stream: string, events: readonly NewEvent[], expected: number): AppendResult {
    const append = () => super.append(stream, events, expected);
    if (!this.held || stream !== 'pool-default') return append();
    const answer = new Promise<AppendResult>((resolve) => {
      this.#waiting.push(() => resolve(append()));
    });
    return answer as unknown as AppendResult;
  }

  /** The append in flight is answered; what comes of it has happened when this settles. */
  async answer(): Promise<void> {
    await new Promise(setImmediate);
    this.#waiting.shift()?.();
    await new Promise(setImmediate);
  }
}

describe('while an append is in flight', () => {
  test('readers see the pool without it, however often they look, and with it once it is committed', async () => {
    const store = new HeldStore();
    const { manager } = world({ store });
    const first = await manager.allocate({ id: 'first', requirements: { memory: 10 } });
    store.held = true;
    const second = manager.allocate({ id: 'second', requirements: { memory: 20 } });
    await new Promise(setImmediate);
    for (let look = 0; look < 3; look++) {
      expect(await manager.getState()).toMatchObject({ leases: 1, allocated: { memory: 10 * 2 ** 20 } });
      expect((await manager.listLeases()).items.map(({ requestId }) => requestId)).toEqual(['first']);
      expect(await manager.getMetrics()).toMatchObject({ grantedTotal: 1, leases: 1 });
    }
    const released = manager.release(first);
    await store.answer();
    expect((await second).requestId).toBe('second');
    expect(await manager.getState()).toMatchObject({ leases: 2, allocated: { memory: 30 * 2 ** 20 } });
    await store.answer();
    await released;
    expect(await manager.getState()).toMatchObject({ leases: 1, allocated: { memory: 20 * 2 ** 20 } });
    expect(first.state).toBe('released');
    expect(typesOf(await history(store)).slice(-3)).toEqual(['LeaseGranted', 'LeaseGranted', 'LeaseReleased']);
    store.held = false;
    await manager.dispose();
  });

  test('a lease that is being released is held for its readers until that is committed', async () => {
    const store = new HeldStore();
    const { manager } = world({ store });
    const lease = await manager.allocate({ id: 'a', requirements: { memory: 10 } });
    store.held = true;
    const released = manager.release(lease);
    await new Promise(setImmediate);
    expect(lease.state).toBe('active');
    expect(await manager.getLease(lease.id)).toMatchObject({ state: 'active' });
    await store.answer();
    await released;
    expect(lease.state).toBe('released');
    store.held = false;
    await manager.dispose();
  });
});
