import { describe, expect, it } from 'vitest';
import { type EventStore, NO_STREAM, type SubscriptionItem } from '../../src/model/event-store.ts';
import { newEvents, newStream } from './events.ts';

/** Revisions as delivered, and 'caughtUp'. Ends after `count` events. */
async function take(items: AsyncIterable<SubscriptionItem>, count: number): Promise<(number | 'caughtUp')[]> {
  const seen: (number | 'caughtUp')[] = [];
  let events = 0;
  for await (const item of items) {
    if ('caughtUp' in item) seen.push('caughtUp');
    else {
      seen.push(...item.events.map((e) => e.revision));
      events += item.events.length;
    }
    if (events >= count) break;
  }
  return seen;
}

export function subscribeContract(store: () => EventStore): void {
  describe('subscribe', () => {
    it('delivers history, the mark, then what comes, without gap or double, under appends', async () => {
      const stream = newStream();
      await store().append(stream, newEvents(50), NO_STREAM);
      const taken = take(store().subscribe(stream), 150);
      for (let i = 0; i < 100; i++) {
        await store().append(stream, newEvents(1), 49 + i);
        if (i % 10 === 0) await new Promise(setImmediate);
      }
      const seen = await taken;
      expect(seen.filter((s) => s !== 'caughtUp')).toEqual(Array.from({ length: 150 }, (_, i) => i));
      expect(seen.indexOf('caughtUp')).toBeGreaterThanOrEqual(50);
    });

    it('delivers history of several pages', async () => {
      const stream = newStream();
      await store().append(stream, newEvents(1_500), NO_STREAM);
      await store().append(stream, newEvents(1_500), 1_499);
      const seen = await take(store().subscribe(stream, { from: 10 }), 2_990);
      expect(seen.filter((s) => s !== 'caughtUp')).toEqual(Array.from({ length: 2_990 }, (_, i) => i + 10));
    });

    it('waits for a stream that is not there yet', async () => {
      const stream = newStream();
      const taken = take(store().subscribe(stream), 2);
      await new Promise(setImmediate);
      await store().append(stream, newEvents(2), NO_STREAM);
      expect(await taken).toEqual(['caughtUp', 0, 1]);
    });

    it('ends when its signal aborts, and when the store closes', async () => {
      const abort = new AbortController();
      const ends = take(store().subscribe(newStream(), { signal: abort.signal }), 1);
      const closes = take(store().subscribe(newStream()), 1);
      await new Promise(setImmediate);
      abort.abort();
      expect(await ends).toEqual(['caughtUp']);
      await store().close();
      expect(await closes).toEqual(['caughtUp']);
    });
  });
}
