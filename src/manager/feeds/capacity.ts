import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  filter,
  map,
  type Observable,
  type OperatorFunction,
  of,
  type SchedulerLike,
  scan,
  timer,
} from 'rxjs';
import type { ResourceAvailability, ResourceDetector, SystemResources } from '../../model/interfaces.ts';
import type { Amounts } from '../../model/values/amounts.ts';

export interface CapacitySample {
  readonly resources: SystemResources;
  readonly availability: ResourceAvailability;
}

export interface CapacityOptions {
  readonly intervalMs: number;
  readonly scheduler?: SchedulerLike;
  /** Told what the detector throws; the sample is left out, so that the last one stands. */
  readonly onError?: (error: unknown) => void;
}

/** Looks at the detector at once and then at each interval; a look that throws ends nothing. */
export function sampleCapacity$(detector: ResourceDetector, options: CapacityOptions): Observable<CapacitySample> {
  const look = defer(() =>
    of({ resources: detector.getCurrentResources(), availability: detector.getAvailability() }),
  ).pipe(
    catchError((error: unknown) => {
      options.onError?.(error);
      return EMPTY;
    }),
  );
  return timer(0, options.intervalMs, options.scheduler).pipe(concatMap(() => look));
}

interface Reporting {
  readonly reported: Amounts;
  readonly changed: boolean;
}

/**
 * The totals worth acting on: the first sample's, and then what `step` (the hysteresis) reports as changed. The state is
 * each subscriber's own.
 */
export function capacityChanges<S extends Reporting>(
  start: (first: Amounts) => S,
  step: (state: S, sample: Amounts) => S,
): OperatorFunction<CapacitySample, Amounts> {
  return (samples$) =>
    samples$.pipe(
      map((sample) => totalsOf(sample.resources)),
      scan((state: S | undefined, totals) => (state === undefined ? start(totals) : step(state, totals)), undefined),
      filter((state): state is S => state?.changed === true),
      map((state) => state.reported),
    );
}

/** Totals by dimension, base units. */
export const totalsOf = (resources: SystemResources): Amounts =>
  Object.fromEntries(Object.entries(resources.resources).map(([dimension, use]) => [dimension, use.total]));
