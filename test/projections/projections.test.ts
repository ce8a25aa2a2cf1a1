import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StatePacker, unpackState } from '../../src/domain/ledger/pack.ts';
import { canonicalState } from '../../src/domain/snapshot.ts';
import { emptyState } from '../../src/domain/state.ts';
import { requestView } from '../../src/domain/views.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import type { RequestFilter } from '../../src/model/reading.ts';
import { canonicalJson } from '../../src/model/values/canonical.ts';
import { createProjections } from '../../src/projections/all.ts';
import { fold, rebuild } from '../../src/projections/fold.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { PoolReadings } from '../../src/projections/readings.ts';
import { historyOf, pagesOf, type Step, steps } from './histories.ts';

const all = (): readonly Projection[] => Object.values(createProjections());

/** All that the readings answer, as one text. */
const answersOf = (readings: PoolReadings): string =>
  canonicalJson({
    saved: readings.save(),
    index: readings.index.save(),
    state: canonicalState(readings.state),
    pool: readings.pool(),
    leases: readings.listLeases({ limit: 1_000 }),
    live: readings.listLeases({ limit: 1_000, state: 'active' }),
    requests: readings.listRequests(),
    utilization: readings.utilization(),
    metrics: readings.metrics(),
  });

function readingsOf(log: readonly RecordedPoolEvent[], batchSizes: readonly number[]): PoolReadings {
  const readings = new PoolReadings();
  for (let at = 0, turn = 0; at < log.length; turn++) {
    const size = batchSizes[turn % batchSizes.length]!;
    readings.fold(log.slice(at, at + size));
    if (turn % 3 === 0) readings.utilization();
    at += size;
  }
  return readings;
}

describe('projections over random histories', () => {
  const batches = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });

  it('answer the same however the log came in batches and when it was read', () => {
    const sameAnswers = (history: readonly Step[], sizes: readonly number[]) => {
      const log = historyOf(history);
      expect(answersOf(readingsOf(log, sizes))).toBe(answersOf(readingsOf(log, [log.length])));
    };
    fc.assert(fc.property(steps, batches, sameAnswers), { numRuns: 150 });
  });

  it('hold the same when they are rebuilt, and when they are rebuilt again', async () => {
    const sameAsLive = async (history: readonly Step[]) => {
      const log = historyOf(history);
      const live = all();
      fold(emptyState(), live, log);
      const rebuilt = all();
      fold(emptyState(), rebuilt, log.slice(0, 10));
      for (let round = 0; round < 2; round++) {
        await rebuild(rebuilt, pagesOf(log)(0, log.length));
        expect(rebuilt.map((each) => each.save())).toEqual(live.map((each) => each.save()));
      }
    };
    await fc.assert(fc.asyncProperty(steps, sameAsLive), { numRuns: 100 });
  });

  it('go on from what was saved, as JSON, as if they had never stopped', () => {
    const sameAnswers = (history: readonly Step[], cut: number) => {
      const log = historyOf(history);
      const at = cut % log.length;
      const before = readingsOf(log.slice(0, at), [20]);
      const saved = JSON.parse(JSON.stringify(before.save()));
      const after = new PoolReadings();
      after.index.load(JSON.parse(JSON.stringify(before.index.save())));
      after.load(unpackState(new StatePacker(before.state).packed()), saved, before.lastEventId);
      after.fold(log.slice(at));
      expect(answersOf(after)).toBe(answersOf(readingsOf(log, [20])));
    };
    fc.assert(fc.property(steps, fc.nat(), sameAnswers), { numRuns: 150 });
  });

  it('list waiting requests as each is read by itself', () => {
    const sameViews = (history: readonly Step[]) => {
      const { state, ...readings } = bound(readingsOf(historyOf(history), [50]));
      const listed = readings.listRequests({ limit: 1_000 }).items;
      expect(listed).toHaveLength(state.waiting.size);
      for (const view of listed) {
        expect(requestView(state, state.waiting.get(view.leaseId)!)).toEqual(view);
        expect(readings.request(view.requestId)).toEqual(view);
        expect(readings.request(view.leaseId)).toEqual(view);
      }
    };
    fc.assert(fc.property(steps, sameViews), { numRuns: 100 });
  });
});

const bound = (readings: PoolReadings) => ({
  state: readings.state,
  listRequests: (filter: RequestFilter) => readings.listRequests(filter),
  request: (id: string) => readings.request(id),
});
