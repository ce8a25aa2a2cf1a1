import { describe, expect, it } from 'vitest';
import { NO_STREAM, type SubscriptionItem } from '../../src/model/event-store.ts';
import type { Bench } from './contract.ts';
import { events, freshStream, mustAppend, recorded, takeUntil } from './fixture.ts';

/** 240 000 deliveries and more, which take a busy machine a while. */
const ENDURES = { timeout: 120_000 };

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export function subscribeContract(bench: Bench): void {
  describe('subscribe', () => {
    it('delivers history, then the mark, then what comes', async () => {
      const stream = freshStream();
      const batch = events(1500);
      await mustAppend(bench.store, stream, batch.slice(0, 1000), NO_STREAM);
      let added = false;
      const { seen, marks } = await takeUntil(bench.store.subscribe(stream), (got, caughtUp) => {
        if (caughtUp === 1 && !added) {
          added = true;
          void mustAppend(bench.store, stream, batch.slice(1000), 999);
        }
        return got.length === 1500;
      });
      expect(seen).toEqual(recorded(batch, stream));
      expect(marks).toEqual([1000]);
    });

    it('marks an empty or missing stream as caught up at once', async () => {
      const { seen, marks } = await takeUntil(bench.store.subscribe(freshStream()), (_, caughtUp) => caughtUp > 0);
      expect([seen, marks]).toEqual([[], [0]]);
    });

    it('begins at `from`, also if that is not there yet', async () => {
      const stream = freshStream();
      const batch = events(30);
      await mustAppend(bench.store, stream, batch.slice(0, 10), NO_STREAM);
      const late = takeUntil(bench.store.subscribe(stream, { from: 15 }), (got) => got.at(-1)?.revision === 29);
      const middle = takeUntil(bench.store.subscribe(stream, { from: 4 }), (got) => got.at(-1)?.revision === 29);
      await turn();
      await mustAppend(bench.store, stream, batch.slice(10, 20), 9);
      await mustAppend(bench.store, stream, batch.slice(20), 19);
      expect((await late).seen).toEqual(recorded(batch, stream).slice(15));
      expect((await middle).seen).toEqual(recorded(batch, stream).slice(4));
    });

    it(
      'misses and doubles nothing while appends go on, wherever a subscriber comes in, slow ones too',
      ENDURES,
      async () => {
        const stream = freshStream();
        const total = bench.sizes.liveEvents;
        const batch = 7;
        const running: Promise<unknown>[] = [];
        const start = (from: number, pauseEvery: number) =>
          running.push(watch(bench.store.subscribe(stream, { from }), from, total, pauseEvery));
        for (let next = 0; next < total; next += batch) {
          const count = Math.min(batch, total - next);
          await mustAppend(bench.store, stream, events(count, next), next - 1);
          if (next % (Math.ceil(total / 20 / batch) * batch) === 0) {
            start(0, 0);
            start(next, 3);
            start(next + 50, 1);
          }
          if (next % (batch * 10) === 0) await turn();
        }
        await Promise.all(running);
        expect(running.length).toBeGreaterThanOrEqual(60);
      },
    );

    it('ends when its signal aborts: before it began, while it waits, and while events lie ready', async () => {
      const stream = freshStream();
      await mustAppend(bench.store, stream, events(10), NO_STREAM);
      const before = await takeUntil(bench.store.subscribe(stream, { signal: AbortSignal.abort() }), () => false);
      expect(before.seen).toEqual([]);
      for (const when of ['waiting', 'delivering']) {
        const abort = new AbortController();
        const { seen } = await takeUntil(bench.store.subscribe(stream, { signal: abort.signal }), (got, caughtUp) => {
          if (when === 'waiting' ? caughtUp === 1 : got.length === 10) setImmediate(() => abort.abort());
          return false;
        });
        expect(seen).toHaveLength(10);
      }
    });

    it('goes on for others when one leaves', async () => {
      const stream = freshStream();
      const stays = takeUntil(bench.store.subscribe(stream), (got) => got.length === 5);
      await takeUntil(bench.store.subscribe(stream), (_, caughtUp) => caughtUp === 1);
      await mustAppend(bench.store, stream, events(5), NO_STREAM);
      expect((await stays).seen).toHaveLength(5);
    });
  });
}

/** Follows to the end and throws at the first event that is not the next one. */
async function watch(items: AsyncIterable<SubscriptionItem>, from: number, total: number, pauseEvery: number) {
  let next = from;
  let count = 0;
  if (next >= total) return;
  for await (const item of items) {
    if (pauseEvery > 0 && ++count % pauseEvery === 0) await turn();
    if ('caughtUp' in item) continue;
    for (const e of item.events) {
      if (e.revision !== next || (e.data as { n: number }).n !== next)
        throw new Error(`${e.revision} instead of ${next}`);
      next++;
    }
    if (next === total) return;
  }
  throw new Error(`the subscription ended at ${next} of ${total}`);
}
