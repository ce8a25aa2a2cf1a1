import { describe, expect, it } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory.ts';
import { openEventStore } from '../../src/eventstore/open.ts';
import { NO_STREAM } from '../../src/model/event-store.ts';
import { eventStoreContract } from './contract.ts';
import { collect, newEvent, newEvents, newStream, recorded } from './events.ts';

eventStoreContract('memory', async () => {
  const store = new MemoryEventStore();
  return { store, dispose: () => store.close() };
});

describe('the memory store', () => {
  it('keeps the very objects that carry their stream and revision', async () => {
    const store = new MemoryEventStore();
    const stream = newStream();
    store.append(stream, newEvents(1), NO_STREAM);
    const [event] = recorded(stream, [newEvent()], 1);
    expect(store.append(stream, [event!], 0)).toEqual({ outcome: 'appended', revision: 1 });
    const read = await collect(store.read(stream));
    expect(read[1]).toBe(event);
  });
});

describe('openEventStore', () => {
  it('opens memory:', async () => {
    expect((await openEventStore('memory:')).traits.url).toBe('memory:');
  });

  it('names what it does not know and what is allowed, without credentials', async () => {
    const opened = openEventStore('redis://user:secret@host');
    await expect(opened).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    await expect(opened).rejects.toThrow(/redis:.*allowed: memory:, sqlite:<file>/);
    await expect(opened).rejects.not.toThrow(/secret/);
  });
});
