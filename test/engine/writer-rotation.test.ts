import { describe, expect, test } from 'vitest';
import { WriterRotation } from '../../src/engine/writer-rotation.ts';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { RecordedEvent } from '../../src/model/events.ts';
import { CommandIds, eventId } from '../../src/model/ids.ts';
import { FaultyStore, fakeClock } from '../../src/testing/index.ts';
import { world } from '../manager/fixture.ts';

const APPEND_MS = 2;
const SLOT_MS = 3 * APPEND_MS;

const idOf = (writer: string): string => new CommandIds(writer.repeat(15)).next();
const of = (writer: string): RecordedEvent[] => [{ id: eventId(idOf(writer), 1) } as RecordedEvent];

/** The rotation of writer a, which has just committed at 0. */
function afterOwnCommit(): WriterRotation {
  const rotation = new WriterRotation(idOf('a'));
  rotation.appended(APPEND_MS, 0);
  return rotation;
}

describe('whose turn it is', () => {
  test('a writer alone waits for nobody, but makes room now and then for one that is not known yet', () => {
    const rotation = afterOwnCommit();
    let [nowMs, waitedMs] = [0, 0];
    for (let i = 0; i < 1_000; i++) {
      const waitMs = rotation.waitMs(nowMs);
      waitedMs += waitMs;
      expect(rotation.waitMs(nowMs + waitMs)).toBe(0);
      nowMs += waitMs + APPEND_MS;
      rotation.appended(APPEND_MS, nowMs);
    }
    expect(waitedMs).toBeGreaterThan(0);
    expect(waitedMs / nowMs).toBeLessThan(0.03);
  });

  test('who has just committed lets the other go first, and goes on as soon as that has committed', () => {
    const rotation = afterOwnCommit();
    rotation.observed(of('b'), 1);
    expect(rotation.waitMs(1)).toBe(0);
    rotation.appended(APPEND_MS, 3);
    expect(rotation.waitMs(3)).toBe(SLOT_MS);
    rotation.observed(of('b'), 5);
    expect(rotation.waitMs(5)).toBe(0);
  });

  test('of three the one that committed the longest ago goes first, each other a slot later', () => {
    const rotation = afterOwnCommit();
    rotation.observed(of('b'), 1);
    rotation.observed(of('c'), 2);
    expect(rotation.waitMs(2)).toBe(0);
    rotation.appended(APPEND_MS, 3);
    expect(rotation.waitMs(3)).toBe(2 * SLOT_MS);
    rotation.observed(of('b'), 5);
    expect(rotation.waitMs(5)).toBe(SLOT_MS);
  });

  test('a writer that has never committed goes first', () => {
    const rotation = new WriterRotation(idOf('a'));
    rotation.observed(of('b'), 1);
    expect(rotation.waitMs(1)).toBe(0);
  });

  test('one that lets its turn go by three times is waited for no more, until it commits again', () => {
    const rotation = afterOwnCommit();
    rotation.observed(of('b'), 1);
    let nowMs = 1;
    const waits = Array.from({ length: 5 }, () => {
      rotation.appended(APPEND_MS, nowMs);
      const waitMs = rotation.waitMs(nowMs);
      nowMs += waitMs;
      expect(rotation.waitMs(nowMs)).toBe(0);
      return waitMs;
    });
    const gapMs = 10; // it is alone from here on
    expect(waits).toEqual([SLOT_MS, SLOT_MS, SLOT_MS, gapMs, 0]);
    rotation.observed(of('b'), nowMs);
    rotation.appended(APPEND_MS, nowMs);
    expect(rotation.waitMs(nowMs)).toBe(SLOT_MS);
  });
});

test('a manager to which the log is further away gets through, too, though the callers of the other never rest', async () => {
  const [store, clock] = [new MemoryEventStore(), fakeClock()];
  const managerOf = (writerId: string, awayMs: number) => {
    const connection = new FaultyStore(store, {
      clock,
      random: () => 0.5,
      latencyMs: () => awayMs,
      rates: { subscriptionDelayed: 1 },
      delayMs: awayMs,
      traits: { durable: true },
    });
    return world({ store: connection, clock, options: { writerId } }).manager;
  };
  const managers = [managerOf('near', 1), managerOf('far', 4)];
  await Promise.all([...managers.map((manager) => manager.ready()), clock.advanceAsync(1_000)]);
  const granted = managers.map(() => 0);
  let stopped = false;
  const callers = managers.map(async (manager, i) => {
    while (!stopped) {
      await manager.release(await manager.allocate({ requirements: { memory: 1 } }));
      granted[i]! += 1;
    }
  });
  await clock.advanceAsync(3_000);
  stopped = true;
  await Promise.all([...callers, clock.advanceAsync(1_000)]);
  expect(Math.min(...granted)).toBeGreaterThan(100);
  expect(Math.min(...granted) / Math.max(...granted)).toBeGreaterThan(0.5);
  const { conflicts, batches } = (await managers[1]!.getMetrics()).appends;
  expect(conflicts / batches).toBeLessThan(0.5);
  await Promise.all([...managers.map((manager) => manager.dispose()), clock.advanceAsync(10_000)]);
});

describe('waiting for others is no outage', () => {
  /** Managers on one log, far enough from it that reading what another wrote takes longer than callers wait for an outage. */
  function writersOf(count: number, readMs: () => number) {
    const [store, clock] = [new MemoryEventStore(), fakeClock()];
    const managers = Array.from({ length: count }, (_, n) => {
      const draw = seeded(n + 1);
      const connection = new FaultyStore(store, {
        clock,
        random: draw,
        latencyMs: () => 2,
        readMs,
        rates: { subscriptionDelayed: 1 },
        delayMs: 20,
        timeoutMs: 3_600_000,
        traits: { durable: true },
      });
      const tuning = { unknown: { patienceMs: 1, giveUpMs: 30_000, closeMs: 1_000 } };
      return world({ store: connection, clock, options: { writerId: `w${n}`, random: draw }, tuning }).manager;
    });
    return { managers, clock };
  }

  test.each([4])(
    '%i writers at full speed with 64 callers each: none is told of an outage, no breaker moves',
    async (count) => {
      const { managers, clock } = writersOf(count, () => 2);
      await Promise.all([...managers.map((manager) => manager.ready()), clock.advanceAsync(5_000)]);
      let [done, stopped] = [0, false];
      const told: string[] = [];
      const callers = managers.flatMap((manager) =>
        Array.from({ length: 64 }, async () => {
          while (!stopped)
            try {
              await manager.release(await manager.allocate({ requirements: { memory: 1 }, waitMs: 3_600_000 }));
              done += 1;
            } catch (error) {
              told.push(String(error));
              return;
            }
        }),
      );
      await clock.advanceAsync(300);
      stopped = true;
      await Promise.all([...callers, clock.advanceAsync(20_000)]);
      const all = await Promise.all(managers.map((manager) => manager.getMetrics()));
      expect(told).toEqual([]);
      expect(done).toBeGreaterThan(count * 64);
      expect(all.map(({ appends }) => appends.conflicts).reduce((sum, n) => sum + n)).toBeGreaterThan(count);
      expect(all.map(({ appends: { failed, unknown } }) => failed + unknown)).toEqual(managers.map(() => 0));
      for (const manager of managers) expect((await manager.getPool()).breaker.mode).toBe('closed');
      await Promise.all([...managers.map((manager) => manager.dispose()), clock.advanceAsync(10_000)]);
    },
  );

  test('a tail of what others wrote that takes minutes to read holds callers up, and is not told as an outage', async () => {
    let slow = false;
    const { managers, clock } = writersOf(2, () => (slow ? 60_000 : 2));
    const [one, other] = managers;
    await Promise.all([...managers.map((manager) => manager.ready()), clock.advanceAsync(1_000)]);
    const theirs = other!.allocate({ requirements: { memory: 1 } });
    const asked = one!.allocate({ requirements: { memory: 1 } });
    slow = true;
    await clock.advanceAsync(300_000);
    slow = false;
    await clock.advanceAsync(5_000);
    expect((await Promise.all([asked, theirs])).map(({ token }) => token).sort()).toEqual([1, 2]);
    await Promise.all([...managers.map((manager) => manager.dispose()), clock.advanceAsync(200_000)]);
  });
});

/** Draws that a run repeats. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
