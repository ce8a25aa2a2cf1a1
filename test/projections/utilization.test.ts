import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evolve } from '../../src/domain/evolve.ts';
import { emptyState } from '../../src/domain/state.ts';
import { utilizationOf } from '../../src/domain/views.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import type { UtilizationPoint } from '../../src/model/reading.ts';
import { PoolReadings } from '../../src/projections/readings.ts';
import { MAX_POINTS } from '../../src/projections/utilization.ts';
import { WrittenLog } from './written-log.ts';

function viewOf(events: readonly RecordedPoolEvent[]) {
  const readings = new PoolReadings();
  readings.fold(events);
  return readings.utilization();
}

/** The series as its rule says it, with no memory bound: the last state of each step of that width. */
function plainSeries(events: readonly RecordedPoolEvent[], stepMs: number): UtilizationPoint[] {
  const state = emptyState();
  const byStep = new Map<number, UtilizationPoint>();
  for (const event of events) {
    evolve(state, event);
    const point = {
      at: state.at,
      utilization: utilizationOf(state),
      leases: state.leases.size,
      waiting: state.waiting.size,
    };
    byStep.set(Math.floor(event.at / stepMs), point);
  }
  return [...byStep.values()];
}

/** Grants and ends one lease after another, with these gaps. */
function logOf(gapsMs: readonly number[]): WrittenLog {
  const log = new WrittenLog(4);
  gapsMs.forEach((gapMs, place) => {
    log.later(gapMs);
    if (place % 3 === 2) log.release(place - 1 - Math.floor(place / 3));
    else log.grant();
  });
  return log;
}

describe('utilization', () => {
  it('tells how full the pool and each tier are now', () => {
    const log = new WrittenLog();
    for (let more = 0; more < 250; more++) log.grant();
    const view = viewOf(log.events);
    expect(view).toMatchObject({ revision: 252, now: { cpu: 0.25 }, tiers: { main: { cpu: 0.25 } } });
    expect(view.series.at(-1)).toMatchObject({ at: view.at, utilization: { cpu: 0.25 }, leases: 250, waiting: 0 });
  });

  it('has no series before the first event', () => {
    expect(viewOf([]).series).toEqual([]);
  });

  it('keeps the last state of each second while history is short', () => {
    const log = logOf([0, 400, 700, 5_000]);
    const { series } = viewOf(log.events);
    expect(series.map(({ leases }) => leases)).toEqual([2, 1, 2]);
    expect(series).toEqual(plainSeries(log.events, 1_000));
  });

  it('never has more than 1 000 points, and is then the series of a wider step', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 1_500, maxLength: 3_000, size: 'max' });
    const bounded = (gapsMs: readonly number[]) => {
      const log = logOf(gapsMs);
      const { series } = viewOf(log.events);
      expect(series.length).toBeLessThanOrEqual(MAX_POINTS);
      const widths = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000];
      const width = widths.find((stepMs) => plainSeries(log.events, stepMs).length <= series.length)!;
      expect(series).toEqual(plainSeries(log.events, width));
    };
    fc.assert(fc.property(gaps, bounded), { numRuns: 20 });
  });

  it('keeps at least a quarter of its points when history is dense', () => {
    const { series } = viewOf(logOf(Array.from({ length: 6_000 }, () => 1_000)).events);
    expect(series.length).toBeGreaterThan(MAX_POINTS / 4);
  });
});
