import type { ResourceAvailability, ResourceDetector, SystemResources } from '../model/interfaces.ts';
import { type Alert, LastGood } from './last-good.ts';

export interface GuardOptions {
  /** A sample whose `at` is older than this counts as failed. */
  readonly staleAfterMs: number;
  readonly onAlert: Alert;
  readonly now: () => number;
}

/**
 * Any detector, also a user's own, made safe to build on: what it throws, or gives that cannot be true, or gives too late,
 * leaves the last good amounts standing with `stale: true`, and raises one alert. Only a detector that has never given a
 * good sample throws: there is no capacity to stand on then.
 */
export function guardDetector(detector: ResourceDetector, options: GuardOptions): ResourceDetector {
  return new GuardedDetector(detector, options);
}

class GuardedDetector implements ResourceDetector {
  readonly #detector: ResourceDetector;
  readonly #options: GuardOptions;
  readonly #lastGood: LastGood;
  #last: SystemResources | undefined;
  #stale: readonly string[] = [];

  constructor(detector: ResourceDetector, options: GuardOptions) {
    this.#detector = detector;
    this.#options = options;
    this.#lastGood = new LastGood(options.onAlert);
  }

  getCurrentResources(): SystemResources {
    const now = this.#options.now();
    try {
      const sample = this.#fresh(now);
      const { resources, stale } = this.#lastGood.settle(sample.resources, now);
      this.#stale = stale;
      if (Object.keys(resources).length === 0) throw new Error('the detector gave no dimension that can be used');
      this.#last = { ...sample, resources };
    } catch (error) {
      this.#standOnLast(error instanceof Error ? error : new Error(String(error)), now);
    }
    return this.#last!;
  }

  getAvailability(): ResourceAvailability {
    const { at, resources } = this.getCurrentResources();
    const available = Object.fromEntries(Object.entries(resources).map(([name, use]) => [name, use.available]));
    const own = this.#ownAvailability();
    return {
      at,
      stale: this.#stale.length > 0 || own === undefined || own.stale,
      available,
      constrained: own?.constrained ?? [],
    };
  }

  #fresh(now: number): SystemResources {
    const sample = this.#detector.getCurrentResources();
    if (typeof sample?.resources !== 'object' || sample.resources === null)
      throw new TypeError('the sample has no resources');
    if (!(now - sample.at <= this.#options.staleAfterMs))
      throw new RangeError(`at: ${sample.at} is older than ${this.#options.staleAfterMs} ms`);
    return sample;
  }

  #standOnLast(error: Error, now: number): void {
    if (this.#last === undefined) throw error;
    this.#stale = this.#lastGood.settleFailure(error, now).stale;
  }

  /** Amounts are the sample's own, so that the two getters never disagree; only the judgement is asked for. */
  #ownAvailability(): ResourceAvailability | undefined {
    try {
      return this.#detector.getAvailability();
    } catch {
      return undefined;
    }
  }
}
