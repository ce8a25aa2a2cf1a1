import { describe, expect, it } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory.ts';
import { NO_STREAM } from '../../src/model/event-store.ts';
import { eventStoreContract } from './contract.ts';
import { event, readBack, recorded } from './fixture.ts';

eventStoreContract('memory:', async () => ({
  open: async () => new MemoryEventStore(),
  dispose: async () => {},
}));

describe('the memory store', () => {
  it('answers at once', () => {
    expect(new MemoryEventStore().append('pool-a', [event({})], NO_STREAM)).toEqual({
      outcome: 'appended',
      revision: 0,
    });
  });

  it('keeps the very event that bears its place already', async () => {
    const store = new MemoryEventStore();
    const batch = recorded([event({ n: 1 }), event({ n: 2 })], 'pool-a');
    store.append('pool-a', batch, NO_STREAM);
    const read = await readBack(store, 'pool-a');
    expect(read.map((e, i) => e === batch[i])).toEqual([true, true]);
  });
});
