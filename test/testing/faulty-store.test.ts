import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { AppendResult } from '../../src/model/event-store.ts';
import type { NewEvent } from '../../src/model/events.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { APPEND_FAULTS, READ_FAULTS } from '../../src/testing/faults.ts';
import { FaultyStore, type FaultyStoreOptions } from '../../src/testing/faulty-store.ts';
import { randomSource } from '../../src/testing/index.ts';
import { event, events, readBack } from '../eventstore/fixture.ts';

const STREAM = 'pool-a';

function made(options: Partial<FaultyStoreOptions> = {}) {
  const clock = fakeClock();
  const inner = new MemoryEventStore();
  const store = new FaultyStore(inner, { clock, random: () => 0.5, ...options });
  /** What an append has come to after `ms`; 'pending' = no answer yet. */
  const append = (batch: readonly NewEvent[], expected: number) => {
    let result: AppendResult | 'pending' = 'pending';
    void Promise.resolve(store.append(STREAM, batch, expected)).then((answer) => {
      result = answer;
    });
    return async (ms: number) => {
      await clock.advanceAsync(ms);
      return result;
    };
  };
  const ids = async () => (await readBack(inner, STREAM)).map(({ id }) => id);
  return { clock, inner, store, append, ids };
}

const idsOf = (batch: readonly NewEvent[]) => batch.map(({ id }) => id);

describe('a faulty store', () => {
  test('without faults is the store beneath it', async () => {
    const { store, ids } = made();
    const batch = events(3);
    expect(await store.append(STREAM, batch, -1)).toEqual({ outcome: 'appended', revision: 2 });
    expect(await ids()).toEqual(idsOf(batch));
    expect(await store.append(STREAM, events(1), 0)).toEqual({ outcome: 'conflict', revision: 2 });
  });

  test.each([
    ['timeoutNotApplied', false],
    ['timeoutApplied', true],
    ['disconnected', false],
  ] as const)('%s: the outcome is unknown, and it has landed: %s', async (fault, landed) => {
    const { store, append, ids } = made({ timeoutMs: 100 });
    const batch = events(2);
    store.next(fault);
    const settled = append(batch, -1);
    expect(await settled(100)).toMatchObject({ outcome: 'unknown' });
    expect(await ids()).toEqual(landed ? idsOf(batch) : []);
    expect(store.counts[fault]).toBe(1);
  });

  test('an identical retry succeeds at the revision of the first time, also after the stream moved on', async () => {
    const { store, append } = made({ timeoutMs: 100 });
    const batch = events(2);
    store.next('timeoutApplied');
    await append(batch, -1)(100);
    await store.append(STREAM, events(3), 1);
    expect(await store.append(STREAM, batch, -1)).toEqual({ outcome: 'appended', revision: 1 });
  });

  test('a late append lands after it was given up, once, though its retry landed before', async () => {
    const { store, append, ids, clock } = made({ timeoutMs: 100, lateMs: 1_000 });
    const batch = events(2);
    store.next('timeoutAppliedLate');
    expect(await append(batch, -1)(100)).toMatchObject({ outcome: 'unknown' });
    expect(await ids()).toEqual([]);
    await clock.advanceAsync(400);
    expect(await ids()).toEqual(idsOf(batch));
    store.next('timeoutAppliedLate');
    const [second, after] = [events(2), events(1)];
    await append(second, 1)(100);
    expect(await store.append(STREAM, second, 1)).toMatchObject({ outcome: 'appended' });
    await store.append(STREAM, after, 3);
    await clock.advanceAsync(1_000);
    expect(await ids()).toEqual(idsOf([...batch, ...second, ...after]));
  });

  test('a late append whose place was taken never lands', async () => {
    const { store, append, ids, clock } = made({ timeoutMs: 100, lateMs: 1_000 });
    const barrier = events(1);
    store.next('timeoutAppliedLate');
    await append(events(2), -1)(100);
    await store.append(STREAM, barrier, -1);
    await clock.advanceAsync(1_000);
    expect(await ids()).toEqual(idsOf(barrier));
  });

  test('another writer overtakes: a conflict, and its event is in the log', async () => {
    const others = events(1);
    const { store, append, ids } = made({ overtake: async () => others });
    store.next('overtaken');
    expect(await append(events(2), -1)(0)).toEqual({ outcome: 'conflict', revision: 0 });
    expect(await ids()).toEqual(idsOf(others));
    expect(store.counts.overtaken).toBe(1);
  });

  test('what arrives twice is written once and answered as the first time', async () => {
    const { store, append, ids } = made();
    const batch = events(2);
    store.next('sentTwice');
    expect(await append(batch, -1)(0)).toEqual({ outcome: 'appended', revision: 1 });
    expect(await ids()).toEqual(idsOf(batch));
  });

  test.each([
    ['failedRetryable', true],
    ['failedForGood', false],
  ] as const)('%s: a definite no, retryable: %s', async (fault, retryable) => {
    const { store, append, ids } = made();
    store.next(fault);
    expect(await append(events(1), -1)(0)).toMatchObject({ outcome: 'failed', retryable });
    expect(await ids()).toEqual([]);
  });

  test('slow: the answer takes its time', async () => {
    const { store, append } = made({ slowMs: 300 });
    store.next('slow');
    const settled = append(events(1), -1);
    expect(await settled(299)).toBe('pending');
    expect(await settled(1)).toMatchObject({ outcome: 'appended' });
  });

  test('stalled: unknown after the time-out, and it arrives when the connection is healed', async () => {
    const { store, append, ids, clock } = made({ timeoutMs: 100 });
    const batch = events(1);
    store.stall();
    expect(await append(batch, -1)(100)).toMatchObject({ outcome: 'unknown' });
    expect(await ids()).toEqual([]);
    store.heal();
    await clock.advanceAsync(0);
    expect(await ids()).toEqual(idsOf(batch));
  });

  test('stalled: a read times out, a subscription delivers nothing until it is healed', async () => {
    const { inner, store, clock } = made({ timeoutMs: 100 });
    await inner.append(STREAM, events(1), -1);
    const seen: string[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const item of store.subscribe(STREAM, { signal: stop.signal }))
        if ('events' in item) seen.push(...idsOf(item.events));
    })();
    await clock.advanceAsync(0);
    store.stall();
    await inner.append(STREAM, events(1), 0);
    const failure = readBack(store, STREAM).catch((error: unknown) => error);
    await clock.advanceAsync(100);
    expect(await failure).toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(seen.length).toBe(1);
    store.heal();
    await clock.advanceAsync(0);
    expect(seen.length).toBe(2);
    stop.abort();
    await following;
  });

  test('killed: nothing comes back any more, what was on its way lands', async () => {
    const { store, append, ids, clock } = made({ latencyMs: () => 100 });
    const batch = events(1);
    const settled = append(batch, -1);
    store.kill();
    expect(await settled(1_000)).toBe('pending');
    expect(await ids()).toEqual(idsOf(batch));
    let read: unknown = 'pending';
    void readBack(store, STREAM).then(
      () => {
        read = 'answered';
      },
      () => {
        read = 'failed';
      },
    );
    await clock.advanceAsync(10_000);
    expect(read).toBe('pending');
  });

  test.each(['readFails', 'readBreaks'] as const)('%s: LOG_UNAVAILABLE', async (fault) => {
    const { inner, store } = made({ rates: { [fault]: 1 } });
    await inner.append(STREAM, events(1_500), -1);
    await expect(readBack(store, STREAM)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(store.counts[fault]).toBe(1);
  });

  test('a subscription that is cut ends with an error; begun again where it ended it misses nothing', async () => {
    const { inner, store, clock } = made({
      rates: { subscriptionCut: 0.3, subscriptionDelayed: 0.3 },
      random: uniform(7),
    });
    const seen: number[] = [];
    const stop = new AbortController();
    const following = (async () => {
      while (!stop.signal.aborted) {
        try {
          for await (const item of store.subscribe(STREAM, { from: seen.length, signal: stop.signal }))
            if ('events' in item) for (const { revision } of item.events) seen.push(revision);
        } catch {
          // begun again
        }
      }
    })();
    for (let n = 0; n < 100; n++) {
      inner.append(STREAM, [event({ n })], n - 1);
      await clock.advanceAsync(50);
    }
    await clock.advanceAsync(20_000);
    stop.abort();
    await following;
    expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(store.counts.subscriptionCut).toBeGreaterThan(5);
  });

  test('one seed repeats everything', async () => {
    const run = async () => {
      const rates = Object.fromEntries([...APPEND_FAULTS, ...READ_FAULTS].map((fault) => [fault, 0.05]));
      const { store, append, inner } = made({ rates, random: uniform(42), latencyMs: () => 3 });
      const outcomes: unknown[] = [];
      for (let n = 0; n < 200; n++) {
        const last = (await readBack(inner, STREAM)).length - 1;
        outcomes.push(((await append([event({ n })], last)(2_000)) as AppendResult).outcome);
      }
      return { outcomes, counts: store.counts };
    };
    expect(await run()).toEqual(await run());
  });
});

const uniform = (seed: number) => {
  const next = randomSource(seed);
  return () => next() / 2 ** 32;
};
