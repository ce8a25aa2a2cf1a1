import { firstValueFrom, of, toArray, VirtualTimeScheduler } from 'rxjs';
import { expect, test } from 'vitest';
import { observe, startHysteresis } from '../../../src/detection/hysteresis.ts';
import {
  type CapacitySample,
  capacityChanges,
  sampleCapacity$,
  totalsOf,
} from '../../../src/manager/feeds/capacity.ts';
import type { ResourceDetector } from '../../../src/model/interfaces.ts';

const sampleOf = (memory: number): CapacitySample => ({
  resources: {
    at: memory,
    hostId: 'h',
    source: 'detected',
    containerLimited: false,
    resources: { memory: { total: memory, used: 0, available: memory } },
  },
  availability: { at: memory, stale: false, available: { memory }, constrained: [] },
});

/** A detector that gives these totals one after the other; undefined throws. */
function detectorOf(totals: (number | undefined)[]): ResourceDetector {
  let calls = 0;
  let last = sampleOf(1);
  return {
    getCurrentResources: () => {
      const total = totals[calls++];
      if (total === undefined) throw new Error(`look ${calls} failed`);
      last = sampleOf(total);
      return last.resources;
    },
    getAvailability: () => last.availability,
  };
}

/** Runs the scheduler for this long in virtual time. */
function run(scheduler: VirtualTimeScheduler, untilMs: number): void {
  scheduler.maxFrames = untilMs;
  scheduler.flush();
}

test('samples come at once and at each interval, until unsubscribed', () => {
  const scheduler = new VirtualTimeScheduler();
  const seen: number[][] = [];
  const subscription = sampleCapacity$(detectorOf([10, 20, 30, 40]), { intervalMs: 100, scheduler }).subscribe(
    (sample) => seen.push([scheduler.frame, totalsOf(sample.resources)['memory']!]),
  );
  run(scheduler, 250);
  subscription.unsubscribe();
  run(scheduler, 1000);
  expect(seen).toEqual([
    [0, 10],
    [100, 20],
    [200, 30],
  ]);
});

test('a look that throws is told and left out, and the next one comes', () => {
  const scheduler = new VirtualTimeScheduler();
  const [seen, errors]: [number[], unknown[]] = [[], []];
  sampleCapacity$(detectorOf([10, undefined, 30]), {
    intervalMs: 100,
    scheduler,
    onError: (error) => errors.push((error as Error).message),
  }).subscribe((sample) => seen.push(sample.resources.at));
  run(scheduler, 250);
  expect([seen, errors]).toEqual([[10, 30], ['look 2 failed']]);
});

test('only the first totals and lasting changes come through the hysteresis', async () => {
  const rule = { hysteresisRatio: 0.1, stableSamples: 2 };
  const samples = [1000, 1010, 500, 1000, 500, 500, 500].map(sampleOf);
  const changes$ = of(...samples).pipe(
    capacityChanges(startHysteresis, (state, totals) => observe(state, totals, rule)),
    toArray(),
  );
  expect(await firstValueFrom(changes$)).toEqual([{ memory: 1000 }, { memory: 500 }]);
  expect(await firstValueFrom(changes$)).toHaveLength(2);
});
