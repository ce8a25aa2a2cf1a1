import { concatMap, EMPTY, merge, of, Subject, type Subscription, switchMap, tap } from 'rxjs';
import { declare } from '../../detection/declared.ts';
import { guardDetector } from '../../detection/guard.ts';
import { observe, startHysteresis } from '../../detection/hysteresis.ts';
import type { PoolState } from '../../domain/state.ts';
import type { Clock } from '../../model/clock.ts';
import type { ResolvedConfig } from '../../model/config/config.ts';
import type { ResourceDetector, ResourceIssue, SystemResources } from '../../model/interfaces.ts';
import { type Amounts, parseRequirements } from '../../model/values/amounts.ts';
import { clockScheduler } from '../../time/clock-scheduler.ts';
import type { ReadyStatus } from '../service.ts';
import { type CapacitySample, capacityChanges, sampleCapacity$, totalsOf } from './capacity.ts';

export interface CapacityFeedOptions {
  readonly detector: ResourceDetector;
  readonly clock: Clock;
  readonly alert: (issue: ResourceIssue) => void;
  /** The configuration's, as it stands. */
  readonly config: () => ResolvedConfig;
  /** What is recorded; a change counts against it. */
  readonly known: () => Amounts;
  readonly changed: (capacity: Amounts, resources: SystemResources) => void;
  readonly overloaded: () => void;
  /** What is kept for the system now, base units. */
  readonly reserve: () => Amounts;
}

/** What the machine has, watched: changes of capacity once they are no noise, and overload once it stays. */
export class CapacityFeed {
  readonly #options: CapacityFeedOptions;
  readonly #detector: ResourceDetector;
  readonly #reconfigured = new Subject<void>();
  readonly #now = new Subject<void>();
  #subscription: Subscription | undefined;
  #overloadedInRow = 0;
  #unreadable: NonNullable<SystemResources['unreadable']> = {};

  constructor(options: CapacityFeedOptions) {
    this.#options = options;
    const { detector, clock, alert } = options;
    const guarded = guardDetector(detector, { staleAfterMs: 60_000, onAlert: alert, now: () => clock.now() });
    this.#detector = declaring(guarded, () => options.config().detection.capacity);
  }

  get detector(): ResourceDetector {
    return this.#detector;
  }

  /** What the last look could not read, and why, by dimension. */
  get unreadable(): NonNullable<SystemResources['unreadable']> {
    return this.#unreadable;
  }

  /** The machine as it is now. Throws if the detector has never given anything to stand on. */
  first(): { readonly capacity: Amounts; readonly resources: SystemResources } {
    const resources = this.#detector.getCurrentResources();
    this.#unreadable = resources.unreadable ?? {};
    return { capacity: totalsOf(resources), resources };
  }

  start(): void {
    const rounds = merge(of(undefined), this.#reconfigured).pipe(switchMap(() => this.#changes()));
    this.#subscription = rounds.subscribe((capacity) =>
      this.#options.changed(capacity, this.#detector.getCurrentResources()),
    );
  }

  /** A new configuration counts from the next sample on. */
  reconfigure(): void {
    this.#reconfigured.next();
  }

  /** A look out of turn: a pressured tier asks for more of them. */
  sampleNow(): void {
    this.#now.next();
  }

  stop(): void {
    this.#subscription?.unsubscribe();
  }

  #changes() {
    const { clock, config, alert } = this.#options;
    const { detection } = config();
    const rule = detection.capacity === null ? detection : { hysteresisRatio: 0, stableSamples: 1 };
    const onError = (error: unknown) => alert(failure(error, clock.now()));
    const regular = sampleCapacity$(this.#detector, {
      intervalMs: detection.sampleIntervalMs,
      scheduler: clockScheduler(clock),
      onError,
    });
    const extra = this.#now.pipe(concatMap(() => this.#look()));
    return merge(regular, extra).pipe(
      tap((sample) => this.#judge(sample)),
      capacityChanges(
        (first) => observe(startHysteresis(this.#options.known()), first, rule),
        (state, sample) => observe(state, sample, rule),
      ),
    );
  }

  #look() {
    try {
      return of({ resources: this.#detector.getCurrentResources(), availability: this.#detector.getAvailability() });
    } catch (error) {
      this.#options.alert(failure(error, this.#options.clock.now()));
      return EMPTY;
    }
  }

  #judge(sample: CapacitySample): void {
    this.#unreadable = sample.resources.unreadable ?? {};
    const { pressureRatio, samples } = this.#options.config().overload;
    const overloaded = isPressed(sample, pressureRatio) || isShort(sample, this.#options.reserve());
    this.#overloadedInRow = overloaded ? this.#overloadedInRow + 1 : 0;
    if (this.#overloadedInRow >= samples) this.#options.overloaded();
  }
}

/**
 * For readiness: a dimension that cannot be read ends no service, as its last good amounts stand, or there is none of it to grant
 * until it can be read.
 */
export function detectionCheck(unreadable: NonNullable<SystemResources['unreadable']>): ReadyStatus['checks'][number] {
  const whys = Object.entries(unreadable).map(([dimension, why]) => `${dimension} cannot be read: ${why}`);
  return whys.length === 0
    ? { name: 'detection', ok: true }
    : { name: 'detection', ok: false, message: whys.join('; ') };
}

/** Cpu pressure alone is no overload: a busy cpu is what a pool is for. */
function isPressed({ resources }: CapacitySample, pressureRatio: number): boolean {
  const { memory = 0, io = 0 } = resources.pressure ?? {};
  return memory > pressureRatio || io > pressureRatio;
}

/** Less memory is free than is kept for the system. A declared capacity says nothing of how much that would be here. */
const isShort = ({ resources, availability }: CapacitySample, reserve: Amounts): boolean =>
  resources.source === 'detected' &&
  (availability.available['memory'] ?? Number.POSITIVE_INFINITY) < (reserve['memory'] ?? 0);

/** `detection.capacity` declares what a detector of any kind would find. */
function declaring(
  detector: ResourceDetector,
  declared: () => ResolvedConfig['detection']['capacity'],
): ResourceDetector {
  return {
    getAvailability: () => detector.getAvailability(),
    getCurrentResources: () => {
      const found = detector.getCurrentResources();
      const capacity = declared();
      if (capacity === null) return found;
      return {
        ...found,
        source: 'declared',
        unreadable: {},
        resources: declare(parseRequirements(capacity, 'detection.capacity', []), found.resources),
      };
    },
  };
}

const failure = (error: unknown, at: number): ResourceIssue => ({
  code: 'DETECTOR_FAILED',
  severity: 'warning',
  message: error instanceof Error ? error.message : String(error),
  at,
});

/** What the state's configuration keeps back, base units. */
export const reserveOf = (state: PoolState): Amounts =>
  Object.fromEntries(
    state.dimensions.map((name) => [name, (state.capacity[name] ?? 0) - (state.allocatable[name] ?? 0)]),
  );
