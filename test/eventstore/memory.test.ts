import { describe, expect, it } from 'vitest';
import { checkStore } from '../../src/eventstore/check.ts';
import { type MemoryBounds, MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { asFolded, NO_STREAM } from '../../src/model/event-store.ts';
import type { RecordedEvent } from '../../src/model/events.ts';
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

  it('keeps the very event that the engine has folded, without a copy', async () => {
    const store = new MemoryEventStore();
    const batch = recorded([event({ n: 1 }), event({ n: 2 })], 'pool-a');
    store.append('pool-a', asFolded(batch), NO_STREAM);
    const read = await readBack(store, 'pool-a');
    expect(read.map((e, i) => e === batch[i])).toEqual([true, true]);
  });
});

const STREAM = 'pool-a';
const numbered = (from: number, count: number) => Array.from({ length: count }, (_, n) => event({ n: from + n }));

/** A store with one stream of `count` events, appended in batches of 10. */
function filled(bounds: MemoryBounds, count: number, stream = STREAM, store = new MemoryEventStore(bounds)) {
  for (let n = 0; n < count; n += 10) store.append(stream, numbered(n, 10), n - 1);
  return store;
}

const numberOf = ({ data }: { readonly data: unknown }) => (data as { n: number }).n;

/** What a store with a bounded history owes those who read it; `first`: what it must have let go of before. */
describe.each<[string, MemoryBounds]>([
  ['a number of events', { events: 1_500 }],
  ['a number of bytes', { bytes: 1_500 * 400 }],
])('a history that is bounded by %s', (_, bounds) => {
  const gone = (revision: number, first: number) => ({ code: 'NOT_FOUND', details: { revision, first } });

  it('holds the last events, and says which is the first', async () => {
    const store = filled(bounds, 5_000);
    const first = store.history.first(STREAM);
    if (bounds.events !== undefined) expect(first).toBe(3_500);
    expect(first).toBeGreaterThan(2_500);
    expect(first).toBeLessThan(4_500);
    const read = await readBack(store, STREAM);
    expect(read.map(numberOf)).toEqual(Array.from({ length: 5_000 - first }, (_, n) => first + n));
    expect(read.map(({ revision }) => revision)).toEqual(read.map(numberOf));
    expect([store.history.first('pool-b'), await readBack(store, 'pool-b')]).toEqual([0, []]);
  });

  it('passes nothing over in silence: who asks for what is gone is told the first that is there', async () => {
    const store = filled(bounds, 5_000);
    const first = store.history.first(STREAM);
    for (const from of [0, 1, first - 1]) {
      await expect(store.read(STREAM, { from }).next()).rejects.toMatchObject(gone(from, first));
      await expect(store.subscribe(STREAM, { from }).next()).rejects.toMatchObject(gone(from, first));
    }
    const [at] = (await store.read(STREAM, { from: first, limit: 1 }).next()).value!;
    expect(numberOf(at!)).toBe(first);
    const back: number[] = [];
    for await (const page of store.read(STREAM, { direction: 'backward' })) back.push(...page.map(numberOf));
    expect([back.length, back.at(-1)]).toEqual([5_000 - first, first]);
  });

  it('is followed from its beginning by who names none; one that falls behind is told', async () => {
    const store = filled(bounds, 5_000);
    const first = store.history.first(STREAM);
    const following = store.subscribe(STREAM);
    const item = (await following.next()).value!;
    expect('events' in item && item.events[0]!.revision).toBe(first);
    const next = 'events' in item ? item.events.at(-1)!.revision + 1 : 0;
    for (let n = 5_000; n < 10_000; n += 10) store.append(STREAM, numbered(n, 10), n - 1);
    await expect(following.next()).rejects.toMatchObject(gone(next, store.history.first(STREAM)));
  });

  it('tells its remains of each event that goes, once and in order, whoever asked for them first', () => {
    const store = new MemoryEventStore(bounds);
    const taken: number[] = [];
    const made = { take: (each: RecordedEvent) => void taken.push(each.revision) };
    expect(store.history.remains(STREAM, () => made)).toBe(made);
    filled(bounds, 5_000, STREAM, store);
    expect(taken).toEqual(Array.from({ length: store.history.first(STREAM) }, (_, n) => n));
    expect(store.history.remains(STREAM, () => ({ take: () => undefined }))).toBe(made);
    filled(bounds, 5_000, 'pool-b', store);
    expect(store.history.remains('pool-b', () => made)).toBeUndefined();
  });

  it('answers an identical batch that is gone, or half gone, as a conflict', () => {
    const store = new MemoryEventStore(bounds);
    const batch = numbered(0, 10);
    store.append(STREAM, batch, NO_STREAM);
    expect(store.append(STREAM, batch, NO_STREAM)).toEqual({ outcome: 'appended', revision: 9 });
    for (let n = 10; n < 5_000; n += 10) store.append(STREAM, numbered(n, 10), n - 1);
    expect(store.append(STREAM, batch, NO_STREAM)).toEqual({ outcome: 'conflict', revision: 4_999 });
  });

  it('is read with all streams, in the order of the appends, and checked', async () => {
    const store = new MemoryEventStore(bounds);
    for (let n = 0; n < 5_000; n += 10) {
      store.append(STREAM, numbered(n, 10), n - 1);
      if (n % 100 === 0) store.append(`${STREAM}-audit`, [event({ n: n / 100 })], n / 100 - 1);
    }
    const first = store.history.first(STREAM);
    expect(await checkStore(store)).toMatchObject({ events: 5_000 - first + 50, streams: { size: 2 } });
  });

  it('never lets go of the append that has just been made', async () => {
    const store = filled(bounds, 3_000);
    const large = Array.from({ length: 2_000 }, (_, n) => event({ n: 3_000 + n, text: 'x'.repeat(500) }));
    expect(store.append(STREAM, large, 2_999)).toEqual({ outcome: 'appended', revision: 4_999 });
    expect(store.history.first(STREAM)).toBe(3_000);
  });
});

describe('the memory of a bounded history', () => {
  it('holds no more runs of streams than there are events, and no event that is gone', () => {
    const store = new MemoryEventStore({ events: 1_000 });
    for (let n = 0; n < 20_000; n++) {
      store.append('pool-a', numbered(n, 1), n - 1);
      store.append('pool-a-audit', numbered(n, 1), n - 1);
    }
    expect(store.runs).toBeLessThanOrEqual(2 * 2_000 + 66);
  });

  it('lets go of so many at once at most, where small events make way for large ones', () => {
    const store = new MemoryEventStore({ bytes: 16 * 2 ** 20 });
    expect(filled({}, 20_000, STREAM, store).history.first(STREAM)).toBe(0);
    const large = [event({ text: 'x'.repeat(16 * 2 ** 20) })];
    store.append(STREAM, large, 19_999);
    expect(store.history.first(STREAM)).toBe(8_192);
  });
});
