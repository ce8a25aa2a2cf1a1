import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evolve } from '../../src/domain/evolve.ts';
import { canonicalState } from '../../src/domain/snapshot.ts';
import { emptyState, type PoolState } from '../../src/domain/state.ts';
import { poolView } from '../../src/domain/views.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import type { Moment } from '../../src/model/reading.ts';
import { type Frame, frameOf, stateFrom } from '../../src/replay/copy-state.ts';
import { Keyframes } from '../../src/replay/keyframes.ts';
import { replay } from '../../src/replay/replay.ts';
import { Timeline } from '../../src/replay/timeline.ts';
import { historyOf, pagesOf, START, steps } from '../projections/histories.ts';
import { WrittenLog } from '../projections/written-log.ts';

function stateOf(events: readonly RecordedPoolEvent[]): PoolState {
  const state = emptyState();
  for (const event of events) evolve(state, event);
  return state;
}

/** A frame's state, all its steps at once. */
function restored(frame: Frame): PoolState {
  const steps = stateFrom(frame);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** A source that counts what is read from it. */
function counting(log: readonly RecordedPoolEvent[]) {
  const counted = { events: 0, source };
  async function* source(from: number, to: number): AsyncGenerator<readonly RecordedPoolEvent[]> {
    for await (const page of pagesOf(log, 100)(from, to)) {
      counted.events += page.length;
      yield page;
    }
  }
  return counted;
}

function busyLog(events: number): WrittenLog {
  const log = new WrittenLog();
  for (let token = 1; log.events.length < events; token++) {
    log.later(10).grant();
    if (token > 5) log.release(token - 5);
  }
  return log;
}

const moments: fc.Arbitrary<Moment> = fc.oneof(
  fc.nat(300).map((revision) => ({ revision })),
  fc.nat(2_000_000).map((ms) => ({ at: START + ms })),
);

describe('the pool at a moment', () => {
  it('is what its events up to there make of it, in whatever order moments are looked at, at once too', async () => {
    const asFolded = async (history: Parameters<typeof historyOf>[0], wanted: readonly Moment[], together: boolean) => {
      const log = historyOf(history);
      const timeline = new Timeline(pagesOf(log), new Keyframes(8, 20_000));
      const look = async (moment: Moment): Promise<void> => {
        const events = log.filter((event) =>
          'revision' in moment ? event.revision <= moment.revision : event.at <= moment.at,
        );
        if ('revision' in moment && moment.revision >= log.length)
          return expect(timeline.poolAt(moment)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        expect(await timeline.poolAt(moment)).toEqual(poolView(stateOf(events)));
        expect(canonicalState(await timeline.stateAt(moment))).toBe(canonicalState(stateOf(events)));
      };
      if (together) await Promise.all(wanted.map(look));
      else for (const moment of wanted) await look(moment);
    };
    const several = fc.array(moments, { maxLength: 8 });
    await fc.assert(fc.asyncProperty(steps, several, fc.boolean(), asFolded), { numRuns: 150 });
  });

  it('includes the revision it is asked for', async () => {
    const log = new WrittenLog();
    const granted = log.grant();
    const timeline = new Timeline(pagesOf(log.events));
    expect(await timeline.poolAt({ revision: granted })).toMatchObject({ revision: granted, leases: 1 });
    expect(await timeline.poolAt({ revision: granted - 1 })).toMatchObject({ revision: granted - 1, leases: 0 });
  });

  it('at an instant includes all that is dated up to it', async () => {
    const log = new WrittenLog();
    log.later(100).grant();
    const second = log.grant();
    log.later(100).grant();
    const timeline = new Timeline(pagesOf(log.events));
    expect(await timeline.poolAt({ at: START + 100 })).toMatchObject({ revision: second, leases: 2 });
    expect(await timeline.poolAt({ at: START + 199 })).toMatchObject({ revision: second });
    expect(await timeline.poolAt({ at: START + 1e9 })).toMatchObject({ leases: 3 });
  });

  it('is NOT_FOUND where there is nothing, named, and without reading the whole log', async () => {
    const { source, ...counted } = counting(busyLog(5_000).events);
    const timeline = new Timeline(source);
    await expect(timeline.poolAt({ revision: 9_999 })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('revision 9999'),
    });
    expect(counted.events).toBe(0);
    const before = { code: 'NOT_FOUND', message: expect.stringContaining(String(START - 1)) };
    await expect(timeline.poolAt({ at: START - 1 })).rejects.toMatchObject(before);
    await expect(timeline.stateAt({ at: START - 1 })).rejects.toMatchObject(before);
    await expect(new Timeline(pagesOf([])).poolAt({ at: START })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses %d as a revision and as an instant', async (value) => {
    const timeline = new Timeline(pagesOf(busyLog(50).events));
    await expect(timeline.poolAt({ revision: value })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(timeline.stateAt({ at: value })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('keeps what it gave, whatever is looked at or changed afterwards', async () => {
    const log = busyLog(300).events;
    const timeline = new Timeline(pagesOf(log), new Keyframes(16));
    const early = await timeline.poolAt({ revision: 100 });
    const kept = structuredClone(early);
    const own = await timeline.stateAt({ revision: 100 });
    for (const lease of [...own.leases.values()]) own.leases.drop(lease);
    await timeline.poolAt({ revision: 299 });
    expect(early).toEqual(kept);
    expect(await timeline.poolAt({ revision: 100 })).toEqual(kept);
  });
});

describe('a seek', () => {
  it('folds no more than one distance between keyframes once the log has been walked', async () => {
    const log = busyLog(20_000).events;
    const counted = counting(log);
    const keyframes = new Keyframes(500);
    const timeline = new Timeline(counted.source, keyframes);
    await timeline.poolAt({ revision: 19_999 });
    for (const revision of [10_000, 3, 19_998, 7_777, 12_345]) {
      counted.events = 0;
      await timeline.poolAt({ revision });
      expect(counted.events).toBeLessThanOrEqual(keyframes.spacing);
    }
  });

  it('goes on from the last one: a step forward folds one event', async () => {
    const counted = counting(busyLog(3_000).events);
    const timeline = new Timeline(counted.source);
    await timeline.poolAt({ revision: 2_500 });
    counted.events = 0;
    await timeline.poolAt({ revision: 2_501 });
    expect(counted.events).toBe(2);
    await timeline.poolAt({ revision: 2_400 });
    counted.events = 0;
    await timeline.poolAt({ revision: 2_401 });
    expect(counted.events).toBe(1);
  });
});

describe('the way to a moment', () => {
  const log = new WrittenLog();
  const LIVE = 900;
  for (let token = 1; log.events.length < 5_000; token++) {
    if (token > LIVE) log.release(token - LIVE);
    log.later(10).grant();
  }
  const { events } = log;

  it('from a keyframe with many leases is taken in steps, with a rest after each', async () => {
    let rests = 0;
    const rest = async (): Promise<void> => void rests++;
    const timeline = new Timeline(pagesOf(events), new Keyframes(4_096), undefined, rest);
    await timeline.poolAt({ revision: events.length - 1 });
    expect(rests).toBe(0);
    await timeline.poolAt({ revision: 4_200 });
    expect(rests).toBe(2);
  });

  it('from what stands for a long beginning is taken in steps, too, as that was when it was set out on', async () => {
    const base = stateOf(events.slice(0, 4_000));
    const before = canonicalState(base);
    let rests = 0;
    const rest = async (): Promise<void> => {
      if (rests++ === 0) evolve(base, events[4_000]!);
    };
    const timeline = new Timeline(pagesOf(events), undefined, () => base, rest);
    const whole = await timeline.stateAt({ revision: 4_500 });
    expect(canonicalState(whole)).toBe(canonicalState(stateOf(events.slice(0, 4_501))));
    expect(rests).toBeGreaterThanOrEqual(3);
    expect(canonicalState(base)).not.toBe(before);
  });
});

describe('keyframes', () => {
  it('are thinned evenly when they take too much room', () => {
    const keyframes = new Keyframes(10, 60_000);
    const state = emptyState();
    for (const event of busyLog(5_000).events) {
      evolve(state, event);
      keyframes.offer(state);
    }
    expect(keyframes.spacing).toBeGreaterThan(10);
    expect(keyframes.size).toBeGreaterThan(8);
    expect(keyframes.size).toBeLessThanOrEqual(Math.floor(5_000 / keyframes.spacing));
    for (let revision = keyframes.spacing; revision < 5_000; revision += 333) {
      const { revision: found } = keyframes.before({ revision })!;
      expect(revision - found).toBeLessThanOrEqual(keyframes.spacing);
      expect(found).toBeLessThanOrEqual(revision);
    }
  });

  it('are what no later event changes', () => {
    const independent = (history: Parameters<typeof historyOf>[0], cut: number) => {
      const log = historyOf(history);
      const at = cut % log.length;
      const state = stateOf(log.slice(0, at));
      const frame = frameOf(state);
      const taken = canonicalState(restored(frame));
      for (const event of log.slice(at)) evolve(state, event);
      expect(canonicalState(restored(frame))).toBe(taken);
      const copy = restored(frame);
      for (const event of log.slice(at)) evolve(copy, event);
      expect(canonicalState(restored(frame))).toBe(taken);
      expect(poolView(copy)).toEqual(poolView(state));
    };
    fc.assert(fc.property(steps, fc.nat(), independent), { numRuns: 150 });
  });
});

describe('a replay', () => {
  it('gives the same texts every time, and those of the state that stands there', async () => {
    const sameTexts = async (history: Parameters<typeof historyOf>[0], cut: number) => {
      const log = historyOf(history);
      const to = cut % log.length;
      const first = await replay(pagesOf(log), { to });
      expect(first).toEqual(await replay(pagesOf(log, 3), { to }));
      expect(first).toMatchObject({ revision: to, events: to + 1 });
      expect(first.canonical).toBe(canonicalState(stateOf(log.slice(0, to + 1))));
      expect(Object.keys(first.projections)).toEqual(['metrics', 'utilization']);
    };
    await fc.assert(fc.asyncProperty(steps, fc.nat(), sameTexts), { numRuns: 100 });
  });

  it('of a part ends in the same state as one of the whole', async () => {
    const log = busyLog(400).events;
    const part = await replay(pagesOf(log), { from: 150, to: 300 });
    expect(part.events).toBe(151);
    expect(part.canonical).toBe((await replay(pagesOf(log), { to: 300 })).canonical);
  });

  it('tells how far it is, page by page', async () => {
    const log = busyLog(250).events.slice(0, 250);
    const told: object[] = [];
    await replay(pagesOf(log, 100), { onProgress: (progress) => told.push(progress) });
    expect(told).toEqual([
      { revision: 99, events: 100 },
      { revision: 199, events: 200 },
      { revision: 249, events: 250 },
    ]);
  });

  it('of revisions that are not there is NOT_FOUND', async () => {
    const log = busyLog(50).events.slice(0, 50);
    await expect(replay(pagesOf(log), { to: 50 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(replay(pagesOf(log), { from: 52 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await replay(pagesOf([]))).toMatchObject({ revision: -1, events: 0 });
  });
});
